"""Monte Carlo errors of estimates: what a repeat with other random numbers would change.

With U the Hessian of the Monte Carlo log-likelihood at its maximum and V the Monte Carlo variance of its score,
the estimate's error from the draws alone has variance U^-1 V U^-1 (Geyer, 1994; Knudson, Benson, Geyer and Jones,
2021, sec. 3).  Standard errors, (-U)^-1/2, answer another question: what other data would change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.likelihood.monte_carlo.evaluation import Evaluation
from statsmodels_mcla.numerics import Array, standard_deviations

SE_TOL = 0.02  # Monte Carlo error of a standard error, as a fraction of it
SE_ERRORS = 3.0  # of these errors by which a standard error may be too large before a fit stops


@dataclass(frozen=True)
class Precision:
    """Standard and Monte Carlo errors at the maximum of a Monte Carlo log-likelihood.

    They are those of the parameters that users read, (beta, variances and covariances, dispersion), whose derivative in
    the fitted ones is J: fits stop when these are precise.

    Attributes
    ----------
    cov_params : ndarray (P, P)
        J (-U)^-1 J', the inverse of the observed information.
    cov_mcse : ndarray (P, P)
        J U^-1 V U^-1 J'.
    bias : ndarray (P,)
        Jackknife estimate of the bias of the estimate from the finite number of draws.
    se_error : ndarray (P,)
        Monte Carlo error of each standard error at the given estimates, as a fraction of it.  Estimates that vary with
        the draws bring more: `error_propagation` has the whole.
    llf_mcse : float
        Monte Carlo error of the log-likelihood.
    unit : ndarray (P,)
        Standard errors that Monte Carlo errors are measured by; infinite for parameters that need no precision.
    """

    cov_params: Array
    cov_mcse: Array
    bias: Array
    se_error: Array
    llf_mcse: float
    unit: Array

    @classmethod
    def of(cls, evaluation: Evaluation, jacobian: Array, idle: np.ndarray | Sequence[int] = ()) -> Precision:
        """Read the errors off an evaluation at the maximum, whose metric was J (-U)^-1.

        Parameters
        ----------
        evaluation : Evaluation
        jacobian : ndarray (P, .)
        idle : sequence of int
            Parameters that need no precision.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the Hessian is not negative definite, so that there is no maximum, or too flat or steep for numbers.
        """
        information = -0.5 * (evaluation.hessian + evaluation.hessian.T)
        np.linalg.cholesky(information)  # raises unless positive definite
        inverse = np.linalg.inv(information)
        inverse = 0.5 * (inverse + inverse.T)
        # a squared standard error is a variance of the score, projected; the evaluation knows its error
        total = np.maximum(evaluation.curvature_var, np.finfo(float).tiny)
        # where it comes from one block, it rests on few replicates, and may be twice what they show
        alone = evaluation.curvature_square / total / total
        to_estimates = jacobian @ inverse
        cov = to_estimates @ jacobian.T
        if not (np.isfinite(cov).all() and np.diag(cov).all()):
            raise np.linalg.LinAlgError("standard errors are beyond floating point")
        se_error = 0.5 * np.sqrt(total) / np.diag(cov) * (1.0 + alone**2)
        unit = standard_deviations(cov)
        unit[list(idle)], se_error[list(idle)] = np.inf, 0.0
        return cls(
            cov,
            to_estimates @ evaluation.score_var @ to_estimates.T,
            to_estimates @ evaluation.score_bias,
            se_error,
            float(np.sqrt(evaluation.value_var)),
            unit,
        )

    @cached_property
    def se(self) -> Array:
        """Standard errors."""
        return standard_deviations(self.cov_params)

    @cached_property
    def mcse(self) -> Array:
        """Monte Carlo standard errors."""
        return standard_deviations(self.cov_mcse)

    @property
    def worst_ratio(self) -> float:
        """Largest MCSE in units of its standard error."""
        return float(np.max(self.mcse / self.unit))

    def meets(self, tol: float) -> bool:
        """Whether every MCSE is at most ``tol`` standard errors and no bias more than half its MCSE."""
        return self.worst_ratio <= tol and self.worst_bias <= 0.5

    def surely_meets(self, tol: float) -> bool:
        """Whether that holds even if each standard error is too large by three of its own Monte Carlo errors.

        The rule to stop by: a fit that stops as soon as it `meets` the tolerance favours draws that make standard
        errors look large, and is left with Monte Carlo errors above the tolerance in units of the true ones.
        """
        return self.excess(tol) <= 1.0 and self.worst_bias <= 0.5

    def excess(self, tol: float) -> float:
        """How many times too large Monte Carlo variances are for ``MCSE / SE * (1 + 3 errors of SE) <= tol``.

        Where variances are k times smaller, both MCSEs and errors of standard errors are sqrt(k) times smaller, and
        r / sqrt(k) * (1 + e / sqrt(k)) = tol is solved for k.
        """
        r, e = self.mcse / self.unit, SE_ERRORS * self.se_error
        return float(np.max((r + np.sqrt(r * r + 4.0 * r * e * tol)) / (2.0 * tol))) ** 2

    def has_steady_se(self, tol: float, part: float = 1.0) -> bool:
        """Whether the Monte Carlo errors of standard errors are at most this part of ``tol``, or of 2 % if larger."""
        return float(self.se_error.max()) <= part * max(tol, SE_TOL)

    @property
    def worst_bias(self) -> float:
        """Largest bias in units of its MCSE, or of a thousandth of a standard error where MCSEs are smaller."""
        return float(np.max(np.abs(self.bias) / np.maximum(self.mcse, 1e-3 * self.unit)))
