"""Pictures as methods of results: they make the tables that `plots` draws."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from statsmodels.graphics import regressionplots
from statsmodels.tools.sm_exceptions import DomainWarning

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.families import estimated_family
from statsmodels_mcla.likelihood.monte_carlo import WeightedDraws, over_draws
from statsmodels_mcla.plots import (
    CurveRequest,
    canvas,
    plot_coefficients,
    plot_fit,
    plot_importance,
    plot_mc_history,
    plot_panels,
    plot_profile,
    plot_random_effects,
    plot_residuals,
    shortened,
)
from statsmodels_mcla.prediction import checks_table, glm_given_effects, uniformity
from statsmodels_mcla.results.methods.base import ResultsBase
from statsmodels_mcla.results.methods.checks import CheckMethods, column_of
from statsmodels_mcla.results.methods.glm_attributes import GLMAttributes
from statsmodels_mcla.results.methods.random_effects import RandomEffectResults
from statsmodels_mcla.results.methods.tables import TableMethods

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from statsmodels_mcla.estimation import Fitted
    from statsmodels_mcla.numerics import Array
    from statsmodels_mcla.results.monte_carlo_report import MonteCarloErrors


PROFILES = 9  # parameters that are all profiled by default


def weights_of_block(fitted: Fitted, block: int) -> Array:
    """Normalised importance weights (m,) of a block's draws; joint draws are block 0."""

    def of_chunk(draws: WeightedDraws) -> Array:
        return draws.v[draws.bucket.blocks == block]

    wanted = np.arange(max(fitted.design.here.n_blocks, 1)) == block
    found = over_draws(fitted.design, fitted.params, fitted.position.draws, of_chunk, wanted=wanted)
    return np.concatenate(found)[0]


class PlotResults(CheckMethods, GLMAttributes, RandomEffectResults, TableMethods):
    """Pictures of what results tell, however they were fitted."""

    def _draw_given_effects(
        self, draw: Callable[..., Any], focus_exog: Any, ax: Any, *options: Any
    ) -> Figure:
        """Draw a picture that statsmodels has of GLMs, with the random effects held at their means given the data."""
        what = draw.__name__
        names = self.model.data.fe_names
        known = focus_exog in names if isinstance(focus_exog, str) else focus_exog in range(len(names))
        if not known:
            raise ValueError(f"focus_exog: there is no column {focus_exog!r}; there are {', '.join(names)}")
        self._needs_one_mean(what)
        if not hasattr(self.family, "weights"):
            raise ValueError(
                f"{what} is for families of statsmodels, not for {self.facts.family}: use "
                "plot_residuals(against=...), whose residuals are simulated"
            )
        eta = self.get_prediction(which="linear", random="conditional").predicted_mean
        family = estimated_family(self.family, self._phi)
        beta = self.estimates.params[self.estimates.layout.fixed]
        fig, (own,) = canvas(ax, 1, (5.6, 4.6))
        with warnings.catch_warnings():  # of a link that the fit has come to terms with
            warnings.simplefilter("ignore", DomainWarning)
            draw(glm_given_effects(inputs_of(self.model), family, beta, eta), focus_exog, *options, ax=own)
        return fig

    def plot_partial_residuals(self, focus_exog: int | str, ax: Any = None) -> Figure:
        """Draw partial residuals against a column of the fixed-effects design, by statsmodels.

        Its coefficient times the column, plus the working residuals where the random effects have their means given
        the data: points about a line through the origin, if the effect is linear (Cook and Croos-Dabrera, 1998).

        Parameters
        ----------
        focus_exog : int or str
            Column of ``model.exog``, by number or name.
        ax : Axes, optional

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If there is no such column, or the mean is no function of one linear predictor of a family of statsmodels.

        Notes
        -----
        The random effects have taken in part of what varies between groups only, and working residuals of 0/1 responses
        are long where the response was unlikely; `plot_residuals` with ``against`` has neither, and a band.

        Examples
        --------
        >>> figure = results.plot_partial_residuals("week")
        """
        return self._draw_given_effects(regressionplots.plot_partial_residuals, focus_exog, ax)

    def plot_added_variable(
        self,
        focus_exog: int | str,
        resid_type: str | None = None,
        use_glm_weights: bool = True,
        fit_kwargs: Mapping[str, Any] | None = None,
        ax: Any = None,
    ) -> Figure:
        """Draw what a column adds: residuals without it against what of it the others do not tell, by statsmodels.

        Both are those of a GLM in which the random effects are held at their means given the data in this fit.

        Parameters
        ----------
        focus_exog : int or str
            Column of ``model.exog``, by number or name.
        resid_type : str, optional
            Of GLM: ``"resid_deviance"`` by default.
        use_glm_weights : bool
            Whether the column is regressed on the others with the weights of the GLM.
        fit_kwargs : dict, optional
            Of the fit of the GLM without the column.
        ax : Axes, optional

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If there is no such column, or the mean is no function of one linear predictor of a family of statsmodels.

        Examples
        --------
        >>> figure = results.plot_added_variable("week")
        """
        options = resid_type, use_glm_weights, fit_kwargs
        return self._draw_given_effects(regressionplots.plot_added_variable, focus_exog, ax, *options)

    def plot_coefficients(
        self,
        others: Mapping[str, TableMethods] | None = None,
        *,
        exponentiate: bool = False,
        intercept: bool = False,
        name: str = "this fit",
        alpha: float = 0.05,
        ax: Any = None,
    ) -> Figure:
        """Draw the fixed effects with their intervals, those of other fits beside them.

        See `statsmodels_mcla.plots.plot_coefficients`.

        Parameters
        ----------
        others : dict, optional
            Other fits by name.
        exponentiate : bool
            Whether to draw exp(coef), on a logarithmic axis.
        intercept : bool
            Whether to draw the intercept too.
        name : str
            Of this fit in the legend.
        alpha : float
            One minus the level of the intervals.
        ax : Axes, optional

        Examples
        --------
        >>> figure = results.plot_coefficients({"Laplace": model.fit_laplace()}, exponentiate=True)
        """
        fits = {name: self, **(others or {})}
        tables = {key: fit.tidy("fixed", exponentiate=exponentiate, alpha=alpha) for key, fit in fits.items()}
        if not intercept:
            tables = {key: table[table["term"] != "Intercept"] for key, table in tables.items()}
        return plot_coefficients(tables, ratios=exponentiate, alpha=alpha, ax=ax)

    def plot_random_effects(self, term: str | None = None, alpha: float = 0.05, ax: Any = None) -> Figure:
        """Draw the random effects given the data with their intervals, sorted.

        See `statsmodels_mcla.plots.plot_random_effects`.

        Parameters
        ----------
        term : str, optional
            Name of one term; all by default.
        alpha : float
            One minus the level of the intervals.
        ax : Axes or sequence of Axes, optional
            One for each coordinate of each term; a new figure by default.

        Examples
        --------
        >>> figure = results.plot_random_effects()
        """
        return plot_random_effects(self.random_effects_frame(term, alpha, mcse=False), alpha=alpha, ax=ax)

    def plot_residuals(
        self, nsim: int = 250, rng: Any = None, ax: Any = None, *, against: Any = None
    ) -> Figure:
        """Draw simulated residuals: their normal QQ plot, and against the fitted linear predictor or a covariate.

        See `statsmodels_mcla.plots.plot_residuals`; `check` has tests.

        Parameters
        ----------
        nsim : int
            Data sets to simulate from the fit: the residuals are the places of the responses among these, and the
            bands show what the simulated data sets themselves have.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        ax : sequence of 2 Axes, optional
            A new figure by default.
        against : str or array_like (N,), optional
            Column of the data, numbers or categories, in the formula or not; by default the linear predictor.

        Raises
        ------
        ValueError
            If nsim is less than 39, too few for 95 % limits, or there is no such column.

        Notes
        -----
        The linear predictor is that of random effects zero: effects given the data would have the responses on both
        axes, and a trend where there is none.

        Examples
        --------
        >>> figure = results.plot_residuals(nsim=100, rng=1)
        """
        fitted, label = self.fitted_part
        if against is not None:
            column = column_of(self.model, against, "against")
            number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
            fitted = column.to_numpy(float if number else str)
            label = str(column.name)
        found = self.simulated_residuals(nsim, rng)
        (p,) = checks_table({"": uniformity(found)}, frozenset({""}))["pvalue"].to_numpy(float)
        return plot_residuals(
            found.residuals,
            fitted,
            found.simulated,
            fitted_label=label,
            note=f"uniformity: p = {p:.3f}",
            ax=ax,
        )

    def plot_profile(
        self, names: Any = None, kind: str = "zeta", alpha: float = 0.05, ax: Any = None
    ) -> Figure:
        """Draw profile likelihoods with the limits that they give.

        See `statsmodels_mcla.plots.plot_profile`.

        Parameters
        ----------
        names : str, callable, list of them or dict, optional
            What to profile, each as in `profile_likelihood`; all parameters by default or, of more than nine, the
            variances, covariances and dispersion. The keys of a dict are the titles.
        kind : {"zeta", "deviance"}
            Signed root of twice the fall of the log-likelihood, or twice the fall itself.
        alpha : float
            One minus the level of the intervals.
        ax : Axes or sequence of Axes, optional
            One for each quantity; a new figure by default.

        Examples
        --------
        >>> figure = results.plot_profile(["week"])
        """
        known = dict(zip(self.estimates.names, self.estimates.se, strict=True))
        titles = list(names) if isinstance(names, Mapping) else None
        if isinstance(names, Mapping):
            wanted = list(names.values())
        elif isinstance(names, str) or callable(names):
            wanted = [names]
        else:
            wanted = list(known if names is None else names)
            if names is None and len(wanted) > PROFILES:
                wanted = wanted[self.k_fe :]
        profiles = [self.profile_likelihood(name) for name in wanted]
        if titles is not None:
            profiles = [replace(found, name=title) for title, found in zip(titles, profiles, strict=True)]
        se = [known.get(name, np.nan) if isinstance(name, str) else np.nan for name in wanted]
        return plot_profile(profiles, se, kind=kind, alpha=alpha, ax=ax)

    def plot_fit(
        self,
        x: str,
        by: str | None = None,
        *,
        panels: str | None = None,
        at: Mapping[str, Any] | None = None,
        groups: str | Mapping[str, Sequence[Any]] | None = None,
        which: str = "mean",
        random: str | Sequence[str] = "marginal",
        observed: bool = True,
        alpha: float = 0.05,
        ax: Any = None,
    ) -> Figure:
        """Draw fitted curves with confidence bands over a covariate.

        See `statsmodels_mcla.plots.plot_fit`.

        Parameters
        ----------
        x : str
            Column of the data on the horizontal axis.
        by : str, optional
            Column with a curve for each of its categories.
        panels : str, optional
            Column with a panel for each of its categories.
        at : dict, optional
            Values at which other columns are held; by default the median of numbers, the most frequent category, an
            exposure of 1 and an offset of 0. The picture says so.
        groups : str or dict, optional
            Grouping column, or a dict of it and some of its levels: curves of single groups given the data, over
            each group's own values of ``x`` and with its own covariates.
        which : str
            "mean" of the response, "linear" predictor, or what else `predict` knows of the family: "zprob", "prob: A".
        random : {"marginal", "none"} or sequence of them
            Curves of the population: averages over the random effects, or the curve of a group whose effects are
            zero. An empty sequence leaves them out.
        observed : bool
            Whether to draw averages of the response too, where they compare with the curves: over the rows that have
            the categories that are held, unless numbers that are held vary there.
        alpha : float
            One minus the level of the bands.
        ax : Axes or sequence of Axes, optional
            One a panel.

        Raises
        ------
        ValueError
            If the model was not made by a formula, or a column or level is not in its data.

        Examples
        --------
        >>> figure = results.plot_fit("week", by="trt")
        """
        whole = CurveRequest.of(self.model, x, by, at, groups, which, random)
        labels = {"xlabel": x, "ylabel": whole.ylabel, "legend": whole.legend, "note": whole.note}
        if panels is None:
            points = whole.observed() if observed else []
            return plot_fit(whole.curves(self.get_prediction, alpha), points, alpha=alpha, ax=ax, **labels)
        parts = {}
        for value in whole.categories_of(panels):
            held = {**(at or {}), panels: value}
            request = CurveRequest.of(self.model, x, by, held, groups, which, random)
            points = request.observed() if observed else []
            parts[f"{panels} = {value}"] = request.curves(self.get_prediction, alpha), points
        labels |= {"note": whole.note_without(panels), "ylabel": shortened(whole.ylabel, 34)}
        return plot_panels(parts, alpha=alpha, ax=ax, **labels)


class MonteCarloPlots(ResultsBase):
    """Pictures of what the draws of a Monte Carlo fit tell."""

    monte_carlo: MonteCarloErrors

    def plot_importance(self, ax: Any = None) -> Figure:
        """Draw the importance-weight diagnostics of every block, and the weights of the worst.

        See `statsmodels_mcla.plots.plot_importance`.

        Parameters
        ----------
        ax : sequence of 4 Axes, optional
            A new figure by default.

        Examples
        --------
        >>> figure = results.plot_importance()
        """
        diagnostics = self.monte_carlo.diagnostics()
        worst = self.monte_carlo.block_labels.index(diagnostics.index[0])
        return plot_importance(diagnostics, weights_of_block(self.estimates.fitted, worst), ax=ax)

    def plot_mc_history(self, ax: Any = None) -> Figure:
        """Draw how the largest Monte Carlo error fell as draws were added.

        See `statsmodels_mcla.plots.plot_mc_history`.

        Parameters
        ----------
        ax : Axes, optional

        Examples
        --------
        >>> figure = results.plot_mc_history()
        """
        mc = self.monte_carlo
        return plot_mc_history(mc.history, tolerance=mc.mcse_tol, ax=ax)
