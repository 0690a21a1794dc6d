import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import special

from statsmodels_mcla.numerics import consecutive_slices, log1mexp, logistic, unique_rows


def test_consecutive_slices_take_a_sequence_apart() -> None:
    parts = [(1, 2), (), (3,), (4, 5, 6)]
    whole = [x for part in parts for x in part]
    assert [tuple(whole[s]) for s in consecutive_slices(len(p) for p in parts)] == parts
    assert consecutive_slices([]) == ()


@given(
    arrays(
        float,
        array_shapes(min_dims=2, max_dims=2, min_side=1),
        elements=st.sampled_from([-1.0, -0.0, 0.0, 2.0]),
    )
)
def test_distinct_rows_are_those_of_numpy(table: np.ndarray) -> None:
    found = unique_rows(table)
    theirs = np.unique(table, axis=0, return_index=True, return_inverse=True, return_counts=True)
    for a, b in zip(found, theirs, strict=True):
        np.testing.assert_array_equal(a, b.reshape(a.shape))


@pytest.mark.parametrize("shape", [(0, 3), (0, 0)])
def test_a_table_without_rows_has_no_distinct_ones(shape: tuple[int, int]) -> None:
    assert [len(part) for part in unique_rows(np.empty(shape))] == [0, 0, 0, 0]


def test_rows_without_columns_are_alike() -> None:
    assert unique_rows(np.empty((3, 0))).counts.tolist() == [3]


def test_the_logistic_function_far_out() -> None:
    x = np.array([-1e300, -800.0, -40.0, -1.0, 0.0, 1e-9, 3.0, 40.0, 800.0, 1e300])
    with np.errstate(over="raise"):
        one, other, log_whole = logistic(x)
    np.testing.assert_allclose(one, special.expit(x), rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(other, special.expit(-x), rtol=1e-14, atol=1e-300)
    np.testing.assert_allclose(log_whole, np.logaddexp(0.0, x), rtol=1e-14, atol=0.0)


def test_log_of_one_minus_a_power() -> None:
    x = np.array([1e-300, 1e-20, 1e-8, 0.3, 0.69, 0.7, 5.0, 36.0, 600.0, 1e4])
    with np.errstate(over="raise"):
        found = log1mexp(x)
    # from the larger of both parts (Maechler, 2012, the note of R's package Rmpfr)
    wanted = [np.log(-np.expm1(-x)) if x < 0.7 else np.log1p(-np.exp(-x)) for x in x]
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-300)
