"""Laws of effects that are independent given one other, by two-dimensional quadrature: Rosenblatt's (1952) transform.

The *outer* effect of a block is what all its rows share, the *inner* ones are those of which no row has two: a
community and its mothers, a person and her answers, or two effects of one level.  With base numbers z of independent
standard normals, t_o = F_o^-1(Phi(z_o)) has the marginal law of the outer coordinate, which takes one integral over
each inner effect, and t_i = F_i^-1(Phi(z_i) | t_o) the law of an inner one given that.  Conditional quantiles are
tabled at distances in t_o and interpolated linearly between, which leaves them increasing in z_i with a known slope:
the density of what is drawn is exact, its agreement with the law close.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.interpolate import CubicSpline

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes
from statsmodels_mcla.likelihood.sampling.quantiles import (
    FADED,
    interpolated,
    inverse_distribution,
    through_knots,
)
from statsmodels_mcla.likelihood.sampling.slices import largest_local
from statsmodels_mcla.numerics import Array

REACH = 7.0  # of the points where the density is first evaluated, in standard deviations
FARTHER = 1.4 ** np.arange(1, 6)  # times that, where it has not faded there
COARSE = 25  # points along a coordinate to find where the law is
ACROSS, FINE = 25, 41  # then along the outer and inner coordinate
TIMES = 8  # that the law is looked for at most
LEAST = 0.3  # third derivative along the columns of the root, beyond which laws are far from normal
MOST_EFFECTS = 2**13  # inner ones of a bucket: their tables take 20 kilobytes each
PIECE = 2**20  # rows x points at a time


@dataclass(frozen=True)
class NestedLaws:
    """Rosenblatt's transform of the outer coordinate and the k inner ones of each block.

    Attributes
    ----------
    inner : ndarray of int (k,)
        Places of the inner coordinates,
    outer : int
        and of the outer one.
    centre, root : ndarray (B, k, 2), (B, k, 2, 2)
        (t_i, t_o) = centre + root s, root upper triangular: coordinates s in which the law of the pair has mean 0 and
        covariance 1, nearly; s_o is the same in all.
    low, step : ndarray (B,)
        Places of the tables in s_o.
    knots, slopes : ndarray (B, 1, KNOTS)
        Of s_o, and their derivatives.
    tables, table_slopes : ndarray (B, k, ACROSS, KNOTS)
        Of s_i given s_o, and their derivatives.
    """

    exact = True

    inner: np.ndarray
    outer: int
    centre: Array
    root: Array
    low: Array
    step: Array
    knots: Array
    slopes: Array
    tables: Array
    table_slopes: Array

    def take(self, index: np.ndarray | slice) -> NestedLaws:
        """Of some of the blocks."""
        by_block = [each.name for each in fields(self) if each.name not in ("inner", "outer")]
        return replace(self, **{name: getattr(self, name)[index] for name in by_block})

    def apply(self, z: Array) -> tuple[Array, Array]:
        """Transform base numbers (B, q, m); return them and the log derivative (B, m)."""
        outer, log_slope = through_knots(z[:, [self.outer]], self.knots, self.slopes)
        across = (outer - self.low[:, None, None]) / self.step[:, None, None]
        left = np.clip(across.astype(np.intp), 0, ACROSS - 2)
        part = np.clip(across - left, 0.0, 1.0)
        blocks, inner = np.arange(len(z))[:, None, None], np.arange(len(self.inner))[:, None]
        own = z[:, self.inner]
        value, slope = np.zeros_like(own), np.zeros_like(own)
        for table, weight in ((left, 1.0 - part), (left + 1, part)):

            def pick(place: np.ndarray, table: np.ndarray = table) -> tuple[Array, Array]:
                where = blocks, inner, table, place
                return self.tables[where], self.table_slopes[where]

            at, rise = interpolated(own, pick)
            value += weight * at
            slope += weight * rise
        t = np.empty_like(z)
        t[:, self.inner], moved = _moved(self.centre, self.root, value, outer)
        t[:, self.outer] = moved[:, 0]
        scale = np.log(self.root[..., 0, 0]).sum(axis=1) + np.log(self.root[:, 0, 1, 1])
        return t, log_slope + np.log(slope).sum(axis=1) + scale[:, None]


def nested_laws(bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any) -> NestedLaws | None:
    """Laws of the effects of blocks with one outer effect, where they are far from normal and not too many."""
    star = None if bucket.family.quadratic else _star(bucket, modes, gaussian)
    if star is None or bucket.n_blocks * len(star.inner) > MOST_EFFECTS:
        return None
    inner, outer = star.inner, np.full(len(star.inner), star.outer)
    triples = np.stack([[inner] * 3, [inner, inner, outer], [inner, outer, outer], [outer] * 3], axis=1)
    thirds = gaussian.root.thirds(modes.J, gaussian.third, *triples.reshape(3, -1))
    if not np.abs(thirds).max() > LEAST:
        return None
    heights = _Heights.of(bucket, modes, gaussian, phi, star)
    blocks, k = bucket.n_blocks, len(inner)
    # where the law is: mean and covariance of each inner effect and the outer one, by steps from the Gaussian's
    centre, L = np.zeros((blocks, k, 2)), np.tile(np.eye(2), (blocks, k, 1, 1))
    points = _points(1.0)
    log_density, left = np.empty((blocks, k, len(points), len(points))), np.arange(blocks)
    for _ in range(TIMES):
        log_density[left] = _on_grid(heights.take(left), centre[left], L[left], points)
        mean, cov = _moments(np.exp(log_density[left]), points)
        moves = ~_is_standard(mean, cov).all(axis=1)
        left, mean, cov = left[moves], mean[moves], cov[moves]
        if not len(left):
            break
        centre[left] += (L[left] @ mean[..., None])[..., 0]
        L[left] = L[left] @ _upper(cov)
    for more in FARTHER:  # a law that is cut off is one whose tails no draws reach
        seen = log_density > FADED
        edges = np.asarray(seen[..., [0, -1], :].any(axis=(1, 2, 3)))
        edges |= seen[..., [0, -1]].any(axis=(1, 2, 3))
        cut = np.flatnonzero(edges)
        if not len(cut):
            break
        points = _points(more)
        beyond = (len(points) - log_density.shape[-1]) // 2
        around = ((0, 0), (0, 0), (beyond, beyond), (beyond, beyond))
        log_density = np.pad(log_density, around, constant_values=4.0 * FADED)
        log_density[cut] = _on_grid(heights.take(cut), centre[cut], L[cut], points)
    across_all = np.asarray((log_density > FADED).any(axis=(1, 3)))
    low, high = _range(across_all, np.broadcast_to(points, across_all.shape))
    across = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, ACROSS)
    # what it is there
    seen = log_density - log_density.max(axis=-1, keepdims=True) > FADED
    lows, highs = _range(seen, np.broadcast_to(points, seen.shape))
    near = np.clip((across - points[0]) / (points[1] - points[0]), 0, len(points) - 1)[:, None]
    below, above = np.floor(near).astype(int), np.ceil(near).astype(int)
    bottom = np.minimum(*(np.take_along_axis(lows, place, axis=-1) for place in (below, above)))
    top = np.maximum(*(np.take_along_axis(highs, place, axis=-1) for place in (below, above)))
    t = bottom[..., None] + (top - bottom)[..., None] * np.linspace(0.0, 1.0, FINE)
    log_density, prior = heights.at(*_moved(centre, L, t, across[:, None, :, None]))
    peak = log_density.max(axis=-1, keepdims=True)
    tables = inverse_distribution(t, log_density - peak)
    area = peak[..., 0] + np.log(np.exp(log_density - peak).sum(axis=-1) * (t[..., 1] - t[..., 0]))
    known = area.sum(axis=1) + prior[:, 0, :, 0]
    if not np.isfinite(known).all():
        return None
    curve = CubicSpline(np.arange(ACROSS), known, axis=1)
    marginal = np.asarray(curve(np.linspace(0, ACROSS - 1, FINE)))
    fine = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, FINE)
    knots = inverse_distribution(fine[:, None], (marginal - marginal.max(axis=1, keepdims=True))[:, None])
    if not all(np.isfinite(part).all() for part in (*knots, *tables)):
        return None
    return NestedLaws(inner, star.outer, centre, L, low, across[:, 1] - across[:, 0], *knots, *tables)


class _Star(NamedTuple):
    """Places of the inner effects and of the outer one, and which inner effect each row has (B, n)."""

    inner: np.ndarray
    outer: int
    level: np.ndarray


def _star(bucket: Bucket, modes: Modes, gaussian: Gaussian) -> _Star | None:
    """Effects of blocks as an outer one and others that are independent given that; None where they are not."""
    q = bucket.n_drawn
    if q == 2:
        return _Star(np.array([0]), 1, np.zeros(bucket.y.shape, int))
    if len(bucket.family.directions) > 1:
        return None
    found = largest_local(bucket, modes.J, gaussian.root)
    if found is None or len(found.own) > 1 or found.own.size != q - 1:
        return None
    (outer,) = np.setdiff1d(np.arange(q), found.own)
    return _Star(found.own[0], int(outer), found.level)


@dataclass(frozen=True)
class _Heights:
    """Log densities of the effects given the data, along coordinates of the root around the Gaussian's mean.

    Attributes
    ----------
    family : ConditionalFamily
    phi : float
    level : ndarray (B, n)
        Inner effect of each row.
    eta, inner, outer : ndarray (B, n)
        Linear predictor at the mean, and its slopes along the coordinates.
    mean, root : ndarray (B, k, 2), (B, k, 2, 2)
        Of the effects.
    rows : tuple of ndarray (B, n)
        y, w, v.
    """

    family: ConditionalFamily
    phi: Any
    level: np.ndarray
    eta: Array
    inner: Array
    outer: Array
    mean: Array
    root: Array
    rows: tuple[Array, Array, Array]

    @classmethod
    def of(cls, bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any, star: _Star) -> _Heights:
        """Of all blocks of a bucket."""
        blocks, q = gaussian.mean.shape
        which = np.zeros((2, q))
        which[0, star.inner], which[1, star.outer] = 1.0, 1.0
        columns = [
            gaussian.root.of(np.broadcast_to(each, (blocks, q))) for each in which
        ]  # of no row two inner ones
        places = np.stack([star.inner, np.full(len(star.inner), star.outer)], axis=1)
        root = np.stack([each[:, places] for each in columns], axis=-1)
        root[..., 1, 0] = 0.0
        eta = modes.eta + modes.J.times(gaussian.mean - modes.b)
        inner, outer = (modes.J.times(each) for each in columns)
        y, w, v = (np.broadcast_to(each, bucket.y.shape) for each in (bucket.y, bucket.w, bucket.v))
        mean = gaussian.mean[:, places]
        return cls(bucket.family, phi, star.level, eta, inner, outer, mean, root, (y, w, v))

    def take(self, index: np.ndarray) -> _Heights:
        """Of some of the blocks."""
        by_block = ("level", "eta", "inner", "outer", "mean", "root")
        y, w, v = (each[index] for each in self.rows)
        return replace(self, rows=(y, w, v), **{name: getattr(self, name)[index] for name in by_block})

    def at(self, inner: Array, outer: Array) -> tuple[Array, Array]:
        """Log density given the outer coordinate (B, k, ...), constants aside, and the prior's of that."""
        b, k = inner.shape[:2]
        s, o = (
            np.ascontiguousarray(np.broadcast_to(x, inner.shape)).reshape(b, k, -1) for x in (inner, outer)
        )
        y, w, v, eta, along, across = (x[..., None] for x in (*self.rows, self.eta, self.inner, self.outer))
        out = np.empty(s.shape)
        step = max(1, PIECE // self.eta.size)
        for start in range(0, s.shape[2], step):
            cut = slice(start, start + step)
            x, z = s[..., cut], o[..., cut]
            if k > 1:
                x, z = (np.take_along_axis(each, self.level[..., None], axis=1) for each in (x, z))
            logf = self.family.rows(y, w, v, eta + along * x + across * z, self.phi).logf
            out[..., cut] = self._sums(logf, k)
        first, second = _moved(self.mean, self.root, s, o)
        out -= 0.5 * first * first
        return out.reshape(inner.shape), (-0.5 * second * second).reshape(inner.shape)

    def _sums(self, logf: Array, k: int) -> Array:
        """Sums over the rows of each inner effect (B, k, m)."""
        b, n, m = logf.shape
        if k == 1:
            return np.asarray(logf.sum(axis=1, keepdims=True))
        place = (self.level + k * np.arange(b)[:, None]).ravel()
        sums = sp.csr_array((np.ones(b * n), (place, np.arange(b * n))), shape=(b * k, b * n))
        return np.asarray(sums @ logf.reshape(b * n, m)).reshape(b, k, m)


def _points(more: float) -> Array:
    """Places along a coordinate, at the same distances, some times as far out as the first."""
    half = round(more * (COARSE // 2))
    return np.arange(-half, half + 1) * (REACH / (COARSE // 2))


def _on_grid(heights: _Heights, centre: Array, root: Array, points: Array) -> Array:
    """Log density of each pair of effects, from its peak's, at all pairs of points (B, k, outer, inner)."""
    shape = (*centre.shape[:2], len(points), len(points))
    grid = (np.broadcast_to(x, shape) for x in (points, points[:, None]))
    given, prior = heights.at(*_moved(centre, root, *grid))
    peak = given.max(axis=-1)
    area = peak + np.log(np.exp(given - peak[..., None]).sum(axis=-1))
    marginal = area.sum(axis=1) + prior[:, 0, :, 0]
    log_density = given + (marginal[:, None] - area)[..., None]
    return np.asarray(log_density - log_density.max(axis=(2, 3), keepdims=True))


def _moved(centre: Array, root: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Both coordinates (B, k, ...) of centre + root s."""
    c, r = (x.reshape(*x.shape, *[1] * (first.ndim - 2)) for x in (centre, root))
    return c[:, :, 0] + r[:, :, 0, 0] * first + r[:, :, 0, 1] * second, c[:, :, 1] + r[:, :, 1, 1] * second


def _moments(density: Array, points: Array) -> tuple[Array, Array]:
    """Mean (..., 2) and covariance (..., 2, 2) of a density (..., second, first) on a grid."""
    density = density / density.sum(axis=(-1, -2), keepdims=True)
    first, second = density.sum(axis=-2), density.sum(axis=-1)
    mean = np.stack([first @ points, second @ points], axis=-1)
    cross = np.einsum("...ij,i,j->...", density, points, points)
    products = np.stack([first @ points**2, cross, cross, second @ points**2], axis=-1)
    return mean, products.reshape(*mean.shape, 2) - mean[..., :, None] * mean[..., None, :]


def _is_standard(mean: Array, cov: Array) -> np.ndarray:
    """Whether steps to mean and covariance are short (...)."""
    return (np.abs(mean).max(axis=-1) < 0.3) & (np.abs(cov - np.eye(2)).max(axis=(-1, -2)) < 0.4)


def _upper(cov: Array) -> Array:
    """Upper triangular U (..., 2, 2) with U U' = cov; no coordinate is stretched or shrunk by more than four."""
    out = np.zeros_like(cov)
    out[..., 1, 1] = np.sqrt(np.clip(cov[..., 1, 1], 1.0 / 16, 16.0))
    out[..., 0, 1] = cov[..., 0, 1] / out[..., 1, 1]
    out[..., 0, 0] = np.sqrt(np.clip(cov[..., 0, 0] - out[..., 0, 1] ** 2, 1.0 / 16, 16.0))
    return out


def _range(seen: Any, points: Array) -> tuple[Array, Array]:
    """First and last of the points (..., k) that are seen, and one more on either side; all of them if none is."""
    size = seen.shape[-1]
    first = np.maximum(seen.argmax(axis=-1) - 1, 0)
    last = np.minimum(size - seen[..., ::-1].argmax(axis=-1), size - 1)
    return tuple(np.take_along_axis(points, x[..., None], axis=-1)[..., 0] for x in (first, last))  # type: ignore[return-value]
