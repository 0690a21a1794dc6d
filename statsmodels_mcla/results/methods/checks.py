"""Checks of the model by simulated residuals: a table of tests, and pictures of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import MixedModel, checked_count, inputs_of
from statsmodels_mcla.formula import by_label
from statsmodels_mcla.interface import WithoutInternals
from statsmodels_mcla.numerics import Array, child, generator_of, seed_of
from statsmodels_mcla.plots import plot_checks
from statsmodels_mcla.prediction import (
    LEAST,
    Groups,
    Places,
    Series,
    SimulatedResiduals,
    checks_table,
    conditional_effects,
    dispersion,
    outliers,
    uniformity,
    zeros,
)
from statsmodels_mcla.results.methods.prediction import PredictionMethods

ONE_SIDED = ("uniformity", "outliers", "means by")  # only large values are wrong


@dataclass(frozen=True)
class ModelChecks(WithoutInternals):
    """Tests of a fit.

    Attributes
    ----------
    table : DataFrame
        A row a check: ``random`` effects of the simulated data sets, ``statistic``, ``expected``,
        ``lower``, ``upper``, ``pvalue``, ``mcse``.
    residuals : SimulatedResiduals
    fitted : ndarray (N,)
        Linear predictor of random effects zero.
    fitted_label : str

    Examples
    --------
    >>> checks = results.check(nsim=100, rng=1)
    >>> checks.table["pvalue"].round(1)
    check
    uniformity          0.8
    levels of ID        0.8
    dispersion          0.4
    outliers            0.9
    zeros               1.0
    spread within ID    0.1
    Name: pvalue, dtype: float64
    """

    table: pd.DataFrame
    residuals: SimulatedResiduals
    fitted: Array
    fitted_label: str

    def __str__(self) -> str:
        nsim = self.residuals.simulated.shape[1]
        shown = self.table.to_string(float_format=lambda x: f"{x:.3f}")
        return (
            f"Checks of the model, against {nsim} simulated data sets\n{shown}\n"
            f"95 % of the simulated data sets lie between lower and upper; the least p-value is "
            f"{1 / (nsim + 1):.2g}, or twice that with two tails."
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self.table.to_html(float_format=lambda x: f"{x:.3f}"))

    def plot(self, ax: Any = None) -> Any:
        """Draw the residuals and the checks, see `statsmodels_mcla.plots.plot_checks`.

        Parameters
        ----------
        ax : sequence of 3 Axes, optional
            A new figure by default.

        Examples
        --------
        >>> figure = results.check(nsim=100, rng=1).plot()
        """
        found = self.residuals
        return plot_checks(
            found.residuals, self.fitted, found.simulated, self.table, fitted_label=self.fitted_label, ax=ax
        )


def column_of(model: MixedModel, value: Any, argument: str) -> pd.Series:
    """Values of a column of the data, or one value a row, (N,)."""
    index = inputs_of(model).endog.index
    if isinstance(value, str):
        frame = getattr(model.data, "frame", None)
        if frame is None or value not in frame.columns:
            known = "none: it was not made from a formula" if frame is None else list(frame.columns)
            raise ValueError(f"{argument}: the data have no column {value!r}; they have {known}")
        return pd.Series(frame[value].to_numpy(), name=value)
    found = pd.Series(
        np.asarray(by_label(value, index, argument)), name=getattr(value, "name", None) or argument
    )
    if len(found) != len(index):
        raise ValueError(f"{argument} has {len(found)} values, but the model has {len(index)} rows")
    return found


def _groupings(model: MixedModel) -> dict[str, np.ndarray]:
    """Levels of the rows (N,) by grouping factor, each once where several predictors have its effects."""
    out: dict[str, np.ndarray] = {}
    for term in inputs_of(model).terms:
        member = term.Z.tocoo()
        codes = np.full(member.shape[0], -1)
        codes[member.coords[0]] = member.coords[1] // term.dim
        if not any(np.array_equal(codes, known) for known in out.values()):
            prefixes = (f"{own}: " for own in model.conditional_family.predictors if own)
            prefix = next((p for p in prefixes if term.name.startswith(p)), "")
            out.setdefault(term.name.removeprefix(prefix), codes)
    return out


class CheckMethods(PredictionMethods):
    """Checks of a fit."""

    def simulated_residuals(self, nsim: Any, rng: Any, random: str = "new") -> SimulatedResiduals:
        """Residuals among data sets with fresh random effects, or with the same ones, drawn once given the data."""
        nsim = checked_count("nsim", nsim, LEAST, ", which 95 % limits need")
        model, params, generator = self.model, self.estimates.params, generator_of(rng)
        if random == "new":
            return SimulatedResiduals.of(model, params, generator, nsim)
        inputs_of(model)
        u = conditional_effects(model.design, self.estimates.fitted, params, generator, 1)
        return SimulatedResiduals.of(model, params, generator, nsim, u)

    @property
    def fitted_part(self) -> tuple[Array, str]:
        """Linear predictor of random effects zero, (N,), and what to call it."""
        family = self.model.conditional_family
        name = f"linear: {family.predictors[0]}".removesuffix(
            ": "
        )  # of several categories, that of the first
        fitted = np.asarray(self.predict(which=name, random="none"))
        return fitted, f"{name.replace('linear', 'linear predictor')}, random effects zero ({family.link})"

    def check(
        self,
        nsim: int = 250,
        rng: Any = None,
        *,
        by: str | Sequence[str] = (),
        time: Any = None,
        space: Sequence[Any] | None = None,
    ) -> ModelChecks:
        """Test the fit by simulated quantile residuals, with the checks of the R package DHARMa.

        Parameters
        ----------
        nsim : int
            Data sets to simulate from the fit, twice: with fresh random effects, and with a draw given the data.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        by : str or sequence of str
            Columns of the data whose values residuals should not depend on: of covariates, or of factors.
        time : str or array_like (N,), optional
            Order of the rows, for autocorrelation within the levels of the first grouping factor.
        space : sequence of 2 or more str or array_like (N,), optional
            Coordinates of the rows, for spatial autocorrelation (Moran's I).

        Returns
        -------
        ModelChecks
            With ``table``, which it prints, and ``plot()``.

        Raises
        ------
        ValueError
            If an argument does not fit.

        Notes
        -----
        Each p-value is the place of a statistic of the data among those of simulated data sets, and so counts the
        dependence within groups; it does not count that the parameters were estimated, which makes it conservative.
        Random effects are fresh (``random`` "new") or, for what goes on within groups, drawn once given the data and
        shared: given these effects, data and simulated data sets are exchangeable under the model (a sampled posterior
        p-value; Gosselin, 2011, PLoS ONE 6(3)); another ``rng`` is another draw.  ``dispersion`` is the mean square of
        responses about their means, in simulated variances; ``levels of g`` tells of groups that differ more or less
        than the model has it, ``spread within g`` of groups whose residuals do, where
        groups have three rows or more.

        Examples
        --------
        >>> checks = results.check(nsim=100, rng=1, by="week")
        >>> checks.table[["statistic", "lower", "upper", "pvalue"]].round(2)
                          statistic  lower  upper  pvalue
        check
        uniformity             0.05   0.03   0.10    0.75
        levels of ID           0.27   0.19   0.39    0.81
        means by week          0.01   0.00   0.06    0.63
        dispersion             1.18   0.60   1.47    0.36
        outliers               2.00   1.00   8.00    0.92
        zeros                 43.00  34.00  53.52    0.99
        spread within ID       0.28   0.29   0.94    0.06
        spread by week         0.04   0.01   0.13    0.59
        """
        model, seed = self.model, seed_of(rng)
        new = self.simulated_residuals(nsim, child(seed, 0))
        given = self.simulated_residuals(nsim, child(seed, 1), "conditional")
        of_new = {"uniformity": uniformity(new)}
        of_given = {"dispersion": dispersion(given), "outliers": outliers(given)}
        family = model.conditional_family
        if family.discrete and not family.categorical:
            of_given["zeros"] = zeros(given)
        factors = _groupings(model)
        grouped = [(f"levels of {name}", f"spread within {name}", Groups(c)) for name, c in factors.items()]
        for name in [by] if isinstance(by, str) else by:
            groups = Groups.of(column_of(model, name, "by"))
            grouped.append((f"means by {name}", f"spread by {name}", groups))
        for means, spread, groups in grouped:
            of_new[means] = groups.means(new)
            if groups.repeated:
                of_given[spread] = groups.spread(given)
        if time is not None:
            series = Series.of(column_of(model, time, "time"), next(iter(factors.values())))
            if not len(series.before):
                raise ValueError(f"time: no two rows belong to one level of {next(iter(factors))!r}")
            of_new["autocorrelation in time"] = series.autocorrelation(new)
        if space is not None:
            if isinstance(space, str) or len(space) < 2:
                raise ValueError(
                    f"space must be two or more coordinates, such as ('lon', 'lat'); got {space!r}"
                )
            coordinates = [column_of(model, one, "space").to_numpy(float) for one in space]
            of_new["autocorrelation in space"] = Places.of(np.column_stack(coordinates)).autocorrelation(new)
        statistics = {**of_new, **of_given}
        one_sided = frozenset(name for name in statistics if name.startswith(ONE_SIDED))
        table = checks_table(statistics, one_sided)
        table.insert(0, "random", ["new" if name in of_new else "conditional" for name in table.index])
        fitted, label = self.fitted_part
        return ModelChecks(table, new, fitted, label)
