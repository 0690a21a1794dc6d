"""Arithmetic that knows nothing of models: arrays, small matrices, differences, errors, random streams.

Owns what any numerical package could use.  Whatever mentions a row, an effect or a draw belongs further up.
The next of its kind: a function of arrays with its own test against numpy or a closed form, in the module whose
subject it is, and its name below.
"""

from statsmodels_mcla.numerics.arrays import (
    LOG_2PI,
    Array,
    Number,
    consecutive_slices,
    log1mexp,
    logistic,
    numeric_array,
    thrifty,
    unique_rows,
    unmasked,
)
from statsmodels_mcla.numerics.finite_differences import (
    difference_points,
    differences,
    extrapolated_differences,
    slopes,
)
from statsmodels_mcla.numerics.linalg import (
    covariance_root,
    homogeneous,
    independent_columns,
    inner_products,
    inverse_of_lower,
    inverse_root,
    is_positive_definite,
    multiply_draws,
    sum_of_products,
    transpose,
    weighted_sum,
)
from statsmodels_mcla.numerics.p_values import holm
from statsmodels_mcla.numerics.random_streams import child, generator, generator_of, seed_of
from statsmodels_mcla.numerics.standard_errors import delta_method, standard_deviations

__all__ = [
    "LOG_2PI",
    "Array",
    "Number",
    "child",
    "consecutive_slices",
    "covariance_root",
    "delta_method",
    "difference_points",
    "differences",
    "extrapolated_differences",
    "generator",
    "generator_of",
    "holm",
    "homogeneous",
    "independent_columns",
    "inner_products",
    "inverse_of_lower",
    "inverse_root",
    "is_positive_definite",
    "log1mexp",
    "logistic",
    "multiply_draws",
    "numeric_array",
    "seed_of",
    "slopes",
    "standard_deviations",
    "sum_of_products",
    "thrifty",
    "transpose",
    "unique_rows",
    "unmasked",
    "weighted_sum",
]
