r"""Moments of functions of the random effects given the data, with their errors.

For a function h of a row's linear predictor eta, over draws at the maximum,

    E h = sum_k v_k h(eta_k),        dE h / dpsi = E dh/dpsi + Cov(h, s),

s the complete-data score (as in Louis, 1982).  Draws that move along with the parameters (`moving_draws`) bring
their part of the derivative into dh/dpsi.  Two errors follow:

* other random numbers (MCSE): e_r, the sum over the draws of replicate r of v_k (h_k - E h) (delta method over the
  normalised weights; Owen, Monte Carlo theory, methods and examples, sec. 9.2), and the slope times the Monte Carlo
  error of the estimates, of covariance C.  The draws are not those that found the maximum (`Fitted.fresh`), so
  that the two are independent, and with c = R / (R - 1)

      MCSE^2 = c sum_r e_r^2 + slope' C slope;

* other data: Var(h | y) + slope' cov_params slope, the conditional mean squared error of prediction of Booth and
  Hobert (1998, J. Am. Stat. Assoc. 93, 262-272, sec. 3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from statsmodels_mcla.estimation import Fitted, ParameterErrors
from statsmodels_mcla.families import IDENTITY, MeanLink, NormalMean, Surface
from statsmodels_mcla.likelihood.monte_carlo import by_replicate
from statsmodels_mcla.numerics import Array, transpose
from statsmodels_mcla.prediction.linear_predictors import JointRows, Law, LinearRows, Placed, Products
from statsmodels_mcla.prediction.sliced_laws import SLICES, slice_means

ROWS = 2**16  # rows without draws at a time
PSI_STEP = 1e-4  # of differences in a parameter of the family


@dataclass(frozen=True)
class MomentFunction:
    """A function h of the linear predictor.

    Attributes
    ----------
    link : MeanLink
        With h, its derivative, and means of h over a normal part of eta.
    linear : bool
        Whether h is eta itself.
    sliced : bool
        Whether the law of eta over the draws is wanted, in slices.
    """

    link: MeanLink
    linear: bool = False
    sliced: bool = False

    def over_draws(self, eta: Array, spread: Array) -> NormalMean:
        """Values over draws eta (K, L, m); an integral only in rows with a normal part, of variance spread (K, L)."""
        value = self.link.mean(eta)
        nothing = np.zeros(1)
        out = NormalMean(value, self.link.mean_deriv(eta), nothing, value**2)
        some = spread > 0
        if not some.any():
            return out
        out = out._replace(d_var=np.zeros_like(value))
        for target, part in zip(out, self.link.normal_mean(eta[some], spread[some][:, None]), strict=True):
            target[some] = part
        return out


LINEAR = MomentFunction(IDENTITY, linear=True)
SLICED = MomentFunction(IDENTITY, linear=True, sliced=True)


@dataclass(frozen=True)
class Moments:
    """Moments of h(eta) given the data, row by row.

    Attributes
    ----------
    mean, var : ndarray (N,)
        Given the data and the estimates.
    slope : ndarray (N, P)
        Derivative of the mean in the parameters.
    mean_mc_var, var_mc_var : ndarray (N,)
        Monte Carlo variance of the mean and, where h is linear, of the variance.
    slices : ndarray (N, SLICES), optional
        Law of eta over the draws (`sliced_laws`); NaN in rows without draws.
    """

    mean: Array
    var: Array
    slope: Array
    mean_mc_var: Array
    var_mc_var: Array
    slices: Array | None = None

    @classmethod
    def empty(cls, n: int, n_params: int, *, sliced: bool = False) -> Moments:
        """Moments yet to be filled in."""
        mean, var, mean_mc_var, var_mc_var = np.full((4, n), np.nan)
        slices = np.full((n, SLICES), np.nan) if sliced else None
        return cls(mean, var, np.full((n, n_params), np.nan), mean_mc_var, var_mc_var, slices)

    def put(self, rows: np.ndarray, part: Moments) -> None:
        """Fill in those of some rows, -1 for none."""
        inside = rows >= 0
        for f in fields(self):
            found = getattr(part, f.name)
            if found is not None:
                getattr(self, f.name)[rows[inside]] = found[inside]

    @property
    def mcse(self) -> Array:
        """Monte Carlo standard error of the mean."""
        return np.sqrt(np.maximum(self.mean_mc_var, 0.0))

    def estimation_var(self, cov_params: Array) -> Array:
        """Variance of the mean from the sampling error of the parameters."""
        return np.asarray(np.maximum(np.einsum("np,pq,nq->n", self.slope, cov_params, self.slope), 0.0))


def moments(
    fitted: Fitted, rows: LinearRows, curves: Sequence[MomentFunction], errors: ParameterErrors
) -> list[Moments]:
    """Moments of functions of linear predictors given the data.

    Parameters
    ----------
    fitted : Fitted
        With draws of its own (`Fitted.fresh`).
    rows : LinearRows
    curves : sequence of MomentFunction
    errors : ParameterErrors

    Returns
    -------
    list of Moments
        One a curve.

    Raises
    ------
    ValueError
        If a curve has no mean.
    """
    setting = _Setting.of(fitted, rows, errors)
    out = [Moments.empty(len(rows), fitted.design.n_params, sliced=curve.sliced) for curve in curves]
    placed = Placed.of(fitted, rows)
    for a in range(0, len(placed.without_draws), ROWS):
        index = placed.without_draws[a : a + ROWS]
        for target, curve in zip(out, curves, strict=True):
            target.put(index, _prior_moments(setting, index, curve))

    def of_draws(law: Law, index: np.ndarray, products: Products) -> list[Moments]:
        eta = products.Zb
        eta += setting.fixed[index][..., None]
        return [_weighted_moments(setting, law, index, eta, products, curve) for curve in curves]

    for index, found in placed.map(of_draws):
        for target, part in zip(out, found, strict=True):
            target.put(index, part)
    return out


def moments_of(
    fitted: Fitted,
    rows: LinearRows,
    errors: ParameterErrors,
    which: str = "mean",
    joint: JointRows | None = None,
    linear: MomentFunction = LINEAR,
) -> list[Moments]:
    """Moments of linear predictors, and of what is predicted from them; arguments and refusals as for `moments`.

    Where that depends on parameters of the family too, its slope in them is taken by differences.

    Parameters
    ----------
    which : str
        A name among the family's `predictable`.
    joint : JointRows, optional
        All linear predictors that a surface depends on.
    linear : {LINEAR, SLICED}
        Whether slices of the linear predictor are wanted too.
    """
    design, family = fitted.design, fitted.design.family
    psi = fitted.params[design.layout.family]

    def curve_at(psi: Array) -> MeanLink | Surface:
        return family.predictable(psi if len(psi) > 1 else float(psi[0]) if len(psi) else 1.0)[which].curve

    curve, shifted = curve_at(psi), []
    steps = PSI_STEP * np.maximum(np.abs(psi), PSI_STEP)
    if any(curve_at(psi + step) != curve for step in np.diag(steps)):
        shifted = [curve_at(psi + sign * step) for step in np.diag(steps) for sign in (1.0, -1.0)]
    curves = [curve, *shifted]
    functions = [linear, *(MomentFunction(c) for c in curves if isinstance(c, MeanLink))]
    of_eta, *found = moments(fitted, rows, functions, errors)
    if joint is not None:
        found = joint_moments(fitted, joint, [c for c in curves if isinstance(c, Surface)], errors)
    chosen, *others = found
    for k in range(len(others) // 2):
        change = (others[2 * k].mean - others[2 * k + 1].mean) / (2.0 * steps[k])
        chosen.slope[:, design.layout.family.start + k] += change
    return [of_eta, chosen]


def joint_moments(
    fitted: Fitted, joint: JointRows, surfaces: Sequence[Surface], errors: ParameterErrors
) -> list[Moments]:
    """Moments of functions of several linear predictors given the data: as `moments`, one a surface."""
    settings = [_Setting.of(fitted, part, errors) for part in joint.rows]
    cov = _joint_covariances(fitted, joint, settings)
    out = [Moments.empty(len(cov), fitted.design.n_params) for _ in surfaces]
    placed = Placed.of(fitted, *joint.rows)

    def cross_slope(index: np.ndarray, bends: Mapping[tuple[int, int], Array]) -> Array:
        parts = [bends[pair][..., None] * basis[index] for pair, basis in joint.cross.items()]
        return np.asarray(
            sum(parts, np.zeros((*index.shape, len(settings[0].of_theta)))) @ settings[0].of_theta
        )

    for a in range(0, len(placed.without_draws), ROWS):
        index = placed.without_draws[a : a + ROWS]
        etas = [setting.fixed[index] for setting in settings]
        for target, surface in zip(out, surfaces, strict=True):
            h = surface.normal_mean(etas, cov[index])
            slope = cross_slope(index, h.bends)
            for k, setting in enumerate(settings):
                slope = slope + setting.direct_slope(index, h.slopes[k], h.bends[k, k])
            var = np.maximum(h.square - h.mean**2, 0.0)
            nothing = np.full(len(index), np.nan)
            target.put(index, Moments(h.mean, var, slope, errors.monte_carlo_var(slope), nothing))

    def of_draws(law: Law, index: np.ndarray, products: Products) -> list[Moments]:
        L, v = index.shape[1], law.v[:, None]
        own = [products.part(slice(k * L, (k + 1) * L)) for k in range(len(settings))]
        etas = [part.Zb + s.fixed[index][..., None] for part, s in zip(own, settings, strict=True)]
        found = []
        for surface in surfaces:
            h = surface.normal_mean(etas, cov[index][:, :, None])
            parts = [(s, own[k], h.slopes[k], h.bends[k, k]) for k, s in enumerate(settings)]
            bends = {pair: (h.bends[pair] * v).sum(axis=-1) for pair in joint.cross}
            direct = cross_slope(index, bends)
            found.append(_moments_over_draws(law, index, h.mean, h.square, parts, errors, direct)[0])
        return found

    for index, parts in placed.map(of_draws):
        for target, part in zip(out, parts, strict=True):
            target.put(index, part)
    return out


def _joint_covariances(fitted: Fitted, joint: JointRows, settings: Sequence[_Setting]) -> Array:
    """Covariances (N, K, K) of the normal parts of several linear predictors."""
    theta = fitted.reduction.extend(fitted.params)[fitted.reduction.layout.covariance]
    cov = np.stack([s.spread for s in settings], axis=-1)[..., None] * np.eye(len(settings))
    for (i, j), basis in joint.cross.items():
        cov[:, i, j] = cov[:, j, i] = basis @ theta
    return cov


@dataclass(frozen=True)
class _Setting:
    """Rows at the maximum.

    Attributes
    ----------
    rows : LinearRows
    errors : ParameterErrors
    fixed, spread : ndarray (N,)
        X beta + offset, and the variance of the normal part.
    of_theta : ndarray (size of theta, P)
        Derivative of the model's variances and covariances in the fitted parameters.
    n_fixed : int
    """

    rows: LinearRows
    errors: ParameterErrors
    fixed: Array
    spread: Array
    of_theta: Array
    n_fixed: int

    @classmethod
    def of(cls, fitted: Fitted, rows: LinearRows, errors: ParameterErrors) -> _Setting:
        theta = fitted.reduction.layout.covariance
        spread = rows.prior @ fitted.reduction.extend(fitted.params)[theta]
        return cls(
            rows,
            errors,
            rows.offset + rows.X @ fitted.params[fitted.design.layout.fixed],
            np.maximum(spread, 0.0),
            fitted.jacobian[theta],
            fitted.design.n_fixed,
        )

    def direct_slope(self, index: np.ndarray, d_eta: Array, d_var: Array) -> Array:
        """Mean of dh / dpsi (..., P) at fixed effects, from the means of the derivatives in eta and its variance."""
        out = (d_var[..., None] * self.rows.prior[index]) @ self.of_theta
        out[..., : self.rows.X.shape[1]] += d_eta[..., None] * self.rows.X[index]
        return out


def _prior_moments(setting: _Setting, index: np.ndarray, curve: MomentFunction) -> Moments:
    """Moments of rows whose effects, if there are any, follow their prior law."""
    values = curve.link.normal_mean(setting.fixed[index], setting.spread[index])
    slope = setting.direct_slope(index, values.d_eta, values.d_var)
    var_mc_var = np.full(len(index), np.nan)
    if curve.linear:
        var_slope = setting.direct_slope(index, np.zeros(len(index)), np.ones(len(index)))
        var_mc_var = setting.errors.monte_carlo_var(var_slope)
    return Moments(
        values.mean,
        np.maximum(values.square - values.mean**2, 0.0),
        slope,
        setting.errors.monte_carlo_var(slope),
        var_mc_var,
    )


Part = tuple[_Setting, Products, Array, Array]


def _moments_over_draws(
    law: Law,
    index: np.ndarray,
    value: Array,
    square: Array,
    parts: Sequence[Part],
    errors: ParameterErrors,
    direct: Array | float = 0.0,
) -> tuple[Moments, Array, Array]:
    """Moments of values (K, L, m) and their squares, with what they have of each linear predictor and further slopes.

    Returns
    -------
    moments : Moments
    centred, squares : ndarray (K, L, m)
        v (h - E h), and what the variance is the weighted mean of.
    """
    v = law.v[:, None]
    mean = (value * v).sum(axis=-1)
    centred = value - mean[..., None]
    squares = centred * centred
    squares += square - value**2
    var = (squares * v).sum(axis=-1)
    centred *= v
    for setting, products, in_eta, in_var in parts:
        d_eta, d_var = ((part * v).sum(axis=-1) for part in (in_eta, in_var))
        own = setting.direct_slope(index, d_eta, d_var)
        own[..., : setting.n_fixed] += d_eta[..., None] * products.moves
        for j, velocity in enumerate(products.velocities, setting.n_fixed):
            own[..., j] += (in_eta * velocity * v).sum(axis=-1)
        direct = direct + own
    slope, mean_mc_var = _errors_of_mean(law, centred, np.asarray(direct), errors)
    return Moments(mean, var, slope, mean_mc_var, np.full(index.shape, np.nan)), centred, squares


def _weighted_moments(
    setting: _Setting, law: Law, index: np.ndarray, eta: Array, products: Products, curve: MomentFunction
) -> Moments:
    """Moments over draws of the rows ``index`` (K, L) from eta (K, L, m) and its derivatives in the loadings."""
    values = curve.over_draws(eta, setting.spread[index])
    parts = [(setting, products, values.d_eta, values.d_var)]
    found, centred, squares = _moments_over_draws(
        law, index, values.mean, values.square, parts, setting.errors
    )
    if not curve.linear:
        return found
    squares -= found.var[..., None]
    squares *= law.v[:, None]
    direct = setting.direct_slope(index, np.zeros(index.shape), np.ones(index.shape))
    for j, velocity in enumerate(products.velocities, setting.n_fixed):
        direct[..., j] += 2.0 * (centred * velocity).sum(axis=-1)
    _, var_mc_var = _errors_of_mean(law, squares, direct, setting.errors)
    slices = _slices(law, eta) if curve.sliced else None
    return replace(found, var_mc_var=var_mc_var, slices=slices)


def _slices(law: Law, eta: Array) -> Array:
    """Slices (K, L, SLICES) of the law of eta (K, L, m)."""
    v = np.broadcast_to(law.v[:, None], eta.shape)
    m = eta.shape[-1]
    return slice_means(eta.reshape(-1, m), v.reshape(-1, m)).reshape(*eta.shape[:-1], SLICES)


def _errors_of_mean(law: Law, weighted: Array, direct: Array, errors: ParameterErrors) -> tuple[Array, Array]:
    """Slope and Monte Carlo variance of a weighted mean.

    Parameters
    ----------
    law : Law
    weighted : ndarray (K, L, m)
        v_k (h_k - E h).
    direct : ndarray (K, L, P)
        E dh/dpsi.
    errors : ParameterErrors
    """
    slope = weighted @ transpose(law.s) + direct
    e = by_replicate(weighted, law.replicate)
    return slope, law.correction * (e * e).sum(axis=-1) + errors.monte_carlo_var(slope)
