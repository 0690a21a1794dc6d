"""Monte Carlo errors of estimates: what a repeat with other random numbers would change.

With U the Hessian of the Monte Carlo log-likelihood at its maximum and V the Monte Carlo variance of its score,
the estimate's error from the draws alone has variance U^-1 V U^-1 (Geyer, 1994; Knudson, Benson, Geyer and Jones,
2021, sec. 3).  Standard errors, (-U)^-1/2, answer another question: what other data would change.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from statsmodels_mcla.likelihood import Evaluation
from statsmodels_mcla.linalg import Array

__all__ = ["Precision", "delta_method"]


@dataclass(frozen=True)
class Precision:
    """Standard and Monte Carlo errors at the maximum of a Monte Carlo log-likelihood.

    Attributes
    ----------
    cov_params : ndarray (P, P)
        Inverse of the observed information, (-U)^-1.
    cov_mcse : ndarray (P, P)
        U^-1 V U^-1.
    bias : ndarray (P,)
        Jackknife estimate of the bias of the estimate from the finite number of draws.
    """

    cov_params: Array
    cov_mcse: Array
    bias: Array

    @classmethod
    def of(cls, evaluation: Evaluation) -> Precision:
        """Read the errors off an evaluation at the maximum.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the Hessian is not negative definite, so that there is no maximum.
        """
        information = -0.5 * (evaluation.hessian + evaluation.hessian.T)
        np.linalg.cholesky(information)  # raises unless positive definite
        inverse = np.linalg.inv(information)
        inverse = 0.5 * (inverse + inverse.T)
        return cls(inverse, inverse @ evaluation.score_var @ inverse, inverse @ evaluation.score_bias)

    @cached_property
    def se(self) -> Array:
        """Standard errors."""
        return np.sqrt(np.diag(self.cov_params))

    @cached_property
    def mcse(self) -> Array:
        """Monte Carlo standard errors."""
        return np.sqrt(np.diag(self.cov_mcse))

    @property
    def worst_ratio(self) -> float:
        """Largest MCSE in units of its standard error."""
        return float(np.max(self.mcse / self.se))

    @property
    def worst_bias(self) -> float:
        """Largest bias in units of its MCSE."""
        return float(np.max(np.abs(self.bias) / np.where(self.mcse > 0, self.mcse, np.inf)))


def delta_method(gradient: Array, cov: Array) -> Array:
    """Standard deviation of functions of the estimates, from their gradients (k, P) and a covariance."""
    return np.sqrt(np.einsum("kp,pq,kq->k", np.atleast_2d(gradient), cov, np.atleast_2d(gradient)))
