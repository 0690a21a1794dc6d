"""Methods about profile likelihoods."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import refuse_removed
from statsmodels_mcla.estimation.constrained import ObjectiveMaximum
from statsmodels_mcla.profile import ProfileLikelihood, profile, profile_limits
from statsmodels_mcla.results.methods.base import Labelled
from statsmodels_mcla.results.methods.wald import WaldResults


class ProfileResults(WaldResults):
    """The part of the results that profiles the likelihood."""

    @cached_property
    def _maximum(self) -> ObjectiveMaximum:
        """The likelihood that was maximised, and where it is largest: the start of all profiles."""
        refuse_removed(self.model)
        self.refuse_constrained("a profile likelihood")
        return ObjectiveMaximum.of(self.estimates, self.model.design)

    def conf_int(
        self, alpha: float = 0.05, cols: Any = None, method: str = "wald", *, parm: Any = None
    ) -> Labelled:
        """Confidence intervals.

        Parameters
        ----------
        alpha : float
            One minus the confidence level.
        cols, parm : str, int, list of them, slice or array of bool, optional
            Which parameters, by name or position.
        method : {"wald", "profile"}
            Estimates plus and minus standard errors, or all values that a likelihood-ratio test does not reject.
            The latter do not depend on the scale of a parameter, and are right at the boundary.

        Returns
        -------
        ndarray or DataFrame (k, 2)
            Limits on the scale of ``params``, those of variances never below zero; infinite ones, with a warning, where
            no value is rejected, as of a zero part that some rows may do without.  The Monte Carlo errors of profile
            limits are in ``attrs["mcse"]``, as nested lists; `conf_int_mcse` has those of Wald limits.

        Raises
        ------
        ValueError
            If an argument does not fit; the message names it.

        Examples
        --------
        >>> results.conf_int().round(2)
                           0     1
        Intercept       0.73  2.95
        trt[T.drug+]   -0.79  1.83
        trt[T.placebo]  0.04  2.61
        week           -0.25 -0.04
        ID Var          0.00  3.33
        >>> results.conf_int(cols=["week", "ID Var"], method="profile").round(2)
                   0     1
        week   -0.25 -0.05
        ID Var  0.20  4.59
        """
        names = list(self.estimates.names)
        index = _positions(cols if parm is None else parm, names)
        if method == "wald":
            return self.wald_limits(alpha)[index]
        if method != "profile":
            raise ValueError(f'method must be "wald" or "profile", got {method!r}')
        limits, mcse = profile_limits(self._maximum, index, names, alpha)
        out = pd.DataFrame(limits, index=[names[j] for j in index])
        out.attrs["mcse"] = mcse.tolist()
        return out

    def labelled(self, limits: Any, cols: Any = None, *, parm: Any = None, **others: Any) -> pd.DataFrame:
        """Attach the names of the parameters that `conf_int` was asked for."""
        del others
        names = list(self.estimates.names)
        index = _positions(cols if parm is None else parm, names)
        return limits if isinstance(limits, pd.DataFrame) else pd.DataFrame(limits, [names[j] for j in index])

    def profile_likelihood(self, name: Any, grid: Any = None) -> ProfileLikelihood:
        """Likelihood of one quantity, maximised over everything else.

        Parameters
        ----------
        name : str or callable
            A parameter; a row of `var_corr` such as ``"SD(Intercept)"`` or ``"Corr(Intercept, x)"``, after the
            group and a colon where that is not unique (``"g: SD(Intercept)"``); or a smooth function of the
            parameters, called with a Series like ``params``, such as ``lambda p: np.exp(p["x"])``.
        grid : array_like, optional
            Values to hold the quantity at.  By default enough of them, evenly spaced in zeta, for intervals up
            to 99 %.

        Returns
        -------
        ProfileLikelihood

        Raises
        ------
        ValueError
            If there is no such quantity, or the grid leaves its range.

        Notes
        -----
        The draws are made again, from the same base random numbers, wherever the other parameters move to.  Most
        of the Monte Carlo error of the log-likelihood is therefore common to the whole profile, and the error of
        its differences, ``mcse``, is small.

        Examples
        --------
        >>> profile = results.profile_likelihood("week")
        >>> profile
        <ProfileLikelihood: week, 13 points about -0.145535; table has them>
        >>> profile.conf_int().round(3)
        lower        -0.251
        upper        -0.048
        lower mcse    0.000
        upper mcse    0.000
        Name: week, dtype: float64
        """
        return profile(self._maximum, name, list(self.estimates.names), grid)


def _positions(which: Any, names: list[str]) -> list[int]:
    """Positions of parameters given by name or position."""
    if which is None:
        return list(range(len(names)))
    mask = np.asarray(which) if not isinstance(which, slice) else which
    if isinstance(mask, slice) or mask.dtype == bool:
        return [int(j) for j in np.arange(len(names))[mask]]
    out = []
    for one in [which] if isinstance(which, (str, int, np.integer)) else list(which):
        known = one in names if isinstance(one, str) else -len(names) <= one < len(names)
        if not known:
            raise ValueError(f"cols: there is no parameter {one!r}; there are {', '.join(names)}")
        out.append(names.index(one) if isinstance(one, str) else int(one) % len(names))
    return out
