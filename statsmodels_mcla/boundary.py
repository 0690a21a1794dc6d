"""Maxima at the boundary: random-effect terms whose variance is zero.

The density of the effects degenerates there, so the fit leaves such a term out, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.laplace import evaluate_laplace
from statsmodels_mcla.linalg import Array

__all__ = ["degenerate_terms", "kept_parameters", "vanished_terms", "without_terms"]

SMALL_SD = 0.25  # of where the search starts: standard deviations that may be zero
NO_SPREAD = 1e-4  # smallest eigenvalue of a correlation matrix
NO_LOSS = 1e-3  # of log-likelihood


def vanished_terms(design: MixedDesign, working: Array, origin: Array) -> list[int]:
    """Terms that can be left out without any loss of (Laplace) likelihood.

    Parameters
    ----------
    design : MixedDesign
    working : ndarray (P,)
        Fixed effects, Cholesky entries, dispersion, as `evaluate_laplace` takes them.
    origin : ndarray (P,)
        The same where the search started: the size that standard deviations are measured by.
    """
    value = None
    out = []
    for k, s in enumerate(design.covariance.slices):
        at = slice(design.n_fixed + s.start, design.n_fixed + s.stop)
        if np.abs(working[at]).max() > SMALL_SD * np.abs(origin[at]).max():
            continue
        without = working.copy()
        without[at] = 0.0
        value = evaluate_laplace(design, working).value if value is None else value
        if evaluate_laplace(design, without).value > value - NO_LOSS:
            out.append(k)
    return out


def degenerate_terms(design: MixedDesign, params: Array) -> list[int]:
    """Terms with a correlation of one (or more generally, effects that are combinations of the others)."""
    out = []
    for k, G in enumerate(design.covariance.matrices(params[design.n_fixed :])):
        size = np.sqrt(np.diag(G))
        if len(G) > 1 and np.all(size > 0) and np.linalg.eigvalsh(G / np.outer(size, size))[0] < NO_SPREAD:
            out.append(k)
    return out


def without_terms(design: MixedDesign, terms: Sequence[int]) -> MixedDesign:
    """Leave terms out of a design."""
    return replace(design, terms=tuple(t for k, t in enumerate(design.terms) if k not in terms))


def kept_parameters(design: MixedDesign, terms: Sequence[int]) -> np.ndarray:
    """Which parameters remain, (P,) bool, when terms are left out."""
    keep = np.ones(design.n_params, bool)
    for k in terms:
        s = design.covariance.slices[k]
        keep[design.n_fixed + s.start : design.n_fixed + s.stop] = False
    return keep
