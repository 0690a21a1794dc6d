"""Influence of independent blocks on the estimates, without refits.

With block b left out, the score at the estimates is minus the block's own, s_b, and the Hessian is H - H_b.  A
Newton step from there is params - params_(-b) = (I - I_b)^-1 s_b (Cook, 1977, and Pregibon, 1981, for single rows).
Variances are skewed and a block may hold much of the data, so the step is taken

* on the working scale: Cholesky entries of the covariances (standard deviations), log dispersion;
* to the stationary point of a cubic rather than a quadratic model of the likelihood without the block: the third
  derivative is that of all data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.differences import differences
from statsmodels_mcla.evaluation import Evaluation
from statsmodels_mcla.fitted import Fitted
from statsmodels_mcla.likelihood import evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.robust import RobustResults
from statsmodels_mcla.sampler import Position
from statsmodels_mcla.starting import working_scale
from statsmodels_mcla.units import STEP, block_draws, unit_hessians

__all__ = ["BlockInfluence", "InfluenceResults", "leave_one_out"]

UNTOLD = 1e-6  # information of the rest about a fixed effect, in units of that of all data


def leave_one_out(fitted: Fitted, position: Position, scores: Array, hessians: Array, se: Array) -> Array:
    """Estimates without each unit in turn, (units, k), as far as derivatives at the maximum tell.

    Parameters
    ----------
    fitted : Fitted
    position : Position
        Draws at the maximum, block by block.
    scores : ndarray (units, k)
        Of each unit, natural scale.
    hessians : ndarray (units, k, k)
    se : ndarray (k,)
        Standard errors, which set the steps of differences.

    Returns
    -------
    ndarray (units, k)
        Where the rest of the data has no maximum nearby on the working scale (a small variance that it may not
        have), by a Newton step on the natural scale, variances cut off at zero.  NaN where the rest of the data do
        not tell the fixed effects.
    """
    design, k = fitted.design, len(fitted.params)
    scale = working_scale(design)
    x = scale.from_natural(fitted.params)

    def at(x: Array) -> Evaluation:
        return evaluate(design, scale.natural(x), position.draws, n_jobs=fitted.n_jobs)

    def hessian(x: Array) -> Array:
        found = at(x)
        return scale.derivatives(x, found.score, found.hessian)[1]

    unit = [scale.derivatives(x, e, np.zeros((k, k))) for e in np.eye(k)]
    J, bend = np.stack([g for g, _ in unit]), np.stack([H for _, H in unit])
    total = hessian(x)
    third = differences(hessian, x, STEP * se / np.abs(np.diag(J)))
    third = (third + third.transpose(1, 2, 0) + third.transpose(2, 0, 1)) / 3.0
    gradient = -scores @ J
    rest = total - J.T @ hessians @ J - np.einsum("ba,aij->bij", scores, bend)
    step = _stationary(gradient, rest, third)
    found = np.all(np.isfinite(step), axis=1)
    out = fitted.params - _newton(scores, at(x).hessian, hessians)
    variance = np.concatenate(
        [np.zeros(design.n_fixed, bool), design.covariance.is_variance, np.zeros(k, bool)]
    )[:k]
    out[:, variance] = np.maximum(out[:, variance], 0.0)
    for b in np.flatnonzero(found):
        out[b] = scale.natural(x + step[b])
    # fixed effects that only this unit tells of have no estimate without it
    p = design.n_fixed
    rest = (hessians - at(x).hessian)[:, :p, :p] * np.outer(se[:p], se[:p])
    out[np.linalg.eigvalsh(rest)[:, 0] < UNTOLD] = np.nan
    return out


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
class BlockInfluence:
    """What leaving out each independent block would change.

    Attributes
    ----------
    d_params : DataFrame (blocks, P)
        Change of every parameter: the estimate less the one without the block, which is approximated.
    bse : Series (P,)
        Standard errors of the estimates.
    distance : ndarray (blocks,)
        d' I d, for the changes d of the parameters that were fitted and their information I.
    n_fitted : int
        Number of these: fewer than P at the boundary and where a correlation is one.
    mcse : DataFrame (blocks, P)
        Monte Carlo standard errors of ``d_params``; zero for fits without draws.
    distance_mcse : ndarray (blocks,)
        Those of ``distance``.
    """

    d_params: pd.DataFrame
    bse: pd.Series
    distance: Array
    n_fitted: int
    mcse: pd.DataFrame
    distance_mcse: Array

    @property
    def dfbetas(self) -> pd.DataFrame:
        """Changes in units of the standard error of the estimate."""
        return self.d_params / self.bse

    @property
    def cooks_distance(self) -> tuple[Array, Array]:
        """Cook's distance d' I d / P of each block, with the chi-squared upper tail of d' I d."""
        return self.distance / self.n_fitted, stats.chi2.sf(self.distance, self.n_fitted)

    @property
    def cooks_distance_mcse(self) -> Array:
        """Monte Carlo standard error of each Cook's distance."""
        return self.distance_mcse / self.n_fitted

    def summary_frame(self) -> pd.DataFrame:
        """``cooks_d``, the standardised change of every parameter (``dfb_...``) and their ``mcse``, a row a block.

        Returns
        -------
        DataFrame
            Indexed by block label.
        """
        out = self.dfbetas.add_prefix("dfb_")
        out.insert(0, "cooks_d", self.cooks_distance[0])
        errors = (self.mcse / self.bse).add_prefix("dfb_")
        errors.insert(0, "cooks_d", self.cooks_distance_mcse)
        return pd.concat([out, errors.add_suffix(" mcse")], axis=1)


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
        fitted, se = self.fitted, np.sqrt(np.diag(self._fitted_cov))
        position = block_draws(fitted)
        hessians = unit_hessians(self._units, fitted, position, se)
        without = leave_one_out(fitted, position, self._unit_scores, hessians, se)
        change = fitted.params_of_model(fitted.params[None]) - fitted.params_of_model(without)
        moved = fitted.params - without
        distance = np.einsum("bp,bp->b", moved, np.linalg.solve(self._fitted_cov, moved.T).T)
        names = self.model.data.param_names
        index = pd.Index(self._units.labels, name="block")
        bse = pd.Series(np.sqrt(np.diag(np.asarray(self.normalized_cov_params))), index=names)
        table = pd.DataFrame(change, index=index, columns=names)
        by_model, of_distance = self._influence_errors(position, hessians, moved)
        errors = pd.DataFrame(by_model, index=index, columns=names).where(table.notna())
        return BlockInfluence(table, bse, distance, len(fitted.params), errors, of_distance)

    def _influence_errors(self, position: Position, hessians: Array, moved: Array) -> tuple[Array, Array]:
        """Monte Carlo errors of the changes of the model's parameters (units, P) and of their lengths (units,).

        To first order a change is (I - I_b)^-1 s_b: the error of the block's own score and that of the information.
        """
        fitted, cov = self.fitted, self._fitted_cov
        variation = self._plain_variation
        if variation is None:
            return np.zeros((len(moved), len(self.params))), np.zeros(len(moved))
        errors = evaluate(
            fitted.design, fitted.params, position.draws, score_errors=True, n_jobs=fitted.n_jobs
        ).score_errors
        total, lengths = np.zeros((len(moved), len(self.params))), np.zeros(len(moved))
        information = np.linalg.inv(cov)
        used, same = self._units.of_block >= 0, position is fitted.position
        for d_params, d_cov, own in variation.with_blocks(errors, same_draws=same):
            d_scores = hessians @ d_params
            np.add.at(d_scores, self._units.of_block[used], own[used])
            change = _newton(d_scores, -information, hessians) + moved @ information @ d_cov
            bent = moved @ information
            longer = 2.0 * np.sum(bent * change, axis=1) - np.einsum("bp,pq,bq->b", bent, d_cov, bent)
            total += (change @ fitted.jacobian.T) ** 2
            lengths += longer**2
        return np.sqrt(total), np.sqrt(lengths)
