"""The fits of a model: what users call, whatever its rows are."""

from __future__ import annotations

import inspect
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from statsmodels_mcla.data import check_positive
from statsmodels_mcla.design import parameter_names
from statsmodels_mcla.estimation import LaplaceMaximum, laplace_maximum, maximum_from
from statsmodels_mcla.estimation.boundary import reduction_at
from statsmodels_mcla.estimation.constrained import LinearRestriction
from statsmodels_mcla.estimation.search import DrawSettings, FitSettings
from statsmodels_mcla.execution import Threads
from statsmodels_mcla.inference import check_covariance, linear_hypothesis
from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.model.drawn_likelihood import CurrentDraws, DrawnLikelihood
from statsmodels_mcla.model.fit_arguments import (
    OPTIONS,
    check_memory,
    check_search,
    checked_fit,
    checked_nsample,
    remembered,
    sampling_of,
)
from statsmodels_mcla.model.messages import warn_maximum, warn_monte_carlo
from statsmodels_mcla.model.part_results import target_of, written
from statsmodels_mcla.model.predicting import PredictingModel
from statsmodels_mcla.model.voice import Voice
from statsmodels_mcla.numerics import seed_of
from statsmodels_mcla.results import (
    MCLAMixedGLMResults,
    MCLAMixedGLMResultsWrapper,
    MixedGLMResultsWrapper,
    laplace_results,
    monte_carlo_results,
)

GRACE = 0.1  # of max_seconds, for a search to end over the draws that it has
ENDLESS_CLIMBS = 5  # where the likelihood has no maximum


class FittingModel(PredictingModel, DrawnLikelihood):
    """A model that is fitted by maximum likelihood."""

    nobs: float
    df_resid: float

    def refuse_options(self, call: Callable[..., Any], method: str, options: Mapping[str, Any]) -> None:
        """Refuse arguments that neither a call has nor the fit, ``method``, that it hands them on to."""
        known = inspect.signature(getattr(self, method)).parameters
        refuse_unknown(call, options, [*known, *(OPTIONS if method == "fit" else [])])

    def _describe(self, nobs: float) -> None:
        """Set names and numbers of the parameters of a model that knows its design."""
        self.data.fe_names = list(self.exog_names)
        named = self.data.fe_names, self.random_terms, self.conditional_family.parameters
        self.data.param_names = parameter_names(*named)
        self.data.vc_names = self.data.param_names[len(self.data.fe_names) :][: self.design.covariance.size]
        self.non_negative = np.concatenate(
            [
                np.zeros(self.design.n_fixed, bool),
                self.design.covariance.is_variance,
                self.conditional_family.parameter_scale.positive,
            ]
        )
        self.nobs = nobs
        self.df_resid = self.nobs - len(self.data.param_names)
        self._current: CurrentDraws | None = None

    def map_partitions(self, results: Any, function: Callable[[Any], Any], to: Any = None) -> list[Any]:
        """See `MixedGLMResults.map_partitions`: here, all rows are one partition."""
        return [written(function(results), target_of(to), 0)]

    def _work(
        self,
        n_jobs: Any,
        executor: Any,
        checkpoint: Any,
        resume: Any,
        seed: np.random.SeedSequence,
        asked: Mapping[str, Any],
    ) -> Threads:
        """Threads of a fit that begins."""
        for name, value in {"executor": executor, "checkpoint": checkpoint, "resume": resume}.items():
            if value is not None:
                raise ValueError(
                    f"{name} is for models from_partitions; n_jobs says how many threads work on this one"
                )
        return Threads.of(n_jobs)

    def _end_work(self) -> None:
        """Note that a fit has ended."""

    @remembered
    def fit_laplace(
        self,
        *,
        gtol: float = 1e-4,
        maxiter: int = 200,
        disp: bool = False,
        max_memory: Any = None,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        **unknown: NoReturn,
    ) -> MixedGLMResultsWrapper:
        """Maximise the Laplace approximation of the likelihood, as lme4's ``glmer`` does.

        Parameters
        ----------
        gtol : float
            Largest gradient at the end, in units of about a standard error.
        maxiter, disp : int, bool
            Most iterations of BFGS; print its messages.
        max_memory : float or str, optional
            As in `fit`.
        cov_type, cov_kwds : str, dict, optional
            As in `fit`.

        Returns
        -------
        MixedGLMResultsWrapper
            Standard errors are from the curvature of the approximation.

        Warns
        -----
        ConvergenceWarning, SingularFitWarning, SeparationWarning

        Examples
        --------
        >>> laplace = model.fit_laplace()
        >>> laplace.params.round(2)
        Intercept         1.82
        trt[T.drug+]      0.52
        trt[T.placebo]    1.32
        week             -0.14
        ID Var            1.31
        dtype: float64
        """
        refuse_unknown(self.fit_laplace, unknown)
        check_positive(gtol=gtol, maxiter=maxiter)
        check_memory(self.design, max_memory)
        check_covariance(self, cov_type, **(cov_kwds or {}))
        found = laplace_maximum(self.design, gtol, maxiter, disp)
        warn_maximum(self, found, found.params, found.reduction, found.fit.converged, drawn=False)
        result = laplace_results(self, found, Threads.of(None))
        return MixedGLMResultsWrapper(result.with_cov_type(cov_type, **(cov_kwds or {})))

    def fit_constrained(
        self,
        constraints: Any,
        start_params: Any = None,
        *,
        approximation: str = "mcla",
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        **fit_kwds: Any,
    ) -> MCLAMixedGLMResultsWrapper:
        """Maximise the likelihood under linear equations between the fixed effects.

        Parameters
        ----------
        constraints : str, list of str, dict or tuple (R, q)
            As in statsmodels' ``GLM.fit_constrained``: ``"a = b"``, ``["a + b = 1", "c = 0"]``, or R (k, p) and q (k,)
            of R beta = q, of the fixed effects.
        start_params : array_like (P,), optional
            Of all parameters.
        approximation : {"mcla", "laplace"}
            Whether `fit` or `fit_laplace` is called for the coefficients that the equations leave free.
        cov_type, cov_kwds, **fit_kwds
            Of that call.

        Returns
        -------
        MCLAMixedGLMResultsWrapper or MixedGLMResultsWrapper
            Of all parameters, with a covariance that is singular.  ``constraints``, ``k_constr`` and
            ``results_constrained`` (of the free coefficients) as in statsmodels.  What would fit again, such as a
            profile or a bootstrap, is asked of ``results_constrained``.

        Raises
        ------
        ValueError
            If the equations cannot be read, contradict each other, or leave nothing to estimate.

        Examples
        --------
        >>> equal = model.fit_constrained("trt[T.drug+] = trt[T.placebo]", rng=1)
        >>> equal.params.round(2)
        Intercept         1.85
        trt[T.drug+]      0.97
        trt[T.placebo]    0.97
        week             -0.14
        ID Var            1.51
        dtype: float64
        >>> round(results.compare_lr_test(equal).pvalue, 2)
        0.22
        """
        method = checked_fit(approximation)
        self.refuse_options(self.fit_constrained, method, fit_kwds)
        check_covariance(self, cov_type, **(cov_kwds or {}))
        R, q = linear_hypothesis(constraints, self.data.fe_names, "constraints")
        restriction = LinearRestriction.of(R, q)
        if start_params is not None:
            start = self._checked(start_params)
            kept = np.concatenate([restriction.free, np.arange(len(restriction.a), len(start))])
            fit_kwds["start_params"] = start[kept]
        found = getattr(self.under(restriction), method)(**fit_kwds)
        free: MCLAMixedGLMResults = found._results  # noqa: SLF001 - what a wrapper of statsmodels wraps
        results = free.under(self, restriction, free)
        return type(found)(results.with_cov_type(cov_type, **(cov_kwds or {})))

    @remembered
    def fit(
        self,
        start_params: Any = None,
        method: str = "minimize",
        maxiter: int = 100,
        full_output: bool = True,
        disp: bool = False,
        *,
        nsample: int | None = None,
        mcse_tol: float = 0.01,
        llf_tol: float = 0.02,
        rng: Any = None,
        sampling: Any = None,
        quasi: bool = True,
        max_draws: int = 2**18,
        max_seconds: float = np.inf,
        max_memory: Any = None,
        n_jobs: int | None = None,
        executor: Any = None,
        checkpoint: Any = None,
        resume: Any = None,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> MCLAMixedGLMResultsWrapper:
        """Maximise the Monte Carlo likelihood.

        Parameters
        ----------
        start_params : array_like (P,), optional
            Where to start; the Laplace fit by default.  Covariance matrices may be singular, as those of a singular
            fit are: the search starts at their ranks.
        method, maxiter, options
            Optimiser of `LikelihoodModel.fit` and what it takes; by default ``minimize`` with
            ``min_method="trust-exact"``.
        full_output, disp : bool
            Ignored (the optimiser's output is always kept); print a line a round.
        nsample : int, optional
            Draws for each block, rounded up to a power of two times 4 to 16 replicates if ``quasi``.  By default
            the fit chooses: see ``mcse_tol``.
        mcse_tol : float
            Draws are added, where the error comes from, until every Monte Carlo error is at most this
            fraction of its standard error, even if that is too large by three of its own Monte Carlo errors.
        llf_tol : float
            Largest Monte Carlo error wanted of the log-likelihood; it asks for no more draws once rows x
            draws are beyond 2^26.
        rng : int or numpy.random.Generator, optional
            Source of randomness; the same value gives the same numbers.
        sampling : BlockSampling, JointSampling or Proposal, optional
            Importance density; a multivariate t for each block by default, a normal along skewed coordinates
            for blocks of more than 20 effects.  A `Proposal` of one's own has ``sample(rng, n)``, which returns n
            vectors of all Q effects as an ndarray (Q, n), and ``logpdf(u)`` (n,) of such an array.
        quasi : bool
            Randomised quasi-Monte Carlo (default) or independent draws; joint densities are always drawn from
            independently.
        max_draws : int
            Most draws for a block, rounded up as ``nsample`` is.
        max_seconds : float
            After this time no further draws are added, and after a tenth more the best answer so far is returned:
            with the standard errors of Laplace's approximation where there was no time for better ones.  A step of
            the Laplace fit and one set of the fewest draws are made in any case.  Ctrl-C has the same effect at once;
            a second one raises KeyboardInterrupt.
        max_memory : float or str, optional
            Bytes, or such as "4GB", that dense matrices of a block may take, which are known before they are made: an
            error where that is not enough.  By default half of what is free.
        n_jobs : int, optional
            Threads; all cores by default.  The numbers do not depend on it.
        executor, checkpoint, resume : optional
            Of models `from_partitions`: who works, a file to write all that is found to, and such a file of a fit that
            was stopped, from which this one goes on to the same bits.
        cov_type, cov_kwds : str, dict, optional
            Covariance of the estimates and what it takes, as in ``results.with_cov_type``: ``"nonrobust"``,
            ``"robust"``, or ``"cluster"`` with ``{"groups": ...}``.

        Returns
        -------
        MCLAMixedGLMResultsWrapper

        Raises
        ------
        ValueError
            If an argument is out of range.

        Notes
        -----
        Warnings of `statsmodels_mcla.exceptions` tell what is wrong with a fit.

        Afterwards `loglike`, `score` and `hessian` are those of the draws made at the maximum.

        Examples
        --------
        >>> results = model.fit(rng=1)
        >>> results.params.round(3)
        Intercept         1.841
        trt[T.drug+]      0.520
        trt[T.placebo]    1.325
        week             -0.146
        ID Var            1.446
        dtype: float64
        >>> bool((results.mcse / results.bse).max() < 0.01)
        True
        >>> coarse = model.fit(rng=1, mcse_tol=0.1, max_seconds=10)
        """
        del full_output
        started = time.perf_counter()
        check_positive(mcse_tol=mcse_tol, llf_tol=llf_tol, max_draws=max_draws, max_seconds=max_seconds)
        check_memory(self.design, max_memory)
        if quasi not in (True, False):
            raise ValueError(f"quasi must be True or False, got {quasi!r}")
        refuse_unknown(self.fit, options, OPTIONS)
        check_search(method, maxiter)
        check_covariance(self, cov_type, **(cov_kwds or {}))
        draws = DrawSettings(sampling_of(sampling), seed_of(rng), quasi, checked_nsample(nsample), max_draws)
        if start_params is not None:
            start_params = self._checked(start_params)
        asked = {
            "tolerances": (mcse_tol, llf_tol),
            "draws": (nsample, max_draws, quasi, repr(draws.sampling)),
        }
        asked |= {"search": (method, maxiter, repr(options), repr(start_params))}
        threads = self._work(n_jobs, executor, checkpoint, resume, draws.seed, asked)
        # 1. Laplace fit: where to start, and at which ranks of the covariance matrices
        voice = Voice(disp)
        voice.begin(self)
        laplace = laplace_maximum(self.design, gtol=1e-2, deadline=started + max_seconds)
        voice.laplace(laplace, time.perf_counter() - started)

        def settings(laplace: LaplaceMaximum) -> FitSettings:
            # a likelihood that rises for ever is worth few climbs, and no draws where nothing else is to be estimated
            seconds, more = (0.0, 1.0 + GRACE) if laplace.without_limit else (max_seconds, GRACE)
            return FitSettings(
                mcse_tol,
                llf_tol,
                draws.nsample,
                max_draws,
                started + seconds,
                more * max_seconds,
                ENDLESS_CLIMBS if laplace.endless else FitSettings.climbs,
                method,
                maxiter,
                options,
                threads,
                voice.round,
                voice.plan,
            )

        first, ranks = laplace.params, laplace.reduction
        if start_params is not None:
            ranks, first = reduction_at(self.design, start_params)
        # 2. Monte Carlo fit, down to lower ranks and up to higher ones; far from the maximum, numbers may overflow,
        # and what is not finite is refused
        with np.errstate(over="ignore", invalid="ignore"):
            found, laplace = maximum_from(laplace, self.design, draws, settings, first, ranks)
        # 3. what the user reads
        self._current = CurrentDraws(
            found.design, found.fit.position, found.reduction, found.fit.sampler, threads
        )
        result = monte_carlo_results(self, found, laplace, draws, executor=threads, mcse_tol=mcse_tol)
        converged = found.fit.converged
        warn_maximum(self, laplace, found.params, found.reduction, converged, drawn=True, held=found.held)
        if not laplace.without_limit:  # draws around estimates that mean nothing are worth no word
            warn_monte_carlo(result, mcse_tol if nsample is None else None)
        self._end_work()
        result = result.with_cov_type(cov_type, **(cov_kwds or {}))
        return MCLAMixedGLMResultsWrapper(result)
