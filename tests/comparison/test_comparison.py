"""Likelihood-ratio tests of nested models, their null distributions, and tables of several models."""

from __future__ import annotations

import functools
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import CBPP, MLE, F, data_of, fit_of, laplace_of, model_of
from scipy import optimize, stats
from slope_counts import counts, poisson_fit, quietly
from statsmodels.stats.multitest import multipletests

from statsmodels_mcla import MCLAMixedGLM, anova
from statsmodels_mcla.comparison.chi_bar_square import chi_bar_square, project


@functools.cache
def glm_of(name: str) -> Any:
    formulas = {
        "cbpp": ("incidence + I(size - incidence) ~ C(period)", data_of("cbpp"), F.Binomial()),
        "cbpp_null": ("incidence + I(size - incidence) ~ 1", data_of("cbpp"), F.Binomial()),
        "salamander": ("Mate ~ 0 + Cross", data_of("salamander"), F.Binomial()),
        "counts": ("y ~ x", counts(), F.Poisson()),
    }
    formula, data, family = formulas[name]
    return sm.GLM.from_formula(formula, data, family=family).fit()


# Null distributions -----------------------------------------------------------------------------------------


def test_distribution_of_each_restriction() -> None:
    """What is set to zero decides the mixture (Self and Liang, 1987; Stram and Lee, 1994)."""
    correlated, independent, intercept = (
        poisson_fit(f"x + {t}") for t in ("(1 + x | g)", "(1 + x || g)", "(1 | g)")
    )
    for full, restricted, df, mixture in [
        (correlated, independent, 1, {1: 1.0}),
        (correlated, intercept, 2, {1: 0.5, 2: 0.5}),
        (independent, intercept, 1, {0: 0.5, 1: 0.5}),
        (intercept, glm_of("counts"), 1, {0: 0.5, 1: 0.5}),
        (intercept, poisson_fit("1 + (1 | g)"), 1, {1: 1.0}),
        (correlated, poisson_fit("1 + (1 | g)"), 3, {2: 0.5, 3: 0.5}),
    ]:
        test = full.compare_lr_test(restricted)
        expected = sum(w * stats.chi2.sf(test.statistic, k) for k, w in mixture.items() if k)
        assert test.df == df
        assert test.pvalue == pytest.approx(expected)
        for k, w in mixture.items():
            assert f"chi2({k})" in str(test.distribution)
            assert w == 1.0 or f"{w:.3g} chi2({k})" in str(test.distribution)
        assert str(test.distribution) in test.summary()
        assert ("chi-bar-square" in str(test)) == (len(mixture) > 1)


def test_a_statistic_of_zero_has_a_p_value_of_one() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.poisson(2.0, 60), "g": np.arange(60) % 12})
    full = quietly(MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family=F.Poisson()))
    null = sm.GLM.from_formula("y ~ 1", data, family=F.Poisson()).fit()
    assert full.params["g Var"] == 0
    statistic, pvalue, _ = full.compare_lr_test(null)
    assert statistic < 1e-6
    assert pvalue == 1.0


def brute_force(J: np.ndarray, draws: np.ndarray, matrices: bool) -> np.ndarray:
    """Squared projections by a general optimiser: onto an orthant, or onto 2 x 2 matrices by their factors."""
    root = np.linalg.cholesky(J).T
    out = []
    for e in draws:
        z = np.linalg.solve(root, e)
        if matrices:

            def distance(w: np.ndarray, z: np.ndarray = z) -> float:
                c = np.array([w[0] ** 2, w[0] * w[1], w[1] ** 2 + w[2] ** 2])
                return float((z - c) @ J @ (z - c))

            starts = ([1, 0.1, 1], [0.1, 0.1, 1], [1.0, -0.5, 0.2])
            nearest = min(optimize.minimize(distance, s, tol=1e-12).fun for s in starts)
        else:
            nearest = optimize.nnls(root, e)[1] ** 2
        out.append(z @ J @ z - nearest)
    return np.array(out)


J3 = np.array([[2.0, 0.7, 0.3], [0.7, 1.0, -0.2], [0.3, -0.2, 1.5]])


@pytest.mark.parametrize("size", [2, 3])
def test_weights_of_variances_against_projections(size: int) -> None:
    J = J3[:size, :size]
    rng = np.random.default_rng(0)
    found = chi_bar_square(0, (1,) * size, J, np.array([J, J]), rng)
    lengths = brute_force(J, rng.standard_normal((4000, size)), matrices=False)
    for t in (1e-6, 0.5, 2.0, 5.0):
        p = found.sf(t)
        assert np.mean(lengths >= t) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / 4000))
    assert sum(found.weights) == pytest.approx(1.0)
    assert found.mcse(2.0) == 0.0


@pytest.mark.parametrize(
    ("cones", "J"), [((2,), J3), ((1, 1, 1, 1), np.eye(4) + 0.5)], ids=["matrix", "four"]
)
def test_simulated_weights(cones: tuple[int, ...], J: np.ndarray) -> None:
    """Projections are those of a general optimiser; the mixture has their law, and its errors are theirs."""
    rng = np.random.default_rng(0)
    found = chi_bar_square(1, cones, J, np.array([J, J]), rng)
    few = rng.standard_normal((12, len(J)))
    z = np.linalg.solve(np.linalg.cholesky(J).T, few.T).T
    c = project(z, J, cones)
    lengths = np.einsum("nk,kl,nl->n", z, J, z) - np.einsum("nk,kl,nl->n", z - c, J, z - c)
    np.testing.assert_allclose(lengths, brute_force(J, few, cones == (2,)), atol=1e-4)
    many = rng.standard_normal((8000, len(J)))
    z = np.linalg.solve(np.linalg.cholesky(J).T, many.T).T
    c = project(z, J, cones)
    total = 2 * np.einsum("nk,kl,nl->n", c, J, z) - np.einsum("nk,kl,nl->n", c, J, c)
    total += rng.chisquare(1, 8000)
    for t in (0.5, 2.0, 6.0):
        p = found.sf(t)
        error = np.hypot(found.mcse(t), np.sqrt(p * (1 - p) / 8000))
        assert found.mcse(t) < 0.015
        assert np.mean(total >= t) == pytest.approx(p, abs=4 * error)
    assert found.df == 1 + len(J)
    assert "simulated" in str(found)


@pytest.mark.slow
def test_two_variances_at_once() -> None:
    """Female and male animals are crossed: nearly independent, so that the weights are about 1/4, 1/2, 1/4."""
    test = laplace_of("salamander").compare_lr_test(glm_of("salamander"))
    assert test.df == 2
    np.testing.assert_allclose(test.distribution.weights, [0.25, 0.5, 0.25], atol=0.05)
    assert test.statistic == pytest.approx(
        2 * (laplace_of("salamander").llf - glm_of("salamander").llf), abs=1e-6
    )
    assert 0 < test.pvalue_mcse < 0.2 * test.pvalue


# Statistics -------------------------------------------------------------------------------------------------


def test_against_a_glm() -> None:
    test = fit_of("cbpp").compare_lr_test(glm_of("cbpp"))
    truth = 2 * (oracle.quadrature_mle(**oracle.problem("cbpp").arguments).llf - glm_of("cbpp").llf)
    assert test.statistic == pytest.approx(truth, abs=4 * test.mcse)
    assert 0 < test.mcse < 0.02
    both = fit_of("cbpp").compare_lr_test(glm_of("cbpp_null"))
    assert both.df == 4
    assert both.statistic == pytest.approx(
        test.statistic + 2 * (glm_of("cbpp").llf - glm_of("cbpp_null").llf)
    )


def test_against_a_glm_with_a_dispersion() -> None:
    """The moment estimate of statsmodels' scale is replaced by maximum likelihood."""
    data = data_of("sleepstudy_gamma")
    glm = sm.GLM.from_formula("Reaction ~ Days", data, family=F.Gamma(sm.families.links.Log())).fit()
    mu, y = glm.mu, data["Reaction"].to_numpy(float)
    shape = optimize.minimize_scalar(
        lambda a: -stats.gamma.logpdf(y, a, scale=mu / a).sum(),
        bounds=(1, 200),
        method="bounded",
        options={"xatol": 1e-8},
    )
    full = fit_of("sleepstudy_gamma", mcse_tol=0.03)
    test = full.compare_lr_test(glm)
    assert test.df == 1
    assert test.statistic == pytest.approx(2 * (full.llf + shape.fun), abs=max(4 * test.mcse, 1e-3))
    table = anova(glm, full)
    assert table["logLik"].iloc[0] == pytest.approx(-shape.fun, abs=1e-5)
    assert list(table["npar"]) == [3, 4]


def test_common_random_numbers_between_two_fits() -> None:
    full, small = (
        model_of("cbpp"),
        MCLAMixedGLM.from_formula(CBPP.replace("C(period)", "1"), data=data_of("cbpp")),
    )
    statistics, errors, single = [], [], []
    for seed in range(12):
        one, other = (quietly(m, rng=k, nsample=32) for m, k in ((full, seed), (small, 100 + seed)))
        test = one.compare_lr_test(other)
        statistics.append(test.statistic)
        errors.append(test.mcse)
        single.append(2 * np.hypot(one.llf_mcse, other.llf_mcse))
    assert 0.4 < np.std(statistics, ddof=1) / np.mean(errors) < 2.0
    assert np.mean(errors) < 0.6 * np.mean(single)


def test_equal_variances_are_a_restriction() -> None:
    data = data_of("salamander")
    vc = [{"F": "0 + C(Female)", "M": "0 + C(Male)"}, {"animal": ["0 + C(Female)", "0 + C(Male)"]}]
    two, one = (MCLAMixedGLM.from_formula("Mate ~ 0 + Cross", v, data).fit_laplace() for v in vc)
    test = two.compare_lr_test(one)
    assert test.df == 1
    assert test.statistic == pytest.approx(2 * (two.llf - one.llf), abs=1e-6)
    assert str(test.distribution) == "chi2(1)"


def test_a_higher_likelihood_of_the_restricted_model_is_told() -> None:
    full = model_of("cbpp").fit_laplace()
    stopped = model_of("cbpp").fit_laplace()
    estimates = replace(stopped.estimates, params=np.array([-3.0, 0.0, 0.0, 0.0, 0.2]))
    stopped = stopped.with_estimates(estimates)
    small = MCLAMixedGLM.from_formula(CBPP.replace("C(period)", "1"), data=data_of("cbpp")).fit_laplace()
    assert full.compare_lr_test(small).statistic > 10
    with pytest.warns(UserWarning, match="restricted model has the higher likelihood"):
        assert stopped.compare_lr_test(small).pvalue == 1.0


# Models that cannot be compared -----------------------------------------------------------------------------


def laplace(right: str, data: pd.DataFrame | None = None, family: Any = None, **rows: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MCLAMixedGLM.from_formula(
            f"y ~ {right}", counts() if data is None else data, family=family or F.Poisson(), **rows
        ).fit_laplace()


def test_other_data_are_refused() -> None:
    full, data = laplace("x + (1 | g)"), counts()
    other = data.assign(y=data["y"].to_numpy()[::-1])
    for restricted, message in [
        (laplace("1 + (1 | g)", data.iloc[1:]), "other rows, 119"),
        (laplace("1 + (1 | g)", other), "other response"),
        (laplace("1 + (1 | g)", offset=0.1 * data["z"]), "other offset"),
        (laplace("1 + (1 | g)", freq_weights=1.0 + (data["x"] > 0)), "other freq_weights"),
        (laplace("1 + (1 | g)", family=F.NegativeBinomial(alpha=1.0)), "family"),
        (laplace("1 + (1 | g)", family=F.Poisson(sm.families.links.Sqrt())), "link"),
        (
            sm.GLM.from_formula("y ~ 1", data, family=F.Poisson(), offset=0.1 * data["z"]).fit(),
            "other offset",
        ),
        (sm.GLM.from_formula("y ~ 1", other, family=F.Poisson()).fit(), "other response"),
        (sm.Poisson.from_formula("y ~ 1", data).fit(disp=0), "GLM"),
        (poisson_fit("1 + (1 | g)"), "method"),
    ]:
        with pytest.raises(ValueError, match=message):
            full.compare_lr_test(restricted)


def test_models_that_are_not_nested_are_refused() -> None:
    for full, restricted, message in [
        ("x + (1 | g)", "z + (1 | g)", "fixed effects"),
        ("x + z + (1 | g)", "x + (1 | h)", r"none of those here"),
        ("x + z + (1 + x || g)", "x + (1 + x | g)", "independent here"),
        ("x + (1 | g)", "x + (1 | g)", "parameters"),
    ]:
        with pytest.raises(ValueError, match=message):
            laplace(full).compare_lr_test(laplace(restricted))


# Tables -----------------------------------------------------------------------------------------------------


def test_anova_is_that_of_lme4() -> None:
    # anova(glmer(... ~ 1 + (1 | herd)), glmer(... ~ period + (1 | herd))) of lme4, binomial, cbpp
    small = MCLAMixedGLM.from_formula(CBPP.replace("C(period)", "1"), data=data_of("cbpp")).fit_laplace()
    table = anova(laplace_of("cbpp"), small)
    assert list(table["npar"]) == [2, 5]
    lme4 = {
        "AIC": (213.663070, 194.053133),
        "BIC": (217.713774, 204.179891),
        "logLik": (-104.8315352, -92.0265664),
        "deviance": (209.663070, 184.053133),
    }
    for column, values in lme4.items():
        np.testing.assert_allclose(table[column], values, atol=1e-3)
    assert table["Chisq"].iloc[1] == pytest.approx(25.6099376, abs=3e-4)
    assert table["Df"].iloc[1] == 3
    assert table["Pr(>Chisq)"].iloc[1] == pytest.approx(1.15100649e-05, rel=1e-3)
    assert np.isnan(table["Chisq"].iloc[0])
    assert table.index[1] == CBPP


def test_anova_of_several_models_in_any_order() -> None:
    fits = [
        poisson_fit("x + (1 + x | g)"),
        glm_of("counts"),
        poisson_fit("x + (1 | g)"),
        poisson_fit("x + (1 + x || g)"),
    ]
    table = anova(*fits, names=["correlated", "glm", "intercept", "independent"])
    assert list(table.index) == ["glm", "intercept", "independent", "correlated"]
    assert list(table["Df"].iloc[1:]) == [1, 1, 1]
    np.testing.assert_allclose(table["logLik"], [fits[k].llf for k in (1, 2, 3, 0)])
    for row, full, small in (("intercept", 2, 1), ("independent", 3, 2), ("correlated", 0, 3)):
        statistic, pvalue, _ = fits[full].compare_lr_test(fits[small])
        assert table.loc[row, "Chisq"] == statistic
        assert table.loc[row, "Pr(>Chisq)"] == pvalue
    assert (table["MCSE"].iloc[1:] > 0).all()
    assert table.loc["intercept", "distribution"].startswith("chi-bar-square")


def test_only_the_smallest_model_may_be_a_glm() -> None:
    with pytest.raises(ValueError, match="only the smallest of the models compared may be one"):
        anova(glm_of("cbpp_null"), glm_of("cbpp"), laplace_of("cbpp"))


def test_anova_names_the_models_that_do_not_fit_together() -> None:
    with pytest.raises(ValueError, match="'a' against 'b'"):
        anova(laplace("z + (1 | g)"), laplace("x + (1 + x || g)"), names=["a", "b"])
    with pytest.raises(ValueError, match="two or more"):
        anova(laplace_of("cbpp"))
    with pytest.raises(ValueError, match="names"):
        anova(laplace_of("cbpp"), laplace_of("cbpp"), names=["a"])


# Contrasts --------------------------------------------------------------------------------------------------


def test_contrasts_carry_their_monte_carlo_errors() -> None:
    result = fit_of("salamander")
    R = np.array([[1.0, 0, 0, -1], [0, 1, 0, 0]])
    test = result.t_test(R)
    cov = result.cov_mcse().to_numpy()[:4, :4]
    np.testing.assert_allclose(test.mcse, np.sqrt(np.diag(R @ cov @ R.T)))
    np.testing.assert_allclose(test.summary_frame(mcse=True)["mcse"], test.mcse)
    assert test.summary(mcse=True).as_text().count("MCSE") == len(R)
    assert f"{test.mcse[0]:.2g}" in str(test.summary(mcse=True))
    assert "MCSE" not in str(test)
    named = result.t_test("Cross[R/R] - Cross[W/W] = 0, Cross[R/W] = 0")
    np.testing.assert_allclose(named.mcse, test.mcse)
    assert not hasattr(laplace_of("salamander").t_test(R), "mcse")


@pytest.mark.parametrize(
    "method", ["hs", "bonferroni", "sidak", "holm", "simes-hochberg", "hommel", "fdr_bh", "fdr_by"]
)
def test_pairwise_tests_are_adjusted(method: str) -> None:
    result = fit_of("salamander")
    frame = result.t_test_pairwise("Cross", method=method, alpha=0.01, mcse=True).result_frame
    raw = frame["P>|z|"].to_numpy() if "P>|z|" in frame else frame["P>|t|"].to_numpy()
    published = MLE["salamander"]["pairwise_p"]
    for name, p in zip(frame.index, raw, strict=True):
        truth = next(v for k, v in published.items() if set(k.split("-")) == set(name.split("-")))
        assert stats.norm.isf(p / 2) == pytest.approx(stats.norm.isf(truth / 2), rel=0.03, abs=0.02)
    reject, adjusted = multipletests(raw, alpha=0.01, method=method)[:2]
    np.testing.assert_allclose(frame[f"pvalue-{method}"], adjusted)
    assert list(frame[f"reject-{method}"]) == list(reject)
    assert np.all(frame["mcse"] > 0)
