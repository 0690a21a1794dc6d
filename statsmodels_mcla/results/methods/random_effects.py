"""Methods about the random effects given the data."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import check_alpha, inputs_of
from statsmodels_mcla.design import RandomTerm, term_keys
from statsmodels_mcla.estimation import EstimateErrors, Fitted, vary_draws
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction import EffectMoments, conditional_modes_of, effect_moments
from statsmodels_mcla.results.methods.base import ResultsBase


class RandomEffectResults(ResultsBase):
    """The part of the results that is about random effects."""

    @cached_property
    def _effect_moments(self) -> EffectMoments:
        n_effects = sum(t.Z.shape[1] for t in inputs_of(self.model).terms)
        return effect_moments(self.estimates.fitted.fresh, n_effects, self.estimates.errors)

    @cached_property
    def _effect_modes(self) -> Array:
        return conditional_modes_of(self.estimates.fitted)

    @property
    def random_effects(self) -> dict[str, pd.DataFrame]:
        """Conditional means of the random effects given the data, a table a term.

        Returns
        -------
        dict of DataFrame
            By term, indexed by level, a column an effect.  A level without data has mean 0.
        """
        return _by_term(inputs_of(self.model).terms, self._effect_moments.mean)

    @property
    def random_effects_mode(self) -> dict[str, pd.DataFrame]:
        """Conditional modes of the random effects, which lme4's ``ranef`` gives; tables as in `random_effects`."""
        return _by_term(inputs_of(self.model).terms, self._effect_modes)

    @property
    def random_effects_sd(self) -> dict[str, pd.DataFrame]:
        """Conditional standard deviations given the data and the estimates; tables as in `random_effects`."""
        return _by_term(inputs_of(self.model).terms, self._effect_moments.sd)

    @cached_property
    def _total_errors(self) -> EstimateErrors:
        """Monte Carlo errors of the conditional means with their total standard deviations."""
        fitted, errors, n = self.estimates.fitted.fresh, self.estimates.errors, len(self._effect_moments.mean)

        def both(moved: Fitted, cov: Array) -> Array:
            found = effect_moments(moved, n, replace(errors, cov_params=cov))
            return np.column_stack([found.mean, found.sd_total])

        return EstimateErrors(vary_draws(fitted, errors.cov_params, self.estimates.cov.variation, both))

    def random_effects_frame(
        self, term: str | None = None, alpha: float = 0.05, *, mcse: bool = False
    ) -> pd.DataFrame:
        """Random effects with their uncertainty, a row an effect.

        Parameters
        ----------
        term : str, optional
            Name of one term; all by default.
        alpha : float
            One minus the level of the intervals.
        mcse : bool
            Whether to give the Monte Carlo errors of sd_total and of the limits too, which take some twenty times as
            long as the rest.

        Returns
        -------
        DataFrame
            ``term``, ``level``, ``effect``; ``mean`` and ``mode`` given the data; ``sd``, the conditional standard
            deviation, the estimates taken as true, and ``sd_total``, which counts their sampling error too; ``mcse``
            and ``sd_mcse``, Monte Carlo standard errors of mean and sd; ``lower`` and ``upper``, mean -+ normal
            quantile times sd_total; ``sd_total_mcse``, ``lower_mcse`` and ``upper_mcse``.

        Raises
        ------
        ValueError
            If there is no such term, or alpha is no probability.

        Notes
        -----
        A level without data has mean 0 and the prior standard deviation.  An effect of a term whose variance is
        estimated as zero is 0.

        Examples
        --------
        >>> results.random_effects_frame().head(3).round(2)
          term level     effect  mean  mode  ...  sd_total  mcse  sd_mcse  lower  upper
        0   ID   X01  Intercept  0.46  0.35  ...      1.06   0.0      0.0  -1.62   2.54
        1   ID   X02  Intercept -0.15 -0.23  ...      0.92   0.0      0.0  -1.96   1.66
        2   ID   X03  Intercept  1.01  0.90  ...      1.01   0.0      0.0  -0.97   2.99
        <BLANKLINE>
        [3 rows x 11 columns]
        """
        check_alpha(alpha)
        terms = inputs_of(self.model).terms
        keys = term_keys(terms)
        out = pd.DataFrame(
            {
                "term": np.repeat(keys, [t.Z.shape[1] for t in terms]),
                "level": [level for t in terms for level in t.levels for _ in range(t.dim)],
                "effect": np.concatenate([np.tile(np.array(t.columns, object), t.n_levels) for t in terms]),
            }
        )
        found = self._effect_moments
        half = stats.norm.isf(0.5 * alpha) * found.sd_total
        out["mean"], out["mode"], out["sd"], out["sd_total"] = (
            found.mean,
            self._effect_modes,
            found.sd,
            found.sd_total,
        )
        out["mcse"], out["sd_mcse"] = found.mcse, found.sd_mcse
        out["lower"], out["upper"] = found.mean - half, found.mean + half
        if mcse:
            out["sd_total_mcse"] = self._total_errors.se
            out[["lower_mcse", "upper_mcse"]] = self._total_errors.limits(alpha)
        if term is None:
            return out
        names = np.repeat([t.name for t in terms], [t.Z.shape[1] for t in terms])
        chosen = (out["term"] == term) | (names == term)
        if not chosen.any():
            raise ValueError(f"term: there is no random-effect term {term!r}; the terms are {keys}")
        return out[chosen].reset_index(drop=True)


def _by_term(terms: tuple[RandomTerm, ...], values: Array) -> dict[str, pd.DataFrame]:
    parts = np.split(values, np.cumsum([t.Z.shape[1] for t in terms])[:-1])
    keys = term_keys(terms)
    return {
        key: pd.DataFrame(
            part.reshape(t.n_levels, t.dim),
            index=pd.Index(t.levels, name=t.name, tupleize_cols=False),
            columns=list(t.columns),
        )
        for key, t, part in zip(keys, terms, parts, strict=True)
    }
