"""Rows of a linear predictor, and the draws of the random effects that each one depends on.

Everything that is said of random effects and predictions is a function of eta = X beta + offset + Z u: a random
effect is the row that picks it.  A row depends on the effects of one block, as a rule, and is averaged over that
block's draws.  New rows may bring effects of several blocks together; those are independent given the data, and
their draws are paired at random, within replicates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import NamedTuple, TypeVar

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.covariance import CovarianceTerm
from statsmodels_mcla.estimation import Fitted
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.likelihood.monte_carlo import WeightedDraws, over_draws
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.numerics import Array, generator, unique_rows, weighted_sum

LAYER = 8  # rows of a block at a time
PAIRING = 1_000_003  # key of the stream that pairs draws of different blocks

T = TypeVar("T")


@dataclass(frozen=True)
class LinearRows:
    """Linear predictors: eta = X beta + offset + Z u + a normal part of variance ``prior @ theta``.

    Attributes
    ----------
    X : ndarray (N, p)
    offset : ndarray (N,)
    Z : scipy.sparse.csr_array (N, Q)
        Over the standard effects that have draws.
    ties : tuple of scipy.sparse.csr_array (N, Q)
        Derivatives of Z in the loadings.
    prior : ndarray (N, size of theta)
        Over the variances and covariances of the model: effects that the data say nothing of keep their prior law.
    """

    X: Array
    offset: Array
    Z: sp.csr_array
    ties: tuple[sp.csr_array, ...]
    prior: Array

    def __len__(self) -> int:
        return len(self.X)

    @classmethod
    def of(cls, fitted: Fitted, X: Array, offset: Array, Z: sp.csr_array, prior: Array) -> LinearRows:
        """Rows in the effects of the model, of which those without data keep their prior law.

        Parameters
        ----------
        fitted : Fitted
        X, offset, prior
            As above.
        Z : scipy.sparse.csr_array (N, Q of the model)
        """
        effects = fitted.effects
        if not Z.nnz:  # the population's: whatever has draws, wherever these are
            none = sp.csr_array((len(X), effects.shape[1]))
            return cls(X, offset, none, (none,) * fitted.design.layout.n_covariance, prior)
        has_data = block_of_effects(fitted.sampler)[0] >= 0
        drawn = np.asarray(abs(effects[:, has_data]).sum(axis=1)).ravel() > 0
        known = sp.csr_array(Z @ sp.diags_array(drawn.astype(float)))
        if not drawn.all():
            prior = prior + prior_basis(fitted.reduction, sp.csr_array(Z @ sp.diags_array(1.0 - drawn)))
        ties = []
        for a in range(
            *fitted.design.layout.covariance.indices(len(fitted.params))
        ):  # effects are linear in them
            step = np.zeros(len(fitted.params))
            step[a] = 1.0
            ties.append(sp.csr_array(known @ (fitted.reduction.effects(fitted.params + step) - effects)))
        return cls(X, offset, sp.csr_array(known @ effects), tuple(ties), prior)

    def moved(self, loadings: Array) -> LinearRows:
        """Rows at other loadings, from their change (a,)."""
        Z = sum((tie * change for tie, change in zip(self.ties, loadings, strict=True)), self.Z)
        return replace(self, Z=sp.csr_array(Z))


@dataclass(frozen=True)
class JointRows:
    """Several linear predictors of the same rows.

    Attributes
    ----------
    rows : tuple of LinearRows
        One a predictor.
    cross : dict
        Derivatives (N, size of theta) of the covariance of the normal parts of two of them, by their places i < j;
        covariances are linear in theta.
    """

    rows: tuple[LinearRows, ...]
    cross: dict[tuple[int, int], Array]

    @classmethod
    def of(cls, rows_of: Callable[[tuple[int, ...]], LinearRows], predictors: Sequence[int]) -> JointRows:
        """Rows of some predictors, from the rows of sums of predictors."""
        rows = [rows_of((k,)) for k in predictors]
        cross = {}
        for i, j in combinations(range(len(rows)), 2):
            both = rows_of((predictors[i], predictors[j])).prior - rows[i].prior - rows[j].prior
            if both.any():
                cross[i, j] = 0.5 * both
        return cls(tuple(rows), cross)

    def moved(self, loadings: Array) -> JointRows:
        """Rows at other loadings, from their change (a,)."""
        return replace(self, rows=tuple(part.moved(loadings) for part in self.rows))


def prior_basis(reduction: Reduction, Z: sp.csr_array) -> Array:
    """Derivative of the prior variance of Z u in the model's variances and covariances, (N, size).

    The prior variance is linear in them.
    """
    stops = np.cumsum([0, *(t.levels * t.whole.dim for t in reduction.terms)])
    parts = [
        prior_basis_of(t.whole, Z[:, start:stop])
        for t, start, stop in zip(reduction.terms, stops, stops[1:], strict=False)
    ]
    return np.concatenate([np.zeros((Z.shape[0], 0)), *parts], axis=1)


def prior_basis_of(term: CovarianceTerm, Z: sp.csr_array) -> Array:
    """Return the same for the effects of one term, (N, size of the term)."""
    parts = [sp.csr_array(Z[:, k :: term.dim]) for k in range(term.dim)]
    products = [
        np.asarray(parts[i].multiply(parts[j]).sum(axis=1)).ravel() for i, j in zip(*term.lower, strict=True)
    ]
    return np.column_stack(products) * times(term)


def prior_basis_of_level(term: CovarianceTerm, x: Array) -> Array:
    """Return the same for rows x (N, d) of one level each."""
    rows, cols = term.lower
    return x[:, rows] * x[:, cols] * times(term)


def times(term: CovarianceTerm) -> Array:
    """How often each entry of the lower triangle of a covariance matrix counts in a quadratic form."""
    return np.where(np.equal(*term.lower), 1.0, 2.0)


class Law(NamedTuple):
    """Weighted draws for K sets of rows.

    Attributes
    ----------
    v : ndarray (K, m)
        Normalised weights.
    s : ndarray (K, P, m)
        Centred scores.
    replicate : int
    correction : float
        R / (R - 1).
    """

    v: Array
    s: Array
    replicate: int
    correction: float

    def take(self, index: np.ndarray) -> Law:
        """Law of some of the sets."""
        if len(index) == len(self.v):
            return self
        return Law(self.v[index], self.s[index], self.replicate, self.correction)


class Products(NamedTuple):
    """Linear predictors of rows (K, L), less fixed effects, and their derivatives along the paths of the draws.

    Attributes
    ----------
    Zb : ndarray (K, L, m)
    moves : ndarray (K, L, p)
        In the fixed effects.
    velocities : list of ndarray (K, L, m)
        In each of the other parameters.
    """

    Zb: Array
    moves: Array
    velocities: list[Array]

    @classmethod
    def side_by_side(cls, parts: Sequence[Products]) -> Products:
        """Products of several rows each."""
        velocities = [
            np.concatenate(each, axis=1) for each in zip(*(part.velocities for part in parts), strict=True)
        ]
        Zb, moves = (np.concatenate([part[k] for part in parts], axis=1) for k in (0, 1))
        return cls(Zb, moves, velocities)

    def part(self, rows: slice) -> Products:
        """Products of some of the rows."""
        return Products(self.Zb[:, rows], self.moves[:, rows], [v[:, rows] for v in self.velocities])


def _law(draws: WeightedDraws) -> Law:
    return Law(draws.v, draws.s, draws.replicate, draws.correction)


def block_of_effects(sampler: Sampler) -> tuple[np.ndarray, np.ndarray]:
    """Block of each standard effect of the sampler's design (-1: it has no data and no draws), and its place there."""
    count = sum(t.levels * t.rank for t in sampler.design.loadings.terms)
    block, place = (np.full(count, -1) for _ in range(2))
    for bucket in sampler.buckets:
        bucket.spread(np.broadcast_to(bucket.blocks[:, None], bucket.drawn.shape), block)
        bucket.spread(np.broadcast_to(np.arange(bucket.n_drawn), bucket.drawn.shape), place)
    return block, place


@dataclass(frozen=True)
class Placed:
    """Rows with the blocks that they depend on.

    Attributes
    ----------
    fitted : Fitted
    rows : LinearRows
    column : ndarray (N, widest)
        Columns of a row's nonzero entries of Z and its ties, filled up with the first of them.
    entries : tuple of ndarray (N, widest)
        Entries of Z and of each tie there, filled up with zeros; then those of the other rows, if there are any.
    block : ndarray (N,)
        Block of a row's effects; -1: it has none, -2: effects of several blocks.
    """

    fitted: Fitted
    rows: LinearRows
    column: np.ndarray
    entries: tuple[Array, ...]
    block: np.ndarray

    @classmethod
    def of(cls, fitted: Fitted, rows: LinearRows, *others: LinearRows) -> Placed:
        """Find the blocks of the rows; of several rows together, whose products then stand one after another."""
        parts = [rows, *others]
        matrices = [M for part in parts for M in (part.Z, *part.ties)]
        pattern = sp.csr_array(sum((abs(M) for M in matrices[1:]), abs(matrices[0])))
        pattern.eliminate_zeros()
        lengths = np.diff(pattern.indptr)
        row = np.repeat(np.arange(len(rows)), lengths)
        place = np.arange(pattern.nnz) - np.repeat(pattern.indptr[:-1], lengths)
        shape = len(rows), max(1, int(lengths.max(initial=0)))
        column, filled = np.zeros(shape, int), np.zeros(shape, bool)
        column[row, place], filled[row, place] = pattern.indices, True
        column = np.where(filled, column, column[:, :1])
        entries = []
        for M in matrices:
            entry = np.zeros(shape)
            if pattern.nnz:
                entry[row, place] = np.asarray(M[row, pattern.indices]).ravel()
            entries.append(entry)
        block = np.full(len(rows), -1)
        if pattern.nnz:
            of_effect = block_of_effects(fitted.sampler)[0]
            block[row] = of_effect[pattern.indices]
            block[row[of_effect[pattern.indices] != block[row]]] = -2
        return cls(fitted, rows, column, tuple(entries), block)

    @cached_property
    def without_draws(self) -> np.ndarray:
        """Rows without effects."""
        return np.flatnonzero(self.block == -1)

    def map(self, function: Callable[[Law, np.ndarray, Products], T]) -> list[tuple[np.ndarray, T]]:
        """Apply a function to the draws of all rows that depend on some.

        Parameters
        ----------
        function : callable
            Of a law of K sets, the rows (K, L) that depend on each, -1 for none, and products for them.

        Returns
        -------
        list of (rows, what the function returned)
        """
        if (self.block == -1).all():
            return []
        fitted, (_, place_of_effect) = self.fitted, block_of_effects(self.fitted.sampler)
        n_blocks = 1 + max((int(b.blocks.max(initial=-1)) for b in fitted.sampler.buckets), default=-1)
        order = np.argsort(self.block, kind="stable")
        first = np.searchsorted(self.block[order], np.arange(n_blocks + 1))
        counts = np.diff(first)

        def of_chunk(draws: WeightedDraws) -> list[tuple[np.ndarray, T]]:
            law, blocks = _law(draws), draws.bucket.blocks
            here, out = counts[blocks], []
            for start in range(0, int(here.max(initial=0)), LAYER):
                sets = np.flatnonzero(here > start)
                place = start + np.arange(min(LAYER, int(here.max()) - start))
                inside = place < here[sets, None]
                rows = np.where(inside, order[np.where(inside, first[blocks[sets], None] + place, 0)], -1)
                local = np.where(inside[..., None], place_of_effect[self.column[rows]], 0)
                products = self._products(draws.b, draws.moves, draws.velocities, sets, local, rows)
                out.append((rows, function(law.take(sets), rows, products)))
            return out

        chunks = over_draws(
            fitted.design,
            fitted.params,
            fitted.position.draws,
            of_chunk,
            wanted=counts > 0,
            executor=fitted.executor,
        )
        return [found for chunk in chunks for found in chunk] + self._map_pairs(function, place_of_effect)

    def _map_pairs(
        self, function: Callable[[Law, np.ndarray, Products], T], place_of_effect: np.ndarray
    ) -> list[tuple[np.ndarray, T]]:
        """`map` for rows with effects of several blocks."""
        rows = np.flatnonzero(self.block == -2)
        if not len(rows):
            return []
        fitted, (block_of_effect, _) = self.fitted, block_of_effects(self.fitted.sampler)
        blocks = block_of_effect[self.column[rows]]
        kinds, _, kind, _ = unique_rows(np.sort(blocks, axis=1))
        wanted = np.zeros(int(block_of_effect.max()) + 1, bool)
        wanted[kinds] = True

        def of_chunk(draws: WeightedDraws) -> dict[int, WeightedDraws]:
            return {int(b): draws.take(k) for k, b in enumerate(draws.bucket.blocks) if wanted[b]}

        made: dict[int, WeightedDraws] = {}
        for found in over_draws(
            fitted.design,
            fitted.params,
            fitted.position.draws,
            of_chunk,
            wanted=wanted,
            executor=fitted.executor,
        ):
            made |= found
        out = []
        for k, members in enumerate(kinds):
            distinct = np.unique(members)
            law, b, moves, velocities, starts = _paired(
                [made[int(b)] for b in distinct], distinct, fitted.sampler.seed
            )
            mine = np.flatnonzero(kind == k)
            column = self.column[rows[mine]]
            local = place_of_effect[column] + starts[np.searchsorted(distinct, blocks[mine])]
            for a in range(0, len(mine), LAYER):
                cut = slice(a, a + LAYER)
                index = rows[mine[cut]][None]
                products = self._products(b, moves, velocities, np.zeros(1, int), local[cut][None], index)
                out.append((index, function(law, index, products)))
        return out

    def _products(
        self,
        b: Array,
        moves: Array,
        velocities: Sequence[Array],
        sets: np.ndarray,
        place: np.ndarray,
        rows: np.ndarray,
    ) -> Products:
        """Products of rows (K, L) with draws b (., q, m), at places (K, L, widest) in them, and their derivatives."""

        def combined(entry: Array, effects: Array) -> Array:
            out = np.zeros((*rows.shape, effects.shape[2]))
            for j in range(place.shape[2]):
                weight = entry[rows, j]
                if weight.any():
                    out += weight[..., None] * effects[sets[:, None], place[:, :, j]]
            return out

        found = []
        size = 1 + len(self.rows.ties)
        for start in range(0, len(self.entries), size):
            own, *ties = self.entries[start : start + size]
            speeds = [combined(own, velocity) for velocity in velocities]
            for j, tie in enumerate(ties):  # parameters of the family, the last, move the draws alone
                speeds[j] += combined(tie, b)
            found.append(Products(combined(own, b), combined(own, moves), speeds))
        return found[0] if len(found) == 1 else Products.side_by_side(found)


def _paired(
    parts: Sequence[WeightedDraws], blocks: np.ndarray, seed: np.random.SeedSequence
) -> tuple[Law, Array, Array, list[Array], np.ndarray]:
    """Joint law of the effects of several blocks from random pairs of their draws.

    Returns
    -------
    law : Law
    b : ndarray (1, q, m)
        Standard effects of the blocks, one after another.
    moves : ndarray (1, q, p)
    velocities : list of ndarray (1, q, m)
    starts : ndarray
        Where each block's effects begin.
    """
    rng = generator(seed, PAIRING, *(int(b) for b in blocks))
    R = min(part.replicates for part in parts)
    size = max(part.replicate for part in parts)
    weight, taken = np.ones((1, R * size)), []
    s = np.zeros((1, parts[0].s.shape[1], R * size))
    for part in parts:
        within = np.concatenate(
            [
                rng.permuted(np.tile(np.arange(part.replicate), (R, 1)), axis=1)
                for _ in range(-(-size // part.replicate))
            ],
            axis=1,
        )[:, :size]
        index = (within + part.replicate * np.arange(R)[:, None]).ravel()
        weight = weight * (part.v[:, index] * part.v.shape[1])
        taken.append([x[..., index] for x in (part.b, *part.velocities)])
        s = s + part.s[..., index]
    v = weight / weight.sum(axis=1, keepdims=True)
    s = s - weighted_sum(s, v)[..., None]
    starts = np.cumsum([0, *(part.b.shape[1] for part in parts[:-1])])
    law = Law(v, s, size, R / (R - 1.0) if R > 1 else np.inf)
    moves = np.concatenate([part.moves for part in parts], axis=1)
    b, *velocities = (np.concatenate(each, axis=1) for each in zip(*taken, strict=True))
    return law, b, moves, velocities, starts
