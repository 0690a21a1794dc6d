"""Where parameters lie."""

from __future__ import annotations

import numpy as np

from statsmodels_mcla.design import ParameterLayout


def test_parts_lie_side_by_side_and_cover_the_vector() -> None:
    layout = ParameterLayout((3, 2), n_covariance=4, n_family=2)
    assert layout.size == 11
    params = np.arange(11.0)
    np.testing.assert_array_equal(np.concatenate(layout.split(params)), params)
    assert [params[s].tolist() for s in layout.predictors] == [[0.0, 1.0, 2.0], [3.0, 4.0]]
    assert params[layout.fixed].tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert params[layout.covariance].tolist() == [5.0, 6.0, 7.0, 8.0]
    assert params[layout.curved].tolist() == [5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    assert params[layout.family].tolist() == [9.0, 10.0]


def test_stacks_of_vectors_are_taken_apart_too() -> None:
    layout = ParameterLayout((1,), n_covariance=1)
    parts = layout.split(np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert parts.covariance.tolist() == [[2.0], [4.0]]
    assert parts.family.shape == (2, 0)
