"""The covariance of the random effects, Sigma(theta), and its factors.

Owns the parametrisation of covariance matrices, their derivatives, and those of lower rank.  How a term is read is
`formula`'s, which rank the maximum has is `estimation.boundary`'s.
The next of its kind: one module with the class of one structure (compound symmetry, autoregressive, kinship), with
``matrix``, ``pack`` and ``basis`` like `CovarianceTerm`.
"""

from statsmodels_mcla.covariance.low_rank import Loadings, ReducedTerm
from statsmodels_mcla.covariance.sigma import Covariance
from statsmodels_mcla.covariance.unstructured import CovarianceTerm

__all__ = ["Covariance", "CovarianceTerm", "Loadings", "ReducedTerm"]
