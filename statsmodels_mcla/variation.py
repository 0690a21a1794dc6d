r"""What other random numbers would make of estimates, of their covariance and of all that is computed from both.

The draws make a score error D = sum of D_g over independent groups g of replicates, each a function of the
parameters.  To first order in the errors,

    estimates    d theta_g = C D_g,                                    C = (-U)^-1, U the Hessian,
    Hessian      d U_g     = dD_g / d theta + (dU / d theta) d theta_g,
    covariance   d C_g     = C d U_g C,

where the second part of d U_g is that the Hessian is taken elsewhere.  Derivatives are differences over the frozen
draws, one evaluation a parameter.  For any smooth function h of estimates and covariance (a standard error, a
p-value, a limit), the Monte Carlo variance is then the sum over g of

    (h(theta + d theta_g, C + d C_g) - h(theta, C))^2,

the delta method over the normalised weights (Owen, Monte Carlo theory, methods and examples, sec. 9.2) with the
derivatives in the directions that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from statsmodels_mcla.draws import TiltedDraws
from statsmodels_mcla.fitted import Fitted
from statsmodels_mcla.likelihood import BATCHES, evaluate
from statsmodels_mcla.linalg import Array, transpose

__all__ = [
    "SCALE",
    "STEP",
    "EstimateErrors",
    "Variation",
    "Varied",
    "perturbed",
    "wald_limits",
    "wald_pvalues",
    "z_of",
]

SETS = 4  # of blocks whose replicates are told apart: the more groups, the less noise in the errors
STEP = 1e-2  # of differences in the parameters, in standard errors
SCALE = 0.1  # of the deviations at which functions are evaluated: errors that are large are linear in it


@dataclass(frozen=True)
class Variation:
    """Deviations of the fitted parameters and of their covariance, group by group.

    Attributes
    ----------
    params : ndarray (P fitted,)
    cov : ndarray (P fitted, P fitted)
    d_params : ndarray (G, P fitted)
        Their products with themselves add up to the Monte Carlo covariance.
    d_cov : ndarray (G, P fitted, P fitted)
    """

    params: Array
    cov: Array
    d_params: Array
    d_cov: Array

    @classmethod
    def of(cls, fitted: Fitted) -> Variation:
        """Deviations at a maximum of the Monte Carlo likelihood.

        Raises
        ------
        numpy.linalg.LinAlgError
            If the Hessian is singular.
        """

        def at(params: Array) -> tuple[Array, Array]:
            found = evaluate(
                fitted.design, params, fitted.position.draws, score_errors=True, n_jobs=fitted.n_jobs
            )
            return _in_groups(found.score_errors), found.hessian

        errors, hessian = at(fitted.params)
        cov = -np.linalg.inv(hessian)
        cov = 0.5 * (cov + cov.T)
        d_params = errors @ cov
        direct = np.empty((*errors.shape, len(cov)))  # of the Hessian where it is
        moves = np.zeros_like(direct)  # because it is taken elsewhere
        for j, step in enumerate(STEP * np.sqrt(np.diag(cov))):
            moved = fitted.params.copy()
            moved[j] += step
            there, hessian_there = at(moved)
            direct[..., j] = (there - errors) / step
            moves += d_params[:, j, None, None] * ((hessian_there - hessian) / step)
        d_hessian = 0.5 * (direct + transpose(direct)) + moves
        return cls(fitted.params, cov, d_params, cov @ d_hessian @ cov)

    def through(self, function: Callable[[Array, Array], Array]) -> Varied:
        """Deviations of a function of the fitted parameters and their covariance."""
        here = np.asarray(function(self.params, self.cov), dtype=float)
        there = [
            function(self.params + SCALE * d_params, self.cov + SCALE * d_cov)
            for d_params, d_cov in zip(self.d_params, self.d_cov, strict=True)
        ]
        return Varied.of(here, there)

    def with_blocks(self, errors: Array, *, same_draws: bool) -> Iterator[tuple[Array, Array, Array]]:
        """Deviations group by group, each with the score errors of all blocks (B, P) that belong to it.

        Parameters
        ----------
        errors : ndarray (B, P, batches)
            Score errors of the blocks.
        same_draws : bool
            Whether their draws are those of the estimates; others make groups of their own.
        """
        own = (_errors_of_group(errors, g) for g in range(min(SETS, len(errors)) * errors.shape[2]))
        if same_draws:
            yield from zip(self.d_params, self.d_cov, own, strict=True)
            return
        nothing = np.zeros_like(self.params), np.zeros_like(self.cov), np.zeros(errors.shape[:2])
        for d_params, d_cov in zip(self.d_params, self.d_cov, strict=True):
            yield d_params, d_cov, nothing[2]
        for error in own:
            yield nothing[0], nothing[1], error

    def merged(self) -> Variation:
        """The same in fewer groups, for functions that take long: errors are as right, and noisier."""
        return replace(self, d_params=_sums(self.d_params), d_cov=_sums(self.d_cov))


def perturbed(fresh: Fitted, cov: Array, variation: Variation | None) -> list[tuple[Fitted, Array]]:
    """Maxima and covariances that differ from one by `SCALE` times the deviations of each batch of replicates.

    Parameters
    ----------
    fresh : Fitted
        With draws of its own, independent of those of the estimates; their weights are perturbed too.
    cov : ndarray (P fitted, P fitted)
    variation : Variation, optional
        Of estimates and covariance; by default they do not vary.
    """
    merged = None if variation is None else variation.merged()
    out = []
    for batch in range(BATCHES):
        more = np.log1p(SCALE * np.sqrt(BATCHES / (BATCHES - 1.0)))
        draws = tuple(TiltedDraws(part, batch, BATCHES, more) for part in fresh.position.draws)
        params, moved = fresh.params, cov
        if merged is not None:
            params, moved = params + SCALE * merged.d_params[batch], cov + SCALE * merged.d_cov[batch]
        position = replace(fresh.position, params=params, draws=draws)
        out.append((replace(fresh, position=position), moved))
    return out


@dataclass(frozen=True)
class Varied:
    """A value (...) and its deviations (G, ...)."""

    value: Array
    deviations: Array

    @classmethod
    def of(cls, value: Array, there: Sequence[Array]) -> Varied:
        """From values of a function at deviations times `SCALE`."""
        return cls(value, (np.array(there) - value) / SCALE)

    def through(self, function: Callable[[Array], Array]) -> Varied:
        """Deviations of a function of the value, which may have axes in front."""
        here = np.asarray(function(self.value), dtype=float)
        return Varied(here, (function(self.value + SCALE * self.deviations) - here) / SCALE)

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard error."""
        return np.asarray(np.sqrt((self.deviations**2).sum(axis=0)))


@dataclass(frozen=True)
class EstimateErrors:
    """Monte Carlo errors of estimates (k,), of their standard errors, and of what follows from both.

    Attributes
    ----------
    both : Varied (k, 2)
        Estimates and standard errors.
    """

    both: Varied

    @property
    def mcse(self) -> Array:
        """Of the estimates."""
        return self.both.mcse[..., 0]

    @property
    def se(self) -> Array:
        """Of the standard errors."""
        return self.both.mcse[..., 1]

    @property
    def z(self) -> Array:
        """Of estimates over their standard errors."""
        return self.both.through(z_of).mcse

    def pvalues(self, one_sided: np.ndarray | bool = False, law: Any = stats.norm) -> Array:
        """Of p-values: two-sided, or one-sided for parameters that cannot be negative."""
        return self.both.through(lambda both: wald_pvalues(z_of(both), one_sided, law)).mcse

    def limits(self, alpha: float, non_negative: np.ndarray | bool = False, law: Any = stats.norm) -> Array:
        """Of Wald limits (k, 2), those of parameters that cannot be negative cut off at zero."""
        quantile = law.isf(0.5 * alpha)
        return self.both.through(lambda both: wald_limits(both, quantile, non_negative)).mcse


def wald_pvalues(z: Array, one_sided: np.ndarray | bool = False, law: Any = stats.norm) -> Array:
    """P-values of z or t statistics."""
    return np.where(one_sided, law.sf(z), 2.0 * law.sf(np.abs(z)))


def wald_limits(both: Array, quantile: float, non_negative: np.ndarray | bool = False) -> Array:
    """Estimates and standard errors (..., k, 2) turned into limits (..., k, 2)."""
    limits = both[..., :1] + quantile * both[..., 1:] * np.array([-1.0, 1.0])
    limits[..., 0] = np.where(non_negative, np.maximum(limits[..., 0], 0.0), limits[..., 0])
    return np.asarray(limits)


def z_of(both: Array) -> Array:
    """Estimates over their standard errors, from both (..., k, 2)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(both[..., 0] / both[..., 1])


def _sums(deviations: Array) -> Array:
    """Sum over the sets of blocks: one group a batch of replicates."""
    return np.asarray(deviations.reshape(-1, BATCHES, *deviations.shape[1:]).sum(axis=0))


def _errors_of_group(errors: Array, group: int) -> Array:
    """Score errors of all blocks (B, P) that are in a group; zero for the others."""
    blocks, batch = divmod(group, errors.shape[2])
    out = np.zeros(errors.shape[:2])
    out[blocks::SETS] = errors[blocks::SETS, :, batch]
    return out


def _in_groups(errors: Array) -> Array:
    """Sum of the score errors over the blocks of each group, (G, P)."""
    return np.concatenate([errors[k::SETS].sum(axis=0).T for k in range(min(SETS, len(errors)))])
