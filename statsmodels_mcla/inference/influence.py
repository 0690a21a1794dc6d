"""Influence of independent blocks on the estimates, without refits.

With block b left out, the score at the estimates is minus the block's own, s_b, and the Hessian is H - H_b.  A
Newton step from there is params - params_(-b) = (I - I_b)^-1 s_b (Cook, 1977, and Pregibon, 1981, for single rows).
Variances are skewed and a block may hold much of the data, so the step is taken

* on the working scale: Cholesky entries of the covariances (standard deviations), log dispersion;
* to the stationary point of a cubic rather than a quadratic model of the likelihood without the block: the third
  derivative is that of all data.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.design import SearchScale
from statsmodels_mcla.estimation import Estimates, Fitted, Varied, vary_draws
from statsmodels_mcla.inference.independent_units import (
    STEP,
    Units,
    block_draws,
    scores_by_unit,
    scores_of_fit,
    unit_scores,
    units_of,
)
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.likelihood.sampling import Position
from statsmodels_mcla.numerics import Array, differences

UNTOLD = 1e-6  # information of the rest about a fixed effect, in units of that of all data
SINGULAR = 1e-10  # eigenvalue of a correlation matrix, relative to the largest, that counts as zero


def _search_scale(fitted: Fitted, cov: Array) -> SearchScale:
    """Scale of the search along axes in which ``cov`` (k, k) is the unit matrix."""
    plain = SearchScale.plain(fitted.design.layout, fitted.design.family.parameter_scale)
    slopes = plain.slopes(plain.from_fitted(fitted.params))
    return replace(plain, stretch=np.linalg.solve(slopes, np.linalg.cholesky(cov)))


class Curvature(NamedTuple):
    """Second derivatives of each unit and third derivatives of all, from the same passes over the draws.

    Attributes
    ----------
    hessians : ndarray (units, k, k)
        Of each unit, in the fitted parameters.
    third : ndarray (k, k, k)
        Of all units together, on the scale of the search.
    """

    hessians: Array
    third: Array

    @classmethod
    def of(cls, units: Units, fitted: Fitted, position: Position, cov: Array) -> Curvature:
        """Differences of scores and Hessians of frozen draws, on the scale of the search."""
        design, k = fitted.design, len(fitted.params)
        scale = _search_scale(fitted, cov)
        x = scale.from_fitted(fitted.params)

        def both(x: Array) -> Array:
            params = scale.fitted(x)
            found = evaluate(design, params, position.draws, executor=fitted.executor)
            scores = scores_by_unit(units, design, params, found)
            return np.concatenate([scores, scale.derivatives(x, found.score, found.hessian)[1]])

        J = np.stack([scale.derivatives(x, e, np.zeros((k, k)))[0] for e in np.eye(k)])
        found = differences(both, x, np.full(k, STEP))
        hessians, third = found[:-k] @ np.linalg.inv(J), found[-k:]
        third = (third + third.transpose(1, 2, 0) + third.transpose(2, 0, 1)) / 3.0
        return cls(0.5 * (hessians + np.swapaxes(hessians, 1, 2)), third)


def leave_one_out(
    fitted: Fitted, position: Position, scores: Array, curvature: Curvature, cov: Array
) -> Array:
    """Estimates without each unit in turn, (units, k), as far as derivatives at the maximum tell.

    Parameters
    ----------
    fitted : Fitted
    position : Position
        Draws at the maximum, block by block.
    scores : ndarray (units, k)
        Of each unit.
    curvature : Curvature
    cov : ndarray (k, k)
        Covariance of the fitted parameters, the unit of information.

    Returns
    -------
    ndarray (units, k)
        Where the rest of the data has no maximum nearby on the scale of the search (a small variance that it may not
        have), by a Newton step, standard deviations cut off at zero.  NaN where the rest of the data do
        not tell the fixed effects.
    """
    design, k = fitted.design, len(fitted.params)
    scale = _search_scale(fitted, cov)
    x = scale.from_fitted(fitted.params)

    here = evaluate(design, fitted.params, position.draws, executor=fitted.executor)
    hessians, third = curvature
    unit = [scale.derivatives(x, e, np.zeros((k, k))) for e in np.eye(k)]
    J, bend = np.stack([g for g, _ in unit]), np.stack([H for _, H in unit])
    total = scale.derivatives(x, here.score, here.hessian)[1]
    gradient = -scores @ J
    rest = total - J.T @ hessians @ J - np.einsum("ba,aij->bij", scores, bend)
    step = _stationary(gradient, rest, third)
    found = np.all(np.isfinite(step), axis=1)
    out = fitted.params - _newton(scores, here.hessian, hessians)
    positive = np.concatenate([np.zeros(0, int), *fitted.reduction.diagonal, design.positive])
    out[:, positive] = np.maximum(out[:, positive], 0.0)
    for b in np.flatnonzero(found):
        out[b] = scale.fitted(x + step[b])
    # fixed effects that only this unit tells of have no estimate without it
    p = design.n_fixed
    root = np.linalg.cholesky(cov[:p, :p])
    rest = root.T @ (hessians - here.hessian)[:, :p, :p] @ root
    out[np.linalg.eigvalsh(rest)[:, 0] < UNTOLD] = np.nan
    return out


def influence_of(estimates: Estimates, model: MixedModel) -> BlockInfluence:
    """Influence of every independent block; see `InfluenceResults.get_influence`."""
    fitted = estimates.fitted
    units = units_of(model.inputs, model.design, fitted)
    if len(units) < 2:
        raise ValueError(
            "influence needs at least two independent groups of rows, but all depend on each other (crossed random "
            "effects): leave out levels by refits, model.clone_with or a subset of the data"
        )
    cov = estimates.cov_of_fitted
    if np.isnan(cov).any():
        raise ValueError("the fit has no maximum, so that there is nothing to measure influence by")
    drawn = replace(fitted, position=block_draws(fitted))

    def changes(drawn: Fitted, cov: Array, scores: Array | None = None) -> Array:
        """Changes of the model's parameters and their squared length, (units, P + 1), from draws block by block."""
        position = drawn.position
        if scores is None:
            scores = unit_scores(units, drawn, position, drawn.params)
        without = leave_one_out(drawn, position, scores, Curvature.of(units, drawn, position, cov), cov)
        change = drawn.params_of_model(drawn.params[None]) - drawn.params_of_model(without)
        kept = drawn.covariance_of_model(cov)[np.ix_(drawn.keep, drawn.keep)]
        return np.column_stack([change, _squared_lengths(change[:, drawn.keep], kept)])

    found = changes(drawn, cov, scores_of_fit(units, estimates, model.design))
    names = list(estimates.names)
    return BlockInfluence(
        pd.DataFrame(found[:, :-1], index=pd.Index(units.labels, name="block"), columns=names),
        pd.Series(np.sqrt(np.diag(estimates.information.matrix)), index=names),
        found[:, -1],
        len(drawn.params),
        (lambda: vary_draws(drawn, cov, estimates.information.variation, changes))
        if estimates.drawn
        else None,
    )


def _squared_lengths(change: Array, cov: Array) -> Array:
    """Squares d' C^- d of changes (units, k), in standard errors: whatever the units and the rank of C."""
    se = np.sqrt(np.diag(cov))
    se = np.where(se > 0, se, 1.0)
    inverse = np.linalg.pinv(cov / np.outer(se, se), rcond=SINGULAR, hermitian=True)
    return np.asarray(np.einsum("bp,pq,bq->b", change / se, inverse, change / se))


def _newton(scores: Array, total: Array, hessians: Array) -> Array:
    """Newton steps (I - I_b)^-1 s_b, (units, k); with I for I - I_b where that is not positive definite."""
    rest = hessians - total
    definite = np.linalg.eigvalsh(rest)[:, 0] > 0
    rest = np.where(definite[:, None, None], rest, -total)
    return np.asarray(np.linalg.solve(rest, scores[..., None])[..., 0])


def _stationary(gradient: Array, hessian: Array, third: Array, maxiter: int = 50) -> Array:
    """Stationary points of the cubics g'd + d'Hd/2 + T[d,d,d]/6, (units, k), by Newton's method from d = 0.

    The stationary point of the quadratic part where the cubic has no maximum near it.
    """
    definite = np.linalg.eigvalsh(hessian)[:, -1] < 0
    hessian = np.where(definite[:, None, None], hessian, -np.eye(hessian.shape[-1]))
    first = -np.linalg.solve(hessian, gradient[..., None])[..., 0]
    d = first.copy()
    going = definite.copy()
    for _ in range(maxiter):
        bent = np.einsum("ijk,bk->bij", third, d)
        slope = gradient + ((hessian + 0.5 * bent) @ d[..., None])[..., 0]
        inner = hessian + bent
        going &= np.linalg.eigvalsh(inner)[:, -1] < 0
        inner = np.where(going[:, None, None], inner, -np.eye(inner.shape[-1]))
        step = np.where(going[:, None], -np.linalg.solve(inner, slope[..., None])[..., 0], 0.0)
        d = d + step
        if np.abs(step).max(initial=0.0) < 1e-10:
            break
    else:
        going &= np.abs(step).max(axis=1) < 1e-6
    return np.where(definite[:, None], np.where(going[:, None], d, first), np.nan)


@dataclass(frozen=True)
class BlockInfluence(ShownByTable):
    """What leaving out each independent block would change.

    Attributes
    ----------
    d_params : DataFrame (blocks, P)
        Change of every parameter: the estimate less the one without the block, which is approximated.
    bse : Series (P,)
        Standard errors of the estimates.
    distance : ndarray (blocks,)
        d' C^- d, for the changes d of the parameters, those at the boundary left out, and their covariance C.
    n_fitted : int
        Rank of C: fewer than P at the boundary and where a correlation is one.

    Examples
    --------
    >>> influence = results.get_influence()
    >>> influence.dfbetas.round(2).head(2)
             Intercept  trt[T.drug+]  trt[T.placebo]  week  ID Var
    block
    ID: X01       0.01          0.00            0.11  0.00    0.04
    ID: X02      -0.07         -0.05           -0.03  0.07   -0.18
    """

    d_params: pd.DataFrame
    bse: pd.Series
    distance: Array
    n_fitted: int
    _vary: Callable[[], Varied] | None

    def __repr__(self) -> str:
        worst = int(np.argmax(self.distance))
        return (
            f"<{type(self).__name__}: {len(self.d_params)} blocks left out one at a time, Cook's distance at most "
            f"{self.cooks_distance[0][worst]:.3g} ({self.d_params.index[worst]}); summary_frame() has them>"
        )

    @cached_property
    def _mcse(self) -> Array:
        """Monte Carlo errors of changes and distances, (blocks, P + 1): computed when first asked for."""
        if self._vary is None:
            raise AttributeError("a fit without draws has no Monte Carlo errors")
        return self._vary().mcse

    def __getstate__(self) -> dict[str, Any]:
        if self._vary is not None:
            self._mcse  # noqa: B018 - functions do not pickle
        return {**self.__dict__, "_vary": None}

    @property
    def d_params_mcse(self) -> pd.DataFrame:
        """Monte Carlo standard errors of ``d_params``."""
        return pd.DataFrame(self._mcse[:, :-1], self.d_params.index, self.d_params.columns)

    @property
    def dfbetas(self) -> pd.DataFrame:
        """Changes in units of the standard error of the estimate."""
        return self.d_params / self.bse

    @property
    def cooks_distance(self) -> tuple[Array, Array]:
        """Cook's distance d' C^- d / P of each block, with the chi-squared upper tail of d' C^- d."""
        return self.distance / self.n_fitted, stats.chi2.sf(self.distance, self.n_fitted)

    @property
    def cooks_distance_mcse(self) -> Array:
        """Monte Carlo standard error of each Cook's distance."""
        return self._mcse[:, -1] / self.n_fitted

    def summary_frame(self, *, mcse: bool = False) -> pd.DataFrame:
        """``cooks_d`` and the standardised change of every parameter (``dfb_...``), a row a block.

        Parameters
        ----------
        mcse : bool
            Whether to give their Monte Carlo errors too, which take some twenty times as long.

        Returns
        -------
        DataFrame
            Indexed by block label.

        Examples
        --------
        >>> results.get_influence().summary_frame().round(2).head(2)
                 cooks_d  dfb_Intercept  ...  dfb_week  dfb_ID Var
        block                            ...
        ID: X01     0.00           0.01  ...      0.00        0.04
        ID: X02     0.01          -0.07  ...      0.07       -0.18
        <BLANKLINE>
        [2 rows x 6 columns]
        """
        out = self.dfbetas.add_prefix("dfb_")
        out.insert(0, "cooks_d", self.cooks_distance[0])
        if not mcse or (self._vary is None and "_mcse" not in self.__dict__):
            return out
        errors = (self.d_params_mcse / self.bse).add_prefix("dfb_")
        errors.insert(0, "cooks_d", self.cooks_distance_mcse)
        return pd.concat([out, errors.add_suffix(" mcse")], axis=1)
