"""Estimated marginal means, trends, and contrasts of them (Searle, Speed and Milliken, 1980; Lenth's emmeans)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import check_alpha
from statsmodels_mcla.estimation import Estimates, wald_limits, wald_pvalues, z_of
from statsmodels_mcla.families import IDENTITY, LOG, MeanLink
from statsmodels_mcla.interface import WithoutInternals
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction.population.contrast_matrices import contrasts_within
from statsmodels_mcla.prediction.population.mean_functions import (
    CategoryProbabilities,
    LinearPredictors,
    Means,
)
from statsmodels_mcla.prediction.population.multiplicity import Adjustment, Comparisons, adjustment_of
from statsmodels_mcla.prediction.population.parameter_functions import ParameterFunctions
from statsmodels_mcla.prediction.population.reference_grid import ReferenceGrid


@dataclass(frozen=True, repr=False)
class Shown(WithoutInternals):
    """Estimates in a table, their errors by the delta method.

    Attributes
    ----------
    labels : DataFrame (k, .)
        What each row is.
    functions : ParameterFunctions (k,)
        On the scale of tests and intervals.
    scale : MeanLink
        From there to what is shown.
    head : str
        Name of the estimates.
    notes : tuple of str
    """

    labels: pd.DataFrame
    functions: ParameterFunctions
    scale: MeanLink
    head: str
    notes: tuple[str, ...]

    _internal: ClassVar = frozenset(
        {"estimates", "families", "functions", "head", "means", "of", "scale", "tested"}
    )

    @property
    def estimate(self) -> Array:
        """Estimates (k,)."""
        return self.scale.mean(self.functions.estimate)

    @property
    def se(self) -> Array:
        """Standard errors (k,)."""
        return self._spread(self.functions.se)

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard errors of the estimates (k,)."""
        return self._spread(self.functions.mcse)

    @property
    def tvalues(self) -> Array:
        """Statistics (k,), on the scale of tests."""
        return self.functions.z

    @property
    def pvalues(self) -> Array:
        """Two-sided p-values (k,)."""
        return self._pvalues(self.tvalues)

    def conf_int(self, alpha: float = 0.05) -> Array:
        """Confidence intervals (k, 2).

        Examples
        --------
        >>> results.emmeans("trt").conf_int().round(2)
        array([[0.24, 2.15],
               [0.71, 2.71],
               [1.48, 3.55]])
        """
        check_alpha(alpha)
        return self._limits(
            np.column_stack([self.functions.estimate, self.functions.se]), self._quantiles(alpha)
        )

    def summary_frame(self, alpha: float = 0.05, *, mcse: bool = False) -> pd.DataFrame:
        """Return the table.

        Parameters
        ----------
        alpha : float
            One minus the level of the intervals.
        mcse : bool
            Whether to give the Monte Carlo errors of standard errors, statistics, p-values and limits too.

        Examples
        --------
        >>> results.emmeans("trt").summary_frame().iloc[:, :3].round(2)
               trt  emmean  std err
        0     drug    1.19     0.49
        1    drug+    1.71     0.51
        2  placebo    2.52     0.53
        """
        limits = self.conf_int(alpha)
        columns = {self.head: self.estimate, "std err": self.se}
        if self.tested:
            columns |= {"z": self.tvalues, "P>|z|": self.pvalues}
        columns |= {"ci_lower": limits[:, 0], "ci_upper": limits[:, 1]}
        errors: dict[str, Array] = {}
        if self.functions.drawn:
            errors["mcse"] = self.mcse
            if mcse:
                both, quantiles = self.functions.errors.both, self._quantiles(alpha)
                errors["std err mcse"] = both.through(self._standard_errors).mcse
                if self.tested:
                    errors["z mcse"] = both.through(z_of).mcse
                    errors["P>|z| mcse"] = both.through(lambda b: self._pvalues(z_of(b))).mcse
                found = both.through(lambda b: self._limits(b, quantiles)).mcse
                errors |= {"ci_lower mcse": found[:, 0], "ci_upper mcse": found[:, 1]}
        return self.labels.assign(**columns, **errors)

    def __str__(self) -> str:
        table = self.summary_frame().to_string(index=False, float_format=lambda v: f"{v:.4g}")
        return "\n".join([table, *self.notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        table = self.summary_frame().to_html(index=False, float_format=lambda v: f"{v:.4g}")
        return table + "".join(f"<p>{note}</p>" for note in self.notes)

    @property
    def tested(self) -> bool:
        """Whether zero is a hypothesis, and statistics are shown."""
        return True

    def _spread(self, errors: Array) -> Array:
        return np.abs(self.scale.mean_deriv(self.functions.estimate)) * errors

    def _standard_errors(self, both: Array) -> Array:
        return np.abs(self.scale.mean_deriv(both[..., 0])) * both[..., 1]

    def _pvalues(self, z: Array) -> Array:
        return wald_pvalues(z)

    def _quantiles(self, alpha: float) -> Array:
        return np.full(len(self.labels), stats.norm.isf(0.5 * alpha))

    def _limits(self, both: Array, quantiles: Array) -> Array:
        limits = wald_limits(both, quantiles[:, None])
        return np.stack(self.scale.interval(limits[..., 0], limits[..., 1]), axis=-1)


@dataclass(frozen=True, repr=False)
class MeanContrasts(Shown):
    """Contrasts of means.

    Attributes
    ----------
    adjustment : Adjustment
    families : tuple of (ndarray, Comparisons)
        Rows that are adjusted together, without those that cannot be estimated.

    Examples
    --------
    >>> pairs = results.emmeans("trt").contrasts()
    >>> pairs
             contrast  estimate  std err       z  P>|z|  ci_lower  ci_upper      mcse
       drug - (drug+)   -0.5196   0.6684 -0.7775 0.7169    -2.086     1.047 0.0001509
       drug - placebo    -1.325   0.6574  -2.015 0.1086    -2.865    0.2162 0.0002005
    (drug+) - placebo   -0.8049   0.6675  -1.206 0.4496    -2.369    0.7595 0.0002053
    P-values and intervals are adjusted for 3 comparisons: Tukey.
    At week = 4.455.
    Linear predictors: random effects zero.
    """

    adjustment: Adjustment
    families: tuple[tuple[np.ndarray, Comparisons], ...]

    def _pvalues(self, z: Array) -> Array:
        out = np.full(z.shape, np.nan)
        for rows, family in self.families:
            out[..., rows] = self.adjustment.pvalues(z[..., rows], family)
        return out

    def _quantiles(self, alpha: float) -> Array:
        out = np.zeros(len(self.labels))
        for rows, family in self.families:
            out[rows] = self.adjustment.critical(alpha, family)
        return out


@dataclass(frozen=True, repr=False)
class EstimatedMeans(Shown):
    """Estimated marginal means, or trends.

    Attributes
    ----------
    specs, by : tuple of str
        Factors whose combinations have means; contrasts are made within each combination of the latter.
    means : Means
        Averages of linear predictors.
    estimable : ndarray of bool (k,)
        Whether the data tell them.
    estimates : Estimates
    trend : str, optional
        Covariate whose slopes they are.

    Examples
    --------
    >>> results.emmeans("trt")
        trt  emmean  std err  ci_lower  ci_upper      mcse
       drug   1.193   0.4859    0.2405     2.145 0.0001282
      drug+   1.713   0.5104    0.7122     2.713  0.000166
    placebo   2.517   0.5279     1.483     3.552 0.0002302
    At week = 4.455.
    Linear predictors: random effects zero.
    """

    specs: tuple[str, ...]
    by: tuple[str, ...]
    means: Means
    estimable: np.ndarray
    estimates: Estimates
    trend: str | None = None

    @property
    def tested(self) -> bool:
        """Whether zero is a hypothesis: of trends it is."""
        return self.trend is not None

    @classmethod
    def of(
        cls,
        grid: ReferenceGrid,
        estimates: Estimates,
        specs: tuple[str, ...],
        by: tuple[str, ...],
        weights: str,
        *,
        response: MeanLink | None = None,
        trend: str | None = None,
        categories: str | None = None,
    ) -> EstimatedMeans:
        """Means over a grid, on the scale of the link or of a response, or slopes in a covariate.

        With the name of a column for categories, they are probabilities of each, whose averages are those of the
        probabilities themselves.
        """
        factors, source = (*specs, *by), grid.source
        rows = grid.rows() if trend is None else grid.slopes(trend)
        averaged = source.random == "marginal" and trend is None
        which = "mean" if len(estimates.fitted.design.family.predictors) == 1 else "conditional"
        predictors: LinearPredictors | CategoryProbabilities
        predictors = LinearPredictors(estimates.fitted, rows, estimates.errors, averaged, which)
        averages = grid.averages(factors, weights)
        known = np.asarray(np.isfinite(averages).all(axis=1))
        averages = np.where(known[:, None], averages, 0.0)
        known = known & grid.estimable(averages, chances=categories is not None)
        scale = IDENTITY if response is None else response
        labels = grid.levels(factors)
        notes = grid.notes(
            factors, trend, response=response is not None, chances=categories is not None, known=known
        )
        head = f"{trend} trend" if trend else "emmean" if response is None else "mean"
        if categories is not None:
            predictors, head, by = CategoryProbabilities.of(grid, estimates), "prob", (*by, categories)
            names_of = predictors.categories
            labels = pd.concat([labels.assign(**{categories: name}) for name in names_of], ignore_index=True)
            averages, known = np.kron(np.eye(len(names_of)), averages), np.tile(known, len(names_of))
        shown = np.where(known[:, None], averages, np.nan)
        names = [" ".join(map(str, row)) for row in labels.itertuples(index=False)]
        functions = ParameterFunctions.of(names, Means(predictors, shown, IDENTITY), estimates)
        means = Means(predictors, averages, IDENTITY)
        return cls(labels, functions, scale, head, notes, specs, by, means, known, estimates, trend)

    def contrasts(
        self,
        method: Any = "pairwise",
        adjust: str | None = None,
        *,
        by: str | Sequence[str] | None = None,
        ref: Any = None,
        interaction: bool = False,
        ratios: bool | None = None,
    ) -> MeanContrasts:
        """Contrasts of the means.

        Parameters
        ----------
        method : {"pairwise", "revpairwise", "trt.vs.ctrl", "consec", "eff", "poly"} or dict
            All differences, the earlier less the later or the reverse; each mean less that of ``ref``, or less the one
            before, or less the mean of all; orthogonal polynomials; or coefficients by the names of the contrasts.
        adjust : str, optional
            For the number of comparisons: "none", "tukey" (all pairs), "bonferroni", "sidak", "scheffe", "mvt" (exact,
            from their joint normal distribution), or one of statsmodels' ``multipletests`` ("holm", "fdr_bh", ...).
            Default: "tukey" for all pairs, "mvt" for "trt.vs.ctrl" and "consec", "fdr_bh" for "eff", otherwise "none".
        by : str or list of str, optional
            Factors within whose combinations means are compared; those of the means by default.
        ref : optional
            Level that others are compared with in "trt.vs.ctrl"; the first by default.
        interaction : bool
            Contrasts of contrasts: the method is applied to each factor, and the results multiplied.
        ratios : bool, optional
            Of means of the response: whether to compare them on the scale of the link and to give ratios (log link) or
            odds ratios (logit), as R does, or else to give differences of the means (R: after ``regrid``).  By default
            where there are such ratios.

        Returns
        -------
        MeanContrasts
            With ``summary_frame()``, ``estimate``, ``se``, ``mcse``, ``pvalues``, ``conf_int()``.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Examples
        --------
        >>> results.emmeans("trt").contrasts("trt.vs.ctrl", ref="placebo", adjust="mvt")
                 contrast  estimate  std err      z   P>|z|  ci_lower  ci_upper      mcse
           drug - placebo    -1.325   0.6574 -2.015 0.08035     -2.78    0.1304 0.0002005
        (drug+) - placebo   -0.8049   0.6675 -1.206  0.3764    -2.282    0.6723 0.0002053
        P-values and intervals are adjusted for 2 comparisons: multivariate normal.
        At week = 4.455.
        Linear predictors: random effects zero.
        """
        held = self.by if by is None else ((by,) if isinstance(by, str) else tuple(by))
        factors = tuple(name for name in (*self.specs, *self.by) if name not in held)
        unknown = set(held) - {*self.specs, *self.by}
        if unknown or not factors:
            raise ValueError(
                f"by: must be some of the factors of the means, {', '.join((*self.specs, *self.by))}, got {by!r}"
            )
        if ratios and not (self.scale.ratio and not self.trend):
            raise ValueError(
                "ratios: there are none of these means; they are of the response with a log or a logit link "
                "(type='response')"
            )
        as_ratios = bool(self.scale.ratio) if ratios is None else ratios
        sign, pairs = "/" if as_ratios else "-", method in ("pairwise", "revpairwise") and not interaction
        whole, single = self.labels, [(slice(None), self.labels)]
        groups = (
            [(g.index, g) for _, g in whole.groupby(list(held), sort=False, observed=True)]
            if held
            else single
        )
        matrices, labels, usual = [], [], "none"
        for place, group in groups:
            found, names, usual = contrasts_within(
                group[list(factors)], method, ref, sign, interaction=interaction
            )
            matrices.append(np.zeros((len(found), len(whole))))
            matrices[-1][:, place] = found
            labels.append(names.assign(**{name: group[name].iloc[0] for name in held}))
        adjustment = adjustment_of(adjust or usual, all_pairs=pairs)
        C = np.concatenate(matrices)
        known = np.abs(C) @ ~self.estimable == 0
        shown = np.where(known[:, None], C, np.nan)
        base = replace(self.means, scale=IDENTITY if as_ratios else self.scale, contrasts=shown)
        functions = ParameterFunctions.of([str(k) for k in range(len(C))], base, self.estimates)
        stops = np.cumsum([0, *(len(matrix) for matrix in matrices)])
        families = tuple(
            _family(functions.cov, C, np.arange(start, stop)[known[start:stop]], pairs)
            for start, stop in pairwise(stops)
        )
        notes = list(self.notes)
        if as_ratios:
            notes.insert(0, "Tests are of ratios of one, on the scale of the link.")
        if adjustment.name != "none" and len(matrices[0]) > 1:
            within = f" within each {', '.join(held)}" if held else ""
            notes.insert(
                0,
                f"P-values and intervals are adjusted for {len(matrices[0])} comparisons{within}: {adjustment.name}.",
            )
        head, scale = (str(self.scale.ratio), LOG) if as_ratios else ("estimate", IDENTITY)
        table = pd.concat(labels, ignore_index=True)
        return MeanContrasts(table, functions, scale, head, tuple(notes), adjustment, families)


def _family(cov: Array, matrix: Array, rows: np.ndarray, pairs: bool) -> tuple[np.ndarray, Comparisons]:
    """Rows of contrasts that are adjusted together, with their correlations."""
    part = cov[np.ix_(rows, rows)]
    size = np.sqrt(np.diag(part))
    scale = np.where(size > 0, size, 1.0)
    means = int(np.any(matrix[rows] != 0, axis=0).sum()) if pairs else 0
    return rows, Comparisons(part / np.outer(scale, scale), means)
