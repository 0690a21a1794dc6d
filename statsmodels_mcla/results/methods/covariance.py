"""Methods about the errors of the estimates: sandwich covariances, influence, bootstrap."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from statsmodels_mcla.data import checked_count, simulate_responses
from statsmodels_mcla.estimation import Fitted, Variation, vary_draws
from statsmodels_mcla.exceptions import MCLAWarning
from statsmodels_mcla.execution import Processes, checked_n_jobs, with_progress
from statsmodels_mcla.inference import (
    BlockInfluence,
    Bootstrap,
    Sandwich,
    Units,
    block_draws,
    check_covariance,
    group_codes,
    laplace_scores,
    leave_one_out,
    small_sample_factor,
    unit_hessians,
    unit_scores,
    units_of,
)
from statsmodels_mcla.numerics import Array, child, generator, seed_of


class _Refit(NamedTuple):
    params: Array
    failed: bool
    singular: bool


def _refit(
    model: Any, params: Array, method: str, options: dict[str, Any], seed: np.random.SeedSequence
) -> _Refit:
    """Simulate one data set and fit it."""
    rng = generator(seed, 0)
    y = simulate_responses(model.inputs, model.design, model.conditional_family, params, rng, 1)[:, 0]
    if method == "fit":
        options = {**options, "rng": child(seed, 1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are counted instead
        try:
            found = getattr(model.clone_with(y), method)(**options)
        except (FloatingPointError, np.linalg.LinAlgError):
            return _Refit(np.full(len(params), np.nan), True, False)
    return _Refit(np.asarray(found.params), not found.converged, bool(found.singular))


class BootstrapResults:
    """Parametric bootstrap of a fit."""

    model: Any
    params: Any
    monte_carlo: Any

    def bootstrap(
        self,
        nrep: int = 1000,
        rng: Any = None,
        n_jobs: int | None = None,
        disp: bool = False,
        **options: Any,
    ) -> Bootstrap:
        """Parametric bootstrap: refit responses that were simulated with fresh random effects.

        Parameters
        ----------
        nrep : int
            Number of simulated data sets.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        n_jobs : int, optional
            Processes; -1 for all cores.  By default one data set after another, each fitted on all cores.  The
            numbers do not depend on it.  Where processes are spawned rather than forked, a script needs
            ``if __name__ == "__main__":``.
        disp : bool
            Show progress, with a bar if tqdm is installed.
        **options
            Of the refits, as in the model's ``fit``; by default ``mcse_tol=0.1``, Monte Carlo errors that add half a
            percent to the bootstrap standard errors.

        Returns
        -------
        Bootstrap

        Raises
        ------
        ValueError
            If an argument is out of range, or frequency weights are not whole numbers.

        Notes
        -----
        Refits use the method of this fit (Laplace or Monte Carlo) and start, as it did, from a Laplace fit of their
        own data: that is nearer to their maximum than the estimates here, and finds variances of zero at once.
        A row of frequency weight w stands for w rows, with responses of their own.
        """
        nrep = checked_count("nrep", nrep, least=2)
        executor = Processes(1 if n_jobs is None else checked_n_jobs(n_jobs))
        params = np.asarray(self.params, float)
        if not np.all(np.isfinite(params)):
            raise ValueError("bootstrap: the fit has no finite estimates to simulate from")
        method = "fit_laplace" if self.monte_carlo is None else "fit"
        if method == "fit":
            inner = None if executor.workers == 1 else 1
            options = {"mcse_tol": 0.1, "n_jobs": inner, **options}
        work = partial(_refit, self.model.with_unit_weights(), params, method, options)
        seeds = seed_of(rng).spawn(nrep)
        found = list(with_progress(executor.stream(work, seeds), nrep, "bootstrap", disp))
        names = self.model.data.param_names
        return Bootstrap(
            pd.Series(params, index=names),
            pd.DataFrame([f.params for f in found], columns=names),
            np.array([f.failed for f in found]),
            np.array([f.singular for f in found]),
            np.asarray(self.model.non_negative),
        )


class RobustResults:
    """Covariances of the estimates other than the inverse information."""

    model: Any
    params: Any
    monte_carlo: Any
    nobs: float
    normalized_cov_params: Any
    _cache: dict[str, Any]
    cov_type: str = "nonrobust"
    sandwich: Sandwich | None = None  # how the covariance is made; None: the inverse information

    if TYPE_CHECKING:

        @property
        def fitted(self) -> Fitted: ...  # noqa: D102

    @cached_property
    def _units(self) -> Units:
        return units_of(self.model.inputs, self.model.design, self.fitted)

    @cached_property
    def _unit_scores(self) -> Array:
        """Scores of the independent units in the parameters that were fitted."""
        if self.monte_carlo is None:  # of the likelihood that was maximised
            se = np.sqrt(np.diag(self._fitted_cov))
            return laplace_scores(self._units, self.fitted, self.model.design, se)
        return unit_scores(self._units, self.fitted, block_draws(self.fitted), self.fitted.params)

    @cached_property
    def _plain_variation(self) -> Variation | None:
        """Deviations of estimates and inverse information that other random numbers would bring.

        None for fits without draws, NaN without a maximum.
        """
        if self.monte_carlo is None:
            return None
        if np.isnan(self.normalized_cov_params).all():
            return Variation.unknown(self.fitted.params)
        return Variation.of(self.fitted)

    @cached_property
    def _variation(self) -> Variation | None:
        """Deviations of estimates and covariance."""
        plain = self._plain_variation
        if plain is None or self.sandwich is None or not plain.known:
            return plain
        return self.sandwich.vary(plain, self._units, self.fitted)

    @property
    def _fitted_cov(self) -> Array:
        """Inverse information of the parameters that were fitted."""
        return self.fitted.covariance_of_fitted(self.normalized_cov_params)

    def with_cov_type(
        self, cov_type: str = "robust", *, groups: Any = None, use_correction: bool | None = None
    ) -> Any:
        """Results with another covariance of the estimates: standard errors, tests and intervals follow it.

        Parameters
        ----------
        cov_type : {"nonrobust", "robust", "cluster"}
            Inverse observed information; sandwich over independent blocks; over groups of blocks.
        groups : str or array_like (N,), optional
            For ``"cluster"``: a column of the data, or one value a row.  A group must hold whole blocks.
        use_correction : bool, optional
            Multiply by G/(G-1) (N-1)/(N-P), for G groups or blocks, N rows and P parameters.  By default
            ``"cluster"`` does, as statsmodels' cluster covariance, and ``"robust"`` does not, as GEE.

        Returns
        -------
        results
            A copy; estimates, log-likelihood and Monte Carlo errors are the same.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Warns
        -----
        MCLAWarning
            If there are no more groups than parameters, so that the sandwich is singular.

        Notes
        -----
        The sandwich is of no use with few blocks: it then understates variances, and its rank is below the
        number of blocks.
        """
        check_covariance(self.model, cov_type, groups)
        if cov_type == self.cov_type == "nonrobust":
            return self
        out = self._uncached()
        out.cov_type = cov_type
        out.cov_kwds = {}
        out.__dict__.pop("cov_params_default", None)
        out.sandwich = None
        if cov_type == "nonrobust":
            return out
        corrected = cov_type == "cluster" if use_correction is None else bool(use_correction)
        codes, count = None, len(self._units)
        if groups is not None:
            codes, count = group_codes(groups, getattr(self.model.data, "frame", None), self._units)
        if count < 2:
            raise ValueError(
                f"cov_type={cov_type!r} needs at least two independent groups of rows, but all depend on each other: "
                "use the default covariance, or bootstrap()"
            )
        factor = small_sample_factor(count, self.nobs, len(self.params)) if corrected else 1.0
        out.sandwich = Sandwich(codes, factor)
        cov = out.sandwich.covariance(self._unit_scores, self._fitted_cov)
        if count <= len(cov):
            _warn_few(count, len(cov))
        out.cov_params_default = self.fitted.covariance_of_model(cov)
        out.cov_kwds = {"n_groups": count, "use_correction": corrected}
        if groups is not None:
            out.cov_kwds["groups"] = groups
        return out

    def _uncached(self) -> Any:
        """Copy without what was computed from the covariance."""
        out = object.__new__(type(self))
        stale = {
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, cached_property)
            and name not in ("_units", "_unit_scores", "_plain_variation")
        }
        out.__dict__.update({k: v for k, v in self.__dict__.items() if k not in stale})
        out._cache = {}
        return out


def _warn_few(n_groups: int, n_params: int) -> None:
    warnings.warn(
        f"the sandwich of {n_groups} independent groups cannot tell the variances of {n_params} parameters: it is "
        "singular and too small. Use the default covariance, or bootstrap()",
        MCLAWarning,
        stacklevel=4,
    )


class InfluenceResults(RobustResults):
    """Influence of blocks on the estimates."""

    def get_influence(self) -> BlockInfluence:
        """Influence of every independent block on the parameters, without refits.

        Returns
        -------
        BlockInfluence
            With ``d_params``, ``dfbetas``, ``cooks_distance`` and ``summary_frame()``.

        Notes
        -----
        From the block's own score and Hessian at the estimates and the third derivative of the likelihood, on the
        scale of standard deviations.  A variance at zero stays there; where a block decides whether a variance is
        zero, only a refit tells.  NaN where the rest of the data do not tell the fixed effects.  A row without random
        effects is a block of its own.

        Raises
        ------
        ValueError
            If all rows depend on each other, as they do with crossed random effects.
        """
        if len(self._units) < 2:
            raise ValueError(
                "influence needs at least two independent groups of rows, but all depend on each other (crossed random "
                "effects): leave out levels by refits, model.clone_with or a subset of the data"
            )
        if np.isnan(self._fitted_cov).any():
            raise ValueError("the fit has no maximum, so that there is nothing to measure influence by")
        drawn = replace(self.fitted, position=block_draws(self.fitted))
        found = self._changes(drawn, self._fitted_cov, self._unit_scores)
        names = self.model.data.param_names
        table = pd.DataFrame(found[:, :-1], index=pd.Index(self._units.labels, name="block"), columns=names)
        bse = pd.Series(np.sqrt(np.diag(np.asarray(self.normalized_cov_params))), index=names)
        vary = None
        if self._plain_variation is not None:
            vary = partial(vary_draws, drawn, self._fitted_cov, self._plain_variation, self._changes)
        return BlockInfluence(table, bse, found[:, -1], len(drawn.params), vary)

    def _changes(self, drawn: Fitted, cov: Array, scores: Array | None = None) -> Array:
        """Changes of the model's parameters and their squared length, (units, P + 1), from draws block by block."""
        position, se = drawn.position, np.sqrt(np.diag(cov))
        if scores is None:
            scores = unit_scores(self._units, drawn, position, drawn.params)
        hessians = unit_hessians(self._units, drawn, position, se)
        without = leave_one_out(drawn, position, scores, hessians, se)
        moved = drawn.params - without
        change = drawn.params_of_model(drawn.params[None]) - drawn.params_of_model(without)
        return np.column_stack([change, np.einsum("bp,bp->b", moved, np.linalg.solve(cov, moved.T).T)])
