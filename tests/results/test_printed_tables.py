"""What a fit prints, and the tables that it gives to other programs."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from helpers import REFERENCE, data_of, fit_of, laplace_of, model_of
from scipy import stats
from statsmodels.iolib import summary2

from statsmodels_mcla import MCLAMixedGLM, summary_col

SALAMANDER = ["Cross[R/R]", "Cross[R/W]", "Cross[W/R]", "Cross[W/W]", "F Var", "M Var"]
TIDY = json.loads((REFERENCE / "tidy.json").read_text())


@pytest.fixture(scope="module")
def result() -> Any:
    return fit_of("salamander")


# Printed tables ---------------------------------------------------------------------------------------


def test_summary_says_it_all(result: Any) -> None:
    text = result.summary().as_text()
    for needed in (
        "Mate",
        "Binomial",
        "logit",
        "360",
        "Log-Likelihood",
        "AIC",
        "BIC",
        "Deviance",
        "Df Residuals",
        "354",
        "Mate ~ 0 + Cross",
        "F 60, M 60",
        "rng=1",
        "Converged",
        "yes",
        "std err",
        "P>|z|",
        "[0.025",
        "0.975]",
        *SALAMANDER,
        "60",
    ):
        assert needed in text, needed
    assert f"{result.llf:.3f}" in text
    assert f"{-2 * result.llf:.3f}" in text
    assert f"{result.params.iloc[0]:.4f}" in text
    assert f"{result.bse.iloc[5]:.4f}" in text


def test_summary_names_the_block_with_the_fewest_effective_draws(result: Any) -> None:
    worst = result.mc_diagnostics()["ess_ratio"].idxmin()
    (line,) = [line for line in result.summary(mcse=True).as_text().splitlines() if "in block:" in line]
    shown = line.partition("in block:")[2].strip()
    assert worst.startswith(shown.removesuffix(" ..."))
    assert len(shown) >= 4


def test_summary_of_equal_weights() -> None:
    """A Gaussian model's posterior is the importance density: its weights have no tail."""
    model = MCLAMixedGLM.from_formula(
        "Reaction ~ Days + (1 | Subject)", data=data_of("sleepstudy"), family="gaussian"
    )
    text = model.fit(rng=1).summary(mcse=True).as_text()
    assert "equal weights" in text
    assert "errors of the estimates are zero" in text
    assert "inf" not in text


def line_of(name: str, summary: Any) -> list[str]:
    """Numbers of a line of the last table that has it."""
    lines = [line for line in summary.as_text().splitlines() if line.startswith(f"{name} ")]
    return lines[-1].removeprefix(name).split()


def test_variances_have_one_tailed_p_values_when_they_are_asked_for() -> None:
    """As R's package glmm prints them; a covariance may be negative, and keeps two tails."""
    found = fit_of("epil_slopes")
    text = found.summary().as_text()
    assert text.count("P>|z|") == 1
    assert len(line_of("visit Var", found.summary())) == 4
    summary = found.summary(variance_tests=True)
    z = found.params / found.bse
    for name, tails in (("subject Var", 1), ("visit Var", 1), ("subject x visit Cov", 2)):
        shown = line_of(name, summary)
        assert shown[2] == f"{z[name]:.3f}"
        assert shown[3] == f"{tails * stats.norm.sf(abs(z[name])):.3f}"


def test_monte_carlo_errors_are_one_line_by_default(result: Any) -> None:
    text = result.summary().as_text()
    assert "MCSE" not in text
    worst = 100 * np.max(result.mcse / result.bse)
    assert f"at most {worst:.2g} % of the standard errors" in text
    assert f"log-likelihood is {result.llf_mcse:.2g}" in text
    assert result.summary(mcse=True).as_text().count("MCSE ") > result.summary().as_text().count("MCSE ")
    assert "MCSE of the other numbers" in result.summary(mcse="all").as_text()
    with pytest.raises(ValueError, match="mcse must be"):
        result.summary(mcse="some")


def test_the_seed_that_is_shown_gives_the_same_numbers() -> None:
    model = model_of("cbpp")
    for rng in (None, np.random.default_rng(3)):
        found = model.fit(rng=rng, nsample=64)
        shown = int(re.search(r"rng=(\d+)", found.summary().as_text())[1])  # type: ignore[index]
        np.testing.assert_array_equal(model.fit(rng=shown, nsample=64).params, found.params)


def test_exponentiated_summary() -> None:
    found = fit_of("cbpp")
    shown = line_of("C(period)[T.2]", found.summary(exponentiate=True))
    name = "C(period)[T.2]"
    ratio = np.exp(found.params[name])
    limits = np.exp(found.conf_int().loc[name])
    assert shown[:2] == [f"{ratio:.4f}", f"{ratio * found.bse[name]:.4f}"]
    assert shown[-2:] == [f"{limit:.4f}" for limit in limits]
    assert line_of("herd Var", found.summary(exponentiate=True)) == line_of("herd Var", found.summary())


def test_all_tables_have_one_width_and_one_format_of_numbers() -> None:
    for name in ("cbpp", "epil_slopes", "salamander", "epil_nb"):
        for mcse in (False, True, "all"):
            lines = fit_of(name).summary(mcse=mcse).as_text().split("\n\n")[0].splitlines()
            assert len({len(line) for line in lines if set(line) <= {"=", "-"}}) == 1
    small = MCLAMixedGLM.from_formula(
        "Reaction ~ I(1e6 * Days) + (1 | Subject)", data=data_of("sleepstudy"), family="gaussian"
    ).fit(rng=1)
    shown = line_of("I(1e6 * Days)", small.summary())
    assert float(shown[0]) == pytest.approx(small.params.iloc[1], rel=1e-3)  # not 0.0000
    assert all("e" in number for number in (*shown[:2], *shown[-2:]))


def test_lower_limits_that_are_cut_off_are_told(result: Any) -> None:
    assert "cut off at 0" in fit_of("cbpp").summary().as_text()
    assert "cut off" not in result.summary().as_text()


@pytest.mark.filterwarnings("ignore::statsmodels_mcla.exceptions.SingularFitWarning")
def test_long_formulas_are_wrapped() -> None:
    long = " + ".join(f"I(x > {k})" for k in range(12))
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": rng.poisson(3, 200), "x": rng.integers(0, 14, 200), "g": np.arange(200) % 10})
    text = (
        MCLAMixedGLM.from_formula(f"y ~ {long} + (1 | g)", data=data, family="poisson")
        .fit_laplace()
        .summary()
    )
    assert max(map(len, text.as_text().splitlines())) < 100


def test_summary_levels(result: Any) -> None:
    options = result.summary(alpha=0.1).as_text()
    assert "[5%" in options or "[0.05" in options
    assert "My title" in result.summary(title="My title").as_text()


@pytest.mark.parametrize("name", ["salamander", "epil_slopes", "sleepstudy_gamma"])
def test_summary_in_other_formats(name: str) -> None:
    summary = fit_of(name).summary()
    html, latex = summary.as_html(), summary.as_latex()
    assert "<table" in html
    assert "tabular" in latex
    assert str(summary) == summary.as_text()
    assert max(map(len, summary.as_text().split("\n\n")[0].splitlines())) < 130
    page = ET.fromstring(f"<html>{html.replace('<br/>', '')}</html>")
    assert [len(table.find("tr")) for table in page.iter("table")] == [2, 4, 4, 7, 5]  # type: ignore[arg-type]
    assert latex.count(r"\begin{tabular}") == latex.count(r"\toprule") == 5
    rows = list(csv.reader(io.StringIO(summary.as_csv())))
    (coefficients,) = [row for row in rows if row[:1] == [fit_of(name).params.index[0]]]
    assert float(coefficients[1]) == pytest.approx(fit_of(name).params.iloc[0], abs=5e-5)
    blocks = [block.splitlines() for block in summary.as_markdown().split("\n\n") if block.startswith("|")]
    assert [len(lines[0].replace(r"\|", "").split("|")) - 2 for lines in blocks] == [2, 4, 4, 7, 5]
    assert all(len({line.replace(r"\|", "").count("|") for line in lines}) == 1 for lines in blocks)


def test_summary_of_a_laplace_fit() -> None:
    text = laplace_of("salamander").summary().as_text()
    assert "Laplace" in text
    assert "-209.27" in text


def test_statsmodels_summary_col(result: Any) -> None:
    table = str(
        summary2.summary_col([result, fit_of("salamander_null"), laplace_of("salamander")], stars=True)
    )
    assert "Cross[R/R]" in table
    assert f"{result.params.iloc[0]:.4f}" in table
    assert table.count("F 60, M 60") == 3
    assert f"{result.aic:.3f}" in table


def test_summary_col_marks_fixed_effects_only() -> None:
    """Negative control: statsmodels' own marks the variances of the same fits."""
    fits = [fit_of("epil_slopes"), laplace_of("epil_slopes"), fit_of("epil_nb")]
    found = summary_col(fits, model_names=["slopes", "Laplace", "nb"], stars=True)
    shown = found.tables[0]
    p = fits[0].pvalues["Intercept"]
    assert p < 0.01
    assert shown.loc["Intercept", "slopes"] == f"{fits[0].params['Intercept']:.4f}***"
    unmarked = ["subject Var", "subject x visit Cov", "visit Var", "alpha"]
    assert not shown.loc[unmarked].apply(lambda column: column.str.contains("*", regex=False)).any(axis=None)
    assert "*" in str(summary2.summary_col(fits, stars=True).tables[0].loc["subject Var"].tolist())
    fixed = [name for name in shown.index if name][
        : len({*fits[0].fe_params.index, *fits[2].fe_params.index})
    ]
    assert set(fixed) == {*fits[0].fe_params.index, *fits[2].fe_params.index}  # before all variances
    assert "Variances have no stars" in found.as_text()
    assert "*" not in summary_col(fits).as_text()


def test_summary_col_takes_other_fits_and_refuses_what_is_none() -> None:
    import statsmodels.api as sm

    ours = fit_of("cbpp")
    other = sm.OLS.from_formula("size ~ period", data_of("cbpp")).fit()
    assert summary_col([ours, other]).tables[0].shape[1] == 2
    assert f"{other.params['Intercept']:.4f}" in summary_col([ours, other]).as_csv()
    with pytest.raises(ValueError, match="model_names has 1 names, but there are 2 fits"):
        summary_col([ours, other], model_names=["a"])
    with pytest.raises(TypeError, match="results must be fits"):
        summary_col(["cbpp"])
    with pytest.raises(TypeError, match="no argument 'model_name': did you mean model_names"):
        summary_col([ours], model_name=["a"])


def test_summary2(result: Any) -> None:
    text = str(result.summary2())
    for needed in ("Mate", "Binomial", "F 60, M 60", "M Var", f"{result.bse.iloc[0]:.4f}", "rng=1", "P>|z|"):
        assert needed in text
    assert "nan" not in text
    assert str(result.summary2(alpha=0.1)).count("0.95]") == 1
    params = result.summary2().tables[1]
    np.testing.assert_array_equal(params["P>|z|"].isna(), [False] * 4 + [True] * 2)
    np.testing.assert_allclose(params["Coef."], result.params)


def written(made: Any) -> list[list[list[str]]]:
    """The cells of a summary, read back from CSV, Markdown, LaTeX and HTML."""
    markdown = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in made.as_markdown().splitlines()
        if line.startswith("|") and not set(line) <= set("|-: ")
    ]
    latex = [
        [re.sub(r"\\textbf\{(.*)\}", r"\1", cell.strip()) for cell in line.removesuffix(r"\\").split("&")]
        for line in made.as_latex().splitlines()
        if line.endswith(r"\\")
    ]
    page = ET.fromstring(f"<html>{made.as_html().replace('<br/>', '')}</html>")
    html = [[cell.text or "" for cell in row] for row in page.iter("tr")]
    width = max(len(row) for row in markdown)
    rows = [row for row in csv.reader(io.StringIO(made.as_csv())) if len(row) == width]
    return [[row for row in part if len(row) == width] for part in (rows, markdown, latex, html)]


def test_frames_in_other_formats(result: Any) -> None:
    fits = [fit_of("epil_slopes"), fit_of("epil_nb")]
    for made in (result.summary2(), summary_col(fits, model_names=["a", "b"], stars=True)):
        parts = written(made)
        assert len(parts[0]) >= 7
        for part in parts:
            numbers = [[cell for cell in row[1:] if re.match(r"[-(]?\d", cell)] for row in part]
            assert numbers == [[cell for cell in row[1:] if re.match(r"[-(]?\d", cell)] for row in parts[0]]
            assert "".join(part[1][:1]).startswith(parts[0][1][0][:5])
    latex = result.summary2().as_latex(label="tab:fit")
    assert r"\caption{Generalized Linear Mixed Model Results}" in latex
    assert r"\label{tab:fit}" in latex


def test_names_and_notes_are_safe_in_latex_and_html() -> None:
    """A per cent sign starts a comment in LaTeX, and what looks like a tag vanishes from HTML."""
    data = data_of("cbpp").assign(a_1=lambda d: d["size"])
    found = MCLAMixedGLM.from_formula("incidence ~ (a_1<15) + (1 | herd)", data=data, family="poisson").fit(
        rng=1
    )
    for made in (found.summary(), found.summary2(), summary_col([found])):
        latex, html = made.as_latex(), made.as_html()
        assert not re.search(r"(?<!\\)[%_]", re.sub(r"^%\\caption.*$", "", latex, flags=re.MULTILINE))
        assert not re.search(r"(?<!\$)<", latex)
        assert re.search(r"a_1 ?&lt; ?15", html)
        ET.fromstring(f"<html>{html}</html>")


def test_braces_and_backslashes_of_names_are_safe() -> None:
    """Signs that LaTeX and Markdown read, once each: a brace alone would end no group."""
    data = data_of("cbpp").rename(columns={"size": "a{b}|<c>"})
    data["f"] = np.where(data["period"] == data["period"].iloc[0], "f\\d^2", "e")
    found = MCLAMixedGLM.from_formula(
        "incidence ~ Q('a{b}|<c>') + f + (1 | herd)", data=data, family="poisson"
    ).fit_laplace()
    for made in (found.summary(), found.summary2()):
        latex, markdown = made.as_latex(), made.as_markdown()
        assert r"Q('a\{b\}$|$$<$c$>$')".replace("$$", " ") in latex
        assert r"f[T.f\textbackslash{}d\^{}2]" in latex
        assert r"Q('a{b}\|\<c>')" in markdown
    assert any(r"a\{b\}" in table.as_latex_tabular() for table in found.summary().tables)  # of one alone


# Data frames ------------------------------------------------------------------------------------------

R_NAMES = {
    "Intercept": "(Intercept)",
    **{f"C(period)[T.{k}]": f"period{k}" for k in (2, 3, 4)},
    'C(trt, Treatment("placebo"))[T.progabide]': "trtprogabide",
    'lbase:C(trt, Treatment("placebo"))[T.progabide]': "lbase:trtprogabide",
    "sd__Intercept": "sd__(Intercept)",
    "cor__Intercept.visit": "cor__(Intercept).visit",
}


@pytest.mark.parametrize("name", [name for name in TIDY if name != "_about"])
def test_tidy_is_that_of_broom_mixed(name: str) -> None:
    """Laplace fits of glmmTMB, which stop where theirs does: some 1e-4 standard errors away."""
    found = laplace_of(name)
    tables = {"all": found.tidy(), "ratios": found.tidy("fixed", exponentiate=True)}
    for table, whole in tables.items():
        theirs = pd.DataFrame(TIDY[name][table]).set_index("term")
        ours = whole.set_index(whole["term"].replace(R_NAMES)).loc[theirs.index]
        se = ours["std_error"].to_numpy()
        for column in theirs:
            given = theirs[column].notna()
            scale = {"statistic": 1.0, "p_value": theirs["p_value"]}.get(column, se)
            error = ((ours[column] - theirs[column]) / scale)[given]
            assert given.sum() >= len(TIDY[name]["ratios"]["term"])
            assert error.abs().max() < 5e-3, column
    row = found.glance().iloc[0]
    for column, value in TIDY[name]["glance"].items():
        assert row[column] == pytest.approx(value, abs=1e-4)


def test_tidy_of_draws_has_their_errors() -> None:
    found = fit_of("epil_slopes")
    table = found.tidy().set_index("term")
    fixed, random = found.tidy("fixed"), found.tidy("random")
    pd.testing.assert_frame_equal(pd.concat([fixed, random], ignore_index=True), found.tidy())
    np.testing.assert_allclose(fixed["mcse"], found.mcse.iloc[: found.k_fe])
    parts = found.var_corr()
    np.testing.assert_allclose(random["mcse"], parts["mcse"])
    np.testing.assert_allclose(random["estimate"], parts["estimate"])
    name = "visit"
    ratio = found.tidy("fixed", exponentiate=True).set_index("term").loc[name]
    assert ratio["mcse"] == pytest.approx(np.exp(table.loc[name, "estimate"]) * table.loc[name, "mcse"])
    assert "conf_low" not in found.tidy(conf_int=False)
    narrow = found.tidy(alpha=0.5).set_index("term")
    assert np.all(narrow["conf_low"] > table["conf_low"])
    assert found.glance().loc[0, "llf_mcse"] == found.llf_mcse


def test_tidy_of_dispersions() -> None:
    """glmmTMB's interval is that of the logarithm."""
    found = fit_of("epil_nb")
    row = found.tidy("random").set_index("term").loc["alpha"]
    half = stats.norm.isf(0.025) * found.bse["alpha"] / found.params["alpha"]
    assert row["estimate"] == found.params["alpha"]
    np.testing.assert_allclose(row["conf_high"] / row["estimate"], np.exp(half))
    np.testing.assert_allclose(row["conf_low"] / row["estimate"], np.exp(-half))


@pytest.mark.filterwarnings("ignore::statsmodels_mcla.exceptions.SingularFitWarning")
def test_tidy_at_the_boundary() -> None:
    data = pd.DataFrame({"y": [0, 1, 1, 0] * 10, "g": np.repeat(np.arange(10), 4)})
    found = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data).fit(rng=1)
    assert found.singular
    row = found.tidy("random").iloc[0]
    assert row["estimate"] == 0.0
    assert row[["std_error", "conf_low", "conf_high"]].isna().all()


def test_tidy_goes_to_files() -> None:
    table = fit_of("cbpp").tidy()
    again = pd.read_csv(io.StringIO(table.to_csv(index=False)), keep_default_na=False, na_values=[""])
    np.testing.assert_allclose(again["estimate"], table["estimate"])
    assert "<table" in table.to_html()


def test_tidy_refuses() -> None:
    for options, message in (({"effects": "some"}, "effects must be"), ({"alpha": 2}, "alpha")):
        with pytest.raises(ValueError, match=message):
            fit_of("cbpp").tidy(**options)


def test_exponentiated_summary_of_several_predictors_is_that_of_tidy() -> None:
    data = data_of("epil")
    model = MCLAMixedGLM.from_formula("y ~ lbase + (1 | subject)", data, family="poisson", ziformula="~ lage")
    found = model.fit_laplace()
    ratios = found.tidy("fixed", exponentiate=True).set_index("term")["estimate"]
    for name in ("lbase", "zi: Intercept", "zi: lage"):
        assert line_of(name, found.summary(exponentiate=True))[0] == f"{ratios[name]:.4f}"
