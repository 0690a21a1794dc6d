"""`MCLAMixedGLM`: generalized linear mixed models by Monte Carlo likelihood approximation."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from statsmodels_mcla.data import check_positive, read_arrays, refuse_unknown
from statsmodels_mcla.design import RandomTerm, facts_of, parameter_names
from statsmodels_mcla.estimation import laplace_maximum, monte_carlo_maximum
from statsmodels_mcla.estimation.search import DrawSettings, FitSettings
from statsmodels_mcla.execution import Threads
from statsmodels_mcla.families import ConditionalFamily, conditional_family, family_instance
from statsmodels_mcla.formula import (
    environment,
    further_formulas,
    read_model,
    with_design_info,
    without_design_info,
)
from statsmodels_mcla.inference import check_covariance
from statsmodels_mcla.model.drawn_likelihood import CurrentDraws, DrawnLikelihood
from statsmodels_mcla.model.fit_arguments import (
    OPTIONS,
    check_search,
    checked_nsample,
    default_family_told,
    remembered,
    sampling_of,
)
from statsmodels_mcla.model.formula_memory import remember_formula, with_predictors
from statsmodels_mcla.model.messages import warn_maximum, warn_monte_carlo
from statsmodels_mcla.model.predicting import PredictingModel
from statsmodels_mcla.model.voice import Voice
from statsmodels_mcla.numerics import seed_of
from statsmodels_mcla.results import (
    MCLAMixedGLMResultsWrapper,
    MixedGLMResultsWrapper,
    laplace_results,
    monte_carlo_results,
)

GRACE = 0.1  # of max_seconds, for a search to end over the draws that it has
ENDLESS_CLIMBS = 5  # where the likelihood has no maximum

DATA = ["inputs", "n_trials", "offset", "freq_weights", "var_weights", "random_terms", "design", "_current"]


class MCLAMixedGLM(PredictingModel, DrawnLikelihood):
    r"""Generalized linear mixed model, fitted by maximum likelihood.

    The response of a row, given random effects u ~ N(0, Sigma), follows ``family`` with linear predictor
    X beta + Z u + offset.  The likelihood, an integral over u, is approximated by importance sampling and
    maximised (Monte Carlo likelihood approximation; Geyer and Thompson, 1992; Sung and Geyer, 2007; Knudson,
    Benson, Geyer and Jones, 2021), and every result comes with its Monte Carlo error.

    Parameters
    ----------
    endog : array_like (n,) or (n, 2)
        Response; for binomial counts successes and failures.
    exog : array_like (n, p)
        Fixed-effects design.
    exog_vc : array_like or scipy.sparse (n, Q)
        Random-effects design, a column an effect.
    ident : array_like of int (Q,)
        Columns of ``exog_vc`` with equal ``ident`` have independent effects of one variance.
    family : statsmodels family instance or str, optional
        With its link; a name such as ``"poisson"`` or ``"negativebinomial"`` has the default link (dispersions are
        estimated, of which statsmodels' ``NegativeBinomial()`` warns that they are not).  Default: Binomial, as in
        `BinomialBayesMixedGLM`.
    fep_names, vcp_names, vc_names : list of str, optional
        Names of fixed effects, of variances, of random effects.
    offset : array_like (n,), optional
        Known part of the linear predictor.
    freq_weights : array_like (n,), optional
        A row of weight 2 counts as two rows.
    missing : {"none", "drop", "raise"}
        Drop rows with missing values in any argument, or refuse them.
    exposure : array_like (n,), optional
        Log link: its logarithm is added to the offset.
    var_weights : array_like (n,), optional
        The dispersion of a row is divided by it.
    random_terms : sequence of RandomTerm, optional
        Random effects with covariance matrices, in place of ``exog_vc`` and ``ident``; formulas make them.
    of_column : array_like of int (p,), optional
        Families of several linear predictors: which of them each column of ``exog`` is part of.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.

    Notes
    -----
    ``params`` holds the fixed effects, then variances and covariances of the random effects, then the
    dispersion if the family has one.  Log-likelihoods include all constants.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> from statsmodels_mcla import MCLAMixedGLM, datasets
    >>> data = datasets.bacteria.load_pandas().data
    >>> family = sm.families.Binomial()
    >>> model = MCLAMixedGLM.from_formula("(y == 'y') ~ trt + week + (1 | ID)", data=data, family=family)
    >>> model
    <MCLAMixedGLM: (y == 'y') ~ trt + week + (1 | ID), Binomial (logit), 220 rows>
    >>> results = model.fit(rng=1)
    >>> results.fe_params.round(2)
    Intercept         1.84
    trt[T.drug+]      0.52
    trt[T.placebo]    1.32
    week             -0.15
    dtype: float64
    """

    _formula_max_endog = 2

    def __init__(
        self,
        endog: Any,
        exog: Any,
        exog_vc: Any = None,
        ident: Any = None,
        family: Any = None,
        fep_names: Sequence[str] | None = None,
        vcp_names: Sequence[str] | None = None,
        vc_names: Sequence[str] | None = None,
        offset: Any = None,
        freq_weights: Any = None,
        missing: str = "none",
        *,
        exposure: Any = None,
        var_weights: Any = None,
        random_terms: Sequence[RandomTerm] | None = None,
        of_column: Any = None,
        **kwargs: Any,
    ) -> None:
        self._check_kwargs(kwargs)
        self.family = family_instance("binomial" if family is None else family)
        with default_family_told(family):
            self.conditional_family = conditional_family(self.family).of_response(endog)
            if isinstance(self.family, ConditionalFamily):
                self.family = self.conditional_family
            inputs = read_arrays(
                endog,
                exog,
                exog_vc,
                ident,
                self.conditional_family,
                fep_names=fep_names,
                vcp_names=vcp_names,
                vc_names=vc_names,
                offset=offset,
                exposure=exposure,
                freq_weights=freq_weights,
                var_weights=var_weights,
                random_terms=random_terms,
                missing=missing,
                of_column=of_column,
            )
        columns = inputs.exog.shape[1]  # none with ordered categories and random effects alone
        super().__init__(inputs.endog, inputs.exog, hasconst=None if columns else False, **kwargs)
        self.inputs = inputs
        self.n_trials, self.offset = inputs.n_trials, inputs.offset
        self.freq_weights, self.var_weights = inputs.freq_weights, inputs.var_weights
        self.random_terms = inputs.terms
        self.design = inputs.design(self.conditional_family)
        dropped = 0 if endog is inputs else len(endog) - len(inputs.endog)
        counted = inputs.used, self.random_terms, dropped, inputs.predictor_of_column
        self.facts = facts_of(self.design, *counted)
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
        self.nobs = float(self.freq_weights[inputs.used].sum())
        self.df_resid = self.nobs - len(self.data.param_names)
        self._current: CurrentDraws | None = None
        self._data_attr.extend(DATA)
        self._init_keys.extend(["family", "offset", "freq_weights", "var_weights", "random_terms"])

    # -- construction --------------------------------------------------------------------------

    @classmethod
    def from_formula(
        cls,
        formula: str,
        vc_formulas: Mapping[str, Any] | None = None,
        data: Any = None,
        family: Any = None,
        *,
        groups: Any = None,
        re_formula: str | None = None,
        ziformula: str = "~ 0",
        dispformula: str = "~ 1",
        subset: Any = None,
        offset: Any = None,
        exposure: Any = None,
        freq_weights: Any = None,
        var_weights: Any = None,
        missing: str = "drop",
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> MCLAMixedGLM:
        """Model from a formula.

        Parameters
        ----------
        formula : str
            Response and fixed effects, and random effects as in lme4: ``"y ~ x + (1 + x | g)"``.
        vc_formulas : dict, optional
            Variance components by name, as in `BinomialBayesMixedGLM`: every column of the formula's design
            gets an independent effect.  A list of formulas shares one variance.
        data : DataFrame, mapping, or table of another library (polars, pyarrow)
            Categories that do not occur are dropped, as are columns of factors that the rows cannot tell.
        family : statsmodels family instance or str, optional
            Default: Binomial.
        groups, re_formula : optional
            Random effects as in statsmodels' `MixedLM`.
        ziformula, dispformula : str
            Predictors of the zero part, logit P(zero), and of the logarithm of the dispersion, with random effects like
            ``formula``, as in glmmTMB: ``"~ x + (1 | g)"``.  By default there is no zero part, and one dispersion.
            Zeros inflate those of counts; of families without zeros they are all (hurdle).  Names of effects begin
            with ``zi:`` and ``disp:``.
        subset : array_like, optional
            Rows of ``data`` to use: booleans or index labels.
        offset, exposure, freq_weights, var_weights : str or array_like, optional
            A column of ``data``, or one value a row; a Series is taken by its labels.  Proportions of a binomial
            response have their numbers of trials as ``var_weights``.
        missing : {"drop", "raise", "none"}
            What to do with rows that have missing values in anything that the model uses.
        eval_env : int or patsy.EvalEnvironment
            Where names in the formulas that are no columns are looked up; an int counts frames above the caller.

        Returns
        -------
        MCLAMixedGLM

        Raises
        ------
        ValueError
            If a formula cannot be read; the message shows the term.

        Examples
        --------
        >>> import statsmodels.api as sm
        >>> epil = datasets.epil.load_pandas().data
        >>> MCLAMixedGLM.from_formula("y ~ lbase * trt + (1 | subject)", data=epil, family=sm.families.Poisson())
        <MCLAMixedGLM: y ~ lbase * trt + (1 | subject), Poisson (log), 236 rows>
        >>> herds = datasets.cbpp.load_pandas().data
        >>> MCLAMixedGLM.from_formula("incidence + I(size - incidence) ~ period + (1 | herd)", data=herds)
        <MCLAMixedGLM: incidence + I(size - incidence) ~ period + (1 | herd), Binomial (logit), 56 rows>
        """
        refuse_unknown(cls.from_formula, unknown)
        if data is None and isinstance(vc_formulas, pd.DataFrame):  # as in smf: the formula, then the data
            vc_formulas, data = None, vc_formulas
        if data is None:
            raise ValueError("data is missing: pass the DataFrame that holds the columns of the formula")
        env = environment(eval_env, 1)
        rows = {"offset": offset, "exposure": exposure}
        rows |= {"freq_weights": freq_weights, "var_weights": var_weights}
        further = further_formulas(ziformula=ziformula, dispformula=dispformula)
        whole = with_predictors(family_instance("binomial" if family is None else family), further)
        intercept = conditional_family(whole).intercept
        read = read_model(
            formula, data, vc_formulas, groups, re_formula, rows, env, missing, subset, intercept, further
        )
        model = cls(
            read.endog,
            read.exog,
            family=whole if further or family is not None else None,
            random_terms=read.terms,
            missing="raise",
            formula=read.fixed,
            model_spec=read.design_info,
            of_column=read.of_column if further else None,
            **read.rows,
        )
        remember_formula(model, read, formula)
        return model

    def __getstate__(self) -> dict[str, Any]:
        return without_design_info(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_design_info(state))

    # -- fits ----------------------------------------------------------------------------------

    @remembered
    def fit_laplace(
        self,
        *,
        gtol: float = 1e-4,
        maxiter: int = 200,
        disp: bool = False,
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
        check_covariance(self, cov_type, **(cov_kwds or {}))
        found = laplace_maximum(self.design, gtol, maxiter, disp)
        warn_maximum(self, found, found.params, found.reduction, found.fit.converged)
        result = laplace_results(self, found, Threads.of(None))
        return MixedGLMResultsWrapper(result.with_cov_type(cov_type, **(cov_kwds or {})))

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
        n_jobs: int | None = None,
        cov_type: str = "nonrobust",
        cov_kwds: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> MCLAMixedGLMResultsWrapper:
        """Maximise the Monte Carlo likelihood.

        Parameters
        ----------
        start_params : array_like (P,), optional
            Where to start; the Laplace fit by default.
        method, maxiter, options
            Optimiser of `LikelihoodModel.fit` and what it takes; by default ``minimize`` with
            ``min_method="trust-exact"``.
        full_output, disp : bool
            Ignored (the optimiser's output is always kept); print a line a round.
        nsample : int, optional
            Draws for each block, rounded up to a power of two times 16 replicates if ``quasi``.  By default
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
            for blocks of more than 20 effects.  A `Proposal` of one's own has
            ``sample(rng, n)`` and ``logpdf(u)`` over all effects.
        quasi : bool
            Randomised quasi-Monte Carlo (default) or independent draws; joint densities are always drawn from
            independently.
        max_draws : int
            Most draws for a block, rounded up as ``nsample`` is.
        max_seconds : float
            After this time no further draws are added, and after a tenth more the best answer so far is returned:
            with the standard errors of Laplace's approximation where there was no time for better ones.
        n_jobs : int, optional
            Threads; all cores by default.  The numbers do not depend on it.
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
        if quasi not in (True, False):
            raise ValueError(f"quasi must be True or False, got {quasi!r}")
        refuse_unknown(self.fit, options, OPTIONS)
        check_search(method, maxiter)
        check_covariance(self, cov_type, **(cov_kwds or {}))
        draws = DrawSettings(sampling_of(sampling), seed_of(rng), quasi, checked_nsample(nsample), max_draws)
        if start_params is not None:
            start_params = self._checked(start_params)
        # 1. Laplace fit: where to start, and at which ranks of the covariance matrices
        voice, executor = Voice(disp), Threads.of(n_jobs)
        voice.begin(self)
        laplace = laplace_maximum(self.design, gtol=1e-2, deadline=started + max_seconds)
        voice.laplace(laplace, time.perf_counter() - started)
        # a likelihood that rises for ever is worth few climbs, and no draws where nothing else is to be estimated
        seconds, more = (0.0, 1.0 + GRACE) if laplace.without_limit else (max_seconds, GRACE)
        settings = FitSettings(
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
            executor,
            voice.round,
            voice.plan,
        )
        first, ranks = (laplace.params, laplace.reduction) if start_params is None else (start_params, None)
        # 2. Monte Carlo fit, down to lower ranks and up to higher ones; far from the maximum, numbers may overflow,
        # and what is not finite is refused
        with np.errstate(over="ignore", invalid="ignore"):
            found = monte_carlo_maximum(self.design, draws, settings, laplace.start, first, ranks)
        # 3. what the user reads
        self._current = CurrentDraws(
            found.design, found.fit.position, found.reduction, found.fit.sampler, executor
        )
        result = monte_carlo_results(self, found, laplace, draws, executor=executor, mcse_tol=mcse_tol)
        warn_maximum(self, laplace, found.params, found.reduction, found.fit.converged)
        if not laplace.without_limit:  # draws around estimates that mean nothing are worth no word
            warn_monte_carlo(result, mcse_tol if nsample is None else None)
        result = result.with_cov_type(cov_type, **(cov_kwds or {}))
        return MCLAMixedGLMResultsWrapper(result)
