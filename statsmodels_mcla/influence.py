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
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla.fitted import Fitted
from statsmodels_mcla.likelihood import evaluate
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.robust import RobustResults
from statsmodels_mcla.sampler import Position
from statsmodels_mcla.scale import SearchScale
from statsmodels_mcla.units import STEP, block_draws, differences, model_params, unit_hessians

__all__ = ["BlockInfluence", "InfluenceResults", "leave_one_out"]


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
        NaN where the rest of the data has no maximum nearby.
    """
    design, k = fitted.design, len(fitted.params)
    scale = SearchScale(
        design.covariance, design.n_fixed, design.n_dispersion, np.zeros(k), np.eye(k)
    )  # search coordinates are the working parameters
    x = scale.from_natural(fitted.params)

    def hessian(x: Array) -> Array:
        found = evaluate(design, scale.natural(x), position.draws, n_jobs=fitted.n_jobs)
        return scale.derivatives(x, found.score, found.hessian)[1]

    unit = [scale.derivatives(x, e, np.zeros((k, k))) for e in np.eye(k)]
    J, bend = np.stack([g for g, _ in unit]), np.stack([H for _, H in unit])
    total = hessian(x)
    third = differences(hessian, x, STEP * se / np.abs(np.diag(J)))
    third = (third + third.transpose(1, 2, 0) + third.transpose(2, 0, 1)) / 3.0
    gradient = -scores @ J
    rest = total - J.T @ hessians @ J - np.einsum("ba,aij->bij", scores, bend)
    step = _stationary(gradient, rest, third)
    return np.array([scale.natural(x + d) if np.all(np.isfinite(d)) else np.full(k, np.nan) for d in step])


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
    cov_params : ndarray (P, P)
    """

    d_params: pd.DataFrame
    bse: pd.Series
    cov_params: Array

    @property
    def dfbetas(self) -> pd.DataFrame:
        """Changes in units of the standard error of the estimate."""
        return self.d_params / self.bse

    @cached_property
    def cooks_distance(self) -> tuple[Array, Array]:
        """Cook's distance d' C^-1 d / P of each block, with its chi-squared upper tail.

        d is the change of the parameters and C their covariance; parameters at the boundary do not count.
        """
        used = np.isfinite(np.diag(self.cov_params))
        d = self.d_params.to_numpy()[:, used]
        k = int(used.sum())
        whole = (d * np.linalg.solve(self.cov_params[np.ix_(used, used)], d.T).T).sum(axis=1)
        return whole / k, stats.chi2.sf(whole, k)

    def summary_frame(self) -> pd.DataFrame:
        """``cooks_d`` and the standardised change of every parameter (``dfb_...``), a row a block.

        Returns
        -------
        DataFrame
            Indexed by block label.
        """
        out = self.dfbetas.add_prefix("dfb_")
        out.insert(0, "cooks_d", self.cooks_distance[0])
        return out


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
        zero, only a refit tells.  A row without random effects is a block of its own.
        """
        fitted, se = self.fitted, np.sqrt(np.diag(self._fitted_cov))
        position = block_draws(fitted)
        hessians = unit_hessians(self._units, fitted, position, se)
        without = leave_one_out(fitted, position, self._unit_scores, hessians, se)
        change = model_params(fitted, fitted.params[None]) - model_params(fitted, without)
        cov = np.asarray(self.normalized_cov_params)
        names = self.model.data.param_names
        index = pd.Index(self._units.labels, name="block")
        bse = pd.Series(np.sqrt(np.diag(cov)), index=names)
        return BlockInfluence(pd.DataFrame(change, index=index, columns=names), bse, cov)
