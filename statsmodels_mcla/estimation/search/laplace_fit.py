"""Maximum of the Laplace approximation: where Monte Carlo fits start, and lme4's answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from statsmodels_mcla.design import DesignFacts, MixedDesign, SearchScale
from statsmodels_mcla.estimation.search.glm_start import GLMStart, search_scale
from statsmodels_mcla.estimation.search.optimizers import SearchModel
from statsmodels_mcla.execution import OutOfTime, now
from statsmodels_mcla.likelihood.laplace import LaplaceEvaluation, Modes, evaluate_laplace
from statsmodels_mcla.numerics import Array, differences, is_positive_definite

STEP = 1e-3  # of differences, in search coordinates: standard errors or so
# information about parameters of the family: no step is longer than two of their free coordinates
PRIOR = 0.25
LOST_PRECISION = 2  # scipy's flag of a line search that finds nothing higher
LAST_STEPS = 5  # from there, within a standard error of the maximum


@dataclass(frozen=True)
class LaplaceFit:
    """Maximum of the Laplace approximation.

    Attributes
    ----------
    design : DesignFacts
    scale : SearchScale
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    evaluation : LaplaceEvaluation
    mle_retvals, mle_settings : dict
    """

    design: DesignFacts
    scale: SearchScale
    params: Array
    evaluation: LaplaceEvaluation
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]

    @property
    def converged(self) -> bool:
        """Whether the optimiser said so."""
        return bool(self.mle_retvals["converged"])


def fit_laplace(
    design: DesignFacts,
    scale: SearchScale,
    x: Array,
    *,
    gtol: float = 1e-4,
    maxiter: int = 200,
    disp: bool = False,
    deadline: float = np.inf,
) -> LaplaceFit:
    """Maximise the Laplace approximation by BFGS with its exact gradient.

    Parameters
    ----------
    design : DesignFacts
    scale : SearchScale
    x : ndarray (P,)
        Where to start, in search coordinates.
    gtol : float
        Largest gradient, in search coordinates (about one standard error each), at the end.
    deadline : float
        Reading of `now` after which the best parameters so far are returned.
    """
    last: LaplaceEvaluation | None = None
    where = b""
    best, gain = x, -np.inf

    def function(x: Array) -> tuple[float, Array, None]:
        nonlocal last, where, best, gain
        if last is not None and now() >= deadline:
            raise OutOfTime
        found = None if last is None else _evaluated(design, scale.fitted(x), last.modes)
        found = found or _evaluated(design, scale.fitted(x), None)  # the modes nearby may have been far away
        if found is None:
            return -np.inf, np.zeros(len(x)), None
        last, where = found, x.tobytes()
        if found.value > gain:
            best, gain = x, found.value
        return found.value, scale.gradient(x, found.gradient), None

    search, flat = SearchModel(function), max(10 * gtol, 1e-3)
    try:
        fitted = search.fit(
            x,
            method="bfgs",
            gtol=gtol,
            maxiter=maxiter,
            disp=disp,
            skip_hessian=True,
            warn_convergence=False,
        )
        at = np.asarray(fitted.params, float)
        if fitted.mle_retvals["warnflag"] == LOST_PRECISION:
            at = _beyond_rounding(search, at, flat)
    except OutOfTime:
        params = scale.fitted(best)
        found = evaluate_laplace(design, params)
        return LaplaceFit(design, scale, params, found, {"converged": False}, {})
    if where != at.tobytes():
        function(at)
    if last is None:
        raise FloatingPointError("the log-likelihood is not finite at the starting values")
    retvals = dict(fitted.mle_retvals)
    # a line search stops at round-off, which is no failure if the gradient is flat by then
    retvals["converged"] = bool(np.abs(search.score(at)).max(initial=0.0) < flat)
    return LaplaceFit(design, scale, scale.fitted(at), last, retvals, fitted.mle_settings)


def _beyond_rounding(search: SearchModel, x: Array, flat: float) -> Array:
    """Follow the gradient to the maximum where it is near, but the value no longer tells what is higher.

    Sums over counts of billions have rounding errors of a thousandth, which end every line search.  Those of the
    gradient are far smaller: of the places that Newton's method passes the flattest is returned.
    """
    best, least = x, np.inf
    for _ in range(LAST_STEPS):
        if not np.isfinite(search.loglike(x)):
            break
        gradient = search.score(x)
        size = float(np.abs(gradient).max(initial=0.0))
        if size < least:
            best, least = x, size
        if size < flat:
            break
        H = differences(search.score, x, np.full(len(x), STEP))
        H = 0.5 * (H + H.T)
        if not is_positive_definite(-H) or not gradient @ np.linalg.solve(-H, gradient) < 1.0:
            break
        x = x - np.linalg.solve(H, gradient)
    return best


def _evaluated(design: DesignFacts, params: Array, start: Any) -> LaplaceEvaluation | None:
    """Laplace approximation from some modes on; None where it is not finite."""
    try:
        with np.errstate(all="ignore"):
            found = evaluate_laplace(design, params, start)
    except (FloatingPointError, np.linalg.LinAlgError):
        return None
    return found if np.isfinite(found.value) else None


def sized(design: DesignFacts, start: GLMStart) -> GLMStart:
    """Start with random effects of the order of magnitude that the Laplace approximation likes best.

    The information about the fixed effects is what they leave of it.

    Rows that tell much (counts of thousands) have effects that are large beside what one of them tells about eta; from
    far below, where the approximation is all but flat, no search would find them.
    """
    best, height = start, -np.inf
    modes = None
    for size in 8.0 ** np.arange(8):
        trial = replace(start, size=size)
        try:
            with np.errstate(all="ignore"):
                at = search_scale(design, trial).fitted(np.zeros(design.n_params))
                found = evaluate_laplace(design, at)
        except (FloatingPointError, np.linalg.LinAlgError):
            break
        if not found.value > height:
            break
        best, height, modes = trial, found.value, found.modes
    return best if modes is None else _informed(design, best, modes, best.phi)


def informed(design: DesignFacts, start: GLMStart, params: Array) -> GLMStart:
    """Start with the information about fixed effects and family that there is at some fitted parameters."""
    return _informed(design, start, evaluate_laplace(design, params).modes, design.split(params)[2])


def _informed(design: DesignFacts, start: GLMStart, modes: tuple[Modes, ...], phi: Any) -> GLMStart:
    whole = np.sum(design.map(partial(_information, phi), modes), axis=0)
    free = np.eye(len(whole))
    p, psi = design.n_fixed, design.family.parameter_scale
    free[p:, p:] = psi.jacobian(psi.free(np.atleast_1d(phi)[: len(whole) - p]))
    axes = free @ design.known_axes
    whole = axes.T @ whole @ axes
    whole[p:, p:] += PRIOR * np.eye(len(whole) - p)
    before = start.information[: len(whole), : len(whole)]
    alone = before.copy()
    alone[:p, :p] = whole[:p, :p]
    found = next(filter(is_positive_definite, (whole, alone)), before)
    return replace(start, information=found)


def _information(phi: Any, design: MixedDesign, modes: tuple[Modes, ...]) -> Array:
    """Information about fixed effects and parameters of the family that random effects of unknown size leave."""
    p, m = design.n_fixed, design.layout.n_family
    out = np.zeros((p + m, p + m))
    for bucket, mode in zip(design.buckets, modes, strict=True):
        bends = mode.W[..., None] * bucket.X  # how the slopes of the rows change with each parameter
        if m:
            numbers = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
            own = bucket.family.parameter_rows(*numbers, mode.eta[..., None], phi)
            bends = np.concatenate([bends, -np.moveaxis(own.d1phi[..., 0], 0, -1)], axis=-1)
            out[p:, p:] -= own.dphi2.sum(axis=(2, 3, 4))
        known = mode.root.back(mode.J.back(bends))
        between = np.einsum("bni,bnj->ij", bucket.X, bends)
        out[:p] += between
        out[p:, :p] += between[:, p:].T
        out -= np.einsum("bqi,bqj->ij", known, known)
    return out


def laplace_covariance(fit: LaplaceFit) -> Array:
    """Inverse observed information of the Laplace approximation, by differences of its exact gradient.

    Returns
    -------
    ndarray (P, P)
        Of the fitted parameters; NaN where the information is not positive definite, or the likelihood ends nearby.
    """
    scale, modes = fit.scale, fit.evaluation.modes

    def gradient(x: Array) -> Array:
        return scale.gradient(x, evaluate_laplace(fit.design, scale.fitted(x), modes).gradient)

    x = scale.from_fitted(fit.params)
    unknown = np.full((len(fit.params),) * 2, np.nan)
    try:
        H = differences(gradient, x, np.full(len(x), STEP))
    except (FloatingPointError, np.linalg.LinAlgError):  # as where thresholds cross
        return unknown
    information = -0.5 * (H + H.T)
    if not is_positive_definite(information):
        return unknown
    return scale.covariance(x, np.linalg.inv(information))
