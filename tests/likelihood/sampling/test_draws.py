"""Draws: moments of those for Gaussian responses, and the tails of blocks that share a bucket."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.likelihood.sampling.moment_matching import match_moments
from statsmodels_mcla.likelihood.sampling.skewing import Shapes


@pytest.mark.parametrize("q", [1, 2, 3])
def test_moments_of_a_normal(q: int) -> None:
    replicate = 64
    raw = np.random.default_rng(q).standard_normal((3, q, 4 * replicate))
    t = match_moments(raw, replicate).reshape(3, q, 4, replicate)
    assert np.abs(t.mean(axis=-1)).max() < 1e-12
    second = np.einsum("birm,bjrm->brij", t, t) / replicate
    np.testing.assert_allclose(second, np.broadcast_to(np.eye(q), second.shape), atol=1e-12)
    third = np.einsum("birm,bjrm,bkrm->brijk", t, t, t)
    assert np.abs(third).max() < 1e-10
    fourth = ((t * t).sum(axis=1) ** 2).mean(axis=-1)
    np.testing.assert_allclose(fourth, q * (q + 2.0), rtol=1e-10 if q == 1 else 0.02)
    # the premise: as they come, draws have none of these
    before = (((raw * raw).sum(axis=1) ** 2).reshape(3, 4, replicate)).mean(axis=-1)
    assert np.abs(before / (q * (q + 2.0)) - 1.0).max() > 0.1


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_standard_errors_of_a_small_variance_are_exact(seed: int) -> None:
    # where groups say little about their effects, information is a small difference of fourth moments
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(20), 4)
    y = rng.normal(size=80) + 0.35 * rng.normal(size=20)[g]
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g)", data=pd.DataFrame({"y": y, "g": g}), family=sm.families.Gaussian()
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = model.fit(rng=seed)
    params = np.asarray(result.params)
    assert 0 < params[1] < 0.2 * params[2]

    def loglike(p: np.ndarray) -> float:
        cov = p[2] * np.eye(4) + p[1]
        return float(stats.multivariate_normal.logpdf(y.reshape(20, 4) - p[0], np.zeros(4), cov).sum())

    h = 1e-4 * np.eye(3)
    hessian = np.array(
        [
            [
                loglike(params + a + b)
                - loglike(params + a - b)
                - loglike(params - a + b)
                + loglike(params - a - b)
                for b in h
            ]
            for a in h
        ]
    ) / (4e-8)
    expected = np.sqrt(np.diag(np.linalg.inv(-hessian)))
    np.testing.assert_allclose(result.bse, expected, rtol=1e-4)


def test_padding_is_normal_and_leaves_a_block_its_own_tails() -> None:
    """Blocks of 5 to 7 effects in one bucket: the base numbers of each are a t of its own effects, others normal."""
    sizes = [4] * 6 + [5] * 5 + [6] * 4
    g = np.repeat(np.arange(len(sizes)), sizes)
    f = np.arange(len(g))
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": g, "f": f, "y": rng.poisson(2.0, len(g))}).loc[lambda d: d.index.repeat(2)]
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g) + (1 | f)", data=data, family="poisson")
    model.draw([0.7, 0.2, 0.3], rng=1)
    (part,) = (part.together for part in model._current.position.draws)
    part = replace(part, size=2**13)
    own = part.bucket.drawn >= 0
    q = own.sum(axis=1)
    assert sorted(set(q.tolist())) == [5, 6, 7]
    np.testing.assert_array_equal(part.df, 4.0 * q)
    plain = replace(part, anchor=replace(part.anchor, shapes=Shapes.plain(*part.anchor.centre.shape)))
    t, log_density = plain.draw(slice(None), plain.sections(part.size)[0])
    for k in range(len(q)):
        law = stats.multivariate_t(np.zeros(q[k]), np.eye(q[k]), df=4 * q[k])
        expected = law.logpdf(t[k, own[k]].T) + stats.norm.logpdf(t[k, ~own[k]]).sum(axis=0)
        np.testing.assert_allclose(log_density[k], expected, rtol=1e-10)
        ratio = q[k] * 4 / (4 * q[k] - 2)  # variance of the t
        np.testing.assert_allclose(t[k, own[k]].var(axis=1), ratio, rtol=0.05)
        np.testing.assert_allclose(t[k, ~own[k]].var(axis=1), 1.0, rtol=0.05)
