"""Random-effect structures: exact derivatives under each, and the models that others fit by other means."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, KIND_IDS, assert_monte_carlo, data_of, differences_of_both, no_warnings
from scipy import stats
from statsmodels.genmod.families import links
from statsmodels.regression.mixed_linear_model import MixedLM

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning

F = sm.families

# Derivatives ------------------------------------------------------------------------------------------

CALLS: dict[str, dict[str, Any]] = {
    "diagonal": {"formula": "(x || g)", "theta": [1.2, 0.5]},
    "three": {"formula": "(1 + x + z | g)", "theta": [1.2, 0.3, 0.8, -0.2, 0.1, 0.6]},
    "shared": {"formula": "", "vc_formulas": {"s": ["0 + C(g)", "0 + C(g):x"]}, "theta": [0.9]},
    "shared and bars": {
        "formula": "(z | g)",
        "vc_formulas": {"s": "0 + C(c)"},
        "theta": [0.8, 0.2, 0.5, 0.4],
    },
}


def model_of(kind_name: str, structure: str) -> tuple[MCLAMixedGLM, np.ndarray]:
    """A model with 26 rows and parameters to look at it."""
    kind, call = KIND[kind_name], dict(CALLS[structure])
    rng = np.random.default_rng(11)
    n = 26
    data = pd.DataFrame(
        {
            "x": rng.uniform(-1, 1, n),
            "z": rng.normal(size=n),
            "g": [f"g{k}" for k in np.arange(n) % 4],
            "c": [f"c{k}" for k in np.arange(n) // 13],
        }
    )
    mu = oracle.mean(kind.oracle_link, kind.intercept - 0.1 * data["x"].to_numpy())
    phi = kind.phi or 1.0
    data["y"] = {
        "binomial": lambda: rng.binomial(2, mu),
        "poisson": lambda: rng.poisson(mu),
        "negativebinomial": lambda: rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)),
        "gamma": lambda: rng.gamma(1 / phi, phi * mu),
        "gaussian": lambda: rng.normal(mu, np.sqrt(phi)),
        "inversegaussian": lambda: rng.wald(mu, 1 / phi),
    }[kind.oracle_family]()
    left = "y + I(2 - y)" if kind.oracle_family == "binomial" else "y"
    theta = np.array(call.pop("theta")) * (kind.sd * (0.4 if kind.oracle_link == "inverse" else 1.0)) ** 2
    bars = call.pop("formula")
    formula = f"{left} ~ x + {bars}" if bars else f"{left} ~ x"
    model = MCLAMixedGLM.from_formula(formula, data=data, family=kind.family, **call)
    dispersion = [] if kind.phi is None else [kind.phi]
    return model, np.concatenate([[kind.intercept, -0.1], theta, dispersion])


@pytest.mark.parametrize("structure", CALLS)
@pytest.mark.parametrize("kind", KIND_IDS)
def test_score_and_hessian_are_those_of_loglike(kind: str, structure: str) -> None:
    model, params = model_of(kind, structure)
    model.draw(params, nsample=64, rng=3)
    at = params * np.where(np.arange(len(params)) < 2, 1.02, 1.1)
    score, hessian = model.score(at), model.hessian(at)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1.0))
    step = 2e-3 * np.minimum(scale, np.where(np.arange(len(at)) < 2, np.inf, np.abs(at)))
    size = np.maximum(np.abs(score * scale), 1.0)
    slope, bend = differences_of_both(lambda x: (model.loglike(x), model.score(x)), at, step)
    assert np.all(np.abs(slope - score) * scale <= 1e-6 * size)
    error = np.abs(bend - hessian) * np.outer(scale, scale)
    assert np.all(error <= 1e-6 * max(1.0, size.max()))


# Many effects a level ---------------------------------------------------------------------------------


def test_four_effects_a_level() -> None:
    """Ten variances and covariances: the log-likelihood and score are quadrature's."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(6), 7)
    Z = np.column_stack([np.ones(42), rng.normal(size=(42, 3))])
    L = np.tril(rng.normal(size=(4, 4)) * 0.15) + 0.4 * np.eye(4)
    y = rng.poisson(np.exp(1.0 + np.sum(Z * (rng.normal(size=(6, 4)) @ L.T)[g], axis=1)))
    data = pd.DataFrame(Z[:, 1:], columns=["x", "z", "w"]).assign(y=y, g=g)
    model = MCLAMixedGLM.from_formula("y ~ 1 + (x + z + w | g)", data=data, family=F.Poisson())
    assert model.data.param_names[1:] == [
        "g Var",
        "g x x Cov",
        "x Var",
        "g x z Cov",
        "x x z Cov",
        "z Var",
        "g x w Cov",
        "x x w Cov",
        "z x w Cov",
        "w Var",
    ]
    params = np.concatenate([[1.0], (L @ L.T)[np.tril_indices(4)]])
    model.draw(params, nsample=2**13, rng=1)
    found, current = model._evaluate(params)
    problem = (y.astype(float), np.ones((42, 1)), Z, g, "poisson", "log")
    assert_monte_carlo(
        found.value,
        np.sqrt(found.value_var),
        oracle.quadrature_loglike(params, *problem),
        small=0.01,
        error=1e-4,
    )
    score = oracle.quadrature_score(params, *problem)
    # the score of variances and covariances is J'^-1 times that of the loadings
    inverse = np.linalg.inv(current.reduction.jacobian(current.position.params))
    mcse = np.sqrt(np.diag(inverse.T @ found.score_var @ inverse))
    assert_monte_carlo(model.score(params), mcse, score, small=0.1, error=1e-3, within=5)


def test_three_effects_a_level_are_quadrature() -> None:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(25), 9)
    Z = np.column_stack([np.ones(225), rng.normal(size=(225, 2))])
    L = np.array([[0.6, 0, 0], [0.2, 0.5, 0], [-0.1, 0.2, 0.4]])
    y = rng.poisson(np.exp(1.5 + np.sum(Z * (rng.normal(size=(25, 3)) @ L.T)[g], axis=1)))
    data = pd.DataFrame(Z[:, 1:], columns=["x", "z"]).assign(y=y, g=g)
    with no_warnings():
        result = MCLAMixedGLM.from_formula("y ~ 1 + (x + z | g)", data=data, family=F.Poisson()).fit(rng=1)
    problem = (y.astype(float), np.ones((225, 1)), Z, g, "poisson", "log")
    params, bse = np.asarray(result.params), np.asarray(result.bse)
    score = oracle.quadrature_score(params, *problem, rule="hermite", nodes=13)
    # one Newton step from the estimate to the maximum of the quadrature likelihood
    step = np.asarray(result.cov_params()) @ score
    assert_monte_carlo(params, result.mcse, params + step, small=0.0101 * bse, error=1e-4 * bse)
    table = result.cov_re["g"]
    assert table.shape == (3, 3)
    assert list(table.columns) == ["Intercept", "x", "z"]
    assert np.all(np.linalg.eigvalsh(table) > 0)


# Effects of single rows -------------------------------------------------------------------------------


def test_observation_level_effects_of_binomial_counts() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=90)
    y = rng.binomial(20, 1 / (1 + np.exp(-(0.2 + 0.5 * x + 0.7 * rng.normal(size=90)))))
    data = pd.DataFrame({"y": y, "rest": 20 - y, "x": x, "row": np.arange(90)})
    with no_warnings():
        result = MCLAMixedGLM.from_formula("y + rest ~ x + (1 | row)", data=data).fit(rng=1)
    X = np.column_stack([np.ones(90), x])
    truth = oracle.quadrature_mle(
        y.astype(float), X, None, np.arange(90), "binomial", "logit", trials=np.full(90, 20.0)
    )
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.0101 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.01)


# Closed forms and other packages ----------------------------------------------------------------------


def test_probit_of_single_rows_is_its_marginal() -> None:
    """E Phi(eta + u) = Phi(eta / sqrt(1 + nu)), one row a group."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=40)
    y = (0.3 + x + 1.2 * rng.normal(size=40) + rng.normal(size=40) > 0).astype(int)
    data = pd.DataFrame({"y": y, "x": x, "g": np.arange(40)})
    with pytest.warns(MCLAWarning, match="'g' have one binary response each"):
        model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Binomial(links.Probit()))
    for nu in (0.3, 1.4, 9.0):
        params = np.array([0.3, 0.8, nu])
        model.draw(params, nsample=2048, rng=1)
        eta = (2 * y - 1) * (0.3 + 0.8 * x) / np.sqrt(1 + nu)
        assert model.loglike(params) == pytest.approx(stats.norm.logcdf(eta).sum(), abs=1e-6)
        slope = np.sum(
            stats.norm.pdf(eta) / stats.norm.cdf(eta) * (2 * y - 1) * np.stack([np.ones(40), x]), axis=1
        )
        np.testing.assert_allclose(model.score(params)[:2], slope / np.sqrt(1 + nu), atol=1e-5)


def crossed() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(8), 9), np.tile(np.repeat(np.arange(3), 3), 8)
    x = rng.normal(size=72)
    y = 1 + 0.5 * x + rng.normal(size=8)[a] + 0.7 * rng.normal(size=3)[b] + 0.5 * rng.normal(size=72)
    return pd.DataFrame({"y": y, "x": x, "a": a, "b": b, "one": 1})


@pytest.mark.parametrize("design", ["intercept", "slope", "crossed"])
def test_gaussian_default_fit_is_mixedlm_exactly(design: str) -> None:
    """Draws of Gaussian effects have equal weights and exact moments: nothing is left to chance."""
    how = {"reml": False, "method": ["bfgs", "powell", "bfgs", "nm"], "gtol": 1e-10}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of theirs, about their optimisers
        if design == "crossed":
            data, formula = crossed(), "y ~ x + (1 | a) + (1 | b)"
            vc = {"a": "0 + C(a)", "b": "0 + C(b)"}
            theirs = MixedLM.from_formula("y ~ x", data, groups="one", vc_formula=vc).fit(**how)
            theta = theirs.vcomp
        else:
            data, slope = data_of("sleepstudy"), design == "slope"
            formula = f"Reaction ~ Days + ({'Days' if slope else '1'} | Subject)"
            theirs = MixedLM.from_formula(
                "Reaction ~ Days", data, groups=data["Subject"], re_formula="~Days" if slope else None
            ).fit(**how)
            theta = np.asarray(theirs.cov_re)[np.tril_indices(2 if slope else 1)]
    with no_warnings():
        ours = MCLAMixedGLM.from_formula(formula, data=data, family=F.Gaussian()).fit(rng=1)
    assert ours.llf == pytest.approx(theirs.llf, abs=1e-8)
    np.testing.assert_allclose(ours.params, [*theirs.fe_params, *theta, theirs.scale], rtol=1e-5)
    assert np.all(ours.mcse <= 1e-10 * ours.bse)
