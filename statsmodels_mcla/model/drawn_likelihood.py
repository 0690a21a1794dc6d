"""The log-likelihood of a model as statsmodels asks for it: over draws that the model remembers."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from statsmodels_mcla.data import check_start_params, refuse_removed
from statsmodels_mcla.design import DesignFacts, RandomTerm
from statsmodels_mcla.estimation import laplace_maximum
from statsmodels_mcla.estimation.boundary import Reduction, reduction_at
from statsmodels_mcla.estimation.search import DrawSettings
from statsmodels_mcla.exceptions import ImportanceWeightWarning, warn_user
from statsmodels_mcla.execution import Executor, Threads
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import Position, Sampler
from statsmodels_mcla.model.cloning import ClonableModel
from statsmodels_mcla.model.fit_arguments import checked_nsample, sampling_of
from statsmodels_mcla.numerics import Array, seed_of

FEW = 3.0  # draws that count, too few for a likelihood
SINGULAR = 1e-8  # negative eigenvalues of a covariance matrix, as a part of the largest, that are round-off


class CurrentDraws:
    """Draws that move with the parameters, and the last evaluation over them.

    Parameters
    ----------
    design : DesignFacts
        As reduced by the fit.
    position : Position
    reduction : Reduction
    sampler : Sampler
        Made the draws.
    executor : Executor
    """

    def __init__(
        self,
        design: DesignFacts,
        position: Position,
        reduction: Reduction,
        sampler: Sampler,
        executor: Executor,
    ) -> None:
        self.design, self.position, self.reduction = design, position, reduction
        self.sampler, self.executor = sampler, executor
        self._last: tuple[bytes, Evaluation] | None = None

    def evaluate(self, params: Array) -> Evaluation:
        """Evaluate at natural parameters of the whole model, whose ranks the draws have, in one pass."""
        key = params.tobytes()
        if self._last is None or self._last[0] != key:
            fitted, position = self._fitted(params), self.position
            if self.sampler.without_draws:
                position = self.sampler.at(fitted, position)
            found = evaluate(self.design, fitted, position.draws, executor=self.executor)
            by_blocks = not (self.sampler.without_draws or self.sampler.sampling.joint)
            if by_blocks and found.least_ess < FEW:
                warn_user(
                    f"params are so far from where the draws were made that hardly one counts (effective sample size "
                    f"{found.least_ess:.1f}): the value means little; make draws there by draw(params)",
                    ImportanceWeightWarning,
                )
            self._last = (key, found)
        return self._last[1]

    def reaches(self, design: DesignFacts, params: Array) -> bool:
        """Whether covariance matrices at natural parameters have the ranks that the draws are for."""
        return self.reduction.covers(params) and reduction_at(design, params)[0].shape == self.reduction.shape

    def at_ranks_of(self, design: DesignFacts, params: Array) -> CurrentDraws:
        """Draws of the same base numbers and as many, made where covariance matrices have other ranks."""
        reduction, params = reduction_at(design, params)
        reduced = reduction.reduce(design)
        sampler = self.sampler.on(reduced)
        position = sampler.at(reduction.restrict(params))
        return CurrentDraws(reduced, position, reduction, sampler, self.executor)

    def derivatives(self, params: Array) -> tuple[Array, Array]:
        """Score and Hessian in the model's parameters: NaN in singular terms."""
        params = np.asarray(params, float)
        found = self.evaluate(params)
        return self.reduction.derivatives(self._fitted(params), found.score, found.hessian)

    def _fitted(self, params: Array) -> Array:
        """Fitted parameters, with the signs of loadings that the draws are for."""
        return self.reduction.with_signs_of(self.reduction.restrict(params), self.position.params)


class DrawnLikelihood(ClonableModel):
    """`loglike`, `score` and `hessian` over the draws made last."""

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

        Examples
        --------
        >>> model.draw(results.params, nsample=256, rng=1)
        >>> round(model.loglike(results.params), 2)
        -98.71
        """
        refuse_removed(self)
        design = self.design
        if params is None:
            params = laplace_maximum(self.design).params
        reduction, params = reduction_at(design, self._checked(params))
        draws = DrawSettings(sampling_of(sampling), seed_of(rng), quasi, checked_nsample(nsample))
        reduced = reduction.reduce(design)
        sampler = draws.sampler(reduced)
        if draws.nsample is not None:
            sampler = sampler.with_size(draws.nsample)
        position = sampler.at(reduction.restrict(params))
        self._current = CurrentDraws(reduced, position, reduction, sampler, Threads.of(None))

    def _checked(self, params: Any, argument: str = "start_params") -> Array:
        positive = np.zeros(0, int) if self.design.has_limit else self.design.positive
        out = check_start_params(params, self.data.param_names, self.non_negative, positive, argument)
        k = self.design.n_fixed
        for term, G in zip(self.random_terms, self.design.covariance.matrices(out[k:]), strict=True):
            values = np.linalg.eigvalsh(G)
            if values[0] < -SINGULAR * values[-1]:
                raise ValueError(
                    f"{argument}: the covariance matrix of {term.name!r} has a negative eigenvalue "
                    f"({values[0]:.3g}): its covariances are larger than its variances allow"
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
        if not current.reaches(self.design, params):
            current = self._current = current.at_ranks_of(self.design, self._checked(params, "params"))
        return current.evaluate(params), current

    def loglike(self, params: Any) -> float:
        """Monte Carlo log-likelihood of the current draws, all constants included.

        The draws are those made by the last `fit` or `draw`.  Where covariance matrices have other ranks than there, as
        beside a singular fit, as many are made again, of the same base numbers.

        Parameters
        ----------
        params : array_like (P,)
            Fixed effects, variances and covariances, dispersion.

        Raises
        ------
        ValueError
            If there are more or fewer parameters, or a covariance matrix has negative eigenvalues.

        Warns
        -----
        ImportanceWeightWarning
            If the parameters are too far from where the draws were made.

        Examples
        --------
        >>> model.draw(results.params, rng=1)
        >>> round(model.loglike(results.params), 2)
        -98.71
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
            NaN for covariance matrices that are singular.

        Examples
        --------
        >>> model.draw(results.params, rng=1)
        >>> bool(abs(model.score(results.params)).max() < 0.1)
        True
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
            NaN for covariance matrices that are singular.

        Examples
        --------
        >>> import numpy as np
        >>> model.draw(results.params, rng=1)
        >>> np.sqrt(np.diag(np.linalg.inv(-model.hessian(results.params)))).round(2)
        array([0.56, 0.67, 0.66, 0.05, 0.96])
        """
        return self._evaluate(params)[1].derivatives(params)[1]

    def information(self, params: Any) -> Array:
        """Observed information, minus `hessian`.

        Parameters
        ----------
        params : array_like (P,)
            As in `loglike`.

        Returns
        -------
        ndarray (P, P)

        Examples
        --------
        >>> import numpy as np
        >>> model.draw(results.params, rng=1)
        >>> np.array_equal(model.information(results.params), -model.hessian(results.params))
        True
        """
        return -self.hessian(params)

    def score_obs(self, params: Any) -> NoReturn:
        """Refuse: rows that share random effects have no scores of their own.

        The likelihood is a product over independent blocks of rows, and its score a sum over these.  By its contract in
        statsmodels, ``score_obs`` has a row for each observation, whose outer products estimate the information: users
        of it count rows, and take groups of rows.  One row a block would be misread by them, and parts of a block's
        score written to its rows (expectations given the data of what each row adds) are not independent and have
        nothing of the covariance parameters.  Statsmodels' MixedLM has none either.  What scores of blocks are
        for is there under its own name: sandwich covariances, also of clusters of blocks (``with_cov_type`` of the
        results), and what each block does to the estimates (``get_influence``).

        Raises
        ------
        NotImplementedError
            Always.
        """
        raise NotImplementedError(
            "score_obs: the score is a sum over independent groups of rows, not over rows; sandwich covariances are "
            "with_cov_type('robust') of the results, and what each group does to the estimates is get_influence()"
        )
