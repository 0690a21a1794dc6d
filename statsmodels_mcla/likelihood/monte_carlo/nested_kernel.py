r"""Likelihoods of blocks whose inner effects are integrated one by one at each point of the outer one.

At outer point c, with points i of inner effect j and weights omega_ji that add up to one,

    log w_c = sum_j log mean_i w_ji + log phi(b_c) - log g(b_c),
    g_jc    = sum_i omega_ji s_ji,                     s_ji = d log f_j / d theta, the score of a point,
    q_c     = sum_j g_jc,
    H_c     = sum_j [ sum_i omega_ji (h_ji + s_ji s_ji') - g_jc g_jc' ],

which are what weights, scores and second derivatives of draws are in `kernel`.  The points stand still, so that
linear predictors are linear in fixed effects and loadings alike: eta = x'beta + (sigma_o e_o) b_c + (sigma_i e_i) b_i.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import Bucket, Nesting, ParameterLayout
from statsmodels_mcla.families import RowTerms
from statsmodels_mcla.likelihood.monte_carlo.kernel import STEP, Weighed
from statsmodels_mcla.likelihood.sampling import DrawPart, NestedNodes, normalise
from statsmodels_mcla.numerics import LOG_2PI, Array, transpose

MANY = 4  # parameters whose scores take more memory than the rows


class NestedSums(NamedTuple):
    """Second derivatives (K, R, P, P): weighted sums of H_c over the points of each replicate."""

    second: Array


class _Points(NamedTuple):
    """Points of l inner effects of N rows at each outer one.

    ``block``, ``b``, ``omega`` (l, m, n) and ``values`` (l, m), the log integrals, are those of the inner effects;
    ``of_row`` says which one each row has, ``sums`` (l, N) adds up over them, ``at`` are places of the rows, and
    ``terms`` (N, m n) what the densities of ``given``, their data and linear predictors, are.
    """

    rows: slice
    at: np.ndarray
    of_row: np.ndarray
    block: np.ndarray
    sums: sp.csr_array
    b: Array
    omega: Array
    values: Array
    terms: RowTerms
    given: tuple[Array, Array, Array, Array]

    def add(self, values: Array, out: Array) -> None:
        """Add what the inner effects (l, ...) have to what their blocks have (K, ...)."""
        own, start = np.unique(self.block, return_index=True)
        out[own] += np.add.reduceat(values, start, axis=0)

    def add_rows_times(self, weights: Array, values: Array, out: Array) -> None:
        """Add sums over the rows of values (N, k) times weights (N, R) to what the blocks have (K, R, k)."""
        own, start = np.unique(self.block[self.of_row], return_index=True)
        rows = np.arange(len(self.of_row))
        sums = sp.csr_array((np.ones(len(rows)), rows, np.append(start, len(rows))))
        out[own] += (_times_entries(sums, weights) @ values).reshape(len(own), weights.shape[1], -1)

    def powers(self, values: Array, highest: int) -> Iterator[Array]:
        """Means (N, m) over the points of numbers of rows (N, m n), times powers of the inner effect."""
        b = self.b[self.of_row]
        weighted = values.reshape(b.shape) * self.omega[self.of_row]
        for power in range(highest + 1):
            if power:
                weighted = weighted * b
            yield weighted.sum(axis=-1)


@dataclass(frozen=True)
class NestedTask:
    """A chunk of blocks, at given parameters (see `Task`).

    Attributes
    ----------
    layout : ParameterLayout
    part : DrawPart
    blocks : slice
    bucket : Bucket
        The K blocks.
    nodes : NestedNodes
    outer, inner : tuple of float and int
        Loading of the outer and of the inner effects, and its place among the parameters.
    fixed : ndarray (K, n)
        X beta + offset.
    phi : float
    """

    layout: ParameterLayout
    part: DrawPart
    blocks: slice
    bucket: Bucket
    nodes: NestedNodes
    outer: tuple[float, int]
    inner: tuple[float, int]
    fixed: Array
    phi: Any

    def weigh(self, section: slice, t: Array, log_g: Array) -> Weighed:
        """Weigh outer points and differentiate their integrals."""
        (K, m), P, R = log_g.shape, self.layout.size, self.part.size // self.part.replicate
        b = self.nodes.centre[:, None] + self.nodes.scale[:, None] * t[:, 0]
        log_w = np.log(self.nodes.scale)[:, None] - 0.5 * (b * b + LOG_2PI) - log_g
        scores, second = np.zeros((K, P, m)), np.zeros((K, R, P, P))
        pieces = self._pieces(m)
        with np.errstate(over="ignore", invalid="ignore"):
            for piece in pieces:
                points = self._points(piece, b)
                points.add(points.values, log_w)
            v, _ = normalise(log_w)
            for piece in pieces:
                points = points if len(pieces) == 1 else self._points(piece, b)
                self._differentiate(points, b, v, scores, second)
        return Weighed(log_w, scores, NestedSums(second))

    @property
    def _nest(self) -> Nesting:
        nest = self.bucket.nesting
        assert nest is not None  # noqa: S101 - for type checkers
        return nest

    def _pieces(self, m: int) -> list[slice]:
        """Inner effects whose rows x points fit a step."""
        nest = self._nest
        room = max(1, STEP // (m * rows_of_scores(self.part, self.layout)))
        ends = np.append(nest.first[1:], len(nest.rows))
        cuts = [0]
        while cuts[-1] < len(ends):
            start = nest.first[cuts[-1]]
            cuts.append(max(cuts[-1] + 1, int(np.searchsorted(ends, start + room, side="right"))))
        return [slice(a, b) for a, b in pairwise(cuts)]

    def _points(self, piece: slice, b_o: Array) -> _Points:
        """Points of some inner effects at each outer one, and their weights."""
        nest, (m, n) = self._nest, (b_o.shape[1], self.part.inner)
        place, block = nest.place[piece], nest.block[piece]
        edges = np.append(nest.first, len(nest.rows))[piece.start : piece.stop + 1]
        rows = slice(int(edges[0]), int(edges[-1]))
        of_row, at = nest.of_row[rows] - piece.start, nest.rows[rows]
        sums = sp.csr_array((np.ones(len(at)), np.arange(len(at)), edges - rows.start))
        whole = self.bucket.places[block] * nest.levels + place % nest.levels
        t, log_g = (x.reshape(len(place), -1, 1, n) for x in self.nodes.inner_points(whole))
        centre, scale = (
            x.reshape(-1, m)[place].reshape(*t.shape[:2], -1, 1)
            for x in (self.nodes.inner_centre, self.nodes.inner_scale)
        )
        b = centre + scale * t
        log_w = (np.log(scale) - 0.5 * (b * b + LOG_2PI) - log_g).reshape(-1, m, n)
        b = b.reshape(log_w.shape)
        y, w, v, given = (
            self.bucket.nested(x)[rows] for x in (self.bucket.y, self.bucket.w, self.bucket.v, self.fixed)
        )
        given = given + self.outer[0] * nest.outer[rows, None] * b_o[block[of_row]]
        eta = (self.inner[0] * nest.inner[rows])[:, None, None] * b[of_row]
        eta += given[..., None]
        eta = eta.reshape(len(at), -1)
        terms = self.bucket.family.rows(y, w, v, eta, self.phi)
        log_w += (sums @ terms.logf).reshape(log_w.shape)
        top = log_w.max(axis=-1, keepdims=True)
        omega = np.exp(log_w - top)
        total = omega.sum(axis=-1, keepdims=True)
        omega /= total
        values = (top + np.log(total / n))[..., 0]
        return _Points(rows, at, of_row, block, sums, b, omega, values, terms, (y, w, v, eta))

    def _differentiate(self, points: _Points, b_o: Array, v: Array, scores: Array, second: Array) -> None:
        """Add scores of outer points, and second derivatives, averaged over the points of each replicate."""
        nest, layout = self._nest, self.layout
        (count, m, _), R, P, N = points.b.shape, second.shape[1], layout.size, len(points.at)
        o, i = self.outer[1], self.inner[1]
        entries = np.zeros((N, P))  # d eta / d theta, but for the effects that loadings multiply
        entries[:, layout.fixed] = self.bucket.X.reshape(-1, layout.n_fixed)[points.at]
        entries[:, o], entries[:, i] = nest.outer[points.rows], nest.inner[points.rows]
        # 1. scores of points, and what they vary by
        s = (_times_entries(points.sums, entries) @ points.terms.d1).reshape(count, P, m, -1)
        s[:, o] *= b_o[points.block][..., None]
        s[:, i] *= points.b
        family = self.bucket.family
        change = family.parameter_rows(*points.given, self.phi) if layout.n_family else None
        if change is not None:
            for k, dphi in enumerate(change.dphi, layout.family.start):
                s[:, k] = (points.sums @ dphi).reshape(points.b.shape)
        share = v[points.block]
        weighted = s * (points.omega * share[..., None])[:, None]
        light = weighted @ np.ones(weighted.shape[-1])
        slopes = light / np.maximum(share, np.finfo(float).tiny)[:, None]
        points.add(slopes, scores)
        weighted, s, light, slopes = (
            x.reshape(count, P, R, -1).swapaxes(1, 2) for x in (weighted, s, light, slopes)
        )
        points.add(weighted @ transpose(s) - light @ transpose(slopes), second)
        # 2. second derivatives of points, by rows
        share, b_o = (x[points.block[points.of_row]] for x in (v, b_o))
        place = np.array([*range(layout.n_fixed), o, i])
        powers = np.zeros((len(place), 2), int)  # of the outer and inner effect that go with each entry
        powers[-2, 0] = powers[-1, 1] = 1
        entries = entries[:, place]

        def means(values: Array, highest: int) -> dict[tuple[int, int], Array]:
            """Sums (N, R) over the points of each replicate, by powers of the outer and inner effect."""
            found = list(enumerate(points.powers(values, highest)))
            return {
                (j, k): (mean * share * b_o**j).reshape(N, R, -1).sum(axis=-1)
                for k, mean in found
                for j in range(highest + 1 - k)
            }

        left, right = np.triu_indices(len(place))
        pairs, both = entries[:, left] * entries[:, right], powers[left] + powers[right]
        for power, mean in means(points.terms.d2, 2).items():
            chosen = (both == power).all(axis=1)
            a, b = place[left[chosen]], place[right[chosen]]
            found = np.zeros((*second.shape[:2], len(a)))
            points.add_rows_times(mean, pairs[:, chosen], found)
            second[:, :, a, b] += found
            second[:, :, b, a] += np.where(a == b, 0.0, found)
        if change is not None:
            for k, own in enumerate(change.d1phi):
                at = layout.family.start + k
                for power, mean in means(own, 1).items():
                    chosen = (powers == power).all(axis=1)
                    found = np.zeros((*second.shape[:2], chosen.sum()))
                    points.add_rows_times(mean, entries[:, chosen], found)
                    second[:, :, at, place[chosen]] += found
                    second[:, :, place[chosen], at] += found
                for other, twisted in enumerate(change.dphi2[k], layout.family.start):
                    found = np.zeros((*second.shape[:2], 1))
                    points.add_rows_times(means(twisted, 0)[0, 0], np.ones((N, 1)), found)
                    second[:, :, at, other] += found[..., 0]


def rows_of_scores(part: DrawPart, layout: ParameterLayout) -> int:
    """Rows that take as much memory at a point as one with the scores of all its inner points."""
    return part.inner * (1 + layout.size // MANY)


def _times_entries(sums: sp.csr_array, entries: Array) -> sp.csr_array:
    """Matrix (l P, N) that takes numbers of rows to their sums times each of P entries of the rows."""
    (count, N), P = sums.shape, entries.shape[1]
    first = np.repeat(sums.indptr[:-1], P)
    length = np.repeat(np.diff(sums.indptr), P)
    indptr = np.append(0, np.cumsum(length))
    column = np.arange(indptr[-1]) - np.repeat(indptr[:-1] - first, length)
    which = np.repeat(np.tile(np.arange(P), count), length)
    return sp.csr_array((entries[column, which], column, indptr), shape=(count * P, N))
