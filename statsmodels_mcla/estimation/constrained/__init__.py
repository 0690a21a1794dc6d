"""Maxima with something held at a value or left out.

Owns likelihoods as objectives in the model's parameters and Newton's method under a constraint.  What is held is the
caller's: anything with the ``at`` of `Constraint`.  Linear equations between fixed effects need none of that: they are
a design of fewer columns (`LinearRestriction`).
The next of its kind: another likelihood is one more `Objective`.
"""

from statsmodels_mcla.estimation.constrained.constrained_maximum import (
    ConstrainedMaximum,
    Held,
    Inner,
    maximise,
    newton_step,
)
from statsmodels_mcla.estimation.constrained.linear_restriction import LinearRestriction
from statsmodels_mcla.estimation.constrained.objective import (
    LaplaceObjective,
    Objective,
    ObjectiveMaximum,
    difference_error,
)
from statsmodels_mcla.estimation.constrained.rank_recovery import with_what_returns
from statsmodels_mcla.estimation.constrained.submodel import Submodel, parameters_of_effect

__all__ = [
    "ConstrainedMaximum",
    "Held",
    "Inner",
    "LaplaceObjective",
    "LinearRestriction",
    "Objective",
    "ObjectiveMaximum",
    "Submodel",
    "difference_error",
    "maximise",
    "newton_step",
    "parameters_of_effect",
    "with_what_returns",
]
