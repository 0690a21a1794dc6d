"""Covariance matrices of lower rank and dispersions of zero.

Owns the parameters that are free at a singular maximum, and the search for its ranks.
The next of its kind: another limit that estimates can reach is one more part of `Reduction`.
"""

from statsmodels_mcla.estimation.boundary.rank_search import (
    LIMIT,
    NO_LOSS,
    pivots_of,
    reduction_at,
    reduction_to,
    reduction_without_loss,
    singular_working,
    truncated,
    with_ranks,
)
from statsmodels_mcla.estimation.boundary.reduction import Reduction
from statsmodels_mcla.estimation.boundary.variance_scores import (
    curvatures_by_level,
    flat_terms,
    grown_reduction,
)

__all__ = [
    "LIMIT",
    "NO_LOSS",
    "Reduction",
    "curvatures_by_level",
    "flat_terms",
    "grown_reduction",
    "pivots_of",
    "reduction_at",
    "reduction_to",
    "reduction_without_loss",
    "singular_working",
    "truncated",
    "with_ranks",
]
