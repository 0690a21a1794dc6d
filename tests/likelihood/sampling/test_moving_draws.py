"""Draws that move with all parameters: the same likelihood, with the noise of its score taken out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, assert_monte_carlo, differences, no_warnings, small
from scipy import stats

from statsmodels_mcla import BlockSampling, MCLAMixedGLM
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import Position


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
def test_gaussian_scores_have_no_monte_carlo_error(structure: str) -> None:
    """Whatever the importance density, the score of moved draws is the same for all of them, in all parameters."""
    case = small(KIND["gaussian-identity"], structure)
    model = case.model()
    model.draw(case.params, nsample=256, rng=1, sampling=BlockSampling(df=10, inflate=1.3))
    found, _ = model._evaluate(case.params)
    assert np.all(found.blocks.ess < 0.99 * found.blocks.draws)  # premise: the weights do vary
    np.testing.assert_allclose(found.score_var, 0.0, atol=1e-20)
    data = case.data
    X = case.arguments()["X"]

    def covariance(params: np.ndarray) -> np.ndarray:
        if structure == "crossed":
            V = sum(
                v * np.equal.outer(*[data[c].to_numpy()] * 2) for c, v in zip("ab", params[2:4], strict=True)
            )
        else:
            d = 1 if structure == "intercept" else 2
            G = np.zeros((d, d))
            G[np.tril_indices(d)] = params[2:-1]
            G = G + np.tril(G, -1).T
            V = np.equal.outer(*[data["g"].to_numpy()] * 2) * (X[:, :d] @ G @ X[:, :d].T)
        return V + params[-1] * np.eye(len(X))

    def loglike(params: np.ndarray) -> float:
        law = stats.multivariate_normal(X @ params[:2], covariance(params))
        return float(law.logpdf(data["y"].to_numpy()))

    step = 1e-2 * np.maximum(np.abs(case.params), 0.1)
    expected = differences(loglike, case.params, step)
    np.testing.assert_allclose(model.score(case.params), expected, rtol=1e-7, atol=1e-7)
    W = np.linalg.inv(covariance(case.params))
    np.testing.assert_allclose(found.hessian[:2, :2], -X.T @ W @ X, rtol=1e-8)


# Paths ------------------------------------------------------------------------------------------------


def drawn(kind: str, structure: str, nsample: int = 256, **options: Any) -> tuple[Any, Any, Position]:
    """Simulated model, its draws as the model keeps them, and their position."""
    case = small(KIND[kind], structure, sizes=(8, 9, 10, 8, 9, 10, 7, 8))
    model = case.model()
    model.draw(case.params, nsample=nsample, rng=1, **options)
    return case, model._current, model._current.position


def matrices(some: Any, blocks: int, q: int) -> np.ndarray:
    """Maps of the draws of each block, written out (K, q, q)."""
    return some.apply(np.tile(np.eye(q), (blocks, 1, 1)))


def moved_on(params: np.ndarray, size: float = 0.1) -> np.ndarray:
    """Parameters away from the given ones, in all directions."""
    return params + size * np.maximum(np.abs(params), 0.2) * np.cos(np.arange(len(params)))


@pytest.mark.parametrize("away", [False, True], ids=["anchor", "away"])
def test_derivatives_of_the_paths(away: bool) -> None:
    """What `Moved` says of the centre, the root and its determinant, by differences."""
    _, _, position = drawn("gamma-log", "slope")
    at = moved_on(position.params) if away else position.params
    step = np.full(len(at), 1e-2)
    for part in position.draws:
        anchor, shape = part.anchor, part.anchor.centre.shape
        moved = anchor.at(at)

        def root(x: np.ndarray, anchor: Any = anchor, shape: tuple[int, int] = shape) -> np.ndarray:
            return matrices(anchor.at(x).root, *shape)

        np.testing.assert_allclose(moved.log_det, np.linalg.slogdet(root(at))[1], atol=1e-10)
        slopes = differences(lambda x, anchor=anchor: anchor.at(x).centre, at, step)
        np.testing.assert_allclose(moved.slopes, slopes, atol=1e-9)
        bends = differences(root, at, step)
        np.testing.assert_allclose(bends[..., :2], 0.0, atol=1e-9)  # fixed effects move the mean alone
        for j, bend in enumerate(moved.bends):
            np.testing.assert_allclose(matrices(bend, *shape), bends[..., 2 + j], atol=1e-9)
        traces = differences(lambda x, anchor=anchor: anchor.at(x).log_det, at, step)
        np.testing.assert_allclose(moved.traces, traces[..., 2:], atol=1e-9)
        crossed = differences(lambda x, anchor=anchor: anchor.at(x).traces, at, step)
        np.testing.assert_allclose(-moved.crossed, crossed[..., 2:], atol=1e-9)


@pytest.mark.parametrize("structure", ["intercept", "slope", "crossed"])
@pytest.mark.parametrize("kind", ["poisson-log", "gamma-inverse", "negativebinomial-log"])
def test_paths_follow_the_law_of_the_effects(kind: str, structure: str) -> None:
    """Centre and size of the root change as they do where draws are made again: at the mode, exactly so."""
    case, current, position = drawn(kind, structure, 64, sampling=BlockSampling(centre="mode"))

    def remade(x: np.ndarray) -> np.ndarray:
        model = case.model()
        natural = current.reduction.extend(x)
        model.draw(natural, nsample=64, rng=1, sampling=BlockSampling(centre="mode"))
        there = [p.anchor.at(x) for p in model._current.position.draws]
        return np.concatenate([y.ravel() for m in there for y in (m.centre, m.log_det)])

    at = position.params
    found = [
        y.reshape(-1, len(at))
        for m in (p.anchor.at(at) for p in position.draws)
        for y in (m.slopes, np.pad(m.traces, ((0, 0), (2, 0))))
    ]
    expected = differences(remade, at, np.full(len(at), 2e-3))
    still = np.concatenate(
        [np.tile(np.arange(len(at)) < 2, (len(f), 1)) & (k % 2 == 1) for k, f in enumerate(found)]
    )
    # fixed effects move the mean alone
    np.testing.assert_allclose(np.concatenate(found)[~still], expected[~still], atol=1e-4)


def test_draws_do_not_turn_inside_out() -> None:
    _, current, position = drawn("poisson-log", "slope")
    with pytest.raises(FloatingPointError, match="cannot move that far"):
        evaluate(current.design, position.params + 50.0 * np.eye(5)[2], position.draws)


# What they are for ------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", ["slope", "crossed"])
@pytest.mark.parametrize("kind", ["binomial-logit", "gamma-inverse", "poisson-sqrt", "negativebinomial-log"])
def test_moved_draws_have_the_same_likelihood(kind: str, structure: str) -> None:
    """All parameters some way from where the draws were made: quadrature there, and draws rebuilt there."""
    case = small(KIND[kind], structure)
    model = case.model()
    model.draw(case.params, nsample=2**14, rng=1)
    at = case.params * np.where(np.arange(len(case.params)) < 2, 1.0, 1.15)
    at[:2] += np.array([0.15, -0.1]) * (0.3 if kind == "gamma-inverse" else 1.0)
    found, current = model._evaluate(at)
    assert all(np.any(np.abs(p.anchor.slopes) > 0.01) for p in current.position.draws)  # premises
    assert all(np.any(np.abs(p.anchor.turns) > 0.01) for p in current.position.draws)
    options = {"nodes": 9, "rule": "hermite"} if structure == "crossed" else {}
    expected = oracle.quadrature_loglike(at, **case.arguments(), **options)
    assert_monte_carlo(found.value, np.sqrt(found.value_var), expected, small=0.01, error=2e-5)
    score = model.score(at)
    J = current.reduction.jacobian(current.reduction.restrict(at))
    inverse = np.linalg.inv(J)
    V = inverse.T @ found.score_var @ inverse
    model.draw(at, nsample=2**14, rng=2)
    again, _ = model._evaluate(at)
    both = np.sqrt(found.value_var + again.value_var)
    assert_monte_carlo(found.value, both, again.value, small=0.01, error=1e-6)
    V = V + inverse.T @ again.score_var @ inverse
    assert_monte_carlo(score, np.sqrt(np.diag(V)), model.score(at), small=0.1, error=1e-6)


@pytest.mark.parametrize(
    ("kind", "structure"),
    [
        ("poisson-log", "slope"),
        ("binomial-logit", "crossed"),
        ("gamma-log", "slope"),
        ("gamma-log", "crossed"),
    ],
)
def test_errors_of_variances_are_many_times_smaller_than_with_draws_that_stand_still(
    kind: str, structure: str
) -> None:
    _, current, position = drawn(kind, structure, 1024)
    still = [
        replace(
            part,
            anchor=replace(part.anchor, slopes=0.0 * part.anchor.slopes, turns=0.0 * part.anchor.turns),
        )
        for part in position.draws
    ]
    J = current.reduction.jacobian(position.params)

    def mcse(draws: Any) -> np.ndarray:
        found = evaluate(current.design, position.params, draws)
        C = J @ np.linalg.inv(moving.hessian)
        return np.sqrt(np.diag(C @ found.score_var @ C.T))

    moving = evaluate(current.design, position.params, position.draws)
    assert evaluate(current.design, position.params, still).value == moving.value  # the same draws
    layout = current.reduction.layout
    assert np.all(mcse(still)[layout.covariance] > 5 * mcse(position.draws)[layout.covariance])
