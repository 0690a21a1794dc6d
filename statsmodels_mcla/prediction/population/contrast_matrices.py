"""Contrasts of means, by name as in emmeans: matrices (m, k) and what to call their rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from statsmodels_mcla.numerics import Array

ROUND, SMALL = 0.05, 0.01  # of coefficients that are whole numbers, and of those that are zero


class Contrast(NamedTuple):
    """A set of contrasts.

    Attributes
    ----------
    matrix : ndarray (m, k)
    terms : list of tuple
        What each compares: two labels, or one that says it.
    adjust : str
        Usual adjustment for their number.
    """

    matrix: Array
    terms: list[tuple[str, ...]]
    adjust: str

    def labels(self, sign: str) -> list[str]:
        """Names of the contrasts: two labels with a sign between them, in parentheses where they have one."""
        return [t[0] if len(t) == 1 else f" {sign} ".join(map(_bracketed, t)) for t in self.terms]


def _bracketed(label: str) -> str:
    return f"({label})" if re.search(r"[-+*/^]", label) else label


def _pairs(pairs: Sequence[tuple[int, int]], labels: Sequence[str], adjust: str) -> Contrast:
    matrix = np.zeros((len(pairs), len(labels)))
    for row, (i, j) in enumerate(pairs):
        matrix[row, i], matrix[row, j] = 1.0, -1.0
    return Contrast(matrix, [(labels[i], labels[j]) for i, j in pairs], adjust)


def pairwise(labels: Sequence[str], _: int) -> Contrast:
    """All differences, the earlier less the later."""
    return _pairs(list(combinations(range(len(labels)), 2)), labels, "tukey")


def reverse_pairwise(labels: Sequence[str], _: int) -> Contrast:
    """All differences, the later less the earlier."""
    return _pairs([(j, i) for i, j in combinations(range(len(labels)), 2)], labels, "tukey")


def versus_control(labels: Sequence[str], reference: int) -> Contrast:
    """Each less a reference."""
    return _pairs([(i, reference) for i in range(len(labels)) if i != reference], labels, "mvt")


def consecutive(labels: Sequence[str], _: int) -> Contrast:
    """Each less the one before."""
    return _pairs([(i + 1, i) for i in range(len(labels) - 1)], labels, "mvt")


def from_mean(labels: Sequence[str], _: int) -> Contrast:
    """Each less the mean of all."""
    k = len(labels)
    return Contrast(np.eye(k) - 1.0 / k, [(f"{label} effect",) for label in labels], "fdr_bh")


def polynomial(labels: Sequence[str], _: int) -> Contrast:
    """Orthogonal polynomials over equally spaced levels, in whole numbers."""
    k = len(labels)
    degrees = min(k - 1, 6)
    basis = np.linalg.qr(np.vander(np.arange(k) - 0.5 * (k - 1), degrees + 1, increasing=True))[0]
    rows = []
    for column in basis.T[1:]:
        c = column * np.sign(column[-1])
        c = c / np.min(c[c > SMALL])
        for _ in range(10):
            away = np.max(np.abs(c - np.round(c)))
            if away <= ROUND:
                break
            c = c / away
        rows.append(np.round(c))
    names = ["linear", "quadratic", "cubic", "quartic", "degree 5", "degree 6"][:degrees]
    return Contrast(np.array(rows), [(name,) for name in names], "none")


NAMED: dict[str, Callable[[Sequence[str], int], Contrast]] = {
    "pairwise": pairwise,
    "revpairwise": reverse_pairwise,
    "trt.vs.ctrl": versus_control,
    "consec": consecutive,
    "eff": from_mean,
    "poly": polynomial,
}


def contrast_of(method: Any, labels: Sequence[str], reference: Any = None) -> Contrast:
    """Contrasts of means with these labels.

    Parameters
    ----------
    method : str or dict
        A name, or coefficients (k,) by the names of the contrasts.
    labels : sequence of str
    reference : str, optional
        Label of the mean that others are compared with; the first by default.

    Raises
    ------
    ValueError
        If there is no such method or label, or the coefficients do not fit.
    """
    if isinstance(method, Mapping):
        matrix = np.array([np.asarray(row, float) for row in method.values()]) if method else np.zeros((0, 0))
        if matrix.ndim != 2 or matrix.shape[1] != len(labels) or not len(matrix):
            raise ValueError(
                f"method: each contrast needs {len(labels)} coefficients, one for each of {', '.join(labels)}"
            )
        return Contrast(matrix, [(str(name),) for name in method], "none")
    if not isinstance(method, str) or method not in NAMED:
        raise ValueError(
            f"method must be one of {', '.join(map(repr, NAMED))}, or a dict of coefficients, got {method!r}"
        )
    if reference is not None and str(reference) not in labels:
        raise ValueError(f"ref: {reference!r} is none of {', '.join(labels)}")
    if len(labels) < 2:
        raise ValueError(f"method: {method!r} compares means, and there is one only, {labels[0]}")
    return NAMED[method](labels, 0 if reference is None else list(labels).index(str(reference)))


def contrasts_within(
    levels: pd.DataFrame, method: Any, reference: Any, sign: str, *, interaction: bool
) -> tuple[Array, pd.DataFrame, str]:
    """Contrasts of the means of combinations of factors.

    Parameters
    ----------
    levels : DataFrame (k, .)
        The combinations, the first factor running fastest.
    method, reference
        As in `contrast_of`.
    sign : str
        Between the labels of two means.
    interaction : bool
        Products of the contrasts of each factor.

    Returns
    -------
    matrix : ndarray (m, k)
    labels : DataFrame (m, .)
    adjust : str
        Usual adjustment for their number.
    """
    if not interaction:
        found = contrast_of(
            method, [" ".join(map(str, row)) for row in levels.itertuples(index=False)], reference
        )
        return found.matrix, pd.DataFrame({"contrast": found.labels(sign)}), found.adjust
    each = {name: contrast_of(method, [str(v) for v in levels[name].unique()], reference) for name in levels}
    matrix: Array = np.ones((1, 1))
    for one in reversed(each.values()):
        matrix = np.kron(matrix, one.matrix)
    index = np.indices([len(one.terms) for one in each.values()]).reshape(len(each), -1, order="F")
    labels = {
        f"{name}_{method}": np.array(one.labels(sign), dtype=object)[rows]
        for (name, one), rows in zip(each.items(), index, strict=True)
    }
    return matrix, pd.DataFrame(labels), "none"
