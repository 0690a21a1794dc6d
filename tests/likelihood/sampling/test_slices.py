"""Shapes of base numbers: transforms with the density that they claim, and the law that single effects have."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.likelihood.sampling.quantiles import (
    FIRST,
    KNOTS,
    STEP,
    inverse_distribution,
    through_knots,
)
from statsmodels_mcla.likelihood.sampling.skewing import Bends, Shapes
from statsmodels_mcla.likelihood.sampling.slices import FINE

Z = FIRST + STEP * np.arange(KNOTS)
LAWS = {
    "normal": stats.norm(0.3, 0.7),
    "skewed": stats.skewnorm(4.0, -0.5, 1.2),
    "heavy": stats.t(40, 0.2, 0.8),
    "cut off": stats.skewnorm(40.0, 0.0, 1.0),
}


def knots_of(law) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(law.ppf(1e-8), law.ppf(1 - 1e-8), FINE)[None, None]
    return inverse_distribution(t, law.logpdf(t) - law.logpdf(t).max())


@pytest.mark.parametrize("name", ["normal", "skewed", "heavy"])
def test_knots_are_quantiles(name: str) -> None:
    law = LAWS[name]
    knots, slopes = knots_of(law)
    inside = np.abs(Z) <= 3
    np.testing.assert_allclose(knots[0, 0, inside], law.ppf(stats.norm.cdf(Z))[inside], atol=0.01 * law.std())
    expected = stats.norm.pdf(Z) / law.pdf(law.ppf(stats.norm.cdf(Z)))
    np.testing.assert_allclose(slopes[0, 0, inside], expected[inside], rtol=0.05)


@pytest.mark.parametrize("name", LAWS)
def test_transforms_have_the_density_that_they_claim(name: str) -> None:
    """A smooth increasing map whose log derivative is right, beyond the knots too: all that weights rest on."""
    knots, slopes = knots_of(LAWS[name])
    z = np.linspace(-6, 6, 1001)[None, None]
    h = 1e-6
    out, log_slope = through_knots(z, knots, slopes)
    high, low = (through_knots(z + d, knots, slopes)[0] for d in (h, -h))
    assert (np.diff(out[0, 0]) > 0).all()
    np.testing.assert_allclose(np.exp(log_slope[0]), ((high - low) / (2 * h))[0, 0], rtol=1e-4, atol=1e-9)


def test_shapes_of_some_coordinates() -> None:
    """Leaning coordinates and those with knots side by side; the log derivatives add up."""
    knots, slopes = knots_of(LAWS["skewed"])
    eps = np.array([[0.3, 0.0, -0.2]])
    shapes = Shapes(eps, np.array([1]), knots, slopes)
    z = np.random.default_rng(0).normal(size=(1, 3, 50))
    out, log_slope = shapes.apply(z)
    each = [
        Shapes(eps[:, [k]], np.zeros(0, int), knots[:, :0], slopes[:, :0]).apply(z[:, [k]]) for k in (0, 2)
    ]
    own = through_knots(z[:, [1]], knots, slopes)
    np.testing.assert_allclose(out, np.concatenate([each[0][0], own[0], each[1][0]], axis=1))
    np.testing.assert_allclose(log_slope, each[0][1] + own[1] + each[1][1])


def bent(scale: float) -> tuple[Bends, np.ndarray]:
    """Two levels of three coordinates, and the third derivatives along them."""
    rng = np.random.default_rng(5)
    full = scale * rng.uniform(-1, 1, (2, 3, 3, 3))
    full = sum(full.transpose(0, *(1 + np.array(p))) for p in itertools.permutations(range(3))) / 6
    places = np.array([[0, 3], [1, 4], [2, 5]])
    T = np.zeros((6, 6, 6))
    for level in (0, 1):
        T[np.ix_(*[places[:, level]] * 3)] = full[level]
    return Bends.of(places, lambda a, b, c: T[None, a, b, c]), T


def test_bends_have_the_density_that_they_claim() -> None:
    bends, _ = bent(0.8)
    shapes = Shapes.leaning(np.full((1, 6), 0.4), (bends,))
    z, h = np.random.default_rng(1).normal(size=(1, 6, 20)), 1e-6
    _, log_slope = shapes.apply(z)
    steps = h * np.eye(6)[:, None, :, None]
    jacobian = np.array(
        [(shapes.apply(z + step)[0] - shapes.apply(z - step)[0])[0] / (2 * h) for step in steps]
    )
    np.testing.assert_allclose(np.linalg.slogdet(jacobian.transpose(2, 0, 1))[1], log_slope[0], atol=1e-6)


def test_bent_normals_have_the_third_moments_of_the_law() -> None:
    """Means of zero, covariances of one and third moments T, to first order, by a product rule."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(9)
    grid = np.stack(np.meshgrid(*[nodes] * 3, indexing="ij")).reshape(3, -1)
    w = np.prod(np.meshgrid(*[weights / weights.sum()] * 3, indexing="ij"), axis=0).ravel()
    size = 0.01
    bends, T = bent(size)
    gamma = T[np.arange(6), np.arange(6), np.arange(6)]
    out = Shapes.leaning(gamma[None], (bends,)).apply(np.concatenate([grid, grid])[None])[0][0]
    for level in (slice(0, 3), slice(3, 6)):
        t = out[level]
        np.testing.assert_allclose(t @ w, 0.0, atol=3 * size**2)
        np.testing.assert_allclose((w * t) @ t.T, np.eye(3), atol=3 * size**2)
        moments = np.einsum("m,am,bm,cm->abc", w, t, t, t)
        np.testing.assert_allclose(moments, T[level, level, level], atol=0.05 * size)


def crossed(items: int, few: float, seed: int) -> pd.DataFrame:
    """Answers of two persons, several times, to many items, of which few are wrong."""
    rng = np.random.default_rng(seed)
    p, i = np.tile([0, 1], 2 * items), np.repeat(np.arange(items), 4)
    eta = few + np.array([0.5, -0.4])[p] + 1.5 * rng.normal(size=items)[i]
    return pd.DataFrame({"p": p, "i": i, "y": (rng.random(len(p)) < 1 / (1 + np.exp(-eta))).astype(float)})


def by_quadrature(data: pd.DataFrame, beta: float, variances: tuple[float, float]) -> float:
    """Log-likelihood on a fine grid over the two persons; items are independent given these."""
    inner, w_inner = np.polynomial.hermite_e.hermegauss(80)
    persons = np.linspace(-2.5, 2.5, 201)
    items = np.sqrt(variances[1]) * inner
    parts = []  # log densities (items, places of one person, places of the item)
    for person in (0, 1):
        own = data[data["p"] == person].groupby("i")["y"].agg(["sum", "size"]).to_numpy()[..., None, None]
        eta = beta + persons[:, None] + items
        parts.append(own[:, 0] * eta - own[:, 1] * np.logaddexp(0, eta))
    total = np.zeros((len(persons), len(persons)))
    for one, other in zip(*parts, strict=True):
        total += np.log((np.exp(one) * w_inner / np.sqrt(2 * np.pi)) @ np.exp(other).T)
    prior = stats.norm(0, np.sqrt(variances[0])).logpdf(persons)
    total += prior + prior[:, None]
    top = total.max()
    return float(np.log(np.exp(total - top).sum() * (persons[1] - persons[0]) ** 2) + top)


@pytest.mark.parametrize("bars", ["(1 | p) + (1 | i)", "(1 | i) + (1 | p)"])
@pytest.mark.parametrize(("items", "few"), [(40, 3.0), (150, 2.0), (700, 3.5)])
def test_many_effects_with_skewed_laws(items: int, few: float, bars: str) -> None:
    """Hundreds of effects that few failures tell of: the law of each is exact, and most draws count."""
    data = crossed(items, few, 1)
    model = MCLAMixedGLM.from_formula(f"y ~ 1 + {bars}", data=data, family=sm.families.Binomial())
    variances = [0.3, 2.0] if bars.startswith("(1 | p)") else [2.0, 0.3]
    params = np.array([few, *variances])
    model.draw(params, rng=1, nsample=512)
    found = model._evaluate(params)[0]
    truth = by_quadrature(data, few, (0.3, 2.0))
    print(found.value, found.value_var**0.5, truth, found.blocks.ess)
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.05, error=1e-3)
    assert found.blocks.ess.min() > 0.6 * 512


@pytest.mark.parametrize("persons", [150, 400])
def test_many_levels_of_several_effects(persons: int) -> None:
    """Intercepts and slopes of hundreds of persons, crossed with two items: the law of each level is nearly exact."""
    rng = np.random.default_rng(2)
    p, i = np.repeat(np.arange(persons), 8), np.tile([0, 1], 4 * persons)
    x = np.tile([-1.0, -1.0, 1.0, 1.0, -0.5, -0.5, 0.5, 0.5], persons)
    G, s = np.array([[1.5, 0.5], [0.5, 1.2]]), 0.3
    u = rng.multivariate_normal([0, 0], G, persons)
    eta = 1.0 + u[p, 0] + u[p, 1] * x + np.array([0.4, -0.3])[i]
    data = pd.DataFrame({"p": p, "i": i, "x": x, "y": (rng.random(len(p)) < 1 / (1 + np.exp(-eta))) * 1.0})
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 + x | p) + (1 | i)", data=data, family=sm.families.Binomial()
    )
    params = np.array([1.0, G[0, 0], G[0, 1], G[1, 1], s])
    model.draw(params, rng=1, nsample=1024)
    found = model._evaluate(params)[0]
    # persons by a product rule, on a grid over the two items
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    b = np.linalg.cholesky(G) @ np.stack(np.meshgrid(nodes, nodes, indexing="ij")).reshape(2, -1)
    w = np.outer(weights, weights).ravel() / (2 * np.pi)
    items = np.linspace(-2.2, 2.2, 81)
    value = np.zeros((len(items), len(items)))
    for _, own in data.groupby("p"):
        parts = [np.zeros((len(items), len(w))) for _ in "ab"]
        for row in own.itertuples():
            eta = 1.0 + b[0] + b[1] * row.x + items[:, None]
            parts[row.i] += row.y * eta - np.logaddexp(0, eta)
        value += np.log((np.exp(parts[0]) * w) @ np.exp(parts[1]).T)
    prior = stats.norm(0, np.sqrt(s)).logpdf(items)
    value += prior + prior[:, None]
    truth = np.log(np.exp(value - value.max()).sum() * (items[1] - items[0]) ** 2) + value.max()
    print(found.value, found.value_var**0.5, truth, found.blocks.ess)
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.08, error=2e-3)
    assert found.blocks.ess.min() > 0.5 * 1024
