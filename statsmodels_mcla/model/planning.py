"""What a design would find, before there are data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from statsmodels_mcla.inference import PowerCurve, power_curve
from statsmodels_mcla.model.fit_arguments import checked_fit
from statsmodels_mcla.model.fitting import FittingModel


class PlanningModel(FittingModel):
    """A model of a design that may be no more than planned."""

    def power(
        self,
        test: Any,
        n: Mapping[str, Sequence[int]],
        effects: Mapping[str, float],
        *,
        approximation: str = "mcla",
        nsim: int = 200,
        alpha: float = 0.05,
        rng: Any = None,
        start: PowerCurve | None = None,
        n_jobs: int | None = None,
        executor: Any = None,
        **options: Any,
    ) -> PowerCurve:
        """Power of a test for some numbers of groups, by simulation, as R's simr after ``makeGlmer``.

        Parameters
        ----------
        test, n
            As in ``power`` of the results.
        effects : dict
            Values of all parameters, by name, as in ``results.params``.
        approximation : {"mcla", "laplace"}
            Whether data sets are fitted by `fit` or by `fit_laplace`.
        nsim, alpha, rng, start, n_jobs, executor, **options
            As in ``power`` of the results.

        Returns
        -------
        PowerCurve
            With ``summary_frame()``, ``plot()`` and ``pvalues``.

        Raises
        ------
        ValueError
            If an argument does not fit, or a parameter has no value; the message names it.

        Notes
        -----
        The responses of the model do not matter: where there are none yet, any that the family permits.

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> plan = pd.DataFrame({"site": np.repeat(np.arange(10), 6), "treated": np.tile([0, 1], 30), "y": 0})
        >>> planned = MCLAMixedGLM.from_formula("y ~ treated + (1 | site)", plan, family="poisson")
        >>> effects = {"Intercept": 0.5, "treated": 0.4, "site Var": 0.3}
        >>> planned.power("treated", {"site": [10, 20]}, effects, approximation="laplace", nsim=20, rng=1)
        <PowerCurve: power by number of levels of site, 10: 0.5, 20: 1; plot() draws it>
        """
        method = checked_fit(approximation)
        self.refuse_options(self.power, method, options)
        return power_curve(
            self,
            np.full(len(self.data.param_names), np.nan),
            test,
            n,
            effects,
            method,
            nsim=nsim,
            alpha=alpha,
            rng=rng,
            start=start,
            n_jobs=n_jobs,
            executor=executor,
            **options,
        )
