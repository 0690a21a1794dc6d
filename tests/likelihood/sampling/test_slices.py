"""Shapes of base numbers: transforms with the density that they claim, and the law that single effects have."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.likelihood.sampling.skewing import FIRST, KNOTS, STEP, Shapes, through_knots
from statsmodels_mcla.likelihood.sampling.slices import FINE, _inverse_distribution

Z = FIRST + STEP * np.arange(KNOTS)
LAWS = {
    "normal": stats.norm(0.3, 0.7),
    "skewed": stats.skewnorm(4.0, -0.5, 1.2),
    "heavy": stats.t(40, 0.2, 0.8),
    "cut off": stats.skewnorm(40.0, 0.0, 1.0),
}


def knots_of(law) -> tuple[np.ndarray, np.ndarray]:
    t = np.linspace(law.ppf(1e-8), law.ppf(1 - 1e-8), FINE)[None, None]
    return _inverse_distribution(t, law.logpdf(t) - law.logpdf(t).max())


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
    each = [Shapes.leaning(3.0 * eps[:, [k]]).apply(z[:, [k]]) for k in (0, 2)]
    own = through_knots(z[:, [1]], knots, slopes)
    np.testing.assert_allclose(out, np.concatenate([each[0][0], own[0], each[1][0]], axis=1))
    np.testing.assert_allclose(log_slope, each[0][1] + own[1] + each[1][1])


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
