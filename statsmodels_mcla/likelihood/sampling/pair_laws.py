"""The law of two effects given the data, by two-dimensional quadrature: Rosenblatt's (1952) transform.

With base numbers z of independent standard normals, t_1 = F_1^-1(Phi(z_1)) has the marginal law of the second
coordinate, and t_0 = F_0^-1(Phi(z_0) | t_1) the law of the first given that.  Conditional quantiles are tabled at
distances in t_1 and interpolated linearly between, which leaves them increasing in z_0 with a known slope: the density
of what is drawn is exact, its agreement with the law close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes
from statsmodels_mcla.likelihood.sampling.quantiles import (
    FADED,
    interpolated,
    inverse_distribution,
    through_knots,
)
from statsmodels_mcla.numerics import Array

REACH = 7.0  # of the points where the density is first evaluated, in standard deviations
FARTHER = 1.4 ** np.arange(1, 6)  # times that, where it has not faded there
COARSE = 25  # points along a coordinate to find where the law is
ACROSS, FINE = 25, 41  # then along the second and first coordinate
TIMES = 8  # that the law is looked for at most
LEAST = 0.3  # third derivative along the columns of the root, beyond which laws are far from normal
MOST_BLOCKS = 2**13  # their tables take 20 kilobytes each
PIECE = 2**20  # rows x points at a time
ALL = slice(None)

Height = Callable[..., Array]


@dataclass(frozen=True)
class PairLaws:
    """Rosenblatt's transform of both coordinates of each block.

    Attributes
    ----------
    centre, root : ndarray (B, 2), (B, 2, 2)
        t = centre + root s, root upper triangular: coordinates s in which the law has mean 0 and covariance 1, nearly.
    low, step : ndarray (B,)
        Places of the tables in s_1.
    knots, slopes : ndarray (B, 1, KNOTS)
        Of s_1, and their derivatives.
    tables, table_slopes : ndarray (B, ACROSS, KNOTS)
        Of s_0 given s_1, and their derivatives.
    """

    exact = True

    centre: Array
    root: Array
    low: Array
    step: Array
    knots: Array
    slopes: Array
    tables: Array
    table_slopes: Array

    def take(self, index: np.ndarray | slice) -> PairLaws:
        """Of some of the blocks."""
        return PairLaws(*(getattr(self, each.name)[index] for each in fields(self)))

    def apply(self, z: Array) -> tuple[Array, Array]:
        """Transform base numbers (B, 2, m); return them and the log derivative (B, m)."""
        second, log_slope = through_knots(z[:, 1:], self.knots, self.slopes)
        across = (second[:, 0] - self.low[:, None]) / self.step[:, None]
        left = np.clip(across.astype(np.intp), 0, ACROSS - 2)
        part = np.clip(across - left, 0.0, 1.0)
        blocks = np.arange(len(z))[:, None]
        first, slope = np.zeros_like(part), np.zeros_like(part)
        for table, weight in ((left, 1.0 - part), (left + 1, part)):

            def pick(place: np.ndarray, table: np.ndarray = table) -> tuple[Array, Array]:
                return self.tables[blocks, table, place], self.table_slopes[blocks, table, place]

            value, rise = interpolated(z[:, 0], pick)
            first += weight * value
            slope += weight * rise
        t = np.stack(_moved(self.centre, self.root, first, second[:, 0]), axis=1)
        scale = np.log(self.root[:, 0, 0] * self.root[:, 1, 1])
        return t, log_slope + np.log(slope) + scale[:, None]


def pair_laws(bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any) -> PairLaws | None:
    """Laws of the two effects of each block, where they are far from normal and not too many."""
    blocks = bucket.n_blocks
    if bucket.n_drawn != 2 or blocks > MOST_BLOCKS or bucket.family.quadratic:
        return None
    triples = np.array([(0, 0, 0), (0, 0, 1), (0, 1, 1), (1, 1, 1)]).T
    if not np.abs(gaussian.root.thirds(modes.J, gaussian.third, *triples)).max() > LEAST:
        return None
    height = _log_density(bucket, modes, gaussian, phi)
    # where the law is: mean and covariance, by steps from the Gaussian's
    centre, L = np.zeros((blocks, 2)), np.tile(np.eye(2), (blocks, 1, 1))
    points = _points(1.0)
    log_density, left = np.empty((blocks, len(points), len(points))), np.arange(blocks)
    for _ in range(TIMES):
        log_density[left] = _on_grid(height, centre, L, points, left)
        mean, cov = _moments(np.exp(log_density[left]), points)
        moves = ~_is_standard(mean, cov)
        left, mean, cov = left[moves], mean[moves], cov[moves]
        if not len(left):
            break
        centre[left] += (L[left] @ mean[..., None])[..., 0]
        L[left] = L[left] @ _upper(cov)
    for more in FARTHER:  # a law that is cut off is one whose tails no draws reach
        seen = log_density > FADED
        cut = np.flatnonzero(seen[:, [0, -1]].any(axis=(1, 2)) | seen[:, :, [0, -1]].any(axis=(1, 2)))
        if not len(cut):
            break
        points = _points(more)
        beyond = (len(points) - log_density.shape[1]) // 2
        around = ((0, 0), (beyond, beyond), (beyond, beyond))
        log_density = np.pad(log_density, around, constant_values=4.0 * FADED)
        log_density[cut] = _on_grid(height, centre, L, points, cut)
    seen = log_density > FADED
    low, high = _range(seen.any(axis=2), np.broadcast_to(points, seen.shape[:2]))
    across = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, ACROSS)
    # what it is there
    seen = log_density - log_density.max(axis=2, keepdims=True) > FADED
    lows, highs = _range(seen, np.broadcast_to(points, seen.shape))
    near = np.clip((across - points[0]) / (points[1] - points[0]), 0, len(points) - 1)
    rows = np.arange(blocks)[:, None], np.floor(near).astype(int), np.ceil(near).astype(int)
    bottom = np.minimum(lows[rows[0], rows[1]], lows[rows[0], rows[2]])
    top = np.maximum(highs[rows[0], rows[1]], highs[rows[0], rows[2]])
    t = bottom[..., None] + (top - bottom)[..., None] * np.linspace(0.0, 1.0, FINE)
    log_density = height(*_moved(centre, L, t, np.broadcast_to(across[..., None], t.shape)))
    peak = log_density.max(axis=-1, keepdims=True)
    tables = inverse_distribution(t, log_density - peak)
    marginal = peak[..., 0] + np.log(np.exp(log_density - peak).sum(axis=-1) * (t[..., 1] - t[..., 0]))
    marginal = CubicSpline(np.arange(ACROSS), marginal, axis=1)(np.linspace(0, ACROSS - 1, FINE))
    fine = low[:, None] + (high - low)[:, None] * np.linspace(0.0, 1.0, FINE)
    knots = inverse_distribution(fine[:, None], (marginal - marginal.max(axis=1, keepdims=True))[:, None])
    found = PairLaws(centre, L, low, across[:, 1] - across[:, 0], *knots, *tables)
    return found if all(np.isfinite(part).all() for part in (*knots, *tables)) else None


def _log_density(bucket: Bucket, modes: Modes, gaussian: Gaussian, phi: Any) -> Height:
    """Log density of coordinates (B, ...) of the root around the Gaussian's mean, in all blocks or some."""
    R = gaussian.root.of(np.broadcast_to(np.eye(2), (bucket.n_blocks, 2, 2)))
    JR = np.concatenate([part for _, part in modes.J.rooted(R)], axis=1)
    eta = modes.eta + modes.J.times(gaussian.mean - modes.b)
    everything = (
        bucket.y[..., None],
        bucket.w[..., None],
        bucket.v[..., None],
        eta[..., None],
        JR,
        gaussian.mean,
        R,
    )

    def height(first: Array, second: Array, blocks: np.ndarray | slice = ALL) -> Array:
        y, w, v, eta, JR, mean, R = (part[blocks] for part in everything)
        t = [np.ascontiguousarray(x).reshape(len(x), 1, -1) for x in (first, second)]
        out = np.empty((len(eta), t[0].shape[2]))
        step = max(1, PIECE // eta.size)
        for start in range(0, out.shape[1], step):
            a, b = (x[..., start : start + step] for x in t)
            at = eta + JR[..., :1] * a + JR[..., 1:] * b
            logf = bucket.family.rows(y, w, v, at, phi).logf
            effects = mean[..., None] + R[..., :1] * a + R[..., 1:] * b
            out[:, start : start + step] = logf.sum(axis=1) - 0.5 * (effects * effects).sum(axis=1)
        return out.reshape(first.shape)

    return height


def _points(more: float) -> Array:
    """Places along a coordinate, at the same distances, some times as far out as the first."""
    half = round(more * (COARSE // 2))
    return np.arange(-half, half + 1) * (REACH / (COARSE // 2))


def _on_grid(height: Height, centre: Array, root: Array, points: Array, blocks: np.ndarray) -> Array:
    """Log density of some blocks, from its peak's, at all pairs of points (B, second, first)."""
    shape = (len(blocks), len(points), len(points))
    grid = (np.broadcast_to(x, shape) for x in (points, points[:, None]))
    log_density = height(*_moved(centre[blocks], root[blocks], *grid), blocks)
    return log_density - log_density.max(axis=(1, 2), keepdims=True)


def _moved(centre: Array, root: Array, first: Array, second: Array) -> tuple[Array, Array]:
    """Both coordinates of centre + root s."""
    c, r = (x.reshape(*x.shape, *[1] * (first.ndim - 1)) for x in (centre, root))
    return c[:, 0] + r[:, 0, 0] * first + r[:, 0, 1] * second, c[:, 1] + r[:, 1, 1] * second


def _moments(density: Array, points: Array) -> tuple[Array, Array]:
    """Mean (B, 2) and covariance (B, 2, 2) of a density (B, second, first) on a grid."""
    density = density / density.sum(axis=(1, 2), keepdims=True)
    first, second = density.sum(axis=1), density.sum(axis=2)
    mean = np.stack([first @ points, second @ points], axis=1)
    cross = np.einsum("bij,i,j->b", density, points, points)
    products = np.stack([first @ points**2, cross, cross, second @ points**2], axis=1).reshape(-1, 2, 2)
    return mean, products - mean[:, :, None] * mean[:, None, :]


def _is_standard(mean: Array, cov: Array) -> np.ndarray:
    """Whether steps to mean and covariance are short (B,)."""
    return (np.abs(mean).max(axis=1) < 0.3) & (np.abs(cov - np.eye(2)).max(axis=(1, 2)) < 0.4)


def _upper(cov: Array) -> Array:
    """Upper triangular U (B, 2, 2) with U U' = cov; no coordinate is stretched or shrunk by more than four at once."""
    out = np.zeros_like(cov)
    out[:, 1, 1] = np.sqrt(np.clip(cov[:, 1, 1], 1.0 / 16, 16.0))
    out[:, 0, 1] = cov[:, 0, 1] / out[:, 1, 1]
    out[:, 0, 0] = np.sqrt(np.clip(cov[:, 0, 0] - out[:, 0, 1] ** 2, 1.0 / 16, 16.0))
    return out


def _range(seen: Any, points: Array) -> tuple[Array, Array]:
    """First and last of the points (..., k) that are seen, and one more on either side; all of them if none is."""
    size = seen.shape[-1]
    first = np.maximum(seen.argmax(axis=-1) - 1, 0)
    last = np.minimum(size - seen[..., ::-1].argmax(axis=-1), size - 1)
    return tuple(np.take_along_axis(points, x[..., None], axis=-1)[..., 0] for x in (first, last))  # type: ignore[return-value]
