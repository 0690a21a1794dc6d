"""Kernels of the families over blocks of rows against the plain sums."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from family_cases import (
    CASES,
    N_ROWS,
    Case,
    F,
    close,
    every,
    make,
    one_row,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from statsmodels_mcla.families.registry import conditional_family
from statsmodels_mcla.families.row_terms import Workspace


@every
@pytest.mark.parametrize("shape", [(N_ROWS, 5), (2, 20, 5), (1, N_ROWS, 1)])
def test_blocks_sum_the_rows(case: Case, shape: tuple[int, ...]) -> None:
    s = make(case)
    family = case.ours
    column = (*shape[:-1], 1)
    y, w, v = (a.reshape(column) for a in s.data(family))
    eta = np.random.default_rng(1).uniform(case.low, case.high, shape)
    rows = family.rows(y, w, v, eta, case.phi)
    work = Workspace()
    for scratch in (None, work, work):
        blocks = family.blocks(y, w, v, eta, case.phi, scratch)
        close(blocks.loglik, rows.logf.sum(axis=-2), 1e-12, 1e-12)
        close(blocks.d1, rows.d1, 1e-12, 1e-13)
        close(blocks.d2, rows.d2, 1e-12, 1e-13)


@pytest.mark.parametrize("n", [1, 16, 63, 64, 65, 150])
@pytest.mark.parametrize("scale", [1.0, 30.0, 600.0])
def test_product_kernel_equals_the_plain_one(n: int, scale: float) -> None:
    rng = np.random.default_rng(n)
    y = rng.integers(0, 2, (2, n, 1)).astype(float)
    w = np.ones_like(y)
    plain = conditional_family(F.Binomial())
    fast = plain.specialise(y, w)
    assert type(fast) is not type(plain)
    eta = scale * rng.uniform(-1.3, 1.3, (2, n, 9))
    rows = plain.rows(y, w, 1.0, eta)
    blocks = fast.blocks(y, w, 1.0, eta)
    close(blocks.loglik, rows.logf.sum(axis=-2), 1e-13, 1e-12)
    close(blocks.d1, rows.d1, 1e-15, 1e-15)
    close(blocks.d2, rows.d2, 1e-15, 1e-15)


def test_product_kernel_premise_some_products_overflow() -> None:
    with np.errstate(over="ignore"):
        assert np.isinf(np.prod(1 + np.exp(np.full(64, 30.0))))


def test_nan_is_not_hidden() -> None:
    y = np.ones((2, 1))
    eta = np.array([[0.0, 1.0], [np.nan, 1.0]])
    blocks = conditional_family(F.Binomial()).specialise(y, y).blocks(y, y, 1.0, eta)
    assert np.isnan(blocks.loglik).tolist() == [True, False]


def test_specialise_needs_unit_rows() -> None:
    family = conditional_family(F.Binomial())
    zero_one = np.array([0.0, 1.0])
    assert family.specialise(zero_one, np.array([1.0, 2.0])) is family
    assert family.specialise(np.array([0.0, 0.5]), np.ones(2)) is family
    special_one = family.specialise(zero_one, np.ones(2))
    assert special_one.specialise(zero_one, np.ones(2)).name == "Binomial"
    for case in CASES[1:]:
        assert case.ours.specialise(zero_one, np.ones(2)) == case.ours


def test_threads_with_their_own_workspaces_agree() -> None:
    rng = np.random.default_rng(4)
    y = rng.integers(0, 2, (60, 1)).astype(float)
    w = np.ones_like(y)
    family = conditional_family(F.Binomial()).specialise(y, w)
    chunks = rng.normal(scale=200, size=(16, 60, 64))

    def task(start: int) -> list[Any]:
        work = Workspace()
        return [
            [a.copy() for a in family.blocks(y, w, 1.0, chunks[i], 1.0, work)] for i in range(start, 16, 4)
        ]

    alone = [task(i) for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(task, range(4)))
    for a, b in zip(alone, together, strict=True):
        for x, z in zip(a, b, strict=True):
            assert all(np.array_equal(p, q) for p, q in zip(x, z, strict=True))


def test_workspace_keeps_names_apart_and_grows() -> None:
    work = Workspace()
    a = work.array("a", (2, 3))
    a[:] = 1.0
    work.array("b", (2, 3))[:] = 2.0
    assert np.all(work.array("a", (3, 2)) == 1.0)
    assert work.array("a", (4, 5)).shape == (4, 5)
    assert work.array("a", (4, 5)).ctypes.data % 64 == 0


def test_kernels_leave_their_arguments_alone() -> None:
    for case in CASES:
        s = make(case)
        arrays = [*s.data(case.ours), s.eta]
        before = [a.copy() for a in arrays]
        case.ours.blocks(*arrays, case.phi)
        assert all(np.array_equal(a, b) for a, b in zip(arrays, before, strict=True))


symmetric = st.sampled_from([CASES[0], CASES[1], CASES[3]])


@settings(max_examples=60, deadline=None)
@given(symmetric, st.floats(-600, 600), st.integers(0, 20), st.integers(0, 20))
def test_swapping_success_and_failure_flips_eta(case: Case, eta: float, k: int, rest: int) -> None:
    w = float(k + rest)
    log_f, d1, d2 = one_row(case, k, w, eta)
    flipped = one_row(case, rest, w, -eta)
    close(flipped, [log_f, -d1, d2], 1e-12, 1e-10)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(CASES[:4]), st.floats(-700, 700), st.integers(0, 9))
def test_binomial_log_density_is_never_positive_and_binary_links_bend_down(
    case: Case, eta: float, k: int
) -> None:
    log_f, _, d2 = one_row(case, k, 9.0, eta)
    assert log_f <= 0
    assert d2 <= 0 or case.name == "binomial-cauchy"  # the Cauchy link alone is not log-concave
