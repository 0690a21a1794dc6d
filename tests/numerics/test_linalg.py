"""Products over many draws, against `numpy.einsum`; order and errors of work on threads."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from statsmodels_mcla.execution.threads import on_threads
from statsmodels_mcla.numerics.linalg import multiply_draws, sum_of_products, weighted_sum

SIZES = st.tuples(
    st.integers(0, 4),
    st.integers(0, 70),
    st.integers(1, 25),
    st.sampled_from([0, 1, 7, 16, 500, 4096, 20001]),
)


@given(SIZES)
@settings(max_examples=60, deadline=None)
def test_products_over_draws(sizes: tuple[int, int, int, int]) -> None:
    blocks, n, q, m = sizes
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(blocks, n, m)), rng.normal(size=(blocks, q, m))
    weights, matrices = rng.random((blocks, m)), rng.normal(size=(blocks, n, q))
    scale = 1e-11 * np.sqrt(max(m, 1))
    np.testing.assert_allclose(
        weighted_sum(left, weights), np.einsum("bnm,bm->bn", left, weights), rtol=1e-10, atol=scale
    )
    np.testing.assert_allclose(
        sum_of_products(left, right), np.einsum("bnm,bqm->nq", left, right), rtol=1e-10, atol=scale
    )
    found = multiply_draws(matrices, right, np.empty((blocks, n, m)))
    np.testing.assert_allclose(found, np.einsum("bnq,bqm->bnm", matrices, right), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("n_jobs", [1, 2, 3, 20])
def test_results_come_in_order(n_jobs: int) -> None:
    items = list(range(50))
    assert on_threads(n_jobs, lambda x: x * x, items) == [x * x for x in items]
    assert on_threads(n_jobs, str, []) == []
    nested = on_threads(n_jobs, lambda x: sum(on_threads(n_jobs, abs, [-x, x, -x])), items)
    assert nested == [3 * x for x in items]


def test_threads_work_at_once() -> None:
    both = threading.Barrier(2, timeout=30)
    on_threads(2, lambda _: both.wait(), [0, 1])


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_ends_the_work(n_jobs: int, failing: int) -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        if item == failing:
            raise FloatingPointError("of this item")

    with pytest.raises(FloatingPointError, match="of this item"):
        on_threads(n_jobs, work, range(100_000))
    assert len(begun) < 100_000
    assert on_threads(n_jobs, abs, [-1, -2]) == [1, 2]
