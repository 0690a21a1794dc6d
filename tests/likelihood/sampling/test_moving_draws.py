"""Draws that move with the fixed effects: the same likelihood, with the noise of its score taken out."""

from __future__ import annotations

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, assert_monte_carlo, no_warnings, small

from statsmodels_mcla import BlockSampling, MCLAMixedGLM


@pytest.mark.parametrize("log_mean", [3.0, 8.0])
def test_groups_that_say_much_about_their_effects(log_mean: float) -> None:
    """Counts in the thousands: the information about beta is a thousandth of what the rows would have alone."""
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(20), 10), rng.uniform(-1, 1, 200)
    u = rng.normal(size=(20, 2)) * [0.6, 0.4]
    y = rng.poisson(np.exp(log_mean + 0.3 * x + u[g, 0] + u[g, 1] * x))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    with no_warnings():
        result = MCLAMixedGLM.from_formula(
            "y ~ x + (1 + x | g)", data=data, family=sm.families.Poisson()
        ).fit(rng=1)
    X = np.column_stack([np.ones(200), x])
    truth = oracle.quadrature_mle(y.astype(float), X, X, g, "poisson", "log")
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.0101 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.01)


@pytest.mark.parametrize("structure", ["intercept", "slope", "crossed"])
def test_gaussian_scores_of_fixed_effects_have_no_monte_carlo_error(structure: str) -> None:
    """Whatever the importance density, the score of moved draws is the same for all of them."""
    case = small(KIND["gaussian-identity"], structure)
    model = case.model()
    model.draw(case.params, nsample=256, rng=1, sampling=BlockSampling(df=10, inflate=1.3))
    found, _ = model._evaluate(case.params)
    assert np.all(np.diag(found.score_var)[2:] > 1e-6)  # premise: the draws do vary
    np.testing.assert_allclose(found.score_var[:2], 0.0, atol=1e-14)
    V = {
        "intercept": lambda: case.params[2] * np.equal.outer(*[case.data["g"].to_numpy()] * 2),
        "crossed": lambda: (
            case.params[2] * np.equal.outer(*[case.data["a"].to_numpy()] * 2)
            + case.params[3] * np.equal.outer(*[case.data["b"].to_numpy()] * 2)
        ),
        "slope": lambda: slopes(case.arguments(), case.params[2:5]),
    }[structure]()
    X = case.arguments()["X"]
    W = np.linalg.inv(V + case.params[-1] * np.eye(len(X)))
    np.testing.assert_allclose(found.score[:2], X.T @ W @ (case.data["y"] - X @ case.params[:2]), rtol=1e-8)
    np.testing.assert_allclose(found.hessian[:2, :2], -X.T @ W @ X, rtol=1e-8)


def slopes(arguments: dict, theta: np.ndarray) -> np.ndarray:
    G = np.array([[theta[0], theta[1]], [theta[1], theta[2]]])
    same = np.equal.outer(arguments["group"], arguments["group"])
    return same * (arguments["Zg"] @ G @ arguments["Zg"].T)


@pytest.mark.parametrize("kind", ["binomial-logit", "gamma-inverse", "poisson-sqrt"])
def test_moved_draws_have_the_same_likelihood(kind: str) -> None:
    """Fixed effects a standard error away from where the draws were made, and the draws moved there."""
    case = small(KIND[kind], "slope")
    model = case.model()
    model.draw(case.params, nsample=2**14, rng=1)
    at = case.params + np.array([0.15, -0.1, *np.zeros(len(case.params) - 2)])
    found, current = model._evaluate(at)
    (part, *_) = current.position.draws
    assert np.any(np.abs(part.transport.slopes) > 0.01)  # premise
    expected = oracle.quadrature_loglike(at, **case.arguments())
    assert_monte_carlo(found.value, np.sqrt(found.value_var), expected, small=0.01, error=2e-5)
