"""Power of tests in designs like that of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from statsmodels_mcla.data import refuse_removed
from statsmodels_mcla.inference import PowerCurve, power_curve
from statsmodels_mcla.results.methods.base import ResultsBase


class PowerMethods(ResultsBase):
    """What other designs would find."""

    def power(
        self,
        test: Any,
        n: Mapping[str, Sequence[int]],
        effects: Mapping[str, float] | None = None,
        *,
        nsim: int = 200,
        alpha: float = 0.05,
        rng: Any = None,
        start: PowerCurve | None = None,
        n_jobs: int | None = None,
        executor: Any = None,
        **options: Any,
    ) -> PowerCurve:
        """Power of a test for other numbers of groups, by simulation and refits, as R's simr.

        Parameters
        ----------
        test : str or callable
            A term of the formula (its Wald test of type II), a hypothesis as in `t_test`, or a function of results that
            gives a p-value, such as ``lambda r: r.drop1("x").loc["x", "Pr(>Chisq)"]`` (a module's function where other
            processes work).
        n : dict
            A grouping column, and the numbers of its levels to try: rows of the groups of the data are used again for
            further groups, in their order.
        effects : dict, optional
            Values of parameters, by name, in place of the estimates.
        nsim : int
            Simulations for each number.
        alpha : float
            Level of the test.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        start : PowerCurve, optional
            An earlier curve of the same request: its simulations are taken over, and continued up to ``nsim``.
        n_jobs : int, optional
            Processes; -1 for all cores.  By default one data set after another.
        executor : dask.distributed.Client or concurrent.futures.Executor, optional
            Who works on the data sets instead.
        **options
            Of the refits, as in the model's ``fit``; by default ``mcse_tol=0.1``.

        Returns
        -------
        PowerCurve
            With ``summary_frame()``, ``plot()`` and ``pvalues``.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Notes
        -----
        ``power`` of a model is for designs of which there are no data yet.  Other random effects keep their levels:
        groups that are nested in those of ``n`` are to be written so, as in ``(1 | a/b)``.

        Examples
        --------
        >>> curve = results.power("week", {"ID": [10, 50]}, {"week": -0.1}, nsim=20, rng=1, n_jobs=1)
        >>> curve
        <PowerCurve: power by number of levels of ID, 10: 0.1, 50: 0.45; plot() draws it>
        >>> more = results.power("week", {"ID": [10, 50]}, {"week": -0.1}, nsim=30, start=curve, n_jobs=1)
        >>> more.summary_frame()[["power", "trials"]].round(1)
            power  trials
        ID
        10    0.1      30
        50    0.4      30
        """
        self.refuse_constrained("power")
        refuse_removed(self.model)
        self.model.refuse_options(self.power, self.estimates.fit_method, options)
        return power_curve(
            self.model,
            self.estimates.params,
            test,
            n,
            effects,
            self.estimates.fit_method,
            nsim=nsim,
            alpha=alpha,
            rng=rng,
            start=start,
            n_jobs=n_jobs,
            executor=executor,
            **options,
        )
