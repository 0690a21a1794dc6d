"""Paths with second derivatives: the same likelihood, with the noise of its curvature taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import KIND, differences, small

from statsmodels_mcla import BlockSampling, MCLAMixedGLM
from statsmodels_mcla.likelihood.laplace import eliminated_root, roots
from statsmodels_mcla.likelihood.laplace.eliminated_root import EliminatedRoot
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import Position

KINDS = ["poisson-log", "gamma-inverse", "negativebinomial-log"]
SIZES = (8, 9, 10, 8, 9, 10, 7, 8)


def drawn(
    kind: str, structure: str, nsample: int = 256, rng: int = 1, **options: Any
) -> tuple[Any, Position]:
    """What a model keeps of its draws, and their position, along accelerated paths."""
    case = small(KIND[kind], structure, sizes=SIZES)
    model = case.model()
    model.draw(case.params, nsample=nsample, rng=rng, **options)
    current = model._current
    sampler = current.sampler.accelerated()
    assert sampler is not current.sampler
    assert sampler.accelerated() is sampler
    return current, sampler.at(current.position.params, current.position)


def moved_on(params: np.ndarray) -> np.ndarray:
    return params + 0.1 * np.maximum(np.abs(params), 0.2) * np.cos(np.arange(len(params)))


@pytest.mark.parametrize("away", [False, True], ids=["anchor", "away"])
@pytest.mark.parametrize("structure", ["slope", "crossed"])
def test_derivatives_of_the_paths(structure: str, away: bool) -> None:
    """What `Moved` says of the centre, the root and its determinant, and of their derivatives, by differences."""
    _, position = drawn("gamma-inverse", structure)
    at = moved_on(position.params) if away else position.params
    step, s = np.full(len(at), 1e-2), len(at) - 2
    for part in position.draws:
        anchor, shape = part.anchor, part.anchor.centre.shape
        moved = anchor.at(at)
        assert moved.second is not None

        def root(x: np.ndarray, anchor: Any = anchor, shape: tuple[int, int] = shape) -> np.ndarray:
            return anchor.at(x).root.apply(np.tile(np.eye(shape[1]), (shape[0], 1, 1)))

        def value(x: np.ndarray, name: str, anchor: Any = anchor) -> np.ndarray:
            return getattr(anchor.at(x), name)

        for name, first in (("centre", moved.slopes), ("log_det", np.pad(moved.traces, ((0, 0), (2, 0))))):
            found = differences(lambda x, name=name, value=value: value(x, name), at, step)
            np.testing.assert_allclose(first, found, atol=1e-8)
        bends = differences(root, at, step)
        np.testing.assert_allclose(bends[..., :2], 0.0, atol=1e-9)  # fixed effects move the mean alone
        for j, bend in enumerate(moved.bends):
            written = bend.apply(np.tile(np.eye(shape[1]), (shape[0], 1, 1)))
            np.testing.assert_allclose(written, bends[..., 2 + j], atol=1e-8)
        crossed = differences(lambda x, value=value: value(x, "traces"), at, step)
        np.testing.assert_allclose(-moved.crossed, crossed[..., 2:], atol=1e-8)
        shifts = differences(lambda x, value=value: value(x, "slopes"), at, step)  # (B, q, j, i)
        np.testing.assert_allclose(moved.second[0].shifts, shifts[:, :, 2:], atol=1e-8)
        assert moved.second[0].turns.shape[1] == s


@pytest.mark.parametrize("structure", ["slope", "crossed"])
@pytest.mark.parametrize("kind", KINDS)
def test_centres_follow_the_modes_to_second_order(kind: str, structure: str) -> None:
    """The slopes of paths made again nearby differ as the accelerations say: at the mode, exactly so."""
    case = small(KIND[kind], structure, sizes=SIZES)
    current, position = drawn(kind, structure, 64, sampling=BlockSampling(centre="mode"))
    loadings = current.design.layout.covariance

    def remade(x: np.ndarray) -> np.ndarray:
        model = case.model()
        model.draw(current.reduction.extend(x), nsample=64, rng=1, sampling=BlockSampling(centre="mode"))
        slopes = [p.anchor.at(x).slopes for p in model._current.position.draws]
        return np.concatenate([m[..., loadings].reshape(-1, loadings.stop - loadings.start) for m in slopes])

    found = [p.anchor.accelerations.shifts for p in position.draws]
    own = slice(0, loadings.stop - loadings.start)
    shifts = np.concatenate([n[:, :, own].reshape(-1, own.stop, n.shape[-1]) for n in found])
    expected = differences(remade, position.params, np.full(len(position.params), 2e-3))
    known = slice(0, loadings.stop)  # with fixed effects and loadings, not with parameters of the family
    np.testing.assert_allclose(shifts[..., known], expected[..., known], atol=2e-4)


@pytest.mark.parametrize("structure", ["slope", "crossed"])
@pytest.mark.parametrize("kind", [*KINDS, "binomial-logit"])
@pytest.mark.parametrize("away", [False, True], ids=["anchor", "away"])
def test_score_and_hessian_are_derivatives(kind: str, structure: str, away: bool) -> None:
    current, position = drawn(kind, structure, 64)
    at = moved_on(position.params) if away else position.params
    found = evaluate(current.design, at, position.draws)
    step = np.full(len(at), 1e-3)

    def there(x: np.ndarray, name: str) -> Any:
        return getattr(evaluate(current.design, x, position.draws), name)

    scale = np.abs(found.hessian).max()
    np.testing.assert_allclose(
        found.score, differences(lambda x: there(x, "value"), at, step), atol=1e-7 * scale
    )
    np.testing.assert_allclose(
        found.hessian, differences(lambda x: there(x, "score"), at, step), atol=1e-7 * scale
    )


def rows_in_crossed(mean: float = 300.0) -> Any:
    """Counts with an effect of each row beside two crossed ones, 143 in one block."""
    rng = np.random.default_rng(7)
    s, i, x = np.repeat(np.arange(15), 8), np.tile(np.arange(8), 15), rng.normal(size=120)
    effects = 0.3 * rng.normal(size=15)[s] + 0.2 * rng.normal(size=8)[i] + 0.2 * rng.normal(size=120)
    y = rng.poisson(np.exp(np.log(mean) + 0.1 * x + effects))
    data = pd.DataFrame({"y": y, "x": x, "s": s, "i": i, "row": np.arange(120)})
    return MCLAMixedGLM.from_formula("y ~ x + (1 | s) + (1 | i) + (1 | row)", data=data, family="poisson")


@pytest.mark.parametrize("filled", [True, False])
def test_large_blocks_have_accelerations_too(filled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a root with parts, the value, score and Hessian are derivatives at and away from the anchor."""
    monkeypatch.setattr(roots, "LARGE", 100)
    monkeypatch.setattr(roots, "FEW_LEFT", 100)
    if not filled:
        monkeypatch.setattr(eliminated_root, "MOST_FILLED", 0)
    model = rows_in_crossed(30.0)
    model.draw(model.fit_laplace().params, nsample=64, rng=1)
    current = model._current
    position = current.sampler.accelerated().at(current.position.params, current.position)
    anchor = position.draws[0].anchor
    assert isinstance(anchor.root, EliminatedRoot)
    assert anchor.accelerations.turns.any()
    for at in (position.params, position.params * (1.0 + 0.004 * np.cos(np.arange(5)))):
        found, step = evaluate(current.design, at, position.draws), np.full(5, 1e-5)

        def there(x: np.ndarray, name: str) -> Any:
            return getattr(evaluate(current.design, x, position.draws), name)

        scale = np.abs(found.hessian).max()
        for name, value in (("value", found.score), ("score", found.hessian)):
            slope = differences(lambda x, name=name: there(x, name), at, step)
            np.testing.assert_allclose(value, slope, atol=1e-6 * scale)


def test_standard_errors_of_large_counts_need_few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """256 draws instead of 131072, in one form of the root as in the other."""
    whole = rows_in_crossed().fit(rng=1)
    monkeypatch.setattr(roots, "LARGE", 100)
    monkeypatch.setattr(roots, "FEW_LEFT", 100)
    parts = rows_in_crossed().fit(rng=2)
    for fit in (whole, parts):
        assert fit.monte_carlo.draws.max() <= 256
        assert np.all(fit.bse_mcse < 2e-3 * fit.bse)
    np.testing.assert_allclose(parts.bse, whole.bse, rtol=3e-3)
    np.testing.assert_allclose(parts.params, whole.params, atol=0.02 * whole.bse.min())


@pytest.mark.parametrize(("kind", "gain"), [("poisson-log", 3.0), ("gamma-inverse", 5.0)])
def test_standard_errors_vary_less(kind: str, gain: float) -> None:
    """Over seeds, around the same curvature; and what is said of their error is what they vary by."""
    case = small(KIND[kind], "crossed", 3, (12,) * 8)
    model, found = case.model(), {False: [], True: []}
    for rng in range(12):
        model.draw(case.params, nsample=256, rng=rng)
        current = model._current
        for better, entries in found.items():
            sampler = current.sampler.accelerated() if better else current.sampler
            position = sampler.at(current.position.params)
            entries.append(
                evaluate(current.design, position.params, position.draws, metric=np.eye(len(position.params)))
            )
    H = {better: np.array([e.hessian for e in entries]) for better, entries in found.items()}
    loadings = current.design.layout.covariance
    own = [np.diagonal(h, axis1=1, axis2=2)[:, loadings] for h in (H[False], H[True])]
    assert np.all(own[0].std(axis=0) > gain * own[1].std(axis=0))
    error = own[0].std(axis=0, ddof=1) / np.sqrt(len(own[0]))
    assert np.all(np.abs(own[0].mean(axis=0) - own[1].mean(axis=0)) < 4 * error)
    told = np.sqrt(np.mean([e.curvature_var[loadings] for e in found[True]], axis=0))
    assert np.all((own[1].std(axis=0, ddof=1) < 2 * told) & (told < 2 * own[1].std(axis=0, ddof=1)))


def test_blocks_of_one_effect_and_normal_responses_need_no_accelerations() -> None:
    for kind, structure in (("poisson-log", "intercept"), ("gaussian-identity", "crossed")):
        case = small(KIND[kind], structure)
        model = case.model()
        model.draw(case.params, nsample=64, rng=1)
        assert model._current.sampler.accelerated() is model._current.sampler
