"""Laws of the effects of single levels given all others, as far as one-dimensional quadrature knows them: exactly.

The effects of a term of which no row has two levels are independent given the other terms', level by level (items,
given the persons who answered them).  Along a column of the root that moves one level alone, everything else stays, so
that the density there takes one pass over the rows.  That is the law of an effect that is its level's only one; of
several, it is the shape of each, standardised, and `Bends` say how they depend on each other.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import Bucket, EffectRows
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes, Root
from statsmodels_mcla.likelihood.sampling.quantiles import FADED, inverse_distribution
from statsmodels_mcla.likelihood.sampling.skewing import Shapes
from statsmodels_mcla.numerics import Array

REACH = 8.0  # of the points where densities are evaluated, in conditional standard deviations
COARSE, FINE = 33, 65  # points to find where a law is, and then to see its shape
MOST_EFFECTS = 2**17  # of all blocks of a bucket: knots take 0.7 kilobytes each


def with_own_laws(shapes: Shapes, bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any) -> Shapes:
    """Give effects whose columns of the root move one level alone the law that they have given all others.

    They are those of the term with most levels of which no row has two.
    """
    found = largest_local(bucket, modes.J, gaussian.root)
    if found is None:
        return shapes
    blocks, k = len(found.root), found.own.shape[1]
    if blocks * found.own.size > MOST_EFFECTS:
        return shapes
    index = (found.level + k * np.arange(blocks)[:, None]).ravel()
    sums = sp.csr_array((np.ones(index.size), (index, np.arange(index.size))), shape=(blocks * k, index.size))
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    eta = modes.eta + modes.J.times(gaussian.mean - modes.b)
    mean = gaussian.mean[:, found.own.T]  # (B, k, r)
    eps, own, knots, slopes = shapes.eps.copy(), [], [], []
    for c, places in enumerate(found.own):
        column = found.root[..., c]  # (B, k, r)
        steps = (found.entries * np.take_along_axis(column, found.level[..., None], axis=1)).sum(axis=-1)

        def height(t: Array, column: Array = column, steps: Array = steps) -> Array:
            """Log densities (B, k, points) at distances t from the mean."""
            out = np.empty(t.shape)
            for g in range(t.shape[-1]):
                along = steps * np.take_along_axis(t[..., g], found.level, axis=1)
                logf = bucket.family.rows(y, w, v, (eta + along)[..., None], phi).logf
                b = mean + column * t[..., g, None]
                out[..., g] = (sums @ logf.ravel()).reshape(blocks, k) - 0.5 * (b * b).sum(axis=-1)
            return out - out.max(axis=-1, keepdims=True)

        # where the law is, then what it is there
        first = np.broadcast_to(np.linspace(-REACH, REACH, COARSE), (blocks, k, COARSE))
        seen = height(first) > FADED
        low = np.take_along_axis(first, np.maximum(seen.argmax(axis=-1) - 1, 0)[..., None], axis=-1)
        last = COARSE - seen[..., ::-1].argmax(axis=-1)
        high = np.take_along_axis(first, np.minimum(last, COARSE - 1)[..., None], axis=-1)
        t = low + (high - low) * np.linspace(0.0, 1.0, FINE)
        log_density = height(t)
        at, slope = inverse_distribution(t, log_density)
        if len(found.own) > 1:
            centre, sd = _moments(t, log_density)
            at, slope = (at - centre) / sd, slope / sd
        usable = (np.isfinite(at) & np.isfinite(slope)).all(axis=(0, 2))
        eps[:, places[usable]] = 0.0
        own.append(places[usable])
        knots.append(at[:, usable])
        slopes.append(slope[:, usable])
    return replace(
        shapes,
        eps=eps,
        own=np.concatenate(own),
        knots=np.concatenate(knots, axis=1),
        slopes=np.concatenate(slopes, axis=1),
    )


class Local(NamedTuple):
    """Effects of a term whose columns of the root move one level alone.

    ``own`` are their places (r, k), ``root`` the entries of the root (B, k, r, r), ``level`` the one that each row has
    (B, n), and ``entries`` the row's design of it (B, n, r).
    """

    own: np.ndarray
    root: Array
    level: np.ndarray
    entries: Array


def largest_local(bucket: Bucket, J: EffectRows, root: Root) -> Local | None:
    """Effects of the term with most levels whose columns of the root move one level alone; None where none do."""
    places = np.arange(bucket.n_drawn)
    terms = [
        np.array([places[bucket.drawn_of(t, k)] for k in range(rank)]).reshape(rank, -1)
        for t, rank in enumerate(bucket.ranks)
    ]
    for own in sorted((o for o in terms if o.size), key=lambda o: o.shape[1], reverse=True):
        columns, rows = root.local(own), _rows_of_levels(J, own)
        if columns is None or rows is None:
            continue
        if not any(_alike(J, rows[0], other) for other in terms if other is not own):
            return Local(own, columns, *rows)
    return None


def _rows_of_levels(J: EffectRows, own: np.ndarray) -> tuple[np.ndarray, Array] | None:
    """The level (B, n) that each row has and its design (B, n, r); None where a row has two."""
    singles = [J.single(each) for each in own]
    level: np.ndarray | None = None
    entries: list[Array] = []
    for single in singles:
        if single is None:
            return None
        place, value = single
        level = place if level is None else np.where(entries[-1] != 0.0, level, place)
        if np.any((value != 0.0) & (level != place)):
            return None
        entries.append(value)
    return None if level is None else (level, np.stack(entries, axis=-1))


def _alike(J: EffectRows, place: np.ndarray, other: np.ndarray) -> bool:
    """Whether the levels of another term have the same rows: an intercept and a slope, whose law bends together."""
    rows = _rows_of_levels(J, other) if other.size else None
    if rows is None:
        return False
    pairs = len(np.unique(place[0] * other.shape[1] + rows[0][0]))
    return pairs <= len(np.unique(place[0])) and pairs <= len(np.unique(rows[0][0]))


def _moments(t: Array, log_density: Array) -> tuple[Array, Array]:
    """Mean and SD (..., 1), from log densities at equal distances (..., points)."""
    density = np.exp(log_density)
    density /= density.sum(axis=-1, keepdims=True)
    mean = (density * t).sum(axis=-1, keepdims=True)
    return mean, np.sqrt((density * (t - mean) ** 2).sum(axis=-1, keepdims=True))
