"""Maximum of the Laplace approximation: where Monte Carlo fits start, and lme4's answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from statsmodels_mcla.design import MixedDesign, SearchScale
from statsmodels_mcla.estimation.search.optimizers import SearchModel
from statsmodels_mcla.likelihood.laplace import LaplaceEvaluation, evaluate_laplace
from statsmodels_mcla.numerics import Array, differences


@dataclass(frozen=True)
class LaplaceFit:
    """Maximum of the Laplace approximation.

    Attributes
    ----------
    scale : SearchScale
    x : ndarray (P,)
        Maximum in search coordinates.
    params : ndarray (P,)
        In natural parameters.
    semi_natural : ndarray (P,)
        Fixed effects, Cholesky entries, dispersion.
    evaluation : LaplaceEvaluation
    mle_retvals, mle_settings : dict
    """

    scale: SearchScale
    x: Array
    params: Array
    semi_natural: Array
    evaluation: LaplaceEvaluation
    mle_retvals: dict[str, Any]
    mle_settings: dict[str, Any]

    @property
    def converged(self) -> bool:
        """Whether the optimiser said so."""
        return bool(self.mle_retvals["converged"])


def fit_laplace(
    design: MixedDesign,
    scale: SearchScale,
    x: Array,
    *,
    gtol: float = 1e-4,
    maxiter: int = 200,
    disp: bool = False,
    free: np.ndarray | None = None,
) -> LaplaceFit:
    """Maximise the Laplace approximation by BFGS with its exact gradient.

    Parameters
    ----------
    design : MixedDesign
    scale : SearchScale
    x : ndarray (P,)
        Where to start, in search coordinates.
    gtol : float
        Largest gradient, in search coordinates (about one standard error each), at the end.
    free : ndarray of bool (P,), optional
        Coordinates to move; the others stay where they are.
    """
    free = np.ones(len(x), bool) if free is None else free
    whole = np.array(x, float)
    last: LaplaceEvaluation | None = None
    where = b""

    def function(moving: Array) -> tuple[float, Array, None]:
        nonlocal last, where
        x = whole.copy()
        x[free] = moving
        try:
            with np.errstate(all="ignore"):
                found = evaluate_laplace(design, scale.semi_natural(x), None if last is None else last.modes)
        except (FloatingPointError, np.linalg.LinAlgError):
            return -np.inf, np.zeros(len(moving)), None
        if not np.isfinite(found.value):
            return -np.inf, np.zeros(len(moving)), None
        last, where = found, moving.tobytes()
        return found.value, scale.gradient_of_semi_natural(x, found.gradient)[free], None

    search = SearchModel(function)
    fitted = search.fit(
        whole[free],
        method="bfgs",
        gtol=gtol,
        maxiter=maxiter,
        disp=disp,
        skip_hessian=True,
        warn_convergence=False,
    )
    at = np.asarray(fitted.params, float)
    if where != at.tobytes():
        function(at)
    if last is None:
        raise FloatingPointError("the log-likelihood is not finite at the starting values")
    retvals = dict(fitted.mle_retvals)
    # a line search stops at round-off, which is no failure if the gradient is flat by then
    retvals["converged"] = bool(np.abs(search.score(at)).max(initial=0.0) < max(10 * gtol, 1e-3))
    whole[free] = at
    at = whole
    return LaplaceFit(
        scale, at, scale.natural(at), scale.semi_natural(at), last, retvals, fitted.mle_settings
    )


def laplace_covariance(design: MixedDesign, fit: LaplaceFit, moving: np.ndarray) -> Array:
    """Inverse observed information of the Laplace approximation, by differences of its exact gradient.

    Parameters
    ----------
    design : MixedDesign
    fit : LaplaceFit
    moving : ndarray of bool (P,)
        Which of (fixed effects, Cholesky entries, dispersion) are free; the others are zero by a reduction of rank.

    Returns
    -------
    ndarray (P, P)
        On the natural scale; NaN where a variance vanishes or the information is not positive definite.
    """
    scale, at = fit.scale, fit.semi_natural
    free = np.flatnonzero(moving)
    # steps of a thousandth of a standard error or so, in the working parameters themselves
    size = 1e-3 * np.abs(np.diag(scale.stretch))[free]

    def gradient(values: Array) -> Array:
        working = at.copy()
        working[free] = values
        return evaluate_laplace(design, working, fit.evaluation.modes).gradient[free]

    H = differences(gradient, at[free], size)
    out = np.full((len(at), len(at)), np.nan)
    information = -0.5 * (H + H.T)
    try:
        np.linalg.cholesky(information)
    except np.linalg.LinAlgError:
        return out
    J = np.eye(len(at))
    J[scale.entries, scale.entries] = scale.covariance.working_jacobian(at[scale.entries])
    J = J[:, free]
    inside = np.flatnonzero(np.any(J != 0, axis=1))
    J = J[inside]
    out[np.ix_(inside, inside)] = J @ np.linalg.inv(information) @ J.T
    return out
