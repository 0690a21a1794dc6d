"""Covariance matrices that no data of a design could determine are refused, all others are not."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.data.unidentified import seen_by, seen_together, unseen_direction
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.formula import FormulaWarning


def levels(*designs: list[list[float]]) -> np.ndarray:
    return np.array([np.array(Z).T @ np.array(Z) for Z in designs])


@pytest.mark.parametrize(
    ("designs", "identified"),
    [
        # one level with rows for both effects
        (([[1, 0], [1, 1]], [[1, 0]]), True),
        # a covariate that is constant within levels: three values determine three variances, two do not
        (([[1, 0.0]], [[1, 1.0]], [[1, 2.0]]), True),
        (([[1, 0.0]], [[1, 1.0]], [[1, 1.0]]), False),
        # three categories: every pair together in some level, or one pair nowhere
        (([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 1]]), True),
        (([[1, 0, 0], [0, 1, 0]], [[1, 0, 0], [0, 0, 1]]), False),
    ],
)
def test_what_levels_see(designs: tuple, identified: bool) -> None:
    """By brute force: the map from G to all Z_g G Z_g' has full rank or not."""
    d = len(designs[0][0])
    basis = []
    for i in range(d):
        for j in range(i + 1):
            N = np.zeros((d, d))
            N[i, j] = N[j, i] = 1.0
            basis.append(np.concatenate([(np.array(Z) @ N @ np.array(Z).T).ravel() for Z in designs]))
    assert (np.linalg.matrix_rank(np.array(basis)) == len(basis)) == identified
    free = unseen_direction(seen_by(levels(*designs)))
    assert (free is None) == identified
    if free is not None:
        assert np.abs(free).max() > 0.1
        for Z in designs:
            np.testing.assert_allclose(np.array(Z) @ free @ np.array(Z).T, 0.0, atol=1e-8)


def data(between: bool) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(30), 6)
    f = np.where(g % 2 == 0, "a", "b") if between else rng.choice(["a", "b"], len(g))
    return pd.DataFrame({"g": g, "f": f, "x": 2000.0 + g % 2, "y": rng.integers(0, 2, len(g))})


@pytest.mark.parametrize("bar", ["(f | g)", "(0 + f | g)", "(x | g)"])
def test_effects_of_what_does_not_vary_within_levels(bar: str) -> None:
    with pytest.raises(ValueError, match=r"no data of this design can tell .* apart.*\(1 \| g\)"):
        MCLAMixedGLM.from_formula(f"y ~ f + {bar}", data=data(True), family=sm.families.Binomial())


def test_what_varies_within_levels_is_fitted() -> None:
    model = MCLAMixedGLM.from_formula("y ~ f + (f | g)", data=data(False), family=sm.families.Binomial())
    assert model.design.n_params == 5


ALIKE = r"random effects \(.*\) and \(.*\): no data of this design can tell their variances apart"


def twice_grouped() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    d = data(True).assign(h=lambda d: 7 * d.g + 3, sign=lambda d: np.where(d.g % 3 == 0, -1.0, 1.0))
    return d.assign(x=rng.normal(size=len(d)), k=rng.permutation(d.g.to_numpy()))


@pytest.mark.parametrize(
    "bars",
    [
        "(1 | g) + (1 | h)",
        "(1 | g) + (1 | g:f)",  # f does not vary within levels of g
        "(1 | g/f)",
        "(1 + x | g) + (0 + x | h)",
        "(1 | g) + (0 + sign | h)",
    ],
)
def test_terms_that_divide_the_rows_alike(bars: str) -> None:
    with pytest.raises(ValueError, match=ALIKE):
        MCLAMixedGLM.from_formula(f"y ~ x + {bars}", data=twice_grouped(), family="binomial")


def test_columns_of_a_factor_beside_an_intercept_are_warned_of() -> None:
    """``(f || g)``, as lme4 has it: what is not identified there, users of lme4 know, and it is fitted."""
    with pytest.warns(FormulaWarning, match="lies within"):
        model = MCLAMixedGLM.from_formula("y ~ f + (f || g)", data=data(False), family="binomial")
    assert model.design.n_params == 6


def test_terms_that_divide_the_rows_alike_in_partitions() -> None:
    d = twice_grouped()
    parts = [lambda: d[d.g < 15], lambda: d[d.g >= 15]]
    with pytest.raises(ValueError, match=ALIKE):
        MCLAMixedGLM.from_partitions("y ~ x + (1 | g) + (1 | h)", parts, family="binomial")
    fitted = MCLAMixedGLM.from_partitions("y ~ x + (1 | g) + (0 + x | h)", parts, family="binomial")
    assert fitted.design.n_params == 4


@pytest.mark.parametrize(
    "bars", ["(1 | g) + (1 | k)", "(1 | g) + (0 + x | h)", "(1 + x | g) + (1 | k)", "(1 | one) + (1 | g)"]
)
def test_products_of_designs_are_those_of_dense_matrices(bars: str) -> None:
    d = twice_grouped()
    d["one"] = np.where((d.g == 0) & (d.index % 2 == 0), 1000, d.g)  # one level of g in two
    terms = MCLAMixedGLM.from_formula(f"y ~ x + {bars}", data=d, family="binomial").random_terms
    V = []
    for term in terms:
        Z = term.Z.toarray().reshape(len(d), -1, term.dim) @ term.axes
        for i, j in zip(*np.triu_indices(term.dim), strict=True):
            G = np.zeros((term.dim, term.dim))
            G[i, j] = G[j, i] = 1.0
            V.append(np.einsum("rgi,ij,sgj->rs", Z, G, Z))
    dense = [[np.sum(a * b) / len(d) for b in V] for a in V]
    np.testing.assert_allclose(seen_together(terms), dense, rtol=1e-10, atol=1e-12)


def test_more_covariances_than_rows_are_refused_at_once() -> None:
    """A number that is held as text, as a random slope: 5050 of them, which took minutes to look at."""
    d = data(True)
    d["t"] = [f"c{i % 40}" for i in range(len(d))]
    text = (
        rf"\d+ effects a level .* have \d+ variances and covariances, more than there are rows \({len(d)}\)"
    )
    with pytest.raises(ValueError, match=text):
        MCLAMixedGLM.from_formula("y ~ x + (t | g)", data=d, family="binomial")
    parts = [lambda: d[d.g < 5], lambda: d[d.g >= 5]]
    with pytest.raises(ValueError, match=text):
        MCLAMixedGLM.from_partitions("y ~ x + (t | g)", parts, family="binomial")


def test_effects_of_single_binary_responses_are_warned_of() -> None:
    d = data(True).assign(row=lambda d: np.arange(len(d)), n=lambda d: 1 + d.g % 3)
    with pytest.warns(MCLAWarning, match="'row' have one binary response each"):
        MCLAMixedGLM.from_formula("y ~ 1 + (1 | g) + (1 | row)", data=d, family="binomial")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        MCLAMixedGLM.from_formula("y + I(n - y) ~ 1 + (1 | g) + (1 | row)", data=d, family="binomial")
        MCLAMixedGLM.from_formula("y ~ 1 + (1 | g) + (1 | row)", data=d, family="poisson")
