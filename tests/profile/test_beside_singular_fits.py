"""Away from a singular maximum, covariance matrices have other ranks: profiles and log-likelihoods by quadrature."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import optimize, special

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import ImportanceWeightWarning, SingularFitWarning

GROUPS, ROWS = 40, 8
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(30)
WEIGHTS = np.log(WEIGHTS / WEIGHTS.sum())


@functools.cache
def data() -> pd.DataFrame:
    """Binary responses whose slopes do not vary."""
    rng = np.random.default_rng(5)
    g, x = np.repeat(np.arange(GROUPS), ROWS), rng.normal(size=GROUPS * ROWS)
    chance = rng.random(len(g))
    eta = -0.3 + 0.6 * x + 0.9 * rng.normal(size=GROUPS)[g]
    return pd.DataFrame({"g": g, "x": x, "y": (chance < special.expit(eta)).astype(int)})


@functools.cache
def fitted(formula: str = "y ~ x + (1 + x | g)") -> Any:
    with pytest.warns(SingularFitWarning):
        return MCLAMixedGLM.from_formula(formula, data=data(), family=sm.families.Binomial()).fit(rng=1)


def quadrature(beta: Any, G: Any) -> float:
    """Log-likelihood at fixed effects and a covariance matrix of any rank."""
    root = np.linalg.cholesky(np.asarray(G) + 1e-14 * np.eye(2))
    u = np.stack(np.meshgrid(NODES, NODES, indexing="ij"), axis=-1).reshape(-1, 2) @ root.T
    y, x = (data()[name].to_numpy().reshape(GROUPS, ROWS, 1) for name in ("y", "x"))
    eta = beta[0] + u[:, 0] + (beta[1] + u[:, 1]) * x
    inside = special.log_expit(np.where(y == 1, eta, -eta)).sum(axis=1)
    return float(special.logsumexp(inside + np.add.outer(WEIGHTS, WEIGHTS).ravel(), axis=1).sum())


@pytest.mark.parametrize(
    ("name", "value"), [("x Var", 0.05), ("x Var", 0.25), ("g Var", 1.6), ("g x x Cov", -0.3)]
)
def test_profiles_are_over_all_covariance_matrices(name: str, value: float) -> None:
    """Correlations of one, where the maximum has them, are no part of what is held."""

    def covariance(t: Any) -> Any:
        if name == "g x x Cov":
            return [[np.exp(t[0]), value], [value, value**2 / np.exp(t[0]) + np.exp(t[1])]]
        g, x = (value, np.exp(t[0])) if name == "g Var" else (np.exp(t[0]), value)
        cov = np.tanh(t[1]) * np.sqrt(g * x)
        return [[g, cov], [cov, x]]

    start = [-0.2, 0.55, -3.0 if name == "g Var" else -0.3, -3.0 if name == "g x x Cov" else 0.1]
    best = optimize.minimize(lambda t: -quadrature(t[:2], covariance(t[2:])), start, method="BFGS", tol=1e-4)
    found = fitted().profile_likelihood(name, [value]).table["llf"].loc[value]
    assert found == pytest.approx(-best.fun, abs=0.005)


def test_profiles_are_not_below_those_of_a_submodel() -> None:
    larger, smaller = fitted(), fitted("y ~ x + (1 + x || g)")
    upper = [fit.conf_int(cols=["x Var"], method="profile").to_numpy()[0, 1] for fit in (larger, smaller)]
    assert upper == pytest.approx([0.31, 0.31], abs=0.01)


def test_log_likelihood_at_other_ranks() -> None:
    """Higher ones and lower ones, each as by fresh draws; what is no covariance matrix is refused."""
    model, at = fitted().model, [-0.25, 0.5, 0.8, 0.1]
    for variance in (0.25, 0.5):
        params = [*at, variance]
        expected = quadrature(params[:2], [[0.8, 0.1], [0.1, variance]])
        assert model.loglike(params) == pytest.approx(expected, abs=0.005)
        assert np.isfinite(model.score(params)).all()
    assert model.loglike([*at[:3], 0.0, 0.0]) == pytest.approx(
        quadrature(at, [[0.8, 0.0], [0.0, 0.0]]), abs=0.005
    )
    assert model.loglike(fitted().params) == pytest.approx(fitted().llf, abs=1e-3)
    assert np.isnan(model.score(fitted().params)[2:]).all()  # of a singular matrix
    with pytest.raises(ValueError, match="params: the covariance matrix of 'g' has a negative eigenvalue"):
        model.loglike([*at[:3], 0.9, 0.25])


def test_draws_that_do_not_reach_are_told() -> None:
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data(), family=sm.families.Binomial())
    model.draw([-0.2, 0.5, 0.05], nsample=128, rng=1)
    with pytest.warns(ImportanceWeightWarning, match="so far from where the draws were made"):
        model.loglike([40.0, -30.0, 0.05])
