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

__all__ = ["kept_parameters", "vanished_terms", "without_terms"]

SMALL_SD = 0.25  # of where the search starts: standard deviations that may be zero
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
