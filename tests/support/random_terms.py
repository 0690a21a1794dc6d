"""Random terms of a formula, and their designs by hand."""

import numpy as np

from statsmodels_mcla.formula.bars import split_formula
from statsmodels_mcla.formula.random_effects import read_random_terms


def bars_of(formula):
    return split_formula(formula)[1]


def terms_of(formula, data, eval_env=0):
    return read_random_terms(
        bars_of(formula), data, eval_env if not isinstance(eval_env, int) else eval_env + 1
    )


def by_hand(x, labels, levels):
    """Z of a bar term, one entry at a time."""
    x = np.asarray(x, dtype=float)
    n, d = x.shape
    Z = np.zeros((n, len(levels) * d))
    for row in range(n):
        j = list(levels).index(labels[row])
        Z[row, j * d : (j + 1) * d] = x[row]
    return Z
