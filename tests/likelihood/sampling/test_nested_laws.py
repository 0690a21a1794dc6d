"""Laws of effects given an outer one: transforms with the density that they claim, close to the laws themselves."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo
from scipy import stats
from scipy.special import expit, log_expit, logsumexp

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import MAX_K_HAT
from statsmodels_mcla.likelihood.sampling.nested_laws import NestedLaws

PARAMS = np.array([-2.6, -0.8, 74.0, -5.2, 1.0])
TIMES = np.arange(7.0)


def visits(seed: int, persons: int = 60) -> pd.DataFrame:
    """Yes and no at seven visits: most persons always answer the same, or change once."""
    rng = np.random.default_rng(seed)
    g, t = np.repeat(np.arange(persons), 7), np.tile(TIMES, persons)
    u = rng.multivariate_normal([0, 0], [[74.0, -5.2], [-5.2, 1.0]], persons)
    eta = -2.6 - 0.8 * t + u[g, 0] + u[g, 1] * t
    return pd.DataFrame({"g": g, "t": t, "y": (rng.random(len(g)) < 1 / (1 + np.exp(-eta))) * 1.0})


def by_quadrature(data: pd.DataFrame) -> float:
    """Log-likelihood by the trapezoid rule on a fine grid of both effects."""
    axis = np.linspace(-8.5, 8.5, 1201)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1)
    u = np.linalg.cholesky([[74.0, -5.2], [-5.2, 1.0]]) @ z
    log_w = -0.5 * (z * z).sum(axis=0) - np.log(2 * np.pi) + 2 * np.log(axis[1] - axis[0])
    each = {}
    for signs in {tuple(own) for own in (2 * data["y"].to_numpy() - 1).reshape(-1, 7)}:
        rows = (s * (-2.6 - 0.8 * t + u[0] + u[1] * t) for s, t in zip(signs, TIMES, strict=True))
        total = log_w + sum(log_expit(row) for row in rows)
        each[signs] = np.log(np.exp(total - total.max()).sum()) + total.max()
    return float(sum(each[tuple(own)] for own in (2 * data["y"].to_numpy() - 1).reshape(-1, 7)))


@pytest.fixture(scope="module")
def drawn() -> MCLAMixedGLM:
    model = MCLAMixedGLM.from_formula("y ~ t + (1 + t | g)", data=visits(1), family=sm.families.Binomial())
    model.draw(PARAMS, rng=1, nsample=1024)
    return model


def test_likelihood_of_laws_far_from_normal(drawn: MCLAMixedGLM) -> None:
    found = drawn._evaluate(PARAMS)[0]
    truth = by_quadrature(visits(1))
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.03, error=1e-3)
    assert found.blocks.ess.min() > 0.3 * 1024


def with_zeros() -> tuple[pd.DataFrame, list[float], np.ndarray, float]:
    """Counts of which zeros may be of two processes, whose effects are correlated; and parameters."""
    beta, G, alpha = [0.8, 0.4, -0.7, 0.5], np.array([[0.49, 0.6], [0.6, 2.0]]), 0.5
    rng = np.random.default_rng(1)
    g, x = np.repeat(np.arange(20), 8), rng.normal(size=160)
    u = rng.multivariate_normal([0, 0], G, 20)
    mu, zi = np.exp(beta[0] + beta[1] * x + u[g, 0]), beta[2] + beta[3] * x + u[g, 1]
    y = rng.poisson(mu * rng.gamma(1 / alpha, alpha, 160)) * (rng.random(160) > 1 / (1 + np.exp(-zi)))
    return pd.DataFrame({"y": y, "x": x, "g": g}), beta, G, alpha


def drawn_with_zeros(nsample: int) -> MCLAMixedGLM:
    data, beta, G, alpha = with_zeros()
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | p | g)",
        data=data,
        family=sm.families.NegativeBinomial(alpha=1.0),
        ziformula="~ x + (1 | p | g)",
    )
    model.draw(np.array([*beta, G[0, 0], G[1, 0], G[1, 1], alpha]), rng=1, nsample=nsample)
    return model


@pytest.mark.parametrize("inner", ["one", "several"])
def test_the_transform_has_the_density_that_it_claims(inner: str) -> None:
    drawn = drawn_with_zeros(1024)
    if inner == "several":
        formula = "y ~ x + (1 | mother) + (1 | community)"
        drawn = MCLAMixedGLM.from_formula(formula, data=families(2), family=sm.families.Binomial())
        drawn.draw(np.array([0.5, -0.8, 25.0, 9.0]), rng=1, nsample=256)
    part = drawn._current.position.draws[-1].together
    laws, effects = part.anchor.shapes, part.bucket.n_drawn
    assert isinstance(laws, NestedLaws)  # premise
    assert (effects == 2) == (inner == "one")  # premise
    laws, h = laws.take(slice(0, 5)), 1e-6
    z = np.random.default_rng(0).normal(size=(5, effects, 40)) * 1.5
    z = z[: len(laws.low)]
    _, log_slope = laws.apply(z)
    steps = h * np.eye(effects)[:, None, :, None]
    jacobian = np.array([(laws.apply(z + step)[0] - laws.apply(z - step)[0]) / (2 * h) for step in steps])
    found = np.linalg.slogdet(jacobian.transpose(1, 3, 0, 2))[1]
    apart = np.abs(found - log_slope)  # where a difference does not step over a knot or into another table
    assert np.quantile(apart, 0.98) < 1e-4


def families(seed: int) -> pd.DataFrame:
    """Yes and no of the children of mothers in communities, where most mothers always answer the same."""
    rng = np.random.default_rng(seed)
    mothers = rng.integers(3, 15, 12)
    community = np.repeat(np.arange(12), mothers)
    mother = np.repeat(np.arange(len(community)), rng.integers(1, 4, len(community)))
    x = rng.normal(size=len(mother))
    u, v = rng.normal(0, 5.0, len(community)), rng.normal(0, 3.0, 12)
    eta = 0.5 - 0.8 * x + u[mother] + v[community[mother]]
    y = (rng.random(len(x)) < 1 / (1 + np.exp(-eta))) * 1.0
    return pd.DataFrame({"y": y, "x": x, "mother": mother, "community": community[mother]})


def test_likelihood_of_mothers_in_communities() -> None:
    """Every mother's law changes with the community's effect; blocks of unlike sizes are filled up."""
    data, params = families(2), np.array([0.5, -0.8, 25.0, 9.0])
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | mother) + (1 | community)", data=data, family=sm.families.Binomial()
    )
    model.draw(params, rng=1)
    draws = tuple(part.together for part in model._current.position.draws)
    assert all(isinstance(part.anchor.shapes, NestedLaws) for part in draws)  # premise
    found = evaluate(model.design, model._current.position.params, draws, tails=True)
    assert (found.blocks.ess > 0.8 * found.blocks.draws).all()
    assert found.blocks.k_hat.max() < MAX_K_HAT
    z = np.linspace(-8.5, 8.5, 801)
    log_p = stats.norm.logpdf(z) + np.log(z[1] - z[0])
    truth = 0.0
    for _, own in data.groupby("community"):
        given = log_p.copy()
        for _, rows in own.groupby("mother"):
            fixed = (0.5 - 0.8 * rows["x"]).to_numpy()[:, None, None] + 5.0 * z + 3.0 * z[:, None]
            sign = (2 * rows["y"] - 1).to_numpy()[:, None, None]
            given += logsumexp(log_expit(sign * fixed).sum(axis=0) + log_p, axis=1)
        truth += float(logsumexp(given))
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.03, error=1e-3)


def test_laws_near_normal_are_left_to_cheaper_shapes() -> None:
    rng = np.random.default_rng(3)
    g, t = np.repeat(np.arange(30), 40), np.tile(np.linspace(-1, 1, 40), 30)
    data = pd.DataFrame({"g": g, "t": t, "y": rng.poisson(20.0, len(g))})
    model = MCLAMixedGLM.from_formula("y ~ t + (1 + t | g)", data=data, family=sm.families.Poisson())
    model.draw(np.array([3.0, 0.0, 0.05, 0.0, 0.02]), rng=1, nsample=256)
    assert not isinstance(model._current.position.draws[0].anchor.shapes, NestedLaws)


def test_effects_of_a_mean_and_its_zero_part_have_light_weights() -> None:
    """A block may have its zeros from either, so that the law of its two effects has a long tail."""
    data, beta, G, alpha = with_zeros()
    x, y = data["x"].to_numpy(), data["y"].to_numpy()
    model = drawn_with_zeros(2**14)
    position = model._current.position
    found = evaluate(model.design, position.params, position.draws, tails=True)
    assert found.blocks.k_hat.max() < MAX_K_HAT  # 1.4 from a normal that leans
    assert found.blocks.ess.min() > 0.9 * 2**14
    axis = np.linspace(-7.5, 7.5, 151)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij")).reshape(2, -1)
    at = np.linalg.cholesky(G) @ z
    eta, zero = beta[0] + beta[1] * x[:, None] + at[0], beta[2] + beta[3] * x[:, None] + at[1]
    own = stats.nbinom.logpmf(y[:, None], 1 / alpha, 1 / (1 + alpha * np.exp(eta))) + log_expit(-zero)
    rows = np.where(y[:, None] == 0, np.logaddexp(own, log_expit(zero)), own)
    log_w = stats.norm.logpdf(z).sum(axis=0) + 2 * np.log(axis[1] - axis[0])
    truth = float(logsumexp(np.add.reduceat(rows, np.arange(0, 160, 8)) + log_w, axis=1).sum())
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.01, error=1e-4)


def test_base_numbers_of_one_kind_are_none_of_another() -> None:
    """Laws that are drawn from themselves at one place, and by points of a grid at another, by one sampler."""
    rng = np.random.default_rng(101)
    g, u = np.repeat(np.arange(30), 12), rng.normal(size=30)
    zero = rng.uniform(size=360) < expit(-0.5 + rng.normal(size=30)[g])
    data = pd.DataFrame({"g": g, "y": np.where(zero, 0, rng.poisson(np.exp(5 + u[g])))})
    fit = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family="poisson", ziformula="~ 1 + (1 | g)").fit(
        rng=1
    )
    sampler = fit.estimates.fitted.sampler
    values, kinds = {}, set()
    for sd in (0.9, 1.2, 0.9):
        at = fit.estimates.fitted.params.copy()
        at[3] = sd
        for name, one in {"used": sampler, "fresh": sampler.with_rule()}.items():
            position = one.at(at)
            found = evaluate(one.design, position.params, position.draws)
            values[name, sd] = found.value
            kinds |= {type(part.numbers).__name__ for part in position.draws}
        assert values["used", sd] == values["fresh", sd]
    assert kinds == {"GridNumbers", "SobolNumbers"}
    # the zero part is a binomial model of the zeros here
    zeros = MCLAMixedGLM.from_formula(
        "z ~ 1 + (1 | g)", data.assign(z=1.0 * (data["y"] == 0)), family="binomial"
    )
    truth = zeros.fit(rng=1).conf_int(method="profile", cols=["g Var"]).to_numpy()
    found = fit.conf_int(method="profile", cols=["zi: g Var"]).to_numpy()
    np.testing.assert_allclose(found, truth, rtol=0.03)
