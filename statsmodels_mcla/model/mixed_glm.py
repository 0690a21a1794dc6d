"""`MCLAMixedGLM`: generalized linear mixed models by Monte Carlo likelihood approximation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from statsmodels_mcla.data import ModelInputs, check_missing, check_whole, read_rows, response_rows
from statsmodels_mcla.design import RandomTerm, facts_of
from statsmodels_mcla.families import ConditionalFamily, conditional_family, family_instance
from statsmodels_mcla.formula import (
    environment,
    further_formulas,
    read_model,
    with_design_info,
    without_design_info,
)
from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.model.fit_arguments import default_family_told
from statsmodels_mcla.model.formula_memory import remember_formula, with_predictors
from statsmodels_mcla.model.partitioned_glm import PartitionedMixedGLM
from statsmodels_mcla.model.planning import PlanningModel
from statsmodels_mcla.partitions import brought_together

DATA = ["inputs", "n_trials", "offset", "freq_weights", "var_weights", "random_terms", "design", "_current"]


class MCLAMixedGLM(PlanningModel):
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
        The scale of a row is divided by it; log densities without a parameter ``scale`` are multiplied by it, as in
        statsmodels, which is no law that `simulate` could draw from.
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
        endog = endog if isinstance(endog, ModelInputs) else response_rows(endog)
        self.family = family_instance("binomial" if family is None else family)
        with default_family_told(family):
            self.conditional_family = conditional_family(self.family).of_response(endog)
            if isinstance(self.family, ConditionalFamily):
                self.family = self.conditional_family
            inputs: ModelInputs = endog
            if not isinstance(endog, ModelInputs):
                inputs = read_rows(
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
                check_whole(inputs, self.conditional_family)
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
        self._describe(float(self.freq_weights[inputs.used].sum()))
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
        oiformula: str = "~ 0",
        dispformula: str = "~ 1",
        nominal: str = "~ 1",
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
        ziformula, oiformula, dispformula : str
            Predictors of the zero part, logit P(zero), of ones among proportions, logit P(one, if not zero), and of the
            logarithm of the dispersion, with random effects like ``formula``, as in glmmTMB: ``"~ x + (1 | g)"``.  By
            default there is no zero part, there are no ones, and one dispersion.  Zeros inflate those of counts; of
            families without zeros they are all (hurdle).  Names of effects begin with ``zi:``, ``oi:`` and ``disp:``.
            Effects under one label have one covariance matrix, as in brms: ``(1 | p | g)`` in two of the formulas.
        nominal : str
            Ordered categories: what thresholds depend on, as in R's ordinal (partial proportional odds).
        subset : array_like, optional
            Rows of ``data`` to use: booleans or index labels.
        offset, exposure, freq_weights, var_weights : str or array_like, optional
            A column of ``data``, or one value a row; a Series is taken by its labels.  Proportions of a binomial
            response have their numbers of trials as ``var_weights``, which otherwise divide the scale.
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
        check_missing(missing)
        if data is None and not _are_formulas(vc_formulas):  # as in smf: the formula, then the data
            vc_formulas, data = None, vc_formulas
        if data is None:
            raise ValueError("data is missing: pass the DataFrame that holds the columns of the formula")
        env = environment(eval_env, 1)
        rows = {"offset": offset, "exposure": exposure}
        rows |= {"freq_weights": freq_weights, "var_weights": var_weights}
        further = further_formulas(
            ziformula=ziformula, oiformula=oiformula, dispformula=dispformula, nominal=nominal
        )
        whole = with_predictors(family_instance("binomial" if family is None else family), further)
        known = conditional_family(whole)
        read = read_model(
            formula, data, vc_formulas, groups, re_formula, rows, env, missing, subset, known, further
        )
        model = cls(
            read.endog,
            read.exog,
            family=whole if further or family is not None else None,
            random_terms=read.terms,
            missing="raise",
            formula=read.fixed,
            model_spec=read.design_info,
            of_column=read.of_column if read.parts else None,
            **read.rows,
        )
        remember_formula(model, read, formula)
        return model

    @classmethod
    def from_partitions(
        cls,
        formula: str,
        partitions: Any,
        family: Any = None,
        *,
        offset: str | None = None,
        exposure: str | None = None,
        freq_weights: str | None = None,
        var_weights: str | None = None,
        missing: str = "drop",
        executor: Any = None,
        memory_limit: float | str | None = None,
        shuffle: Any = None,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> PartitionedMixedGLM:
        """Model of data in partitions, which no process has to hold together.

        Parameters
        ----------
        formula : str
            As in `from_formula`, with random effects as in lme4.
        partitions : Dask DataFrame, list of path, or iterable of callable
            Paths of Parquet files, or functions without arguments that return a DataFrame each.  All rows of a group
            are in one partition.
        family : statsmodels family instance or str, optional
            Default: Binomial.
        offset, exposure, freq_weights, var_weights : str, optional
            Columns of the partitions.
        missing : {"drop", "raise"}
            What to do with rows that have missing values in anything that the model uses.
        executor : dask.distributed.Client or concurrent.futures.Executor, optional
            Who works on the partitions; threads of this process by default.
        memory_limit : float or str, optional
            Bytes of a working process (``"4GB"``) above which what it keeps of a partition is dropped, to be read
            again; no limit by default.
        shuffle : path, optional
            Of a Dask DataFrame whose groups straddle partitions: an empty directory that all workers can read, where
            its rows are written as Parquet files, group by group.
        eval_env : int or patsy.EvalEnvironment
            As in `from_formula`.

        Returns
        -------
        PartitionedMixedGLM

        Raises
        ------
        ValueError
            If the formula cannot be read, groups straddle partitions, or something is wrong in a partition, which the
            message names.

        Notes
        -----
        The numbers do not depend on who works and in which order, to the bit, nor, up to the order of summation, on how
        the same rows are cut.

        Examples
        --------
        >>> first = data["ID"].isin(data["ID"].unique()[:25])
        >>> loaders = [lambda: data[first], lambda: data[~first]]
        >>> parts = MCLAMixedGLM.from_partitions("(y == 'y') ~ trt + week + (1 | ID)", loaders)
        >>> parts.fit(rng=1).params.round(2)
        Intercept         1.84
        trt[T.drug+]      0.52
        trt[T.placebo]    1.32
        week             -0.15
        ID Var            1.45
        dtype: float64
        """
        refuse_unknown(cls.from_partitions, unknown)
        rows = {"offset": offset, "exposure": exposure}
        rows |= {"freq_weights": freq_weights, "var_weights": var_weights}
        given = family_instance("binomial" if family is None else family)
        env = environment(eval_env, 1)
        if shuffle is not None:
            if not hasattr(partitions, "map_partitions"):
                raise ValueError("shuffle is for a Dask DataFrame; sort other partitions by their groups")
            partitions = brought_together(partitions, formula, shuffle)
        return PartitionedMixedGLM(
            cls, formula, partitions, given, rows, env, missing, executor, memory_limit
        )

    def __getstate__(self) -> dict[str, Any]:
        return without_design_info(self.__dict__)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(with_design_info(state))


def _are_formulas(given: Any) -> bool:
    """Whether what stands second are formulas by name, or nothing; otherwise it is a table, of whatever library."""
    return given is None or (
        isinstance(given, Mapping) and all(isinstance(each, str) for each in given.values())
    )
