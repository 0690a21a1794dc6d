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

SMALL_SD = 0.1  # a contribution to the linear predictor that may be zero
NO_LOSS = 1e-3  # of log-likelihood


def vanished_terms(design: MixedDesign, working: Array) -> list[int]:
    """Terms that can be left out without any loss of (Laplace) likelihood.

    Parameters
    ----------
    design : MixedDesign
    working : ndarray (P,)
        Fixed effects, Cholesky entries, dispersion, as `evaluate_laplace` takes them.
    """
    value = None
    out = []
    for k, (random_term, s) in enumerate(zip(design.terms, design.covariance.slices, strict=True)):
        term = design.covariance.terms[k]
        factor = term.factor(working[design.n_fixed :][s])
        size = np.sqrt(random_term.Z.multiply(random_term.Z).sum() / max(random_term.Z.nnz, 1))
        if np.abs(factor).max() * size > SMALL_SD:
            continue
        without = working.copy()
        without[design.n_fixed + s.start : design.n_fixed + s.stop] = 0.0
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
