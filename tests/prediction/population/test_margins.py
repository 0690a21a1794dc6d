"""Marginal effects and population averages against statsmodels, closed forms, quadrature and differences."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import F, data_of, differences, fit_of, laplace_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning


@functools.lru_cache
def without_effects() -> tuple[Any, Any]:
    """A fit whose variance is zero, and the same model without random effects by statsmodels."""
    rng = np.random.default_rng(5)
    n = 300
    data = pd.DataFrame(
        {"x": rng.normal(size=n), "d": rng.integers(0, 2, n), "k": rng.poisson(2, n), "g": np.arange(n) % 30}
    )
    data["y"] = rng.binomial(
        1, 1 / (1 + np.exp(-(0.2 + 0.7 * data["x"] - 0.5 * data["d"] + 0.2 * data["k"])))
    )
    with pytest.warns(SingularFitWarning):
        mixed = MCLAMixedGLM.from_formula("y ~ x + d + k + (1 | g)", data=data, family=F.Binomial()).fit(
            rng=1
        )
    return mixed, sm.Logit.from_formula("y ~ x + d + k", data).fit(disp=0)


@pytest.mark.parametrize("random", ["none", "marginal"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "eyex"},
        {"method": "dyex", "at": "mean"},
        {"method": "eydx", "at": "median"},
        {"at": "zero"},
        {"dummy": True, "count": True},
        {"dummy": True, "count": True, "method": "eydx"},
        {"dummy": True, "at": "mean"},
        {"atexog": {1: 0.5, 2: 1.0}},
    ],
    ids=str,
)
def test_without_random_effects_they_are_those_of_logit(options: dict[str, Any], random: str) -> None:
    mixed, logit = without_effects()
    found, truth = mixed.get_margeff(random=random, **options), logit.get_margeff(**options)
    np.testing.assert_allclose(found.margeff, truth.margeff, rtol=1e-4)
    np.testing.assert_allclose(found.margeff_se, truth.margeff_se, rtol=1e-4)
    np.testing.assert_allclose(found.conf_int(0.1), truth.conf_int(0.1), rtol=1e-3)
    frame, wanted = found.summary_frame(), truth.summary_frame()
    assert list(frame.columns[: len(wanted.columns)]) == list(wanted.columns)
    assert list(frame.index) == list(wanted.index)


def test_effects_of_every_row() -> None:
    mixed, logit = without_effects()
    found, truth = mixed.get_margeff(at="all"), logit.get_margeff(at="all")
    np.testing.assert_allclose(found.margeff, truth.margeff, rtol=1e-4)
    with pytest.raises(ValueError, match="without standard errors"):
        found.summary_frame()
    fit = fit_of("bacteria")
    rows, average = fit.get_margeff(at="all"), fit.get_margeff()
    assert rows.mcse.shape == rows.margeff.shape
    assert np.all(rows.mcse > 0)
    weights = np.full(len(rows.mcse), 1 / len(rows.mcse))  # errors of rows come from the same estimates
    np.testing.assert_allclose(rows.margeff.T @ weights, average.margeff, rtol=1e-8)
    assert np.all(average.mcse <= rows.mcse.T @ weights + 1e-12)


def by_quadrature(result: Any, params: np.ndarray, X: np.ndarray) -> np.ndarray:
    """Population averages at a design whose last column, if the slope of visit is random, is visit's."""
    p = result.k_fe
    (G,) = result.model.design.covariance.matrices(np.asarray(params)[p:])
    Z = np.ones((len(X), 1)) if len(G) == 1 else X[:, [0, -1]]
    sd = np.sqrt(np.einsum("ni,ij,nj->n", Z, G, Z))
    return oracle.marginal_mean(X @ np.asarray(params)[:p], sd, result.facts.link, nodes=201)


def bacteria_design(trt: Any, late: Any) -> np.ndarray:
    return np.column_stack([np.ones(len(trt)), trt == "drug", trt == "drug+", late])


def epil_design(lbase: Any, trt: Any, lage: Any, visit: Any) -> np.ndarray:
    treated = (trt == "progabide").astype(float)
    return np.column_stack([np.ones(len(lbase)), treated, lbase, lbase * treated, lage, visit])


DESIGNS = {
    "bacteria": (bacteria_design, ["trt", "late"], "placebo"),
    "epil_slopes": (epil_design, ["lbase", "trt", "lage", "visit"], "placebo"),
}


@pytest.mark.parametrize("name", DESIGNS)
def test_average_effects_on_the_population(name: str) -> None:
    """Against quadrature means over designs made by hand: the interaction and the random slope follow."""
    result = fit_of(name)
    design, columns, base = DESIGNS[name]
    data = {c: data_of(name)[c].to_numpy() for c in columns}
    found = result.get_margeff(random="marginal")
    h = 1e-4
    ends = {}
    for column in columns:
        if column == "trt":
            for level in sorted(set(data["trt"]) - {base}):
                ends[f"trt[T.{level}]"] = [(np.full(len(data["trt"]), v), "trt") for v in (level, base)], 1.0
        else:
            ends[column] = [(data[column] + step, column) for step in (h, -h)], 2 * h
    assert set(found.names) == set(ends)

    def average(params: np.ndarray) -> np.ndarray:
        out = []
        for label in found.names:
            both, step = ends[label]
            up, down = (
                by_quadrature(result, params, design(**(data | {c: v})).astype(float)) for v, c in both
            )
            out.append((up.mean() - down.mean()) / step)
        return np.array(out)

    params = np.asarray(result.params)
    truth_order = list(result.fe_params.index)
    assert len(truth_order) == design(**data).shape[1]
    np.testing.assert_allclose(
        result.model.inputs.exog.to_numpy(),
        design(**data),  # the design by hand is the model's
    )
    np.testing.assert_allclose(found.margeff, average(params), rtol=1e-6)
    slope = differences(average, params, 1e-2 * np.asarray(result.bse))
    cov = slope @ np.asarray(result.cov_params()) @ slope.T
    np.testing.assert_allclose(found.margeff_cov, cov, rtol=1e-3, atol=1e-5 * np.diag(cov).max())
    mc = slope @ np.asarray(result.cov_mcse()) @ slope.T
    np.testing.assert_allclose(found.mcse, np.sqrt(np.diag(mc)), rtol=1e-2)


def test_population_averaged_probit_has_closed_form() -> None:
    """beta / sqrt(1 + nu), and its delta method (Zeger, Liang and Albert, 1988, Biometrics 44(4))."""
    result = fit_of("toenail_probit")
    found = result.population_averaged()
    beta, nu = np.asarray(result.fe_params), result.vc_params.iloc[0]
    np.testing.assert_allclose(found.params, beta / np.sqrt(1 + nu), rtol=1e-8)
    slope = np.column_stack([np.eye(len(beta)) / np.sqrt(1 + nu), -0.5 * beta * (1 + nu) ** -1.5])
    np.testing.assert_allclose(
        found.cov_params(), slope @ np.asarray(result.cov_params()) @ slope.T, rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(
        found.mcse, np.sqrt(np.diag(slope @ np.asarray(result.cov_mcse()) @ slope.T)), rtol=1e-6
    )
    assert list(found.params.index) == list(result.fe_params.index)


def test_population_averaged_log_link_moves_the_intercept() -> None:
    result = laplace_of("epil")
    moved = np.asarray(result.fe_params).copy()
    moved[0] += 0.5 * result.vc_params.iloc[0]
    found = result.population_averaged()
    np.testing.assert_allclose(found.params, moved, rtol=1e-8)
    assert np.all(found.mcse == 0)  # Laplace's estimates rest on no draws


def test_population_averaged_logit_is_the_nearest_line() -> None:
    """Least squares of the logits of quadrature means (Hedeker et al., 2018); weaker than a subject's effects."""
    result = fit_of("toenail")
    X = result.model.inputs.exog.to_numpy()
    eta = X @ np.asarray(result.fe_params)
    mean = oracle.marginal_mean(eta, np.sqrt(result.vc_params.iloc[0]), "logit")
    truth = np.linalg.lstsq(X, np.log(mean / (1 - mean)), rcond=None)[0]
    found = result.population_averaged()
    np.testing.assert_allclose(found.params, truth, rtol=1e-8)
    time = list(found.params.index).index("time")
    assert 0.3 < found.params.iloc[time] / result.fe_params.iloc[time] < 0.6


def test_tables() -> None:
    result = fit_of("bacteria")
    for found in (result.get_margeff(random="marginal"), result.population_averaged()):
        text = found.summary().as_text()
        assert "mcse" in text
        assert "late" in text
        assert found.summary().as_html()
        again = pickle.loads(pickle.dumps(found))
        pd.testing.assert_frame_equal(again.summary_frame(), found.summary_frame())


def test_errors() -> None:
    result = fit_of("bacteria")
    for arguments, message in [
        ({"at": "median", "dummy": True}, "dummy and count"),
        ({"at": "middle"}, "at must be"),
        ({"method": "dxdy"}, "method must be"),
        ({"random": "conditional"}, "random must be"),
        ({"atexog": np.ones(2)}, "atexog must be a dict"),
        ({"atexog": {"early": 1.0}}, "atexog: 'early' is no column .*trt, late"),
        ({"variables": "ID"}, "variables: 'ID' is no column"),
        ({"method": "eyex"}, "trt has levels"),
    ]:
        with pytest.raises(ValueError, match=message):
            result.get_margeff(**arguments)


def test_factors_change_from_level_to_level_with_their_interactions() -> None:
    """Averages of differences between predicted probabilities, by hand."""
    data = data_of("bacteria")
    data["success"] = (data["y"] == "y").astype(int)
    data["stage"] = np.where(data["week"] > 2, "late", "early")
    result = MCLAMixedGLM.from_formula(
        "success ~ trt * stage + (1 | ID)", data=data, family=F.Binomial()
    ).fit_laplace()
    b = result.fe_params
    late = (data["stage"] == "late").to_numpy(float)

    def mean(trt: str, late: Any) -> np.ndarray:
        eta = b["Intercept"] + b["stage[T.late]"] * late
        if trt != "drug":
            eta = eta + b[f"trt[T.{trt}]"] + b[f"trt[T.{trt}]:stage[T.late]"] * late
        return 1 / (1 + np.exp(-eta)) + 0.0 * late

    found = result.get_margeff().summary_frame()["dy/dx"]
    trt = data["trt"].to_numpy()
    stage = np.mean([mean(t, 1.0) - mean(t, 0.0) for t in trt])
    assert found["stage[T.late]"] == pytest.approx(stage, rel=1e-9)
    for level in ("drug+", "placebo"):
        assert found[f"trt[T.{level}]"] == pytest.approx(
            np.mean(mean(level, late) - mean("drug", late)), rel=1e-9
        )
    # at the mode of the factors
    assert data["stage"].mode()[0] == "late"
    at_mode = result.get_margeff(at="mean").summary_frame()["dy/dx"]
    assert at_mode["trt[T.placebo]"] == pytest.approx(
        float(mean("placebo", 1.0) - mean("drug", 1.0)), rel=1e-9
    )
    assert list(result.get_margeff(variables="stage").names) == ["stage[T.late]"]


def test_codings_and_functions_of_a_column_do_not_matter() -> None:
    """The same model written otherwise has the same effects; splines and logarithms are followed to their ends."""
    data = data_of("epil").assign(
        treated=lambda d: d["trt"] == "progabide", base=lambda d: np.exp(d["lbase"])
    )
    one = MCLAMixedGLM.from_formula("y ~ lbase * trt + lage + (1 | subject)", data=data, family=F.Poisson())
    other = MCLAMixedGLM.from_formula(
        "y ~ C(trt, Sum) * I(2 * lbase - 1) + lage + (1 | subject)", data=data, family=F.Poisson()
    )
    first, second = (m.fit_laplace(gtol=1e-7).get_margeff().summary_frame() for m in (one, other))
    assert second.index.tolist() == ["trt[T.progabide]", "lbase", "lage"]
    for table in (first, second):
        assert table.loc["lage", "dy/dx"] > 0
    np.testing.assert_allclose(second.loc["lbase"], first.loc["lbase"], rtol=1e-4)
    base = list(first.index)[[name.startswith("trt") for name in first.index].index(True)]
    assert base == "trt[T.progabide]"
    np.testing.assert_allclose(second.loc[base], first.loc[base], rtol=1e-4)
    logs = MCLAMixedGLM.from_formula(
        "y ~ bs(lage, df=4) + np.log(base) + (1 | subject)", data=data, family=F.Poisson()
    )
    result = logs.fit_laplace()
    found = result.get_margeff(at="all")
    assert str(found) == repr(found)
    assert "margeff has those of every row" in found._repr_html_()
    h = 1e-5
    inside = (data["lage"] < data["lage"].max() - h) & (data["lage"] > data["lage"].min() + h)
    for name, rows in (("lage", inside), ("base", inside | True)):
        up, down = (result.predict(data[rows].assign(**{name: data[name][rows] + s})) for s in (h, -h))
        column = found.margeff[rows.to_numpy(), found.names.index(name)]
        np.testing.assert_allclose(column, (up - down) / (2 * h), rtol=1e-4, atol=1e-6)
    assert np.isfinite(found.margeff).all()


def test_columns_of_arrays_are_covariates_of_their_own() -> None:
    """Where nothing is a function of another column, arrays and formula have the same effects."""
    data = data_of("bacteria")
    data["success"] = (data["y"] == "y").astype(int)
    formula = MCLAMixedGLM.from_formula("success ~ late + week + (1 | ID)", data=data, family=F.Binomial())
    X = np.column_stack([np.ones(len(data)), data["late"], data["week"]])
    Z = pd.get_dummies(data["ID"]).to_numpy(float)
    arrays = MCLAMixedGLM(data["success"], X, Z, np.zeros(Z.shape[1], int), family=F.Binomial())
    one, other = formula.fit_laplace(gtol=1e-7), arrays.fit_laplace(gtol=1e-7)
    for options in ({}, {"random": "marginal"}, {"random": "marginal", "at": "mean"}, {"method": "eyex"}):
        np.testing.assert_allclose(
            other.get_margeff(**options).summary_frame(),
            one.get_margeff(**options).summary_frame(),
            rtol=1e-4,
        )
    slopes = MCLAMixedGLM.from_formula("success ~ late + (1 + late | ID)", data=data, family=F.Binomial())
    bare = MCLAMixedGLM(
        data["success"],
        slopes.inputs.exog,
        random_terms=slopes.random_terms,
        family=F.Binomial(),
    )
    with pytest.warns(SingularFitWarning):
        fit = bare.fit_laplace()
    with pytest.raises(ValueError, match="random slopes of late move with their covariates"):
        fit.get_margeff(random="marginal")


def test_weights_count_as_rows() -> None:
    data = data_of("bacteria")
    weight = 1.0 + np.arange(len(data)) % 3
    model = MCLAMixedGLM.from_formula(
        'I(y == "y") ~ late + (1 | ID)', data=data, family=F.Binomial(), freq_weights=weight
    )
    result = model.fit_laplace()
    every = result.get_margeff(at="all").margeff
    np.testing.assert_allclose(result.get_margeff().margeff, np.average(every, axis=0, weights=weight))


def test_population_averages_are_printed_as_their_table() -> None:
    averaged = laplace_of("bacteria").population_averaged()
    assert str(averaged) == str(averaged.summary())


@pytest.mark.parametrize("at", ["overall", "mean", "median", "zero"])
def test_rows_count_as_often_as_their_weights(at: str) -> None:
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.normal(size=90), "a": rng.choice(list("uvw"), 90), "g": np.arange(90) % 15})
    data["y"] = (rng.random(90) < 1 / (1 + np.exp(-data["x"]))) * 1
    data["w"] = np.where((data["x"] > 0.8) | (data["a"] == "v"), 5, 1)
    data["o"] = 0.5 * data["x"] ** 2
    rows = data.loc[data.index.repeat(data["w"])].reset_index(drop=True)
    weighted, whole = (
        MCLAMixedGLM.from_formula(
            "y ~ a * x + (1 | g)", table, family="binomial", freq_weights=weights, offset="o"
        ).fit_laplace()
        for table, weights in ((data, "w"), (rows, None))
    )
    found, truth = weighted.get_margeff(at=at), whole.get_margeff(at=at)
    np.testing.assert_allclose(found.margeff, truth.margeff, rtol=1e-4)


@pytest.mark.parametrize("method", ["eyex", "eydx"])
def test_relative_effects_on_negative_means(method: str) -> None:
    """Degrees below zero: x b / m and b / m, whatever the sign of m."""
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=120), "g": np.repeat(np.arange(20), 6)})
    data["y"] = -8.0 + data["x"] + rng.normal(size=20)[data["g"]] + rng.normal(size=120)
    fit = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family="gaussian").fit_laplace()
    slopes = fit.params["x"] / fit.predict(data)
    expected = (slopes * (data["x"] if method == "eyex" else 1.0)).mean()
    np.testing.assert_allclose(fit.get_margeff(method=method).margeff, expected, rtol=1e-5)
    data["f"] = np.where(np.arange(120) % 2, "a", "b")
    data["y"] += 16.0 * (data["f"] == "b")
    across = fit.update("y ~ x + f + (1 | g)", data=data).get_margeff(method="eydx")
    np.testing.assert_array_equal(np.isnan(across.margeff), [True, False])  # of f, across zero, and of x
