"""Whether the effects given the data have modes that the draws do not reach.

Where the log density of a response is concave in eta, the law of the effects given the data has one mode, and draws
around it reach all of it.  Other links allow several: Poisson counts with the sqrt link hardly tell eta from -eta.
A mode far from the draws shows in none of their weights, so it is looked for by Newton's method from other starts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.fitted import Fitted
from statsmodels_mcla.likelihood.laplace import Modes, conditional_modes
from statsmodels_mcla.likelihood.sampling import BlockDraws, DrawPart
from statsmodels_mcla.numerics import LOG_2PI, Array

STARTS = 8  # random starts a block, and one where every linear predictor has the other sign
FAR = 2.0  # conditional standard deviations from the main mode that make another one
LARGE = 1e-3  # share of the law around a mode that matters
LITTLE = 2**15  # rows and starts that are looked at together
FEW = 10.0  # expected draws around a mode that make it reached


class SecondMode(NamedTuple):
    """A mode that the draws do not reach."""

    block: str
    share: float  # of the law of the effects given the data, by Laplace's approximation


def unreached_mode(fitted: Fitted) -> SecondMode | None:
    """Find the largest mode that the draws of a fit do not reach; None if there is none.

    Parameters
    ----------
    fitted : Fitted
    """
    design, params = fitted.design, fitted.params
    if design.family.log_concave or fitted.sampler.sampling.joint:
        return None
    found = [
        mode for mode in design.map(partial(_unreached, params), fitted.position.draws) if mode is not None
    ]
    return max(found, key=lambda mode: mode.share) if found else None


def _unreached(params: Array, design: MixedDesign, draws: Sequence[DrawPart]) -> SecondMode | None:
    """Largest of the modes of some blocks that their draws do not reach."""
    beta, loadings, phi = design.split(params)
    factors = design.loadings.factors(loadings)
    rng = np.random.Generator(np.random.PCG64(0))
    share = np.zeros(design.n_blocks)
    with np.errstate(all="ignore"):
        for part in (each.together for each in draws):
            if not isinstance(part, BlockDraws) or not part.bucket.n_drawn or part.anchor.shapes.exact:
                continue  # draws from the law itself, as it is far around, are where its modes are
            bucket = part.bucket
            fixed = bucket.offset + bucket.X @ beta
            main = conditional_modes(bucket, bucket.standardised(factors), fixed, phi)
            for starts in _starts(main, rng):
                with contextlib.suppress(FloatingPointError, np.linalg.LinAlgError):
                    found = _share_unreached(part, factors, fixed, phi, main, starts)
                    share[bucket.blocks] = np.maximum(share[bucket.blocks], found)
    worst = int(np.argmax(share))
    if share[worst] <= LARGE:
        return None
    return SecondMode(design.labels_of_blocks(np.array([worst]))[0], float(share[worst]))


def _share_unreached(
    part: BlockDraws, factors: Sequence[Array], fixed: Array, phi: Any, main: Modes, starts: Array
) -> Array:
    """Largest share (B,) of the modes that are found from several starts (S, B, q) and that no draws reach."""
    bucket, anchor, S = part.bucket, part.anchor, len(starts)
    every = bucket if S == 1 else bucket.take(np.tile(np.arange(bucket.n_blocks), S))
    J, fixed, b = every.standardised(factors), np.tile(fixed, (S, 1)), starts.reshape(-1, starts.shape[-1])
    y, w, v = every.y[..., None], every.w[..., None], every.v[..., None]
    height = every.family.blocks(y, w, v, (fixed + J.times(b))[..., None], phi).loglik
    b = np.where(np.isfinite(height), b, np.tile(main.b, (S, 1)))
    other = conditional_modes(every, J, fixed, phi, b)
    out = np.zeros(bucket.n_blocks)
    for b, value, volume in zip(
        *(np.split(x, S) for x in (other.b, other.value, other.root.log_det)), strict=True
    ):
        t = anchor.root.inverse(b - anchor.centre)
        log_g = part.log_density(t[..., None])[:, 0] - anchor.root.log_det
        reached = part.size * np.exp(log_g + volume + 0.5 * t.shape[1] * LOG_2PI)
        ratio = np.exp(np.minimum(value - main.value, 0.0))
        whitened = main.root.inverse(b - main.b)
        found = ((whitened * whitened).sum(axis=-1) > FAR**2) & (reached < FEW)
        out = np.maximum(out, np.where(found, np.nan_to_num(ratio / (1.0 + ratio)), 0.0))
    return out


def _starts(main: Modes, rng: np.random.Generator) -> list[Array]:
    """Starts (S, B, q), as many at a time as make little work."""
    # least squares, but for what the prior adds
    inner = main.J.gram(np.ones_like(main.eta)) + 1e-8 * np.eye(main.J.n_effects)
    mirrored = main.b - 2.0 * np.linalg.solve(inner, main.J.back(main.eta)[..., None])[..., 0]
    starts = np.concatenate([mirrored[None], 2.0 * rng.standard_normal((STARTS, *main.b.shape))])
    return np.array_split(starts, min(len(starts), 1 + len(starts) * main.eta.size // LITTLE))
