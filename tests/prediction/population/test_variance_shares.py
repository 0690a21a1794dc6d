"""R squared and intraclass correlations, against formulas written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import KIND, data_of, fit_of, laplace_of, small
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import Beta, OrderedBeta


def shares(fixed: float, random: float, observation: float) -> list[float]:
    total = fixed + random + observation
    return [fixed / total, (fixed + random) / total]


def test_binomial_logit() -> None:
    fit = fit_of("cbpp")
    fixed = np.var(fit.model.exog @ fit.fe_params.to_numpy(), ddof=1)
    herd = fit.params["herd Var"]
    found = fit.r2()
    np.testing.assert_allclose(found["estimate"], shares(fixed, herd, np.pi**2 / 3))
    icc = fit.icc()
    assert icc.loc["herd", "estimate"] == pytest.approx(herd / (herd + np.pi**2 / 3))
    assert icc.loc["herd", "unadjusted"] == pytest.approx(herd / (herd + np.pi**2 / 3 + fixed))
    np.testing.assert_allclose(icc.loc["herd"].to_numpy(float), icc.loc["total"].to_numpy(float))
    # the delta method: d icc / d herd is s / (herd + s)^2
    slope = np.pi**2 / 3 / (herd + np.pi**2 / 3) ** 2
    assert icc.loc["herd", "std err"] == pytest.approx(slope * fit.bse["herd Var"], rel=1e-5)
    assert icc.loc["herd", "mcse"] == pytest.approx(slope * fit.mcse["herd Var"], rel=1e-5)


@pytest.mark.parametrize(
    ("name", "latent"), [("cbpp_cloglog", np.pi**2 / 6), ("toenail_probit", 1.0), ("bacteria", np.pi**2 / 3)]
)
def test_latent_variances(name: str, latent: float) -> None:
    fit = laplace_of(name)
    random = float(fit.vc_params.iloc[0])
    assert fit.icc()["estimate"].iloc[0] == pytest.approx(random / (random + latent))
    assert "mcse" not in fit.icc()


def test_several_terms_and_slopes() -> None:
    fit = fit_of("salamander")
    F, M = fit.params["F Var"], fit.params["M Var"]
    icc = fit.icc()["estimate"]
    s = np.pi**2 / 3
    np.testing.assert_allclose(icc, [F / (F + M + s), M / (F + M + s), (F + M) / (F + M + s)])
    slopes = laplace_of("epil_slopes")
    visit = slopes.model.exog[:, -1]
    G = slopes.cov_re["subject"].to_numpy()
    z = np.column_stack([np.ones_like(visit), visit])
    random = np.einsum("ni,ij,nj->n", z, G, z)
    eta = slopes.model.exog @ slopes.fe_params.to_numpy()
    mu = np.mean(np.exp(eta + 0.5 * random))
    expected = random.mean() / (random.mean() + np.log(1 + 1 / mu))
    assert slopes.icc().loc["subject", "estimate"] == pytest.approx(expected)


def test_observation_variance_of_counts() -> None:
    fit = fit_of("epil")
    eta = fit.model.exog @ fit.fe_params.to_numpy()
    random = float(fit.vc_params.iloc[0])
    fixed, mu = np.var(eta, ddof=1), np.mean(np.exp(eta + 0.5 * random))
    for method, s in {
        None: np.log(1 + 1 / mu),
        "lognormal": np.log(1 + 1 / mu),
        "trigamma": special.polygamma(1, mu),
        "delta": 1 / mu,
    }.items():
        np.testing.assert_allclose(fit.r2(method)["estimate"], shares(fixed, random, s))
    nb = laplace_of("epil_nb")
    eta = nb.model.exog @ nb.fe_params.to_numpy()
    random, alpha = float(nb.vc_params.iloc[0]), nb.params.iloc[-1]
    fixed, mu = np.var(eta, ddof=1), np.mean(np.exp(eta + 0.5 * random))
    np.testing.assert_allclose(nb.r2()["estimate"], shares(fixed, random, np.log(1 + 1 / mu + alpha)))
    np.testing.assert_allclose(
        nb.r2("trigamma")["estimate"],
        shares(fixed, random, special.polygamma(1, 1 / (1 / mu + alpha))),
    )


def test_other_families() -> None:
    gamma = laplace_of("sleepstudy_gamma")
    eta = gamma.model.exog @ gamma.fe_params.to_numpy()
    random, phi = gamma.params["Subject Var"], gamma.params["scale"]
    np.testing.assert_allclose(gamma.r2()["estimate"], shares(np.var(eta, ddof=1), random, np.log(1 + phi)))
    gaussian = small(KIND["gaussian-identity"], "intercept", seed=1).model().fit_laplace()
    eta = gaussian.model.exog @ gaussian.fe_params.to_numpy()
    np.testing.assert_allclose(
        gaussian.r2()["estimate"],
        shares(np.var(eta, ddof=1), gaussian.params["g Var"], gaussian.params["scale"]),
    )
    sqrt = small(KIND["poisson-sqrt"], "intercept", seed=1).model().fit_laplace()
    eta = sqrt.model.exog @ sqrt.fe_params.to_numpy()
    np.testing.assert_allclose(
        sqrt.r2()["estimate"], shares(np.var(eta, ddof=1), sqrt.params["g Var"], 0.25), rtol=1e-6
    )


def test_standard_errors_are_those_of_the_estimates_over_the_law_of_the_parameters() -> None:
    fit = fit_of("epil")
    rng = np.random.default_rng(1)
    draws = rng.multivariate_normal(fit.params, np.asarray(fit.cov_params()) / 100, size=4000)
    X = fit.model.exog
    values = []
    for p in draws:
        eta, random = X @ p[:-1], p[-1]
        s = np.log(1 + 1 / np.mean(np.exp(eta + 0.5 * random)))
        values.append(shares(np.var(eta, ddof=1), random, s))
    np.testing.assert_allclose(fit.r2()["std err"], 10 * np.std(values, axis=0), rtol=0.06)


def test_frequency_weights_count_rows() -> None:
    data = data_of("epil").drop(columns="V4")
    from statsmodels.genmod import families

    from statsmodels_mcla import MCLAMixedGLM

    formula = "y ~ lage + (1 | subject)"
    twice = MCLAMixedGLM.from_formula(
        formula, data=pd.concat([data, data[::2]], ignore_index=True), family=families.Poisson()
    )
    weighted = MCLAMixedGLM.from_formula(
        formula,
        data=data.assign(w=1 + (np.arange(len(data)) % 2 == 0)),
        family=families.Poisson(),
        freq_weights="w",
    )
    np.testing.assert_allclose(
        twice.fit_laplace().r2()["estimate"], weighted.fit_laplace().r2()["estimate"], rtol=1e-4
    )


def test_methods_that_do_not_suit_are_refused() -> None:
    with pytest.raises(ValueError, match="method must be one of"):
        fit_of("cbpp").r2("exact")
    with pytest.raises(ValueError, match="is for log links"):
        fit_of("cbpp").icc("lognormal")
    with pytest.raises(ValueError, match="is for links of binomial and ordered"):
        fit_of("epil").icc("theoretical")


def test_errors_of_errors_are_computed_where_asked_for() -> None:
    """Without them, no pass over the draws is made."""
    found = fit_of("cbpp")
    tables = {name: getattr(found, name)(mcse=True) for name in ("r2", "icc", "var_corr")}
    assert all(np.all(table["std err mcse"] > 0) for table in tables.values())
    again = fit_of("cbpp")._results
    fresh = again.with_estimates(
        replace(again.estimates, cov=replace(again.estimates.cov, variation_later=refuse))
    )
    for name, table in tables.items():
        shown = getattr(fresh, name)()
        pd.testing.assert_frame_equal(shown, table[[c for c in table if not c.endswith("err mcse")]])
        with pytest.raises(AssertionError, match="a pass"):
            getattr(fresh, name)(mcse=True)


def refuse() -> None:
    raise AssertionError("a pass over the draws")


def test_shares_of_proportions_follow_their_precision() -> None:
    """As those of a linear mixed model of logits, which is the limit."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(30), 10), rng.normal(size=300)
    mu = 1.0 / (1.0 + np.exp(-(0.8 * x + 0.5 * rng.normal(size=30)[g])))
    data = pd.DataFrame({"y": rng.beta(400 * mu, 400 * (1 - mu)), "x": x, "g": g})
    data["logit"] = np.log(data["y"] / (1 - data["y"]))
    ours = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=Beta()).fit_laplace()
    normal = MCLAMixedGLM.from_formula("logit ~ x + (1 | g)", data, family="gaussian").fit_laplace()
    np.testing.assert_allclose(ours.r2()["estimate"], normal.r2()["estimate"], atol=0.02)
    with pytest.raises(ValueError, match=r"theoretical.*binomial and ordered"):
        ours.r2("theoretical")
    shares = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data.assign(y=data["y"].where(data["y"] > 0.2, 0.0)), family=OrderedBeta()
    )
    with pytest.raises(ValueError, match="no variance shares"):
        shares.fit_laplace().r2()
