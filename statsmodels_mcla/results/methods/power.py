"""Power of tests in designs like that of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from statsmodels_mcla.data import check_alpha, checked_count
from statsmodels_mcla.execution import Executor, Processes, checked_n_jobs
from statsmodels_mcla.inference import PowerCurve, pvalue_of, rows_of_size, simulated_pvalues
from statsmodels_mcla.numerics import child, seed_of
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
        executor: Executor | None = None,
        **options: Any,
    ) -> PowerCurve:
        """Power of a test for other numbers of groups, by simulation and refits, as R's simr.

        Parameters
        ----------
        test : str or callable
            A term of the formula (its Wald test of type II), a hypothesis as in `t_test`, or a function of results that
            gives a p-value, such as ``lambda r: r.drop1("x").loc["x", "Pr(>Chisq)"]``.
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
        executor : Executor, optional
            What shares out the simulations instead, by its ``map``.
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
        Other random effects keep their levels: groups that are nested in those of ``n`` are to be written so, as in
        ``(1 | a/b)``.

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
        nsim = checked_count("nsim", nsim)
        check_alpha(alpha)
        if not isinstance(n, Mapping) or len(n) != 1:
            raise ValueError(
                f"n must be a dict of one column and numbers of its levels, such as {{'g': [20, 40]}}, got {n!r}"
            )
        ((column, sizes),) = n.items()
        frame = getattr(self.model.data, "frame", None)
        if frame is None or column not in frame.columns:
            missing = f"the data have no column {column!r}"
            raise ValueError(f"n: {'the model was not made by a formula' if frame is None else missing}")
        sizes = [checked_count("n", size, 2) for size in sizes]
        names, params = list(self.estimates.names), self.estimates.params.copy()
        for name, value in (effects or {}).items():
            if name not in names:
                raise ValueError(f"effects: {name!r} is no parameter; they are {', '.join(names)}")
            params[names.index(name)] = value
        pvalue_of(self, test)  # what cannot be read is refused now
        method = "fit" if self.estimates.drawn else "fit_laplace"
        options = {**({"mcse_tol": 0.1, "n_jobs": 1} if method == "fit" else {}), **options}
        request = {"test": test, "effects": dict(effects or {}), "column": column, "options": options}
        seed = seed_of(rng)
        if start is not None:
            seed = start.request["seed"]
            differing = [name for name, value in request.items() if start.request[name] != value]
            if differing:
                raise ValueError(f"start: it was asked for with another {', '.join(differing)}")
        work = executor or Processes(1 if n_jobs is None else checked_n_jobs(n_jobs))
        found = {}
        for size in sizes:
            done = [] if start is None or size not in start.pvalues else list(start.pvalues[size][:nsim])
            rows, labels = rows_of_size(frame[column], size)
            model = self.model.with_rows(rows, {column: labels})
            if list(model.data.param_names) != names:
                raise ValueError(f"n: a design of {size} levels has other parameters than the fit")
            seeds = [child(seed, size, k) for k in range(len(done), nsim)]
            found[size] = done + simulated_pvalues(model, params, test, method, options, seeds, work)
        return PowerCurve(column, pd.DataFrame(found), alpha, {**request, "seed": seed})
