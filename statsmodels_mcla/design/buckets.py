"""Blocks of the same shape, stacked: what all numerical work is done on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, multiply_draws

Index = np.ndarray

SPARSE = 10  # effects a block, for each effect of a row, beyond which gathering those is cheaper than using Z
_BY_BLOCK = ("blocks", "rows", "effects", "y", "w", "v", "offset", "X", "Z")


@dataclass(frozen=True)
class Bucket:
    """Blocks of the same shape, stacked.

    Attributes
    ----------
    blocks : ndarray (B,)
        Numbers of the blocks in the design.
    rows : ndarray (B, n)
        Rows of the design; -1 for padding, a row that adds nothing to any likelihood.
    effects : ndarray (B, q)
        Columns of Z of each block's effects, ordered by term, level and coordinate.
    levels : tuple of int
        Number of levels of each term in a block.
    y, w, v, offset : ndarray (B, n)
        Response, weight, dispersion weight and offset (see `families` for what y and w hold).
    X : ndarray (B, n, p)
    Z : ndarray (B, n, q)
    family : ConditionalFamily
        Specialised to the rows of the bucket.
    ties : Ties, optional
        How Z depends on loadings, where the design has any.
    """

    blocks: Index
    rows: Index
    effects: Index
    levels: tuple[int, ...]
    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array
    Z: Array
    family: ConditionalFamily
    ties: Ties | None = None

    @property
    def n_blocks(self) -> int:
        """Number of blocks, B."""
        return len(self.blocks)

    @property
    def n_rows(self) -> int:
        """Rows a block, n."""
        return self.y.shape[1]

    @property
    def n_effects(self) -> int:
        """Effects a block, q."""
        return self.effects.shape[1]

    @cached_property
    def sparse_rows(self) -> SparseRows | None:
        """The few effects of each row; None if all of Z is cheaper."""
        nonzero = self.Z != 0
        widest = int(nonzero.sum(axis=2).max(initial=0))
        if widest == 0 or SPARSE * widest >= self.n_effects:
            return None
        order = np.argsort(~nonzero, axis=2, kind="stable")[..., :widest]
        entries = np.take_along_axis(self.Z, order, axis=2).reshape(-1, widest)
        first = (self.n_effects + 1) * np.arange(self.n_blocks)
        order = (order + first[:, None, None]).reshape(-1, widest)
        columns = [None if np.all(e == 1.0) else np.ascontiguousarray(e[:, None]) for e in entries.T]
        return SparseRows([np.ascontiguousarray(k) for k in order.T], columns)

    def predictors(self, fixed: Array) -> Predictors:
        """Make linear predictors Z u + fixed, ready for any number of draws; fixed (B, n)."""
        if self.sparse_rows is None:
            return Predictors(np.concatenate([self.Z, fixed[..., None]], axis=2), None)
        return Predictors(fixed[..., None], self.sparse_rows)

    def response_sums(self, fixed: Array, u: Array) -> Array:
        """Sum over rows of y (Z u + fixed), (B, m), for effects in homogeneous coordinates (B, q + 1, m)."""
        weights = self.y[:, None] @ np.concatenate([self.Z, fixed[..., None]], axis=2)
        return multiply_draws(weights, u, np.empty((len(u), 1, u.shape[2])))[:, 0]

    @cached_property
    def _pieces(self) -> dict[int, tuple[tuple[slice, Bucket], ...]]:
        return {}

    def pieces(self, size: int) -> tuple[tuple[slice, Bucket], ...]:
        """Cut the bucket into buckets of at most ``size`` blocks, the same ones at every call."""
        if size not in self._pieces:
            cuts = [slice(a, min(a + size, self.n_blocks)) for a in range(0, self.n_blocks, size)]
            self._pieces[size] = tuple((c, self if len(cuts) == 1 else self.take(c)) for c in cuts)
        return self._pieces[size]

    def take(self, index: Index | slice) -> Bucket:
        """Bucket of some of the blocks."""
        parts = {k: getattr(self, k)[index] for k in _BY_BLOCK}
        ties = None if self.ties is None else Ties(self.ties.base[index], self.ties.slopes[index])
        return replace(self, ties=ties, **parts)

    def with_fixed_part(self, X: Array, offset: Array) -> Bucket:
        """Bucket with another X and offset."""
        out = replace(self, X=X, offset=offset)
        out.__dict__["sparse_rows"] = self.sparse_rows  # of Z alone
        return out

    def at(self, loadings: Array) -> Bucket:
        """Bucket whose Z is that of the given loadings (a,); itself if the design has none."""
        if self.ties is None:
            return self
        return replace(self, Z=self.ties.base + np.einsum("a,banq->bnq", loadings, self.ties.slopes))


class SparseRows(NamedTuple):
    """Effects of each row and their entries in Z, one of each at a time.

    Effects are numbered through the bucket in homogeneous coordinates, block after block.  Entries that are all
    one are None.
    """

    effects: list[Index]  # (B n,) each
    entries: list[Array | None]  # (B n, 1) each

    def gather(self, u: Array, eta: Array) -> None:
        """Write Z u into eta (B n, m)."""
        for k, (rows, column) in enumerate(zip(self.effects, self.entries, strict=True)):
            target = np.empty_like(eta) if k else eta
            np.take(u, rows, axis=0, out=target, mode="clip")
            if column is not None:
                target *= column
            if k:
                eta += target


class Predictors(NamedTuple):
    """Linear predictors as an affine function of the effects."""

    matrix: Array  # (B, n, q + 1), or (B, n, 1) beside sparse rows
    sparse_rows: SparseRows | None

    def write(self, u: Array, eta: Array) -> None:
        """Write them for effects in homogeneous coordinates (B, q + 1, m) into eta (B, n, m)."""
        if self.sparse_rows is None:
            multiply_draws(self.matrix, u, eta)
        else:
            self.sparse_rows.gather(u.reshape(-1, u.shape[2]), eta.reshape(-1, eta.shape[2]))
            eta += self.matrix


class Ties(NamedTuple):
    """Z as a linear function of loadings: base + sum over a of loading a times slopes[:, a]."""

    base: Array  # (B, n, q)
    slopes: Array  # (B, a, n, q)
