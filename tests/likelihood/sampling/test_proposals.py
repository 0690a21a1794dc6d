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
from statsmodels_mcla.likelihood.sampling.proposals import BlockT, MixtureProposal, Proposal

ROOT = np.array([[0.8, 0.0, 0.0], [0.5, 0.6, 0.0], [-0.3, 0.2, 1.1]])
CENTRE = np.array([0.4, -0.7, 1.0])


def block_t(df: float, q: int = 3) -> BlockT:
    """Two blocks of q effects; the second one twice as wide."""
    roots = np.stack([ROOT[:q, :q].T, 2 * ROOT[:q, :q].T])  # upper triangular, as modes give them
    log_det = np.linalg.slogdet(roots)[1]
    return BlockT(np.stack([CENTRE[:q], CENTRE[:q] + 0.2]), roots, log_det, df)


def mixture(weights: tuple[float, float, float] = (0.5, 0.2, 0.3)) -> MixtureProposal:
    factor = np.diag([0.7, 0.7, 1.3])
    factor[1, 0] = 0.2
    return MixtureProposal(
        np.array(weights),
        5.0,
        CENTRE,
        0.6 * ROOT.T,
        sp.csr_array(factor),
        sp.csr_array(np.linalg.inv(factor)),
        float(np.linalg.slogdet(factor)[1]),
    )


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
def test_block_density_is_that_of_scipy(q: int, df: float) -> None:
    proposal = block_t(df, q)
    u = np.random.default_rng(0).normal(size=(2, q, 40)) * 3
    for b in range(2):
        shape = proposal.root[b] @ proposal.root[b].T
        if np.isinf(df):
            law = stats.multivariate_normal(proposal.centre[b], shape)
        else:
            law = stats.multivariate_t(proposal.centre[b], shape, df)
        np.testing.assert_allclose(proposal.logpdf(u)[b], np.atleast_1d(law.logpdf(u[b].T)), rtol=1e-10)


@pytest.mark.parametrize("df", [3.0, np.inf])
def test_block_transform_knows_its_own_density(df: float) -> None:
    proposal = block_t(df)
    t = np.random.default_rng(0).standard_t(4, size=(2, 3, 50))
    u, log_g = proposal.transform(t)
    np.testing.assert_allclose(log_g, proposal.logpdf(u), rtol=1e-10)
    one = proposal.take(np.array([1]))
    np.testing.assert_allclose(one.transform(t[1:])[0], u[1:])


@pytest.mark.parametrize("df", [4.0, np.inf])
def test_block_samples_follow_the_density(df: float) -> None:
    proposal = block_t(df)
    u = proposal.sample(np.random.default_rng(1), 200_000)
    log_g = proposal.logpdf(u)
    for b in range(2):
        check_importance(u[b], log_g[b])
        white = np.linalg.solve(proposal.root[b], u[b] - proposal.centre[b][:, None])
        radius = (white**2).sum(axis=0)
        law = stats.chi2(3).cdf if np.isinf(df) else stats.f(3, df).cdf
        assert stats.kstest(radius if np.isinf(df) else radius / 3, law).pvalue > 1e-3


@pytest.mark.parametrize(
    "weights", [(0.5, 0.2, 0.3), (1 / 3, 1 / 3, 1 / 3), (0.4, 0.0, 0.6), (1.0, 0.0, 0.0)]
)
def test_mixture_density_is_that_of_scipy(weights: tuple[float, float, float]) -> None:
    proposal = mixture(weights)
    D = (proposal.Lambda @ proposal.Lambda.T).toarray()
    L = proposal.Lambda.toarray()
    mode = L @ CENTRE
    curved = L @ proposal.root @ proposal.root.T @ L.T
    u = np.random.default_rng(0).normal(size=(3, 50)) * 3
    parts = [
        stats.multivariate_t(np.zeros(3), D, 5.0).pdf(u.T),
        stats.multivariate_normal(mode, D).pdf(u.T),
        stats.multivariate_normal(mode, curved).pdf(u.T),
    ]
    np.testing.assert_allclose(proposal.logpdf(u), np.log(np.array(weights) @ np.array(parts)), rtol=1e-9)


@pytest.mark.parametrize("weights", [(0.5, 0.2, 0.3), (1.0, 0.0, 0.0)])
def test_mixture_samples_follow_the_density(weights: tuple[float, float, float]) -> None:
    proposal = mixture(weights)
    u = proposal.sample(np.random.default_rng(1), 200_000)
    check_importance(u, proposal.logpdf(u))
    L = proposal.Lambda.toarray()
    mean = (weights[1] + weights[2]) * L @ CENTRE
    assert_monte_carlo(u.mean(axis=1), u.std(axis=1) / np.sqrt(200_000), mean, small=0.01)


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
    expected = (
        0.2 * stats.multivariate_t(np.zeros(5), D, 7).pdf(u.T)
        + 0.3 * stats.multivariate_normal(mode, D).pdf(u.T)
        + 0.5 * stats.multivariate_normal(mode, np.linalg.inv(curvature)).pdf(u.T)
    )
    np.testing.assert_allclose(proposal.logpdf(u), np.log(expected), rtol=1e-5)


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
    checked = 0
    for part in parts:
        assert part.proposal.df == 9.0
        for k, effects in enumerate(part.bucket.effects):
            rows = (data["g"] == np.unique(data["g"])[effects[0] // d]).to_numpy()
            Zg, fixed, y = X[rows, :d], X[rows] @ case.params[:2], data["y"].to_numpy()[rows]

            def negative(u: np.ndarray, Zg=Zg, fixed=fixed, y=y) -> float:
                eta = fixed + Zg @ u
                return float(-(y * eta - np.exp(eta)).sum() + 0.5 * u @ np.linalg.solve(G, u))

            mode = optimize.minimize(negative, np.zeros(d), method="BFGS", options={"gtol": 1e-9}).x
            W = np.exp(fixed + Zg @ mode)
            cov = np.linalg.inv(Zg.T @ (W[:, None] * Zg) + np.linalg.inv(G))
            np.testing.assert_allclose(part.proposal.centre[k], mode, atol=1e-5)
            scale = part.proposal.root[k] @ part.proposal.root[k].T
            np.testing.assert_allclose(scale, 1.3**2 * cov, rtol=1e-5, atol=1e-8)
            assert part.proposal.log_det[k] == pytest.approx(0.5 * np.linalg.slogdet(scale)[1], abs=1e-9)
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
            found[part.bucket.effects[:, 0]] = part.proposal.centre[:, 0]
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
    assert isinstance(part.proposal, Own)


def test_proposals_are_frozen() -> None:
    for proposal in (block_t(4.0), mixture(), BlockSampling(), JointSampling()):
        with pytest.raises(AttributeError):
            proposal.df = 1.0  # type: ignore[misc]


def test_default_family_is_binomial() -> None:
    case = small(KIND["binomial-logit"], "intercept")
    model = MCLAMixedGLM.from_formula(case.formula, data=case.data)
    assert isinstance(model.family, sm.families.Binomial)
