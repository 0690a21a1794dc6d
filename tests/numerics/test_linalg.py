"""Products over many draws, against `numpy.einsum`."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

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
