"""Importance densities: what samples is what evaluates, and both are the laws that scipy knows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from helpers import KIND, assert_monte_carlo, small
from scipy import optimize, stats

from statsmodels_mcla import BlockSampling, JointSampling, MCLAMixedGLM
from statsmodels_mcla.likelihood.sampling.base_numbers import IndependentNumbers
from statsmodels_mcla.likelihood.sampling.proposals import (
    MixtureProposal,
    Proposal,
    StandardisedProposal,
    spherical_t_logpdf,
)

ROOT = np.array([[0.8, 0.0, 0.0], [0.5, 0.6, 0.0], [-0.3, 0.2, 1.1]])
CENTRE = np.array([0.4, -0.7, 1.0])


LAMBDA = np.array([[0.7, 0.0, 0.0], [0.2, 0.7, 0.0], [0.0, 0.0, 1.3]])


def logpdf_of_t(t: np.ndarray, df: float) -> np.ndarray:
    """Log density of base numbers (q, m)."""
    return spherical_t_logpdf((t * t).sum(axis=0), df, len(t))


def mixture(weights: tuple[float, float, float] = (0.5, 0.2, 0.3)) -> MixtureProposal:
    return MixtureProposal(np.array(weights), 5.0, CENTRE, 0.6 * ROOT.T)


def target(u: np.ndarray) -> np.ndarray:
    """Asymmetric density: a skewed first coordinate, on which the second leans, and a third one."""
    first = stats.skewnorm.logpdf(u[0], 4.0, 0.2, 0.5)
    second = stats.gamma.logpdf(u[1] + 1.5 - 0.2 * u[0], 4.0, scale=0.25)
    return first + second + (stats.skewnorm.logpdf(u[2], -3.0, 1.0, 0.6) if len(u) > 2 else 0.0)


def moments(q: int) -> np.ndarray:
    first = stats.skewnorm(4.0, 0.2, 0.5)
    means = [first.mean(), 1.0 - 1.5 + 0.2 * first.mean(), stats.skewnorm.mean(-3.0, 1.0, 0.6)]
    return np.array([1.0, *means[:q]])


def check_importance(u: np.ndarray, log_g: np.ndarray) -> None:
    """E_g[f/g] = 1 and E_g[u f/g] is the mean of f, within Monte Carlo error."""
    w = np.exp(target(u) - log_g)
    values = np.vstack([w, w * u])
    mcse = values.std(axis=1) / np.sqrt(u.shape[1])
    assert_monte_carlo(values.mean(axis=1), mcse, moments(len(u)), small=0.02)


@pytest.mark.parametrize("df", [3.0, 20.0, np.inf])
@pytest.mark.parametrize("q", [1, 2, 3])
def test_density_of_base_numbers_is_that_of_scipy(q: int, df: float) -> None:
    t = np.random.default_rng(0).normal(size=(q, 40)) * 3
    if np.isinf(df):
        law = stats.multivariate_normal(np.zeros(q), np.eye(q))
    else:
        law = stats.multivariate_t(np.zeros(q), np.eye(q), df)
    np.testing.assert_allclose(logpdf_of_t(t, df), np.atleast_1d(law.logpdf(t.T)), rtol=1e-10)


@pytest.mark.parametrize("df", [4.0, np.inf])
def test_block_samples_follow_the_density(df: float) -> None:
    """Base numbers, moved and stretched: log g(b) = log g(t) - log |R|."""
    numbers = IndependentNumbers(3, np.random.SeedSequence(1))
    sections = numbers.sections(200_000, 10**9)
    t = np.concatenate([numbers.variates(df, np.arange(2), 200_000, s) for s in sections], axis=-1)
    for block, wide in enumerate((1.0, 2.0)):
        root = wide * ROOT.T  # upper triangular, as modes give them
        b = CENTRE[:, None] + root @ t[block]
        check_importance(b, logpdf_of_t(t[block], df) - np.linalg.slogdet(root)[1])
        radius = (t[block] ** 2).sum(axis=0)
        law = stats.chi2(3).cdf if np.isinf(df) else stats.f(3, df).cdf
        assert stats.kstest(radius if np.isinf(df) else radius / 3, law).pvalue > 1e-3


@pytest.mark.parametrize(
    "weights", [(0.5, 0.2, 0.3), (1 / 3, 1 / 3, 1 / 3), (0.4, 0.0, 0.6), (1.0, 0.0, 0.0)]
)
def test_mixture_density_is_that_of_scipy(weights: tuple[float, float, float]) -> None:
    proposal = mixture(weights)
    b = np.random.default_rng(0).normal(size=(3, 50)) * 3
    parts = [
        stats.multivariate_t(np.zeros(3), np.eye(3), 5.0).pdf(b.T),
        stats.multivariate_normal(CENTRE, np.eye(3)).pdf(b.T),
        stats.multivariate_normal(CENTRE, proposal.root @ proposal.root.T).pdf(b.T),
    ]
    np.testing.assert_allclose(proposal.logpdf(b), np.log(np.array(weights) @ np.array(parts)), rtol=1e-9)


@pytest.mark.parametrize("weights", [(0.5, 0.2, 0.3), (1.0, 0.0, 0.0)])
def test_mixture_samples_follow_the_density(weights: tuple[float, float, float]) -> None:
    proposal = mixture(weights)
    b = proposal.sample(np.random.default_rng(1), 200_000)
    check_importance(b, proposal.logpdf(b))
    mean = (weights[1] + weights[2]) * CENTRE
    assert_monte_carlo(b.mean(axis=1), b.std(axis=1) / np.sqrt(200_000), mean, small=0.01)


class Normal:
    """A density of the effects u of a user's own."""

    law = stats.multivariate_normal(CENTRE, ROOT @ ROOT.T)

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return CENTRE[:, None] + ROOT @ rng.standard_normal((3, n))

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        return self.law.logpdf(u.T)


def test_a_density_of_effects_is_one_of_standard_effects() -> None:
    """If u is N(c, C) and u = Lambda b, then b is N(Lambda^-1 c, Lambda^-1 C Lambda'^-1)."""
    proposal = StandardisedProposal(Normal(), sp.csr_array(LAMBDA))
    inverse = np.linalg.inv(LAMBDA)
    law = stats.multivariate_normal(inverse @ CENTRE, inverse @ ROOT @ ROOT.T @ inverse.T)
    b = np.random.default_rng(0).normal(size=(3, 50)) * 2
    np.testing.assert_allclose(proposal.logpdf(b), law.logpdf(b.T), rtol=1e-10)
    made = proposal.sample(np.random.default_rng(1), 200_000)
    check_importance(made, proposal.logpdf(made))


def test_premise_a_wrong_density_fails() -> None:
    """Negative control: the importance identity notices a scale that is 5 % off."""
    proposal = mixture()
    u = proposal.sample(np.random.default_rng(1), 200_000)
    with pytest.raises(AssertionError):
        check_importance(u, proposal.logpdf(u) + np.log(1.05))


# Built from a model -----------------------------------------------------------------------------------


def position(model: MCLAMixedGLM, params: np.ndarray, **options: Any) -> Any:
    model.draw(params, nsample=32, rng=1, **options)
    return model._current.position


def test_mixture_is_that_of_the_paper() -> None:
    """Parts at the conditional mode, with D* and with the curvature Z'WZ + D*^-1 (Knudson et al., 2021)."""
    case = small(KIND["binomial-logit"], "crossed")
    model, data = case.model(), case.data
    (part,) = position(model, case.params, sampling=JointSampling(0.2, 0.3, 0.5, zeta=7)).draws
    proposal = part.proposal
    Z = np.hstack([np.equal.outer(data[c].to_numpy(), np.unique(data[c])).astype(float) for c in "ab"])
    D = np.diag(np.repeat(case.params[2:4], [2, 3]))
    X = np.column_stack([np.ones(len(data)), data["x"]])
    y, n = data["y"].to_numpy(), case.trials

    def negative(u: np.ndarray) -> float:
        eta = X @ case.params[:2] + Z @ u
        return float(-(y * eta - n * np.logaddexp(0, eta)).sum() + 0.5 * u @ np.linalg.solve(D, u))

    mode = optimize.minimize(negative, np.zeros(5), method="BFGS", options={"gtol": 1e-9}).x
    p = 1 / (1 + np.exp(-(X @ case.params[:2] + Z @ mode)))
    curvature = Z.T @ ((n * p * (1 - p))[:, None] * Z) + np.linalg.inv(D)
    u = np.random.default_rng(0).normal(size=(5, 30))
    sd = np.sqrt(np.diag(D))
    expected = (
        0.2 * stats.multivariate_t(np.zeros(5), D, 7).pdf(u.T)
        + 0.3 * stats.multivariate_normal(mode, D).pdf(u.T)
        + 0.5 * stats.multivariate_normal(mode, np.linalg.inv(curvature)).pdf(u.T)
    )
    # the proposal is the same law in terms of b = u / sd
    found = proposal.logpdf(u / sd[:, None]) - np.log(sd).sum()
    np.testing.assert_allclose(found, np.log(expected), rtol=1e-5)


@pytest.mark.parametrize("structure", ["intercept", "slope"])
def test_block_t_sits_at_the_mode_with_laplace_scale(structure: str) -> None:
    case = small(KIND["poisson-log"], structure)
    model, data = case.model(), case.data
    parts = position(model, case.params, sampling=BlockSampling(df=9.0, inflate=1.3, centre="mode")).draws
    X = np.column_stack([np.ones(len(data)), data["x"]])
    d = 1 if structure == "intercept" else 2
    G = np.zeros((d, d))
    G[np.tril_indices(d)] = case.params[2:]
    G = G + np.tril(G, -1).T
    (term,) = model.design.loadings.terms
    L = term.factor(term.restrict(G))  # u = L b
    checked = 0
    for part in parts:
        assert np.all(part.df == 9.0)
        for k, effects in enumerate(part.bucket.drawn):
            rows = (data["g"] == np.unique(data["g"])[effects[0] // d]).to_numpy()
            Zg, fixed, y = X[rows, :d], X[rows] @ case.params[:2], data["y"].to_numpy()[rows]

            def negative(u: np.ndarray, Zg=Zg, fixed=fixed, y=y) -> float:
                eta = fixed + Zg @ u
                return float(-(y * eta - np.exp(eta)).sum() + 0.5 * u @ np.linalg.solve(G, u))

            mode = optimize.minimize(negative, np.zeros(d), method="BFGS", options={"gtol": 1e-9}).x
            W = np.exp(fixed + Zg @ mode)
            cov = np.linalg.inv(Zg.T @ (W[:, None] * Zg) + np.linalg.inv(G))
            anchor = part.anchor
            np.testing.assert_allclose(L @ anchor.centre[k], mode, atol=1e-5)
            root = anchor.root.apply(np.tile(np.eye(d), (part.bucket.n_blocks, 1, 1)))[k]
            scale = root @ root.T
            np.testing.assert_allclose(L @ scale @ L.T, 1.3**2 * cov, rtol=1e-5, atol=1e-8)
            assert anchor.root.log_det[k] == pytest.approx(0.5 * np.linalg.slogdet(scale)[1], abs=1e-9)
            checked += 1
    assert checked == 5


def test_centre_at_the_mean_is_nearer_to_it() -> None:
    """The second-order shift moves the centre from the conditional mode to the conditional mean."""
    import oracle

    case = small(KIND["poisson-log"], "intercept")
    truth = oracle.posterior_moments(case.params, **case.arguments())
    model = case.model()
    distance = {}
    for centre in ("mode", "mean"):
        parts = position(model, case.params, sampling=BlockSampling(centre=centre)).draws
        found = np.empty(5)
        for part in parts:
            found[part.bucket.drawn[:, 0]] = np.sqrt(case.params[2]) * part.anchor.centre[:, 0]
        distance[centre] = np.abs(found - truth.mean[:, 0]) / truth.sd[:, 0]
    assert np.all(distance["mean"] < 0.35 * distance["mode"])


def test_own_density_is_recognised() -> None:
    class Own:
        def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
            return rng.standard_normal((5, n))

        def logpdf(self, u: np.ndarray) -> np.ndarray:
            return stats.norm.logpdf(u).sum(axis=0)

    assert isinstance(Own(), Proposal)
    model = small(KIND["binomial-logit"], "intercept").model()
    model.draw(nsample=128, rng=1, sampling=Own())
    (part,) = model._current.position.draws
    assert isinstance(part.proposal.own, Own)


def test_proposals_are_frozen() -> None:
    standardised = StandardisedProposal(Normal(), sp.csr_array(LAMBDA))
    for proposal in (standardised, mixture(), BlockSampling(), JointSampling()):
        with pytest.raises(AttributeError):
            proposal.df = 1.0  # type: ignore[misc]


def test_default_family_is_binomial() -> None:
    case = small(KIND["binomial-logit"], "intercept")
    model = MCLAMixedGLM.from_formula(case.formula, data=case.data)
    assert isinstance(model.family, sm.families.Binomial)


class Sideways:
    """Density that has a row a draw, as numpy and scipy do."""

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.normal(size=(n, 3))

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(u).sum(axis=0)


def test_draws_of_ones_own_have_a_column_each() -> None:
    proposal = StandardisedProposal(Sideways(), sp.csr_array(LAMBDA))
    with pytest.raises(
        ValueError, match=r"must return an array of shape \(Q, n\), here \(3, 8\).*got \(8, 3\)"
    ):
        proposal.sample(np.random.default_rng(1), 8)
