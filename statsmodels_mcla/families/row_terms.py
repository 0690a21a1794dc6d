"""What the kernels of a family return, and the scratch memory they work in."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.numerics import Array

BEYOND = 1e200  # squares, cubes and sums of derivatives of this size overflow


class RowTerms(NamedTuple):
    """Row by row: log density (terms in ``eta`` or the dispersion) and its two eta-derivatives."""

    logf: Array
    d1: Array
    d2: Array

    def summed(self) -> BlockTerms:
        """Return `BlockTerms`: of draws that cannot carry weight, below -1e200, -inf with derivatives zero."""
        loglik = self.logf.sum(axis=-2)
        lost = loglik < -BEYOND
        if not lost.any():
            return BlockTerms(loglik, self.d1, self.d2)
        d1, d2 = (np.where(lost[..., None, :], 0.0, part) for part in self[1:])
        return BlockTerms(np.where(lost, -np.inf, loglik), d1, d2)


class BlockTerms(NamedTuple):
    """As `RowTerms`, with the log density summed over the rows (axis -2) of each block."""

    loglik: Array
    d1: Array
    d2: Array


class DispersionTerms(NamedTuple):
    """Row by row: d logf/dphi, d2 logf/dphi2 and d2 logf/(deta dphi)."""

    dphi: Array
    dphi2: Array
    d1phi: Array


class RowData(NamedTuple):
    """The data numbers of the rows: response, weight, and variance weight (see `row_data`)."""

    y: Array
    w: Array
    v: Array


class Response(NamedTuple):
    """A response that has passed `check_response`: value (successes) and number of trials."""

    endog: Array
    n_trials: Array


def is_within_reach(part: Array) -> bool:
    """Whether numbers are known and not beyond floating point."""
    return bool(part.max(initial=0.0) <= BEYOND and part.min(initial=0.0) >= -BEYOND)


def within_reach(part: Any) -> Array:
    """Keep derivatives within floating point; where they are lost the row has no weight."""
    part = np.asarray(part)
    return part if is_within_reach(part) else np.clip(np.nan_to_num(part, nan=0.0), -BEYOND, BEYOND)


def of_one_parameter(dphi: Array, dphi2: Array, d1phi: Array) -> DispersionTerms:
    """Return the terms of a dispersion as those of a vector of one parameter."""
    return DispersionTerms(dphi[None], dphi2[None, None], d1phi[None])


def without_lost_rows(dphi: Array, dphi2: Array, d1phi: Array) -> DispersionTerms:
    """Return the dispersion terms with zeros in the rows where they are beyond floating point.

    Parameters
    ----------
    dphi, dphi2, d1phi : ndarray
        See `DispersionTerms`.

    Returns
    -------
    DispersionTerms
        With zeros where a term exceeds 1e200: the log density is then as far below zero.
    """
    largest = np.maximum(np.maximum(np.abs(dphi), np.abs(dphi2)), np.abs(d1phi))
    lost = largest > BEYOND
    if not lost.any():
        return DispersionTerms(dphi, dphi2, d1phi)
    return DispersionTerms(np.where(lost, 0.0, dphi), np.where(lost, 0.0, dphi2), np.where(lost, 0.0, d1phi))


class Workspace:
    """Scratch arrays that one thread reuses from call to call.

    Page faults of fresh arrays cost as much as the arithmetic of a kernel, so a loop over chunks
    makes one workspace per thread and passes it to every `ConditionalFamily.blocks` call. What a
    call returns then lives in the workspace: it is valid until the next call that is given the
    same workspace. A workspace must not be shared between threads.
    """

    __slots__ = ("_buffers",)

    def __init__(self) -> None:
        self._buffers: dict[str, Array] = {}

    def array(self, name: str, shape: tuple[int, ...]) -> Array:
        """Return the uninitialised C-contiguous float64 array kept under ``name``.

        Parameters
        ----------
        name : str
            Which buffer; two names never share memory.
        shape : tuple of int
            Shape wanted. The buffer grows when it is too small and never shrinks.

        Returns
        -------
        ndarray
            View of the buffer with that shape.
        """
        size = math.prod(shape)
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size:
            raw = np.empty(size + 8)  # wide vector loads are faster from whole cache lines of 64 bytes
            skip = (-raw.ctypes.data // 8) % 8
            buffer = self._buffers[name] = raw[skip : skip + size]
        return buffer[:size].reshape(shape)
