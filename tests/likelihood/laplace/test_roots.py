"""Roots of conditional covariances: what the eliminated form computes is what dense matrices give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.design.effect_rows import DenseRows, SparseRows
from statsmodels_mcla.likelihood.laplace import evaluate_laplace, roots
from statsmodels_mcla.likelihood.laplace.dense_root import DenseRoot
from statsmodels_mcla.likelihood.laplace.eliminated_root import EliminatedRoot
from statsmodels_mcla.likelihood.laplace.roots import conditional_root


def crossed(r: int) -> tuple[SparseRows, SparseRows, np.ndarray]:
    """Rows of two crossed terms of r effects a level, those of a derivative, and curvatures."""
    rng = np.random.default_rng(r)
    n, sizes = 90, ((12, r), (7, r))
    level = [rng.integers(0, 12, n), rng.integers(0, 7, n)]
    x = rng.normal(size=(n, r))

    def rows(weights: tuple[float, float]) -> SparseRows:
        parts = []
        for (levels, _), at, weight in zip(sizes, level, weights, strict=True):
            dense = np.zeros((n, levels, r))
            dense[np.arange(n), at] = weight * x
            parts.append(dense.reshape(n, -1))
        return SparseRows.of([sp.csr_array(np.hstack(parts))], sizes)

    return rows((1.0, 0.7)), rows((0.0, 1.0)), rng.uniform(0.2, 2.0, (1, n))


@pytest.mark.parametrize("r", [1, 2])
def test_the_eliminated_root_is_the_dense_one(r: int) -> None:
    J, left, W = crossed(r)
    segment = J.eliminable()
    assert segment == (0, 12, r)
    root = EliminatedRoot.of_rows(J, W, segment)
    dense, other = J.blocks[0].toarray(), left.blocks[0].toarray()
    A = dense.T @ (W[0][:, None] * dense) + np.eye(dense.shape[1])
    C = np.linalg.inv(A)
    R = root.of(np.eye(len(A))[None])[0]
    np.testing.assert_allclose(R @ R.T, C, atol=1e-12)
    np.testing.assert_allclose(root.log_det[0], 0.5 * np.linalg.slogdet(C)[1], rtol=1e-12)
    rng = np.random.default_rng(0)
    g = rng.normal(size=(1, len(A)))
    np.testing.assert_allclose(root.back(g)[0], R.T @ g[0], atol=1e-12)
    np.testing.assert_allclose(root.inverse(g)[0], np.linalg.solve(R, g[0]), atol=1e-11)
    np.testing.assert_allclose(root.leverage(J)[0], np.einsum("nq,qp,np->n", dense, C, dense), rtol=1e-10)
    assert root.trace(J, left, W) == pytest.approx(np.trace(other.T @ (W[0][:, None] * dense) @ C), rel=1e-10)
    third = rng.normal(size=W.shape)
    JR, every = dense @ R, np.arange(len(A))
    np.testing.assert_allclose(root.thirds(J, third, *[every] * 3)[0], third[0] @ JR**3, atol=1e-10)
    a, b, c = np.arange(0, 7), np.arange(0, 7)[::-1], np.full(7, 3)
    np.testing.assert_allclose(
        root.thirds(J, third, a, b, c)[0], third[0] @ (JR[:, a] * JR[:, b] * JR[:, c]), atol=1e-10
    )
    dW = rng.normal(size=W.shape)
    change = other.T @ (W[0][:, None] * dense)
    change = change + change.T + dense.T @ (dW[0][:, None] * dense)
    turn, wanted = root.turn(J, dW, left, W), -R.T @ change @ R
    np.testing.assert_allclose(root.diagonal(turn)[0], 0.5 * np.diag(wanted), atol=1e-10)
    level = np.r_[
        np.repeat(np.arange(12), r), np.full(7 * r, 12)
    ]  # between levels that are eliminated there is none
    same = (level[:, None] == level) | (level == 12)
    F = np.where(same, np.triu(wanted, 1), 0.0) + 0.5 * np.diag(np.diag(wanted))
    np.testing.assert_allclose(root.composed(turn).apply(g[..., None])[0, :, 0], R @ F @ g[0], atol=1e-12)
    np.testing.assert_allclose(root.composed(root.still).apply(g[..., None])[0, :, 0], R @ g[0], atol=1e-12)
    twice = root.inflated(2.0)
    np.testing.assert_allclose(twice.of(g), 2.0 * root.of(g))
    np.testing.assert_allclose(twice.inverse(g), 0.5 * root.inverse(g))
    np.testing.assert_allclose(twice.leverage(J), 4.0 * root.leverage(J))


def test_turns_of_dense_roots_follow_the_root() -> None:
    """F is the derivative of the root, to first order in the change of the precision."""
    J, left, W = crossed(1)
    rows, other = DenseRows(J.blocks[0].toarray()[None]), DenseRows(left.blocks[0].toarray()[None])
    root = conditional_root(rows, W)
    assert isinstance(root, DenseRoot)
    h = 1e-5
    near = [conditional_root(DenseRows(rows.array + s * h * other.array), W) for s in (1, -1)]
    slope = (near[0].array - near[1].array) / (2 * h)
    turn = root.turn(rows, np.zeros_like(W), other, W)
    np.testing.assert_allclose(root.array @ turn, slope, atol=1e-8)


def test_fits_do_not_depend_on_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    s, i = np.repeat(np.arange(50), 20), np.tile(np.arange(20), 50)
    x = rng.normal(size=1000)
    eta = 0.3 + 0.5 * x + rng.normal(size=50)[s] + 0.7 * rng.normal(size=20)[i]
    data = pd.DataFrame({"y": rng.binomial(1, 1 / (1 + np.exp(-eta))), "x": x, "s": s, "i": i})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | s) + (1 | i)", data=data, family=sm.families.Binomial())
    laplace, full = model.fit_laplace(), model.fit(rng=1)
    monkeypatch.setattr(roots, "LARGE", 60)
    monkeypatch.setattr(roots, "FEW_LEFT", 60)
    again, eliminated = model.fit_laplace(), model.fit(rng=2)
    assert isinstance(eliminated.fitted.position.draws[0].anchor.root, EliminatedRoot)  # premise
    assert again.llf == pytest.approx(laplace.llf, abs=1e-7)
    np.testing.assert_allclose(again.params, laplace.params, atol=1e-4)
    assert eliminated.llf == pytest.approx(full.llf, abs=5 * np.hypot(full.llf_mcse, eliminated.llf_mcse))
    error = np.hypot(full.mcse, eliminated.mcse)
    assert np.all(np.abs(eliminated.params - full.params) < 5 * error)
    assert np.all(error < 0.02 * full.bse)
    np.testing.assert_allclose(eliminated.bse, full.bse, rtol=0.04)


@pytest.mark.parametrize("large", [roots.LARGE, 100])
def test_modes_do_not_depend_on_where_the_search_starts(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Curvatures of earlier steps are used in large blocks; what they lead to is exact all the same."""
    monkeypatch.setattr(roots, "LARGE", large)
    monkeypatch.setattr(roots, "FEW_LEFT", min(large, roots.FEW_LEFT))
    rng = np.random.default_rng(0)
    s, i = np.repeat(np.arange(80), 30), np.tile(np.arange(30), 80)
    y = rng.poisson(np.exp(0.5 + 0.6 * rng.normal(size=80)[s] + 0.4 * rng.normal(size=30)[i]))
    data = pd.DataFrame({"y": y, "s": s, "i": i})
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | s) + (1 | i)", data=data, family=sm.families.Poisson())
    params = np.array([0.5, 0.6, 0.4])
    there = evaluate_laplace(model.design, params + np.array([0.1, -0.2, 0.2])).modes
    alone, along = (evaluate_laplace(model.design, params, start) for start in (None, there))
    assert along.value == pytest.approx(alone.value, abs=1e-9)
    np.testing.assert_allclose(along.gradient, alone.gradient, atol=1e-6)
    bucket, modes = model.design.buckets[0], along.modes[0]
    assert bucket.n_drawn == 110
    slope = modes.J.back(modes.d1) - modes.b
    assert np.abs(modes.root.back(slope)).max() < 1e-8


@pytest.mark.parametrize("r", [1, 2])
@pytest.mark.parametrize("form", ["dense", "eliminated"])
def test_second_derivatives_of_turns(form: str, r: int) -> None:
    """G + G' = P Q + Q P - R' (J_1' W J_2 + J_2' W J_1) R - F H' - H F', by dense matrices; and slopes of g' R G t."""
    J, left, W = crossed(r)
    segment = J.eliminable()
    assert segment is not None
    dense, other = J.blocks[0].toarray(), left.blocks[0].toarray()
    rows, lefts, size = J, left, dense.shape[1]
    root = EliminatedRoot.of_rows(J, W, segment).filled()
    if form == "dense":
        rows, lefts = DenseRows(dense[None]), DenseRows(other[None])
        root = DenseRoot(root.of(np.eye(size)[None]))
    rng, every = np.random.default_rng(0), np.eye(size)[None]
    R = root.of(every)[0]
    turns = [root.turn(rows, rng.normal(size=W.shape), lefts, k * W) for k in (1.0, -0.5)]
    inverse = np.linalg.inv(R)
    F, H = (inverse @ root.composed(turn).apply(every)[0] for turn in turns)
    P, Q = -(F + F.T), -(H + H.T)
    both = dense.T @ (W[0][:, None] * other)
    wanted = P @ Q + Q @ P - R.T @ (both + both.T) @ R - F @ H.T - H @ F.T
    level = np.r_[np.repeat(np.arange(12), r), np.full(7 * r, 12)]
    same = (level[:, None] == level) | (level == 12) | (form == "dense")
    G = np.where(same, np.triu(wanted, 1), 0.0) + 0.5 * np.diag(np.diag(wanted))
    bend = root.bend((rows, lefts), W, (turns[0], turns[1]))
    np.testing.assert_allclose(inverse @ root.composed(bend).apply(every)[0], G, atol=1e-10)
    g, t = rng.normal(size=(2, 1, size, 5))
    slopes = root.slopes_in_turns(root.products(g, t)[:, None])[:, 0]
    assert np.sum(slopes * bend) == pytest.approx(np.einsum("qm,qm->", g[0], R @ G @ t[0]))
