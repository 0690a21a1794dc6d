"""`MCLAMixedGLM`: generalized linear mixed models by Monte Carlo likelihood approximation."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import statsmodels.api as sm
from statsmodels.base.model import LikelihoodModel

from statsmodels_mcla import validation
from statsmodels_mcla.boundary import kept_parameters, vanished_terms, without_terms
from statsmodels_mcla.design import MixedDesign, merge_identical_rows
from statsmodels_mcla.exceptions import (
    ConvergenceWarning,
    ImportanceWeightWarning,
    PrecisionWarning,
    SeparationWarning,
    SingularFitWarning,
)
from statsmodels_mcla.families import conditional_family
from statsmodels_mcla.fitting import FitSettings, LaplaceFit, MonteCarloFit, Round, fit_laplace, fit_monte_carlo, laplace_covariance
from statsmodels_mcla.formula.factors import environment
from statsmodels_mcla.formula.reading import read_model
from statsmodels_mcla.formula.terms import RandomTerm
from statsmodels_mcla.likelihood import Evaluation, evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.proposals import BlockSampling, FixedSampling, Proposal, Sampling
from statsmodels_mcla.results import (
    MCLAMixedGLMResults,
    MCLAMixedGLMResultsWrapper,
    MixedGLMResults,
    MixedGLMResultsWrapper,
    MonteCarloErrors,
)
from statsmodels_mcla.sampler import Position, Sampler
from statsmodels_mcla.separation import separated_columns
from statsmodels_mcla.starting import GLMStart, fit_without_random_effects, search_scale

__all__ = ["MCLAMixedGLM"]

FAR_OUT = 12.0  # linear predictors of the GLM beyond this suggest separation
MIN_ESS = 20.0  # fewer effective draws in a block make its Monte Carlo error itself unreliable


class GroupFacts(NamedTuple):
    """Size of a random-effect term."""

    name: str
    levels: int
    effects: int


class Facts(NamedTuple):
    """What a summary says of the model, kept when the data are removed."""

    family: str
    link: str
    n_rows: int
    n_blocks: int
    groups: tuple[GroupFacts, ...]


@dataclass(frozen=True)
class _Current:
    """Draws that ``loglike`` uses, and the parameters of the model that they cover."""

    design: MixedDesign
    position: Position
    keep: np.ndarray
    n_jobs: int


class MCLAMixedGLM(LikelihoodModel):
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
    family : statsmodels family instance, optional
        With its link.  Default: Binomial, as in `BinomialBayesMixedGLM`.
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
    >>> data = datasets.salamander.load_pandas().data
    >>> model = MCLAMixedGLM.from_formula(
    ...     "Mate ~ 0 + Cross", {"F": "0 + C(Female)", "M": "0 + C(Male)"}, data, family=sm.families.Binomial())
    >>> result = model.fit(rng=1)
    >>> bool(result.converged)
    True
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
        **kwargs: Any,
    ) -> None:
        self._check_kwargs(kwargs)
        self.family = sm.families.Binomial() if family is None else family
        self.conditional_family = conditional_family(self.family)
        n = len(endog)
        if n == 0:
            raise ValueError("endog is empty: there is nothing to fit")
        X = validation.finite_matrix(exog, "exog")
        if len(X) != n:
            raise ValueError(f"exog has {len(X)} rows, but endog has {n}")
        if random_terms is None:
            terms = validation.terms_of_arrays(exog_vc, ident, vcp_names, vc_names, n)
        else:
            terms = tuple(random_terms)
        rows = {
            "offset": offset if offset is None else validation.row_vector(offset, n, "offset"),
            "exposure": exposure if exposure is None else validation.row_vector(exposure, n, "exposure"),
            "freq_weights": freq_weights if freq_weights is None else validation.row_vector(freq_weights, n, "freq_weights"),
            "var_weights": var_weights if var_weights is None else validation.row_vector(var_weights, n, "var_weights"),
        }
        Zs = {f"exog_vc ({t.name})" if random_terms is not None else "exog_vc": t.Z for t in terms}
        keep = validation.complete_rows({"endog": endog, "exog": X, **Zs, **rows}, n, missing)
        endog_kept = _rows_of(endog, keep)
        response = self.conditional_family.check_response(np.asarray(endog_kept))
        if not keep.all():
            X = X[keep]
            terms = tuple(replace(t, Z=t.Z[np.flatnonzero(keep)]) for t in terms)
            rows = {name: None if value is None else value[keep] for name, value in rows.items()}

        columns = list(exog.columns) if isinstance(exog, pd.DataFrame) and fep_names is None else fep_names
        if columns is None:
            columns = [f"FE_{j + 1}" for j in range(X.shape[1])]
        if len(columns) != X.shape[1]:
            raise ValueError(f"fep_names has {len(columns)} names, but exog has {X.shape[1]} columns")
        columns = validation.unique_names(columns, "fep_names" if fep_names is not None else "the columns of exog")
        validation.check_full_rank(X, columns)
        index = endog_kept.index if isinstance(endog_kept, (pd.Series, pd.DataFrame)) else None
        name = endog_kept.name if isinstance(endog_kept, pd.Series) else None
        if isinstance(endog_kept, pd.DataFrame):
            name = ", ".join(map(str, endog_kept.columns))
        super().__init__(
            pd.Series(response.endog, index=index, name="y" if name is None else str(name)),
            pd.DataFrame(X, index=index, columns=columns),
            hasconst=None,
            **kwargs,
        )
        self.n_trials = response.n_trials
        self.offset = np.zeros(len(X)) if rows["offset"] is None else rows["offset"]
        if rows["exposure"] is not None:
            if self.conditional_family.link != "log":
                raise ValueError("exposure needs a log link; use offset")
            if np.any(rows["exposure"] <= 0):
                raise ValueError("exposure must be positive in every row")
            self.offset = self.offset + np.log(rows["exposure"])
        self.freq_weights = validation.weight_vector(rows["freq_weights"], len(X), "freq_weights")
        self.var_weights = validation.weight_vector(rows["var_weights"], len(X), "var_weights")
        self.random_terms = terms
        self.design = self._make_design()
        self.facts = self._make_facts()
        self._name_parameters()
        self._current: _Current | None = None
        self._cached: tuple[bytes, Evaluation] | None = None
        self._data_attr.extend(
            ["n_trials", "offset", "freq_weights", "var_weights", "random_terms", "design", "_current", "_cached"]
        )
        self._init_keys.extend(["family", "offset", "freq_weights", "var_weights", "random_terms"])

    # -- construction --------------------------------------------------------------------------

    @classmethod
    def from_formula(  # noqa: D417
        cls,
        formula: str,
        vc_formulas: Mapping[str, Any] | None = None,
        data: Any = None,
        family: Any = None,
        *,
        groups: Any = None,
        re_formula: str | None = None,
        subset: Any = None,
        offset: Any = None,
        exposure: Any = None,
        freq_weights: Any = None,
        var_weights: Any = None,
        missing: str = "drop",
        eval_env: Any = 0,
    ) -> MCLAMixedGLM:
        """Model from a formula.

        Parameters
        ----------
        formula : str
            Response and fixed effects, and random effects as in lme4: ``"y ~ x + (1 + x | g)"``.
        vc_formulas : dict, optional
            Variance components by name, as in `BinomialBayesMixedGLM`: every column of the formula's design
            gets an independent effect.  A list of formulas shares one variance.
        data : DataFrame
        family : statsmodels family instance, optional
            Default: Binomial.
        groups, re_formula : optional
            Random effects as in statsmodels' `MixedLM`.
        subset : array_like, optional
            Rows of ``data`` to use: booleans or index labels.
        offset, exposure, freq_weights, var_weights : str or array_like, optional
            A column of ``data``, or one value a row.
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
        """
        if data is None:
            raise ValueError("data is missing: pass the DataFrame that holds the columns of the formula")
        env = environment(eval_env, 1)
        rows = {"offset": offset, "exposure": exposure, "freq_weights": freq_weights, "var_weights": var_weights}
        if subset is not None:
            data = data.loc[subset]
        read = read_model(formula, data, vc_formulas, groups, re_formula, rows, env, missing)
        model = cls(
            read.endog,
            read.exog,
            family=family,
            random_terms=read.terms,
            missing="raise",
            formula=read.fixed,
            model_spec=read.design_info,
            **read.rows,
        )
        model.formula = formula
        model.data.frame = read.frame
        return model

    def _make_design(self) -> MixedDesign:
        family = self.conditional_family
        used = self.freq_weights * self.var_weights > 0
        pick = slice(None) if used.all() else np.flatnonzero(used)
        y, trials = np.asarray(self.endog)[pick], self.n_trials[pick]
        freq, var = self.freq_weights[pick], self.var_weights[pick]
        data = family.row_data(y, trials, freq, var)
        terms = self.random_terms if used.all() else tuple(replace(t, Z=t.Z[pick]) for t in self.random_terms)
        design = MixedDesign(
            data.y,
            data.w,
            data.v,
            self.offset[pick],
            np.ascontiguousarray(self.exog[pick]),
            terms,
            family,
            family.constant(y, trials, freq, var),
        )
        return merge_identical_rows(design)

    def _make_facts(self) -> Facts:
        groups = tuple(GroupFacts(t.name, len(t.levels), len(t.levels) * len(t.columns)) for t in self.random_terms)
        return Facts(
            type(self.family).__name__ if not hasattr(self.family, "name") else self.conditional_family.name,
            self.conditional_family.link,
            len(self.endog),
            self.design.n_blocks,
            groups,
        )

    def _name_parameters(self) -> None:
        """Name variances and covariances as MixedLM does."""
        shown = [
            [t.name if c in ("Intercept", t.name) else c for c in t.columns] for t in self.random_terms
        ]
        flat = [label for labels in shown for label in labels]
        names = []
        for t, labels in zip(self.random_terms, shown, strict=True):
            own = [f"{t.name}: {label}" if flat.count(label) > 1 else label for label in labels]
            for i in range(len(own)):
                names += [f"{own[j]} x {own[i]} Cov" for j in range(i)] + [f"{own[i]} Var"]
        dispersion = [self.conditional_family.dispersion] if self.design.n_dispersion else []
        self.data.fe_names = list(self.exog_names)
        self.data.vc_names = names
        self.data.param_names = [*self.exog_names, *names, *dispersion]
        is_variance = self.design.covariance.is_variance
        self.non_negative = np.concatenate(
            [np.zeros(self.design.n_fixed, bool), is_variance, np.ones(self.design.n_dispersion, bool)]
        )

    # -- likelihood ----------------------------------------------------------------------------

    def draw(
        self, params: Any = None, *, nsample: int | None = None, rng: Any = None, sampling: Any = None, quasi: bool = True
    ) -> None:
        """Make the draws that `loglike`, `score` and `hessian` use.

        Parameters
        ----------
        params : array_like (P,), optional
            Where to build the importance density; the Laplace fit by default.
        nsample, rng, sampling, quasi
            As in `fit`.
        """
        design = self.design
        if params is None:
            params = self._laplace().params
        params = validation.check_start_params(params, self.data.param_names, self.non_negative)
        sampler = Sampler.start(design, _sampling(sampling), _seed(rng), quasi, _nsample(nsample))
        self._set_current(_Current(design, sampler.at(params), np.ones(len(params), bool), _n_jobs(None)))

    def _set_current(self, current: _Current) -> None:
        self._current, self._cached = current, None

    def _evaluate(self, params: Any) -> tuple[Evaluation, np.ndarray]:
        if self._current is None:
            self.draw(rng=0)
        current = self._current
        assert current is not None  # noqa: S101 - just made
        params = np.asarray(params, dtype=float)
        if params.shape != (len(self.data.param_names),):
            raise ValueError(f"params has shape {params.shape}, but the model has {len(self.data.param_names)} parameters")
        key = params.tobytes()
        if self._cached is None or self._cached[0] != key:
            found = evaluate(current.design, params[current.keep], current.position.draws, n_jobs=current.n_jobs)
            self._cached = (key, found)
        return self._cached[1], current.keep

    def loglike(self, params: Any) -> float:
        """Monte Carlo log-likelihood of the current draws, all constants included.

        The draws are those made by the last `fit` or `draw`.
        """
        return self._evaluate(params)[0].value

    def score(self, params: Any) -> Array:
        """Gradient of `loglike` (P,); NaN for parameters that a singular fit left out."""
        found, keep = self._evaluate(params)
        out = np.full(len(keep), np.nan)
        out[keep] = found.score
        return out

    def hessian(self, params: Any) -> Array:
        """Second derivative of `loglike` (P, P); NaN for parameters that a singular fit left out."""
        found, keep = self._evaluate(params)
        out = np.full((len(keep), len(keep)), np.nan)
        out[np.ix_(keep, keep)] = found.hessian
        return out

    # -- fits ----------------------------------------------------------------------------------

    def _laplace(
        self, start: GLMStart | None = None, gtol: float = 1e-5, maxiter: int = 200, disp: bool = False
    ) -> LaplaceFit:
        start = fit_without_random_effects(self.design) if start is None else start
        scale = search_scale(self.design, start)
        return fit_laplace(self.design, scale, np.zeros(self.design.n_params), gtol=gtol, maxiter=maxiter, disp=disp)

    def _is_separated(self, start: GLMStart) -> bool:
        """Warn of fixed effects without a finite maximum."""
        if start.converged and np.abs(start.eta).max() < FAR_OUT:
            return False
        columns = [self.exog_names[j] for j in separated_columns(self.design)]
        if columns:
            _warn(
                SeparationWarning,
                f"{', '.join(columns)} separate the responses perfectly, so the likelihood has no finite maximum: "
                "their estimates and standard errors mean nothing. Drop or merge categories, or use a prior "
                "(statsmodels BinomialBayesMixedGLM)",
            )
        return bool(columns)

    def _warn_singular(self, vanished: list[int]) -> None:
        if vanished:
            names = ", ".join(f"{self.random_terms[k].name!r}" for k in vanished)
            _warn(
                SingularFitWarning,
                f"the variance of {names} is zero at the maximum (a singular fit): it is reported as 0 without a "
                "standard error, and the other results are those of the model without it",
            )

    def _results(
        self, fitted: MonteCarloFit, keep: np.ndarray, how: Sampling, quasi: bool, separated: bool
    ) -> MCLAMixedGLMResults:
        n_params = len(keep)
        precision, found = fitted.precision, fitted.evaluation
        cov, cov_mcse, bias = (np.full(s, np.nan) for s in ((n_params,) * 2, (n_params,) * 2, n_params))
        share = np.full(len(found.blocks.ess), np.nan)
        if precision is not None:
            cov[np.ix_(keep, keep)], cov_mcse[np.ix_(keep, keep)] = precision.cov_params, precision.cov_mcse
            bias[keep] = precision.bias
            relative = (found.blocks.score_var / precision.se**2).sum(axis=1)
            share = relative / max(relative.sum(), np.finfo(float).tiny)
        params = np.zeros(n_params)
        params[keep] = fitted.position.params
        design = fitted.sampler.design
        joint = fitted.sampler.sampling.joint
        monte_carlo = MonteCarloErrors(
            cov_mcse,
            bias,
            float(np.sqrt(found.value_var)),
            found.blocks.ess,
            found.blocks.draws,
            share,
            ["all effects"] if joint else design.block_labels,
            pd.DataFrame(fitted.history),
            type(how).__name__,
            fitted.precise,
        )
        return MCLAMixedGLMResults(
            self,
            params,
            cov,
            found.value,
            "MCLA, quasi-Monte Carlo" if quasi and not joint else "MCLA, Monte Carlo",
            fitted.converged and not separated,
            ~keep,
            fitted.mle_retvals,
            fitted.mle_settings,
            monte_carlo=monte_carlo,
        )

    def fit_laplace(self, *, gtol: float = 1e-5, maxiter: int = 200, disp: bool = False) -> MixedGLMResultsWrapper:
        """Maximise the Laplace approximation of the likelihood, as lme4's ``glmer`` does.

        Fast, but biased where groups are small or responses are binary: a start and a comparison for `fit`.

        Parameters
        ----------
        gtol : float
            Largest gradient at the end, in units of about a standard error.
        maxiter : int
            Most iterations of BFGS.
        disp : bool
            Print the optimiser's messages.

        Returns
        -------
        MixedGLMResultsWrapper
            Standard errors are from the curvature of the approximation.

        Warns
        -----
        ConvergenceWarning, SingularFitWarning, SeparationWarning
        """
        start = fit_without_random_effects(self.design)
        separated = self._is_separated(start)
        fitted = self._laplace(start, gtol, maxiter, disp)
        vanished = vanished_terms(self.design, fitted.semi_natural)
        keep = kept_parameters(self.design, vanished)
        if not fitted.converged:
            _warn(ConvergenceWarning, "the Laplace fit did not converge; raise maxiter or rescale the covariates")
        self._warn_singular(vanished)
        params = np.where(keep, fitted.params, 0.0)
        return MixedGLMResultsWrapper(
            MixedGLMResults(
                self,
                params,
                partial(laplace_covariance, self.design, fitted, keep),
                fitted.evaluation.value,
                "Laplace",
                fitted.converged and not separated,
                ~keep,
                fitted.mle_retvals,
                fitted.mle_settings,
            )
        )

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
        rng: Any = None,
        sampling: Any = None,
        quasi: bool = True,
        max_draws: int = 2**18,
        max_seconds: float = np.inf,
        n_jobs: int | None = None,
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
        full_output : bool
            Kept for compatibility with statsmodels; the optimiser's output is always kept.
        disp : bool
            Print a line a round.
        nsample : int, optional
            Draws for each block, rounded up to a power of two times 16 replicates if ``quasi``.  By default
            the fit chooses: see ``mcse_tol``.
        mcse_tol : float
            Draws are added, where the error comes from, until every Monte Carlo error is at most this
            fraction of its standard error.
        rng : int or numpy.random.Generator, optional
            Source of randomness; the same value gives the same numbers.
        sampling : BlockSampling, JointSampling or Proposal, optional
            Importance density; one multivariate t a block by default.  A `Proposal` of one's own has
            ``sample(rng, n)`` and ``logpdf(u)`` over all effects.
        quasi : bool
            Randomised quasi-Monte Carlo (default) or independent draws; joint densities are always drawn from
            independently.
        max_draws : int
            Most draws for a block.
        max_seconds : float
            No further draws are added after this time.
        n_jobs : int, optional
            Threads; all cores by default.  The numbers do not depend on it.

        Returns
        -------
        MCLAMixedGLMResultsWrapper

        Raises
        ------
        ValueError
            If an argument is out of range.

        Warns
        -----
        ConvergenceWarning, SingularFitWarning, SeparationWarning, ImportanceWeightWarning, PrecisionWarning

        Notes
        -----
        Afterwards `loglike`, `score` and `hessian` are those of the draws made at the maximum.
        """
        del full_output
        n = _nsample(nsample)
        if not mcse_tol > 0:
            raise ValueError(f"mcse_tol must be positive, got {mcse_tol}")
        how, seed = _sampling(sampling), _seed(rng)
        if start_params is not None:
            start_params = validation.check_start_params(start_params, self.data.param_names, self.non_negative)
        settings = FitSettings(
            mcse_tol if n is None else None,
            max_draws,
            max_seconds,
            method,
            maxiter,
            options,
            _n_jobs(n_jobs),
            _print_round if disp else _ignore_round,
        )
        # 1. Laplace fit: where to start, and which terms have vanished
        start = fit_without_random_effects(self.design)
        separated = self._is_separated(start)
        laplace = self._laplace(start, gtol=1e-2)
        params = laplace.params if start_params is None else start_params
        vanished = vanished_terms(self.design, laplace.semi_natural) if start_params is None else []
        # 2. Monte Carlo fit of the terms that remain
        while True:
            keep = kept_parameters(self.design, vanished)
            design = without_terms(self.design, vanished) if vanished else self.design
            scale = search_scale(design, start)
            sampler = Sampler.start(design, how, seed, quasi, n)
            fitted = fit_monte_carlo(scale, sampler, params[keep], settings)
            params = np.where(keep, 0.0, params)
            params[keep] = fitted.position.params
            more = vanished_terms(design, scale.semi_natural(scale.from_natural(fitted.position.params)))
            if not more:
                break
            remaining = [k for k in range(len(self.design.terms)) if k not in vanished]
            vanished = sorted([*vanished, *(remaining[k] for k in more)])
        # 3. what the user reads
        self._set_current(_Current(design, fitted.position, keep, settings.n_jobs))
        result = self._results(fitted, keep, how, quasi, separated)
        self._warn_singular(vanished)
        _warn_about(result, settings)
        return MCLAMixedGLMResultsWrapper(result)


def _rows_of(value: Any, keep: np.ndarray) -> Any:
    if keep.all():
        return value
    return value.loc[keep] if isinstance(value, (pd.Series, pd.DataFrame)) else np.asarray(value)[keep]


def _seed(rng: Any) -> np.random.SeedSequence:
    """Seed sequence of an int, a Generator or nothing."""
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.SeedSequence(int(rng))
    raise ValueError(f"rng must be a non-negative int or a numpy Generator, got {rng!r}")


def _sampling(sampling: Any) -> Sampling:
    if sampling is None:
        return BlockSampling()
    if isinstance(sampling, Proposal):
        return FixedSampling(sampling)
    if hasattr(sampling, "proposal"):
        return sampling  # type: ignore[no-any-return]
    raise ValueError(
        "sampling must be BlockSampling(), JointSampling() or an object with sample(rng, n) and logpdf(u), "
        f"got {sampling!r}"
    )


def _nsample(nsample: Any) -> int | None:
    if nsample is None:
        return None
    if not isinstance(nsample, (int, np.integer)) or isinstance(nsample, bool) or nsample < 2:
        raise ValueError(f"nsample must be an integer of at least 2, got {nsample!r}")
    return int(nsample)


def _n_jobs(n_jobs: Any) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None or n_jobs == -1:
        return cores
    if not isinstance(n_jobs, (int, np.integer)) or n_jobs < 1:
        raise ValueError(f"n_jobs must be a positive integer, or -1 for all cores, got {n_jobs!r}")
    return int(n_jobs)


def _warn(category: type[Warning], message: str) -> None:
    warnings.warn(message, category, stacklevel=4)


def _warn_about(result: MCLAMixedGLMResults, settings: FitSettings) -> None:
    """Say what is wrong with a fit, and what to do."""
    if not result.converged:
        _warn(
            ConvergenceWarning,
            "the fit did not converge: raise maxiter, start elsewhere (start_params), or simplify the random effects",
        )
    monte_carlo = result.monte_carlo
    worst = int(np.argmin(monte_carlo.ess))
    if monte_carlo.ess[worst] < MIN_ESS:
        _warn(
            ImportanceWeightWarning,
            f"the effective sample size of block {monte_carlo.block_labels[worst]!r} is only {monte_carlo.ess[worst]:.1f} "
            f"of {monte_carlo.draws[worst]} draws, so its Monte Carlo error is itself uncertain: raise nsample, or lower "
            "mcse_tol",
        )
    if settings.mcse_tol is not None and result.converged and not monte_carlo.precise:
        ratio = monte_carlo.history["mcse_over_se"].iloc[-1]
        _warn(
            PrecisionWarning,
            f"the largest Monte Carlo error is {100 * ratio:.2g} % of its standard error, more than the "
            f"{100 * settings.mcse_tol:.2g} % asked for: raise max_draws or max_seconds, or accept a larger mcse_tol",
        )


def _ignore_round(_: Round) -> None:
    """Say nothing."""


def _print_round(r: Round) -> None:
    print(  # noqa: T201 - asked for by disp=True
        f"{r.seconds:7.2f} s  {r.stage:8s} draws {r.draws:>8d}  llf {r.llf:.4f}  MCSE/SE {100 * r.mcse_over_se:.2f} %  "
        f"smallest ESS {r.min_ess:.0f}"
    )
