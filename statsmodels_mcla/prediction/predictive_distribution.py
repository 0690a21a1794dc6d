"""The law of a new observation: quantiles that count parameter, random-effect and sampling uncertainty.

The law of a row's linear predictor given the data is cut into slices (`sliced_laws`).  The sampling error of the
estimates (delta method, as in `ParameterErrors`) and effects that are new widen it by a normal law.

Further linear predictors, of a zero part or a dispersion, are normal given the first one.  In each slice of that they
have the mean of their draws there; what is left of their variance, and the errors of the estimates, is spread by nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
from scipy import special

from statsmodels_mcla.estimation import Fitted, ParameterErrors, Varied
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, covariance_root
from statsmodels_mcla.prediction.conditional_moments import LINEAR, SLICED, Moments, moments
from statsmodels_mcla.prediction.linear_predictors import JointRows, Law, LinearRows, Placed, Products
from statsmodels_mcla.prediction.quantile_search import quantiles
from statsmodels_mcla.prediction.sliced_laws import SLICES, WEIGHTS, slice_means, widened

OTHER_NODES, OTHER_WEIGHTS = np.polynomial.hermite_e.hermegauss(5)  # of each further linear predictor
OTHER_WEIGHTS = OTHER_WEIGHTS / OTHER_WEIGHTS.sum()
REACH = 10.0  # of theirs: a zero part that has vanished has a standard error without a meaning
ROWS = 2**10  # rows at a time
FEW = np.arange(3, SLICES, 5)  # slices that tell about where a quantile is
NEARBY = 0.01  # how far from there it may be, as a part of the width of the law


@dataclass(frozen=True)
class PredictiveLaw:
    """Law of a new observation of each row.

    Attributes
    ----------
    fitted : Fitted
    rows : LinearRows
    errors : ParameterErrors
    family : ConditionalFamily
    n_trials, var_weights : ndarray (N,)
    joint : JointRows, optional
        All linear predictors that what is predicted depends on, where they are several.
    every : JointRows, optional
        All linear predictors, in their order, that a new observation depends on, where they are several.
    """

    fitted: Fitted
    rows: LinearRows
    errors: ParameterErrors
    family: ConditionalFamily
    n_trials: Array
    var_weights: Array
    joint: JointRows | None = None
    every: JointRows | None = None

    @property
    def has_observations(self) -> bool:
        """Whether intervals for new observations are known: all predictors are."""
        return len(self.others) == len(self.family.predictors) - 1

    @property
    def others(self) -> tuple[LinearRows, ...]:
        """Linear predictors after the first."""
        return () if self.every is None else self.every.rows[1:]

    @property
    def phi(self) -> Any:
        """Dispersion, or parameters of the family."""
        return self.fitted.design.split(self.fitted.params)[2]

    @cached_property
    def weights(self) -> Array:
        """Weights of the points that the law of the linear predictors is cut into."""
        out = WEIGHTS
        for _ in self.others:
            out = np.outer(out, OTHER_WEIGHTS).ravel()
        return out

    def linear_predictors(self, linear: Moments | None = None) -> Array:
        """Linear predictor of each row at each point of its law, (N, points); all of them (K, N, points).

        Parameters
        ----------
        linear : Moments, optional
            Of the first one, with its slices, where they are known.
        """
        found = linear or moments(self.fitted, self.rows, [SLICED], self.errors)[0]
        first = self._first_predictor(found)
        if not self.others:
            return first
        cov, centred = self.errors.cov_params, first - found.mean[:, None]
        var = np.maximum(centred**2 @ WEIGHTS, 1e-300)
        every = [first]
        for j, rows in enumerate(self.others, 1):
            (other,) = moments(self.fitted, rows, [LINEAR], self.errors)
            # along the first one: by draws, slice by slice, and by new effects and errors of the estimates
            along, drawn = self._with_first(rows)
            along *= np.sqrt(np.minimum(drawn / var, 1.0))[:, None]
            shared = np.einsum("np,pq,nq->n", other.slope, cov, found.slope) + self._shared_by_prior(j)
            along += (shared / var)[:, None] * centred
            left = np.sqrt(np.maximum(other.var + other.estimation_var(cov) - along**2 @ WEIGHTS, 0.0))
            every = [np.repeat(eta, len(OTHER_NODES), axis=1) for eta in every]
            along = np.repeat(along, every[0].shape[1] // (SLICES * len(OTHER_NODES)), axis=1)
            away = (along[..., None] + left[:, None, None] * OTHER_NODES).reshape(len(rows), -1)
            every.append(other.mean[:, None] + np.clip(away, -REACH, REACH))
        return np.stack(every)

    def _with_first(self, rows: LinearRows) -> tuple[Array, Array]:
        """Centred means of another predictor's draws in each slice of the first one's, and the variance of these."""
        N = len(rows)
        along, drawn = np.zeros((N, SLICES)), np.zeros(N)

        def of_draws(law: Law, index: np.ndarray, products: Products) -> tuple[Array, Array]:
            (K, L), m = index.shape, law.v.shape[1]
            first, other = (products.Zb[:, part].reshape(-1, m) for part in (slice(None, L), slice(L, None)))
            v = np.broadcast_to(law.v[:, None], (K, L, m)).reshape(-1, m)
            centred = first - (v * first).sum(axis=1, keepdims=True)
            means = slice_means(first, v, other - (v * other).sum(axis=1, keepdims=True))
            return means.reshape(K, L, SLICES), (v * centred**2).sum(axis=1).reshape(K, L)

        for index, (means, variance) in Placed.of(self.fitted, self.rows, rows).map(of_draws):
            inside = index >= 0
            along[index[inside]], drawn[index[inside]] = means[inside], variance[inside]
        return along, drawn

    def _shared_by_prior(self, j: int) -> Array:
        """Covariance of the first and another predictor from effects that the data say nothing of, (N,)."""
        cross = None if self.every is None else self.every.cross.get((0, j))
        if cross is None:
            return np.zeros(len(self.rows))
        params = self.fitted.reduction.extend(self.fitted.params)
        return np.asarray(cross @ params[self.fitted.reduction.layout.covariance])

    def _first_predictor(self, found: Moments) -> Array:
        if found.slices is None:
            raise ValueError("moments of a law that was not sliced")
        drawn = np.isfinite(found.slices[:, 0])
        out = np.where(drawn[:, None], found.slices, found.mean[:, None])
        # what is left of the variance, and the error of the estimates, is normal
        known = ((out - found.mean[:, None]) ** 2) @ WEIGHTS
        extra = np.maximum(found.var - known, 0.0) + found.estimation_var(self.errors.cov_params)
        for a in range(0, len(out), ROWS):
            cut = slice(a, a + ROWS)
            out[cut] = widened(out[cut], np.sqrt(extra[cut]), drawn[cut])
        return out

    def interval(self, alpha: float) -> tuple[Array, Array]:
        """Equal-tailed interval of a new observation; binomial: of the fraction of successes.

        Limits of counts are counts: the smallest at which the distribution function reaches alpha / 2 and
        1 - alpha / 2.
        """
        eta, N = self.linear_predictors(), len(self.rows)
        limits = [np.empty(N) for _ in range(2)]
        for a in range(0, N, ROWS):
            cut = slice(a, a + ROWS)
            mu = self.family.mean(eta[..., cut, :])
            # beyond infinity, where an inverse link turns negative, there is no law of a new observation
            first = eta[0, cut] if self.others else eta[cut]
            known = (self.family.link != "inverse") | (np.ptp(np.sign(first), axis=1) == 0)
            mu = np.where(known[:, None], mu, 1.0)
            for limit, p in zip(limits, (0.5 * alpha, 1.0 - 0.5 * alpha), strict=True):
                limit[cut] = np.where(known, self._quantile(mu, p, cut), np.nan)
        return limits[0], limits[1]

    def points_around(self, limits: Array) -> Array:
        """Points (N, 6) that errors of limits (N, 2) are read off: below, at and above the lower and the upper one."""
        if self.family.discrete:
            at, step = limits * self.n_trials[:, None], np.ones((len(limits), 1))
        else:
            at, step = limits, 1e-3 * np.diff(limits, axis=1)
        return np.concatenate([at - step, at, at + step], axis=1)

    def limits_mcse(self, alpha: float, points: Array, found: Varied) -> Array:
        """Monte Carlo errors of limits (N, 2).

        An error of the distribution function is one of its inverse, divided by the density.  A limit of counts is
        another count if the distribution function there is on the other side of the probability.

        Parameters
        ----------
        alpha : float
        points : ndarray (N, 6)
            As `points_around` gives them.
        found : Varied (N, 6)
            The distribution function there.
        """
        p = np.array([0.5 * alpha, 1.0 - 0.5 * alpha])
        below, here, above = np.split(found.value, 3, axis=1)
        below_mcse, here_mcse, _ = np.split(found.mcse, 3, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            if not self.family.discrete:
                return np.asarray(here_mcse / (above - below) * (points[:, 4:] - points[:, :2]))
            less, more = special.ndtr((below - p) / below_mcse), special.ndtr((p - here) / here_mcse)
        return np.asarray(np.sqrt(less + more - (more - less) ** 2) / self.n_trials[:, None])

    def distribution(self, points: Array, linear: Moments | None = None) -> Array:
        """Distribution function of a new observation of each row at points (N, k); with moments that are known."""
        eta, out = self.linear_predictors(linear), np.empty(points.shape)
        for a in range(0, len(self.rows), ROWS):
            cut = slice(a, a + ROWS)
            mu = self.family.mean(eta[..., cut, :])
            for k in range(points.shape[1]):
                out[cut, k] = self._cdf(points[cut, k], mu, cut)
        return out

    def _cdf(self, y: Array, mu: Array, rows: slice | np.ndarray) -> Array:
        """Distribution function of new observations at y (N,), for locations mu (N, points)."""
        trials, weights = self.n_trials[rows, None], self.var_weights[rows, None]
        out = np.zeros(len(y))
        for phi, weight in self._parameters:
            out += weight * (self.family.cdf(y[:, None], mu, phi, trials, weights) @ self.weights)
        return out

    @cached_property
    def _parameters(self) -> list[tuple[Any, float]]:
        """Nodes and weights of the law of the family's parameters: normal in their free coordinates.

        On each axis of that law there are two nodes, which with the one at the centre make the three of
        Gauss-Hermite where there is one parameter.
        """
        layout, scale = self.fitted.design.layout, self.family.parameter_scale
        m = layout.n_family
        if not m:
            return [(self.phi, 1.0)]
        x = scale.free(np.atleast_1d(self.phi))
        inverse = np.linalg.inv(scale.jacobian(x))
        cov = inverse @ self.errors.cov_params[layout.family, layout.family] @ inverse.T
        kappa = max(3.0, m)
        steps = np.sqrt(kappa) * covariance_root(np.nan_to_num(cov)).T
        nodes = [(x, 1.0 - m / kappa), *((x + sign * s, 0.5 / kappa) for s in steps for sign in (-1.0, 1.0))]
        psis = ((scale.psi(at), weight) for at, weight in nodes if weight)
        return [(psi if m > 1 else float(psi[0]), weight) for psi, weight in psis]

    def _quantile(self, mu: Array, p: float, cut: slice) -> Array:
        """Invert the distribution function."""
        at = self.family.link_function.mean(mu[0]) if self.others else mu
        centre, width = at @ self.weights, np.maximum(np.ptp(at, axis=1), 1e-3 * np.abs(at).max(axis=1))
        places, discrete = np.arange(len(self.rows))[cut], self.family.discrete
        trials = self.n_trials[cut] if discrete else np.ones(len(at))

        def cdf(y: Array, rows: np.ndarray) -> Array:
            return self._cdf(y, mu[..., rows, :], places[rows])

        if discrete:
            width, low = np.maximum(np.ceil(width * trials), 1.0), np.zeros(len(at))
            return quantiles(cdf, p, low, np.ceil(centre * trials), width, discrete=True) / trials
        each = len(self.weights) // SLICES
        few = FEW * each + each // 2

        def roughly(y: Array, rows: np.ndarray) -> Array:
            trials, weights = (v[places[rows], None] for v in (self.n_trials, self.var_weights))
            found = self.family.cdf(y[:, None], mu[..., rows, :][..., few], self.phi, trials, weights)
            return np.asarray(found @ (WEIGHTS[FEW] / WEIGHTS[FEW].sum()))

        search = partial(quantiles, p=p, discrete=False, atoms=self.family.atoms)
        about = search(roughly, low=centre - width, high=centre + width, width=width)
        width *= NEARBY
        return search(cdf, low=about - width, high=about + width, width=width)
