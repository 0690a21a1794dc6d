"""The log-likelihood of a model as statsmodels asks for it: over draws that the model remembers."""

from __future__ import annotations

from typing import Any

import numpy as np

from statsmodels_mcla.validation import check_start_params
from statsmodels_mcla.arguments import checked_n_jobs, checked_nsample, sampling_of, seed_of
from statsmodels_mcla.cloning import ClonableModel
from statsmodels_mcla.current import CurrentDraws
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.formula.terms import RandomTerm
from statsmodels_mcla.likelihood import Evaluation
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.maximum import Draws, laplace_maximum
from statsmodels_mcla.reduction import Reduction

__all__ = ["DrawnLikelihood"]


class DrawnLikelihood(ClonableModel):
    """`loglike`, `score` and `hessian` over the draws made last."""

    design: MixedDesign
    random_terms: tuple[RandomTerm, ...]
    non_negative: np.ndarray
    _current: CurrentDraws | None

    def draw(
        self,
        params: Any = None,
        *,
        nsample: int | None = None,
        rng: Any = None,
        sampling: Any = None,
        quasi: bool = True,
    ) -> None:
        """Make the draws that `loglike`, `score` and `hessian` use.

        Parameters
        ----------
        params : array_like (P,), optional
            Where to build the importance density; default: the Laplace fit.
        nsample, rng, sampling, quasi
            As in `fit`.
        """
        design = self.design
        if params is None:
            params = laplace_maximum(self.design).params
        params = self._checked(params)
        draws = Draws(sampling_of(sampling), seed_of(rng), quasi, checked_nsample(nsample))
        sampler = draws.sampler(design)
        if draws.nsample is not None:
            sampler = sampler.with_size(draws.nsample)
        self._current = CurrentDraws(design, sampler.at(params), Reduction.of(design), checked_n_jobs(None))

    def _checked(self, params: Any) -> Array:
        out = check_start_params(params, self.data.param_names, self.non_negative)
        k = self.design.n_fixed
        for term, G in zip(self.random_terms, self.design.covariance.matrices(out[k:]), strict=True):
            if np.linalg.eigvalsh(G)[0] <= 0:
                raise ValueError(
                    f"start_params: the covariance matrix of {term.name!r} is not positive definite"
                )
        return out

    def _evaluate(self, params: Any) -> tuple[Evaluation, CurrentDraws]:
        params = np.asarray(params, dtype=float)
        if params.shape != (len(self.data.param_names),):
            raise ValueError(
                f"params has shape {params.shape}, but the model has {len(self.data.param_names)} parameters"
            )
        if self._current is None:
            self.draw(rng=0)
        current: CurrentDraws = self._current  # type: ignore[assignment] # just made if there was none
        return current.evaluate(params), current

    def loglike(self, params: Any) -> float:
        """Monte Carlo log-likelihood of the current draws, all constants included.

        The draws are those made by the last `fit` or `draw`.  After a singular fit, covariance matrices are
        taken at the ranks that the fit found.

        Parameters
        ----------
        params : array_like (P,)
            Fixed effects, variances and covariances, dispersion.

        Raises
        ------
        ValueError
            If there are more or fewer parameters, or a covariance matrix is not positive definite.
        """
        return self._evaluate(params)[0].value

    def score(self, params: Any) -> Array:
        """Gradient of `loglike`, exact.

        Parameters
        ----------
        params : array_like (P,)
            As in `loglike`.

        Returns
        -------
        ndarray (P,)
            NaN for covariance matrices that a fit found to be singular.
        """
        return self._evaluate(params)[1].derivatives(params)[0]

    def hessian(self, params: Any) -> Array:
        """Second derivative of `loglike`, exact.

        Parameters
        ----------
        params : array_like (P,)
            As in `loglike`.

        Returns
        -------
        ndarray (P, P)
            NaN for covariance matrices that a fit found to be singular.
        """
        return self._evaluate(params)[1].derivatives(params)[1]
