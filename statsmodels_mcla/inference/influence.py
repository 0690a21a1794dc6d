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
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from scipy.linalg import block_diag

from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.design import MixedDesign, SearchScale
from statsmodels_mcla.estimation import Estimates, Fitted, Varied, vary_draws
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.inference.independent_units import (
    STEP,
    Units,
    block_draws,
    evaluated_scores,
    scores_of_fit,
    unit_scores,
    units_of,
)
from statsmodels_mcla.interface import ShownByTable
from statsmodels_mcla.likelihood.monte_carlo import evaluate
from statsmodels_mcla.numerics import Array, difference_points, slopes

NOTHING = 1e3  # standard error of a linear predictor that means nothing
UNTOLD = 1e-6  # information of the rest about a fixed effect, in units of that of all data
SINGULAR = 1e-10  # eigenvalue of a correlation matrix, relative to the largest, that counts as zero


def _known_root(axes: Array, cov: Array) -> Array:
    """Root R (k, K) with R R' = cov, but for directions of the first parameters that the data tell nothing of.

    Along the axes (p, p) of the fixed effects, the linear predictors have units.
    """
    unit = block_diag(axes, np.diag(np.sqrt(np.diag(cov)[len(axes) :])))
    values, vectors = np.linalg.eigh(np.linalg.solve(unit, np.linalg.solve(unit, cov).T))
    known = values < NOTHING**2
    return np.asarray(unit @ (vectors[:, known] * np.sqrt(np.maximum(values[known], 0.0))))


def _search_scale(fitted: Fitted, root: Array) -> SearchScale:
    """Scale of the search around the maximum, along axes in which the covariance with that root is the unit matrix."""
    plain = SearchScale.plain(fitted.design.layout, fitted.design.family.parameter_scale)
    here = plain.from_fitted(fitted.params)
    return replace(plain, origin=here, stretch=np.linalg.solve(plain.slopes(here), root))


class Whole(NamedTuple):
    """What all rows say at a maximum, by which each part of them finds what its own units change.

    Attributes
    ----------
    scale : SearchScale
    params : ndarray (k,)
        Fitted parameters.
    root : ndarray (k, K)
        Of their covariance, the unit of information: see `_known_root`.
    fixed : ndarray (p, L)
        The same of the fixed effects.
    reduction : Reduction
    positive : ndarray of int
        Places of standard deviations and positive dispersions.
    score : ndarray (k,)
    hessian : ndarray (k, k)
    third : ndarray (K, K, K)
        Third derivatives, on the scale of the search.
    """

    scale: SearchScale
    params: Array
    root: Array
    fixed: Array
    reduction: Reduction
    positive: np.ndarray
    score: Array
    hessian: Array
    third: Array

    @property
    def n_fixed(self) -> int:
        """Number of fixed effects."""
        return self.reduction.layout.n_fixed


def curvature(units: Any, drawn: Fitted, cov: Array) -> tuple[Whole, Any]:
    """What all rows say, and the Hessians of units (units, k, k), kept with the rows, from the same passes.

    Differences of scores and Hessians of frozen draws, on the scale of the search.
    """
    design, draws, executor = drawn.design, drawn.position.draws, drawn.executor
    p, axes = design.n_fixed, design.fixed_axes
    root, fixed = _known_root(axes, cov), _known_root(axes, cov[:p, :p])
    scale, x = _search_scale(drawn, root), np.zeros(root.shape[1])
    here = evaluate(design, drawn.params, draws, executor=executor)
    steps, along, scores = np.full(len(x), STEP), [], []
    for point in difference_points(x, steps):
        params = scale.fitted(point)
        found = evaluate(design, params, draws, executor=executor)
        along.append(scale.derivatives(point, found.score, found.hessian)[1])
        scores.append(evaluated_scores(units, design, params, found))
    third = slopes(along, steps)
    third = (third + third.transpose(1, 2, 0) + third.transpose(2, 0, 1)) / 3.0
    positive = np.concatenate([np.zeros(0, int), *drawn.reduction.diagonal, design.positive])
    whole = Whole(
        scale, drawn.params, root, fixed, drawn.reduction, positive, here.score, here.hessian, third
    )
    return whole, design.keep(partial(_hessians, np.linalg.pinv(_jacobian(whole)[0]), steps), *scores)


def _jacobian(whole: Whole) -> tuple[Array, Array]:
    """First (k, K) and second (k, K, K) derivatives of the fitted parameters on the scale of the search."""
    k, x = len(whole.params), np.zeros(whole.root.shape[1])
    unit = [whole.scale.derivatives(x, e, np.zeros((k, k))) for e in np.eye(k)]
    return np.stack([g for g, _ in unit]), np.stack([H for _, H in unit])


def _hessians(back: Array, steps: Array, design: MixedDesign, *scores: Array) -> Array:
    """Hessian of each unit in the fitted parameters, (units, k, k), from scores at the points of differences."""
    found = slopes(scores, steps) @ back
    return np.asarray(0.5 * (found + np.swapaxes(found, 1, 2)))


def leave_one_out(whole: Whole, scores: Array, hessians: Array) -> Array:
    """Estimates without each unit in turn, (units, k), as far as derivatives at the maximum tell.

    Parameters
    ----------
    whole : Whole
    scores, hessians : ndarray (units, k), (units, k, k)
        Of each unit.

    Returns
    -------
    ndarray (units, k)
        Where the rest of the data has no maximum nearby on the scale of the search (a small variance that it may not
        have), by a Newton step, standard deviations cut off at zero.  NaN where the rest of the data do
        not tell the fixed effects.
    """
    scale, params, x = whole.scale, whole.params, np.zeros(whole.root.shape[1])
    J, bend = _jacobian(whole)
    total = scale.derivatives(x, whole.score, whole.hessian)[1]
    gradient = -scores @ J
    rest = total - J.T @ hessians @ J - np.einsum("ba,aij->bij", scores, bend)
    step = _stationary(gradient, rest, whole.third)
    found = np.all(np.isfinite(step), axis=1)
    out = params - _newton(scores, whole.hessian, hessians)
    out[:, whole.positive] = np.maximum(out[:, whole.positive], 0.0)
    for b in np.flatnonzero(found):
        out[b] = scale.fitted(x + step[b])
    # fixed effects that only this unit tells of have no estimate without it
    p = whole.n_fixed
    rest = whole.fixed.T @ (hessians - whole.hessian)[:, :p, :p] @ whole.fixed
    out[np.linalg.eigvalsh(rest)[:, 0] < UNTOLD] = np.nan
    return out


def _changes(whole: Whole, kept: Array, design: MixedDesign, scores: Array, hessians: Array) -> Array:
    """Changes of the model's parameters by each unit and their squared length, (units, P + 1).

    Parameters
    ----------
    whole : Whole
    kept : ndarray
        Covariance of the model's parameters that are not at the boundary.
    design : MixedDesign
    scores, hessians : ndarray (units, k), (units, k, k)
    """
    extend, keep = whole.reduction.extend_all, whole.reduction.keep
    change = extend(whole.params[None]) - extend(leave_one_out(whole, scores, hessians))
    return np.column_stack([change, _squared_lengths(change[:, keep], kept)])


def _labels(design: MixedDesign, units: Units) -> tuple[str, ...]:
    return units.labels


def influence_of(estimates: Estimates, model: MixedModel) -> BlockInfluence:
    """Influence of every independent block; see `InfluenceResults.get_influence`."""
    fitted = estimates.fitted
    units = units_of(model, fitted)
    labels = [label for part in fitted.design.map(_labels, units) for label in part]
    if len(labels) < 2:
        raise ValueError(
            "influence needs at least two independent groups of rows, but all depend on each other (crossed random "
            "effects): leave out levels by refits, model.clone_with or a subset of the data"
        )
    cov = estimates.cov_of_fitted
    if np.isnan(cov).any():
        raise ValueError("the fit has no maximum, so that there is nothing to measure influence by")
    drawn = replace(fitted, position=block_draws(fitted))

    def changes(drawn: Fitted, cov: Array, scores: Any = None) -> Array:
        """Changes of the model's parameters and their squared length, (units, P + 1), from draws block by block."""
        if scores is None:
            scores = unit_scores(units, drawn, drawn.position, drawn.params)
        whole, hessians = curvature(units, drawn, cov)
        kept = drawn.covariance_of_model(cov)[np.ix_(drawn.keep, drawn.keep)]
        return np.concatenate(drawn.design.map(partial(_changes, whole, kept), scores, hessians))

    found = changes(drawn, cov, scores_of_fit(units, estimates, model))
    names = list(estimates.names)
    return BlockInfluence(
        pd.DataFrame(found[:, :-1], index=pd.Index(labels, name="block"), columns=names),
        pd.Series(np.sqrt(np.diag(estimates.information.matrix)), index=names),
        found[:, -1],
        _known_root(drawn.design.fixed_axes, cov).shape[1],
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
        Rank of C: fewer than P at the boundary, where a correlation is one, and where the data tell nothing of effects.

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
