"""Estimated marginal means and trends, as R's emmeans has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.prediction.population import (
    WEIGHTS,
    CovariateRows,
    EstimatedMeans,
    ReferenceGrid,
)
from statsmodels_mcla.results.methods.base import ResultsBase
from statsmodels_mcla.results.methods.population import refuse_several_predictors

TYPES = ("link", "response", "prob")


class MeansMethods(ResultsBase):
    """Means of the levels of factors, and slopes within them."""

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        *,
        type: str | None = None,  # noqa: A002 - R's name of it
        weights: str = "equal",
        at: Mapping[str, Any] | None = None,
        random: str = "none",
        bias_adjust: bool = False,
        offset: float | None = None,
    ) -> EstimatedMeans:
        """Estimated marginal means: predictions for combinations of factors, averaged over the other factors.

        Parameters
        ----------
        specs : str or list of str
            Factors whose levels have means, ``"spp"``, or whose combinations have, ``"spp:mined"``.
        by : str or list of str, optional
            More factors, within whose levels contrasts are made.
        type : {"link", "response", "prob"}, optional
            Linear predictors, the default; or means of the response: averages of linear predictors, transformed; or
            probabilities of categories, the default where these have several linear predictors.
        weights : {"equal", "proportional", "outer", "cells"}
            Of the combinations of other factors: all alike; as their rows; as the product of the rows of each; as the
            rows of each cell of the grid.
        at : dict, optional
            Values of covariates.  By default numbers are at their mean (those of two values are averaged over, as
            factors are), and factors have all their levels.
        random : {"none", "marginal"}
            For random effects of zero, or for the average over them: the linear predictor of a cell is then the one
            whose mean is the population average, exactly.
        bias_adjust : bool
            Name of R, where it is an approximation, for ``random="marginal"``.
        offset : float, optional
            Of the linear predictor; by default its mean over the rows; 0 gives rates where there is an exposure.

        Returns
        -------
        EstimatedMeans
            With ``summary_frame()``, ``estimate``, ``se``, ``mcse``, ``conf_int()``, ``notes`` and ``contrasts()``.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Warns
        -----
        MCLAWarning
            If a mean cannot be estimated, because combinations of factors do not occur.

        Notes
        -----
        With the linear predictors eta of the reference grid, all combinations of the levels of factors with numbers at
        their mean, means are W eta (Searle, Speed and Milliken, 1980, Am. Stat. 34(4); Lenth's emmeans).  Errors are
        by the delta method.  With a zero part they are those of the other responses, as R's ``component="cond"``;
        `get_margeff` is of the mean of all.  Probabilities are averaged themselves, with intervals on their scale, as
        by R's ``mode="prob"``; the response is another column, within whose categories contrasts are made.  Linear
        predictors of ordered categories are without their thresholds, of which R subtracts the mean: differences are
        the same.

        Examples
        --------
        >>> means = results.emmeans("trt", type="response")
        >>> means
            trt   mean  std err  ci_lower  ci_upper     mcse
           drug 0.7673  0.08677    0.5598    0.8952 2.29e-05
          drug+ 0.8472  0.06608    0.6709    0.9378 2.15e-05
        placebo 0.9254  0.03647     0.815    0.9721 1.59e-05
        At week = 4.455.
        Averages and intervals are made on the logit scale, and then transformed.
        Linear predictors: random effects zero.
        >>> means.contrasts("pairwise", adjust="tukey")
                 contrast  odds ratio  std err       z  P>|z|  ci_lower  ci_upper      mcse
           drug / (drug+)      0.5947   0.3975 -0.7775 0.7169    0.1242     2.848 8.976e-05
           drug / placebo      0.2659   0.1748  -2.015 0.1086   0.05696     1.241 5.331e-05
        (drug+) / placebo      0.4471   0.2985  -1.206 0.4496   0.09355     2.137 9.181e-05
        P-values and intervals are adjusted for 3 comparisons: Tukey.
        Tests are of ratios of one, on the scale of the link.
        At week = 4.455.
        Averages and intervals are made on the logit scale, and then transformed.
        Linear predictors: random effects zero.
        """
        random, family = "marginal" if bias_adjust else random, self.model.conditional_family
        of_first = family.of_first_predictor()
        kind = type or ("prob" if of_first is None else "link")
        if kind not in TYPES:
            raise ValueError(f"type must be one of {', '.join(map(repr, TYPES))}, got {type!r}")
        if kind == "prob":
            if not family.categorical:
                raise ValueError(f"type='prob' is for categories, and family {family.name} has none")
            column = self.model.endog_names
            return self._means(specs, by, weights, at, random, offset, categories=column)
        if of_first is None:
            raise ValueError(
                f"type={type!r} is not known for family {family.name}, which has several linear predictors: use "
                "type='prob'"
            )
        response = family.link_function if kind == "response" else None
        if not of_first.simple_mean and (response or random == "marginal"):
            other = "'prob', or type='link'" if family.categorical else "'link'"
            raise ValueError(
                f"type='response' and random='marginal' are not known for family {family.name}, whose mean depends on "
                f"more than the linear predictor: use type={other}, or compare predictions of new rows"
            )
        return self._means(specs, by, weights, at, random, offset, response=response)

    def emtrends(
        self,
        specs: str | Sequence[str],
        var: str,
        by: str | Sequence[str] | None = None,
        *,
        weights: str = "equal",
        at: Mapping[str, Any] | None = None,
    ) -> EstimatedMeans:
        """Slopes of the linear predictor in a covariate, for combinations of factors.

        Parameters
        ----------
        specs, by, weights, at
            As in `emmeans`.
        var : str
            Column of numbers.  Splines, logarithms and interactions of it are followed through the formula.

        Returns
        -------
        EstimatedMeans
            ``contrasts()`` compares the slopes.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Examples
        --------
        >>> slopes = model.update(". ~ . + trt:week").fit(rng=1)
        >>> slopes.emtrends("trt", "week").contrasts("trt.vs.ctrl", ref="placebo")
                 contrast  estimate  std err       z  P>|z|  ci_lower  ci_upper      mcse
           drug - placebo  -0.03106   0.1179 -0.2634  0.951   -0.2921      0.23 1.027e-05
        (drug+) - placebo   -0.1027   0.1243 -0.8263  0.622   -0.3778    0.1724 1.524e-05
        P-values and intervals are adjusted for 2 comparisons: multivariate normal.
        """
        if self.model.conditional_family.of_first_predictor() is None:
            refuse_several_predictors(self.model.conditional_family, "emtrends")
        return self._means(specs, by, weights, at, "none", None, trend=var)

    def _means(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None,
        weights: str,
        at: Mapping[str, Any] | None,
        random: str,
        offset: float | None,
        **kind: Any,
    ) -> EstimatedMeans:
        if weights not in WEIGHTS:
            raise ValueError(f"weights must be one of {', '.join(map(repr, WEIGHTS))}, got {weights!r}")
        if not hasattr(self.model, "formula"):
            raise ValueError(
                "specs: means need the factors of a formula, and the model was made from arrays: use t_test with "
                "contrasts, or make the model with from_formula"
            )
        source = CovariateRows.of(self.model, self.estimates.fitted, random)
        source = source if "categories" in kind else source.of_first_predictor()
        own = tuple(dict.fromkeys(source.named(name, "specs").name for name in _listed(specs)))
        held = tuple(dict.fromkeys(source.named(name, "by").name for name in _listed(by or ())))
        if set(own) & set(held) or not own:
            raise ValueError("specs: give at least one factor, none of those of by=")
        if kind.get("trend") is not None:
            kind["trend"] = source.named(kind["trend"], "var").name
            if source.covariates[kind["trend"]].levels is not None:
                raise ValueError(
                    f"var: {kind['trend']!r} has levels and no slope: use emmeans, and its contrasts"
                )
        grid = ReferenceGrid.of(source, at, offset)
        found = EstimatedMeans.of(grid, self.estimates, own, held, weights, **kind)
        if not found.estimable.all():
            lost = found.labels[~found.estimable].to_string(index=False, header=False).split("\n")
            warn_user(
                f"{len(lost)} means are not estimable and NaN ({'; '.join(lost[:5])}): combinations of factors without "
                "rows take part in them; choose at= or by= so that they do not"
            )
        return found


def _listed(names: str | Sequence[str]) -> list[str]:
    """Names of factors, those of ``"a:b"`` or ``"a * b"`` one by one."""
    given = [names] if isinstance(names, str) else list(names)
    return [part.strip() for name in given for part in _parts(name)]


def _parts(name: str) -> list[str]:
    """Cut at colons and stars outside parentheses and quotes."""
    out, depth, quote = [""], 0, ""
    for c in name:
        quote = "" if c == quote else quote or (c if c in "'\"" else "")
        depth += (c in "([{") - (c in ")]}") if not quote else 0
        if c in ":*" and not depth and not quote:
            out.append("")
        else:
            out[-1] += c
    return out
