"""Response models drawn at random: each is the quadrature maximum, or says what is wrong with it."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from responses import ONE_PREDICTOR, SEVERAL_PREDICTORS, ResponseModel, newton

from statsmodels_mcla.exceptions import ConvergenceWarning, MCLAWarning

MODELS = ONE_PREDICTOR + SEVERAL_PREDICTORS


def drawn(seed: int) -> tuple[ResponseModel, dict[str, int]]:
    """A model and the size of its data: small groups and large, effects that are nearly nothing and wide."""
    rng = np.random.default_rng([seed, 14])
    model = MODELS[seed % len(MODELS)]
    sd = float(rng.choice([0.15, 0.6, 1.2]))
    shift = float(rng.choice([-0.6, 0.0, 0.6]))
    fixed = tuple({**one, "x": float(rng.normal())} if "x" in one else one for one in model.fixed)
    size = {"seed": seed, "groups": int(rng.integers(6, 25)), "size": int(rng.integers(3, 10))}
    return replace(model, sd=sd, intercept=model.intercept + shift, fixed=fixed), size


def check(seed: int) -> str:
    """Fit and compare; the outcome is "matches" or the names of the warnings that were given."""
    model, size = drawn(seed)
    data = model.data(**size)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("error")
        for category in (MCLAWarning, ConvergenceWarning):
            warnings.simplefilter("always", category)
        try:
            fit = model.model(data).fit(rng=seed)
        except ValueError as error:  # of responses without zeros, ones or categories
            return f"refused: {str(error)[:40]}"
    told = sorted({w.category.__name__ for w in caught})
    if told:
        assert np.all(np.isfinite(fit.params))
        return " ".join(told)
    assert fit.converged
    compare(model, data, fit)
    return "matches"


def _of_root(q: np.ndarray, at: slice) -> np.ndarray:
    """Parameters, with a variance, a covariance and a variance for the Cholesky factor (a, 0; b, c) in their place."""
    a, b, c = q[at]
    return np.r_[q[: at.start], a * a, a * b, b * b + c * c, q[at.stop :]]


def _by_quadrature(model: ResponseModel, data: Any, fit: Any, *, fine: bool) -> tuple[Any, ...]:
    """Return the log-likelihood, the Newton step and the standard errors at the estimates of a fit.

    A covariance matrix is differentiated by its Cholesky factor, as variances near their limit have no room for steps.
    """
    params, steps = fit.params.to_numpy(), 0.02 * fit.bse.to_numpy()
    back, J, names = np.asarray, np.eye(len(params)), fit.params.index
    if model.correlated:
        first = list(names.str.endswith("Var")).index(True)
        at = slice(first, first + 3)
        a, b, c = np.linalg.cholesky(params[at][[[0, 1], [1, 2]]])[[0, 1, 1], [0, 0, 1]]
        params, back = np.r_[params[:first], a, b, c, params[at.stop :]], partial(_of_root, at=at)
        J[at, at] = [[2 * a, 0, 0], [b, a, 0], [0, 2 * b, 2 * c]]
        steps[at] = 0.05 * np.abs([a, b, c])
    else:
        steps = np.minimum(steps, np.where(names.str.endswith("Var"), 0.2 * params, np.inf))
    score, hessian = newton(lambda q: model.loglike(data, back(q), fine=fine), params, steps)
    assert np.linalg.eigvalsh(hessian)[-1] < 0
    truth = np.sqrt(np.diag(J @ np.linalg.inv(-hessian) @ J.T))
    return model.loglike(data, back(params), fine=fine), J @ np.linalg.solve(-hessian, score), truth


def _compare(model: ResponseModel, data: Any, fit: Any, *, fine: bool) -> None:
    bse, mcse = fit.bse.to_numpy(), fit.mcse.to_numpy()
    llf, step, truth = _by_quadrature(model, data, fit, fine=fine)
    assert (np.abs(step) <= 5.0 * np.hypot(mcse, 2e-3 * bse)).all(), (model, step / bse, mcse / bse)
    assert abs(fit.llf - llf) <= 5.0 * np.hypot(fit.llf_mcse, 1e-3), (model, fit.llf, llf)
    np.testing.assert_allclose(bse, truth, rtol=0.05)


def compare(model: ResponseModel, data: Any, fit: Any) -> None:
    try:
        _compare(model, data, fit, fine=False)
    except AssertionError:  # a coarse grid may miss a narrow law
        _compare(model, data, fit, fine=True)


@pytest.mark.slow  # a hundred fits, and quadrature for each
def test_a_hundred_random_response_models_match_quadrature_or_warn() -> None:
    seen = Counter(check(seed) for seed in range(100))
    assert seen.total() == 100
    assert seen["matches"] >= 50, seen


@pytest.mark.parametrize("seed", [2, 15, 19, 317, 366, 374])
def test_random_response_models_match_quadrature_or_warn(seed: int) -> None:
    assert check(seed)


@pytest.mark.slow  # a fine grid of two effects; a zero part that goes to infinity with effects that it shares
@pytest.mark.parametrize("seed", [24, 588, 619, 624, 799])
def test_hard_random_response_models_match_quadrature_or_warn(seed: int) -> None:
    assert check(seed)
