"""Laws of single effects given all others, as far as one-dimensional quadrature knows them: exactly.

The effects of a term of which no row has two levels are independent given the other terms' (items, given the
persons who answered them).  Along the column of the root that belongs to such an effect, everything else stays, so
that the density there takes one pass over the rows that it has.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import ndtri

from statsmodels_mcla.design import Bucket, EffectRows
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes, Root
from statsmodels_mcla.likelihood.sampling.skewing import FIRST, KNOTS, STEP, Shapes
from statsmodels_mcla.numerics import Array

REACH = 8.0  # of the points where densities are evaluated, in conditional standard deviations
COARSE, FINE = 33, 65  # points to find where a law is, and then to see its shape
FADED = -16.0  # log density, from the peak's, of what is too little to be looked at
TINY = 1e-16
MOST_EFFECTS = 2**17  # of all blocks of a bucket: knots take half a kilobyte each


def with_own_laws(shapes: Shapes, bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any) -> Shapes:
    """Give effects that are alone in their column of the root the law that they have given all others.

    They are those of the term with most levels that has one effect a level and rows with one level each.
    """
    found = _largest_alone(bucket, modes.J, gaussian.root)
    if found is None:
        return shapes
    own, scale, place, value = found
    blocks, k = scale.shape
    if blocks * k > MOST_EFFECTS:
        return shapes
    index = (place + k * np.arange(blocks)[:, None]).ravel()
    sums = sp.csr_array((np.ones(index.size), (index, np.arange(index.size))), shape=(blocks * k, index.size))
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    eta, mean = modes.eta + modes.J.times(gaussian.mean - modes.b), gaussian.mean[:, own]

    def height(t: Array) -> Array:
        """Log densities (B, k, points) at distances t from the mean."""
        out = np.empty(t.shape)
        for g in range(t.shape[-1]):
            step = value * np.take_along_axis(scale * t[..., g], place, axis=1)
            logf = bucket.family.rows(y, w, v, (eta + step)[..., None], phi).logf
            out[..., g] = (sums @ logf.ravel()).reshape(blocks, k) - 0.5 * (mean + scale * t[..., g]) ** 2
        return out - out.max(axis=-1, keepdims=True)

    # where the law is, then what it is there
    first = np.broadcast_to(np.linspace(-REACH, REACH, COARSE), (blocks, k, COARSE))
    seen = height(first) > FADED
    low = np.take_along_axis(first, np.maximum(seen.argmax(axis=-1) - 1, 0)[..., None], axis=-1)
    last = COARSE - seen[..., ::-1].argmax(axis=-1)
    high = np.take_along_axis(first, np.minimum(last, COARSE - 1)[..., None], axis=-1)
    t = low + (high - low) * np.linspace(0.0, 1.0, FINE)
    knots, slopes = _inverse_distribution(t, height(t))
    usable = (np.isfinite(knots) & np.isfinite(slopes)).all(axis=(0, 2))
    eps = shapes.eps.copy()
    eps[:, own[usable]] = 0.0
    return Shapes(eps, own[usable], knots[:, usable], slopes[:, usable])


class _Alone(NamedTuple):
    """Effects of a term: their places (k,), SDs given all others (B, k), and the one that each row has, (B, n)."""

    own: np.ndarray
    scale: Array
    place: np.ndarray
    value: Array


def _largest_alone(bucket: Bucket, J: EffectRows, root: Root) -> _Alone | None:
    alone, scale = root.alone()
    terms = [np.arange(bucket.n_drawn)[bucket.drawn_of(t, 0)] for t in range(len(bucket.levels))]
    ones = [own for own, rank in zip(terms, bucket.ranks, strict=True) if rank == 1]
    for own in sorted((o for o in ones if len(o) and np.isin(o, alone).all()), key=len, reverse=True):
        single = J.single(own)
        if single is not None and not any(_alike(J, single[0], other) for other in terms if other is not own):
            return _Alone(own, scale[:, np.searchsorted(alone, own)], *single)
    return None


def _alike(J: EffectRows, place: np.ndarray, other: np.ndarray) -> bool:
    """Whether the levels of another term have the same rows: an intercept and a slope, whose law bends together."""
    single = J.single(other) if len(other) else None
    if single is None:
        return False
    pairs = len(np.unique(place[0] * len(other) + single[0][0]))
    return pairs <= len(np.unique(place[0])) and pairs <= len(np.unique(single[0][0]))


def _inverse_distribution(t: Array, log_density: Array) -> tuple[Array, Array]:
    """T = F^-1(Phi(z)) and its slope at the knots (..., KNOTS), from log densities at equal distances (..., points)."""
    h = t[..., 1:2] - t[..., :1]
    density = np.exp(log_density)
    slope = np.gradient(density, axis=-1, edge_order=2) / h
    # the trapezoid rule with its end correction: of the order of h^4
    area = 0.5 * h * (density[..., 1:] + density[..., :-1]) + h * h / 12.0 * (
        slope[..., :-1] - slope[..., 1:]
    )
    area = np.maximum(area, 0.0)
    total = area.sum(axis=-1, keepdims=True)
    zero = np.zeros_like(total)
    below = np.concatenate([zero, np.cumsum(area, axis=-1)], axis=-1) / total
    above = np.concatenate([np.cumsum(area[..., ::-1], axis=-1)[..., ::-1], zero], axis=-1) / total
    s = np.where(below < 0.5, ndtri(np.maximum(below, TINY)), -ndtri(np.maximum(above, TINY)))
    z = FIRST + STEP * np.arange(KNOTS)
    left = np.clip((s[..., None, :] <= z[:, None]).sum(axis=-1) - 1, 0, t.shape[-1] - 2)  # (..., KNOTS)

    def pick(values: Array, shift: int) -> Array:
        return np.take_along_axis(values, left + shift, axis=-1)

    # monotone cubic of t in s between neighbours, whose slopes dt/ds are known (Fritsch and Carlson, 1980)
    with np.errstate(all="ignore"):
        ds = np.exp(-0.5 * s * s) / np.sqrt(2.0 * np.pi) / (density / total)
        width = np.maximum(pick(s, 1) - pick(s, 0), TINY)
        x = np.clip((z - pick(s, 0)) / width, 0.0, 1.0)
        a, b = (np.minimum(np.nan_to_num(width * pick(ds, i), nan=np.inf), 3.0 * h) for i in (0, 1))
        bend, twist = 3.0 * h - 2.0 * a - b, a + b - 2.0 * h
        knots = pick(t, 0) + x * (a + x * (bend + x * twist))
        slopes = (a + x * (2.0 * bend + 3.0 * x * twist)) / width
        secants = np.diff(knots, axis=-1) / STEP
        ends = np.concatenate(
            [secants[..., :1], np.minimum(secants[..., 1:], secants[..., :-1]), secants[..., -1:]], -1
        )
    return knots, np.maximum(np.minimum(slopes, 3.0 * ends), np.where(ends > 0, TINY, np.nan))
