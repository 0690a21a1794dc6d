import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from statsmodels_mcla.numerics import consecutive_slices, unique_rows


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
