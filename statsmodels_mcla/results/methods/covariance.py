"""Methods about the errors of the estimates: sandwich covariances, influence, bootstrap."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from statsmodels_mcla.data import checked_count
from statsmodels_mcla.execution import Processes, checked_n_jobs, with_progress
from statsmodels_mcla.inference import (
    BlockInfluence,
    Bootstrap,
    check_covariance,
    covariance_of_kind,
    influence_of,
    of_refit,
)
from statsmodels_mcla.numerics import Array, seed_of
from statsmodels_mcla.results.methods.base import Own, ResultsBase


class _Refit(NamedTuple):
    params: Array
    failed: bool
    singular: bool


def _estimates(results: Any) -> _Refit:
    return _Refit(np.asarray(results.params), not results.converged, bool(results.singular))


class BootstrapResults(ResultsBase):
    """Parametric bootstrap of a fit."""

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
        A row of frequency weight w stands for w rows, with responses of their own.  Responses of data in partitions are
        simulated where the rows are, with a stream of random numbers for each partition, and fitted by the workers of
        the model; a data set whose separation would have to be looked for counts as failed.

        Examples
        --------
        >>> found = results.bootstrap(nrep=20, rng=1, n_jobs=1, mcse_tol=0.1)
        >>> found.summary_frame().iloc[:, :3].round(2)
                        coef  bias  bias_mcse
        Intercept       1.84  0.38       0.11
        trt[T.drug+]    0.52 -0.31       0.12
        trt[T.placebo]  1.32 -0.27       0.14
        week           -0.15 -0.00       0.01
        ID Var          1.45 -0.05       0.20
        """
        self.refuse_constrained("bootstrap")
        nrep = checked_count("nrep", nrep, least=2)
        executor = Processes(1 if n_jobs is None else checked_n_jobs(n_jobs))
        params = self.estimates.params
        if not np.all(np.isfinite(params)):
            raise ValueError("bootstrap: the fit has no finite estimates to simulate from")
        method = self.estimates.fit_method
        self.model.refuse_options(self.bootstrap, method, options)
        if method == "fit":
            inner = None if executor.workers == 1 else 1
            options = {"mcse_tol": 0.1, "n_jobs": inner, **options}
        work = partial(of_refit, self.model.with_unit_weights(), params, method, options, _estimates)
        refits = executor.stream(work, seed_of(rng).spawn(nrep))
        failed = _Refit(np.full(len(params), np.nan), True, False)
        found = [f or failed for f in with_progress(refits, nrep, "bootstrap", disp)]
        names = list(self.estimates.names)
        return Bootstrap(
            pd.Series(params, index=names),
            pd.DataFrame([f.params for f in found], columns=names),
            np.array([f.failed for f in found]),
            np.array([f.singular for f in found]),
            self.estimates.non_negative,
        )


class RobustResults(ResultsBase):
    """Covariances of the estimates other than the inverse information."""

    @property
    def cov_type(self) -> str:
        """Kind of the covariance of the estimates: "nonrobust", "robust" or "cluster"."""
        return self.estimates.cov.kind

    @property
    def cov_kwds(self) -> dict[str, Any]:
        """What it was made with."""
        return dict(self.estimates.cov.options)

    def with_cov_type(
        self: Own, cov_type: str = "robust", *, groups: Any = None, use_correction: bool | None = None
    ) -> Own:
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
        number of blocks.  Data in partitions have ``"robust"`` covariances, and no ``"cluster"``.

        Examples
        --------
        >>> robust = results.with_cov_type("robust")
        >>> robust.bse.round(2)
        Intercept         0.58
        trt[T.drug+]      0.62
        trt[T.placebo]    0.69
        week              0.05
        ID Var            0.81
        dtype: float64
        """
        if self.constrained is not None:
            check_covariance(self.model, cov_type, groups)
            groups = self.model.data.frame[groups] if isinstance(groups, str) else groups
            free = self.free_fit.with_cov_type(cov_type, groups=groups, use_correction=use_correction)
            return self.under(self.model, self.constrained.restriction, free)
        cov = covariance_of_kind(self.estimates, self.model, cov_type, groups, use_correction)
        return self if cov is self.estimates.cov else self.with_estimates(replace(self.estimates, cov=cov))


class InfluenceResults(ResultsBase):
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
        zero, only a refit tells, and a block that moves the estimates by more than a standard error (an outlier on
        which a dispersion hangs) moves them further than these say, though its rank among the blocks is right.  NaN
        where the rest of the data do not tell the fixed effects.  A row without random effects is a block of its own.
        Blocks of data in partitions come in the order of these.

        Raises
        ------
        ValueError
            If all rows depend on each other, as they do with crossed random effects.

        Examples
        --------
        >>> influence = results.get_influence()
        >>> influence.summary_frame()["cooks_d"].nlargest(3).round(3)
        block
        ID: Y02    0.089
        ID: X07    0.061
        ID: Y05    0.057
        Name: cooks_d, dtype: float64
        """
        self.refuse_constrained("get_influence")
        return influence_of(self.estimates, self.model)
