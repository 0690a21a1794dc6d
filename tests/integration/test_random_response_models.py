"""Response models drawn at random: each is the quadrature maximum, or says what is wrong with it."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
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


def compare(model: ResponseModel, data: Any, fit: Any) -> None:
    params, bse, mcse = (np.asarray(getattr(fit, name)) for name in ("params", "bse", "mcse"))
    steps = np.minimum(0.02 * bse, np.where(fit.params.index.str.endswith("Var"), 0.2 * params, np.inf))
    for fine in (False, True):  # a coarse grid may miss a narrow law
        score, hessian = newton(lambda p, f=fine: model.loglike(data, p, fine=f), params, steps)
        step = np.linalg.solve(-hessian, score)
        close = np.abs(step) <= 5.0 * np.hypot(mcse, 2e-3 * bse)
        llf = model.loglike(data, params, fine=fine)
        truth = np.sqrt(np.diag(np.linalg.inv(-hessian)))
        alike = np.abs(bse - truth) <= 0.05 * truth
        if close.all() and alike.all() and abs(fit.llf - llf) <= 5.0 * np.hypot(fit.llf_mcse, 1e-3):
            break
    assert np.linalg.eigvalsh(hessian)[-1] < 0
    assert close.all(), (model, step / bse, mcse / bse)
    assert abs(fit.llf - llf) <= 5.0 * np.hypot(fit.llf_mcse, 1e-3), (model, fit.llf, llf)
    np.testing.assert_allclose(bse, truth, rtol=0.05)


@pytest.mark.slow  # a hundred fits, and quadrature for each
def test_a_hundred_random_response_models_match_quadrature_or_warn() -> None:
    seen = Counter(check(seed) for seed in range(100))
    assert seen.total() == 100
    assert seen["matches"] >= 50, seen


@pytest.mark.parametrize("seed", [2, 15, 24, 317, 366, 374])
def test_random_response_models_match_quadrature_or_warn(seed: int) -> None:
    assert check(seed)
