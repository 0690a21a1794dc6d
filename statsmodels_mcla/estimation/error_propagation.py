r"""What other random numbers would make of estimates, of their covariance and of all that is computed from both.

The draws make a score error D = sum of D_g over independent groups g of replicates, each a function of the
parameters.  To first order in the errors,

    estimates    d theta_g = C D_g,                                    C = (-U)^-1, U the Hessian,
    Hessian      d U_g     = dD_g / d theta + (dU / d theta) d theta_g,
    covariance   d C_g     = C d U_g C,

where the second part of d U_g is that the Hessian is taken elsewhere.  Derivatives are differences over the frozen
draws: one evaluation a parameter or, where parameters are many, one a batch of replicates, which weighs more there
and takes the estimates along, so that both parts of d U_g are differentiated at once.  For any smooth function h of
estimates and covariance (a standard error, a p-value, a limit), the Monte Carlo variance is then the sum over g of

    (h(theta + d theta_g, C + d C_g) - h(theta, C))^2,

the delta method over the normalised weights (Owen, Monte Carlo theory, methods and examples, sec. 9.2) with the
derivatives in the directions that matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from scipy import stats

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.fitted import Fitted
from statsmodels_mcla.likelihood.monte_carlo import SETS, evaluate
from statsmodels_mcla.likelihood.sampling import BATCHES, DrawPart, TiltedDraws
from statsmodels_mcla.numerics import Array, transpose

STEP = 1e-2  # of differences in the parameters, in standard errors
# factors of steps and of deviations, tried in turn until covariance matrices are positive definite there
TRIES = np.array([1.0, -1.0, *(sign * 0.1**k for k in range(1, 12) for sign in (1.0, -1.0)), 0.1**12])
SHRINK = 0.1 ** np.arange(15)
SCALE = 0.1  # of the deviations at which functions are evaluated: errors that are large are linear in it
MANY = 2 * BATCHES  # parameters, from where on there is one evaluation a batch


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
    scale : float
        Of the deviations at which functions are evaluated: there, covariance matrices are positive definite.
    """

    params: Array
    cov: Array
    d_params: Array
    d_cov: Array
    scale: float = SCALE

    @classmethod
    def unknown(cls, params: Array) -> Variation:
        """Deviations where there is no maximum: NaN."""
        size = len(params)
        nan = np.full((BATCHES, size, size), np.nan)
        return cls(params, nan[0], nan[..., 0], nan)

    @property
    def known(self) -> bool:
        """Whether there is a maximum, and deviations from it."""
        return bool(np.isfinite(self.d_cov).all())

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
                fitted.design, params, fitted.position.draws, score_errors=True, executor=fitted.executor
            )
            return np.concatenate(transpose(found.score_errors)), found.hessian

        errors, hessian = at(fitted.params)
        cov = -np.linalg.inv(hessian)
        cov = 0.5 * (cov + cov.T)
        # in steps along the columns of a root, independent standard errors: units and origins do not matter
        root = np.linalg.cholesky(cov)
        many = len(cov) > MANY
        lengths = (_sums(errors) if many else errors) @ root
        d_params = lengths @ root.T
        d_hessian = np.empty((*d_params.shape, len(cov)))
        if many:
            for batch, d in enumerate(d_params):
                step = next(s for s in SCALE * SHRINK if _inside(fitted, fitted.params + s * d))
                draws = fitted.design.keep(partial(_tilted, batch, step), fitted.position.draws)
                there = evaluate(fitted.design, fitted.params + step * d, draws, executor=fitted.executor)
                d_hessian[batch] = root.T @ (there.hessian - hessian) @ root / step
        else:
            moves = np.zeros_like(d_hessian)  # because it is taken elsewhere
            for j, column in enumerate(root.T):
                step = next(s for s in STEP * TRIES if _inside(fitted, fitted.params + s * column))
                errors_there, hessian_there = at(fitted.params + step * column)
                d_hessian[..., j] = (errors_there - errors) @ root / step
                moves += lengths[:, j, None, None] * (root.T @ (hessian_there - hessian) @ root / step)
            d_hessian = 0.5 * (d_hessian + transpose(d_hessian)) + moves
        d_cov = root @ d_hessian @ root.T

        def within(scale: float) -> bool:
            far = SETS * scale  # for sums over the sets, too
            definite = np.linalg.eigvalsh(np.eye(len(cov)) + far * d_hessian) > 0
            return bool(definite.all()) and all(_inside(fitted, fitted.params + far * d) for d in d_params)

        return cls(fitted.params, cov, d_params, d_cov, next(s for s in SCALE * SHRINK if within(s)))

    def at(self, carried: Callable[[Array, Array], tuple[Array, Array]]) -> Around:
        """Parameters and covariances that follow from the fitted ones, here and at the deviations."""
        points = [carried(self.params, self.cov)]
        if self.known:
            points += [
                carried(self.params + self.scale * d_params, self.cov + self.scale * d_cov)
                for d_params, d_cov in zip(self.d_params, self.d_cov, strict=True)
            ]
        params, cov = (np.stack(part) for part in zip(*points, strict=True))
        return Around(params, cov, self.scale)

    def merged(self) -> Variation:
        """The same in fewer groups, for functions that take long: errors are as right, and noisier."""
        return replace(self, d_params=_sums(self.d_params), d_cov=_sums(self.d_cov))


@dataclass(frozen=True)
class Around:
    """Parameters and their covariance at a maximum, first, and at deviations from it, if they are known.

    Attributes
    ----------
    params : ndarray (1 + G, P)
    cov : ndarray (1 + G, P, P)
    scale : float
        Of the deviations.
    """

    params: Array
    cov: Array
    scale: float

    def through(self, function: Callable[[Array, Array], Array]) -> Varied:
        """Deviations of a function of both."""
        here, *there = (
            np.asarray(function(params, cov), dtype=float)
            for params, cov in zip(self.params, self.cov, strict=True)
        )
        return Varied.of(here, there, self.scale) if there else Varied.unknown(here)


def vary_draws(
    drawn: Fitted, cov: Array, variation: Variation | None, function: Callable[[Fitted, Array], Array]
) -> Varied:
    """Deviations of a function of a maximum, the covariance of the estimates, and the draws, in few groups.

    Parameters
    ----------
    drawn : Fitted
        Draws whose weights are varied too: batch by batch, as the derivative in the weight of a batch tells.
    cov : ndarray (P fitted, P fitted)
    variation : Variation, optional
        Of estimates and covariance; by default they do not vary.
    function : callable
        Of a maximum with its draws and a covariance.
    """
    here = np.asarray(function(drawn, cov), dtype=float)
    if variation is not None and not variation.known:
        return Varied.unknown(here)
    zero = np.zeros((BATCHES, len(cov)))
    moves = (
        Variation(drawn.params, cov, zero, zero[..., None] * cov) if variation is None else variation.merged()
    )
    there = []
    for batch, (d_params, d_cov) in enumerate(zip(moves.d_params, moves.d_cov, strict=True)):
        draws = drawn.design.keep(partial(_tilted, batch, moves.scale), drawn.position.draws)
        position = replace(drawn.position, params=drawn.params + moves.scale * d_params, draws=draws)
        there.append(function(replace(drawn, position=position), cov + moves.scale * d_cov))
    return Varied.of(here, there, moves.scale)


def _tilted(batch: int, scale: float, design: MixedDesign, draws: Sequence[DrawPart]) -> tuple[DrawPart, ...]:
    """Draws of which those of one batch of replicates weigh more."""
    return tuple(TiltedDraws(part, batch, scale) for part in draws)


@dataclass(frozen=True)
class Varied:
    """A value (...) and its deviations (G, ...)."""

    value: Array
    deviations: Array

    @classmethod
    def of(cls, value: Array, there: Sequence[Array], scale: float) -> Varied:
        """From values of a function at deviations times a scale."""
        return cls(value, _change(np.array(there), value) / scale)

    @classmethod
    def unknown(cls, value: Array) -> Varied:
        """NaN."""
        return cls(value, np.full((1, *np.shape(value)), np.nan))

    def through(self, function: Callable[[Array], Array]) -> Varied:
        """Deviations of a function of the value, which may have axes in front."""
        with np.errstate(all="ignore"):  # of NaN and infinite values
            here = np.asarray(function(self.value), dtype=float)
            there = function(self.value + SCALE * self.deviations)
            return Varied(here, _change(there, here) / SCALE)

    def split(self, at: int) -> tuple[Varied, Varied]:
        """The first columns, up to ``at``, and the others."""
        values, deviations = (np.split(part, [at], axis=-1) for part in (self.value, self.deviations))
        first, second = (Varied(*pair) for pair in zip(values, deviations, strict=True))
        return first, second

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard error."""
        return np.asarray(np.sqrt((self.deviations**2).sum(axis=0)))


def _change(there: Array, here: Array) -> Array:
    """Difference, none between infinite values that are the same."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(there == here, 0.0, there - here))


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

    def pvalues(self, law: Any = stats.norm) -> Array:
        """Of two-sided p-values."""
        return self.both.through(lambda both: wald_pvalues(z_of(both), law=law)).mcse

    def limits(self, alpha: float, non_negative: np.ndarray | bool = False, law: Any = stats.norm) -> Array:
        """Of Wald limits (k, 2), those of parameters that cannot be negative cut off at zero."""
        quantile = law.isf(0.5 * alpha)
        return self.both.through(lambda both: wald_limits(both, quantile, non_negative)).mcse


def wald_pvalues(z: Array, one_sided: np.ndarray | bool = False, law: Any = stats.norm) -> Array:
    """P-values of z or t statistics."""
    return np.where(one_sided, law.sf(z), 2.0 * law.sf(np.abs(z)))


def wald_limits(both: Array, quantile: float | Array, non_negative: np.ndarray | bool = False) -> Array:
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


def _inside(fitted: Fitted, params: Array) -> bool:
    """Whether the draws reach there: diagonal loadings of the same sign, and dispersions positive."""
    signs = np.concatenate([np.zeros(0, int), *fitted.reduction.diagonal, fitted.design.positive])
    return bool(np.all(params[signs] * fitted.params[signs] > 0))


@dataclass(frozen=True)
class ParameterErrors:
    """Errors of the fitted parameters.

    Attributes
    ----------
    cov_params : ndarray (P, P)
        Sampling covariance.
    cov_mcse : ndarray (P, P) or None
        Monte Carlo covariance C; None where the estimates do not come from the draws.
    """

    cov_params: Array
    cov_mcse: Array | None

    def monte_carlo_var(self, slope: Array) -> Array:
        """Monte Carlo variance that comes from the estimates, for slopes (..., P)."""
        if self.cov_mcse is None:
            return np.zeros(slope.shape[:-1])
        return np.asarray(np.einsum("...p,pq,...q->...", slope, self.cov_mcse, slope))
