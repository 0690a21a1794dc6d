"""Tweedie: non-negative responses with zeros, variance scale * mu^power, 1 < power < 2, log link.

A Tweedie response is the sum of a Poisson number of gamma ones (Jorgensen, 1987, J. R. Stat. Soc. B 49, 127-162).  Its
density at y > 0 is a series (Dunn and Smyth, 2005, Stat. Comput. 15, 267-280): all its terms that count are summed.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.jets import Jet, exp, gammaln, log, reciprocal
from statsmodels_mcla.families.links import LOG, MeanLink
from statsmodels_mcla.families.parameter_scale import ONE_TO_TWO, POSITIVE, ParameterScale
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.smooth_density import SmoothDensity
from statsmodels_mcla.numerics import Array, Number

LOST = 37.0  # log of a term, below the largest one, from which it does not count
MOST_TERMS = 20_000
NOTHING = 1e-17  # probability of a number of parts that is not felt


@dataclass(frozen=True)
class Tweedie(SmoothDensity):
    """Responses that are zero or positive, variance scale * mu^power, with the power estimated.

    Examples
    --------
    >>> from statsmodels_mcla.families import Tweedie
    >>> herds = datasets.cbpp.load_pandas().data
    >>> herds["share"] = herds["incidence"] / herds["size"]  # zeros among them
    >>> smf.mcla_mixedglm("share ~ period + (1 | herd)", data=herds, family=Tweedie()).fit(rng=1).fe_params.round(2)
    Intercept     -1.53
    period[T.2]   -1.09
    period[T.3]   -0.91
    period[T.4]   -1.67
    dtype: float64
    """

    name: ClassVar[str] = "Tweedie"
    atoms: ClassVar[tuple[float, ...]] = (0.0,)
    ends: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType(
        {
            "power": (
                "and the likelihood has no bound there, as of multiples of a number: fit counts by Poisson()",
                "and the other results are close to those of sm.families.Gamma(sm.families.links.Log())",
            )
        }
    )

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("scale", "power")

    @property
    def parameter_scale(self) -> ParameterScale:
        return ParameterScale((POSITIVE, ONE_TO_TWO))

    @property
    def link_function(self) -> MeanLink:
        return LOG

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        scale, power = psi[0] * (1.0 / np.asarray(v)), psi[1]
        rest, over = 2.0 - power, power - 1.0
        part = exp(eta * (-over)) * (-y) * reciprocal(over) - exp(eta * rest) * reciprocal(rest)
        return part * reciprocal(scale) + _series_of(y, np.asarray(v), psi[0], power)

    def curvature(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        scale, power = phi[0] / np.asarray(v), phi[1]
        at = np.clip(eta, -self.far, self.far)
        rest = 2.0 - power
        bend = y * (power - 1.0) * np.exp(at * (1.0 - power)) + rest * np.exp(at * rest)
        return np.asarray(-w / scale * bend)

    def _check_support(self, y: Array) -> None:
        refuse(y < 0, y, self.name, "numbers that are not negative")

    def open_direction(self, y: Array, w: Array) -> Array | None:
        return np.where(y == 0.0, -1.0, 0.0)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.maximum(super().start_mean(y, w, v), 1e-3 * float(np.mean(y)) + 1e-300)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Any:
        return np.array([max(float(np.mean((endog - mu) ** 2 / mu**1.5)), 1e-3), 1.5])

    def _step_of(self, k: int, at: float) -> float:
        return 1e-3 * (at if k == 0 else min(at - 1.0, 2.0 - at))

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        return np.asarray(phi[0] * mu ** phi[1])

    def _compound(self, mu: Array, phi: Any, v: Number) -> tuple[Array, float, Array]:
        """Return the rate of the Poisson number, and shape and scale of each gamma part."""
        scale, power = phi[0] / np.asarray(v), phi[1]
        rate = mu ** (2.0 - power) / (scale * (2.0 - power))
        return rate, (2.0 - power) / (power - 1.0), scale * (power - 1.0) * mu ** (power - 1.0)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        rate, shape, size = self._compound(np.asarray(mu, float), phi, var_weights)
        count = rng.poisson(rate)
        return np.where(count > 0, rng.gamma(np.maximum(count, 1) * shape) * size, 0.0)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        y, mean = np.broadcast_arrays(np.asarray(endog, float), np.asarray(mu, float))
        rate, shape, size = self._compound(mean, phi, var_weights)
        at, out = np.maximum(y, 0.0) / size, np.exp(-rate)
        top = int(np.max(rate, initial=0.0) + 10.0 * np.sqrt(np.max(rate, initial=0.0)) + 30.0)
        for k in range(1, top):
            chance = np.exp(special.xlogy(k, rate) - rate - special.gammaln(k + 1.0))
            felt = chance > NOTHING
            out[felt] += chance[felt] * special.gammainc(k * shape, at[felt])
        return np.where(y < 0, 0.0, np.minimum(out, 1.0))


def _series_of(y: Array, v: Array, scale: Jet, power: Jet) -> Jet:
    """`_log_series` with the scale divided by weights, remembered: it does not depend on linear predictors."""
    variable = bool(scale.d)
    key = (y.tobytes(), y.shape, v.tobytes(), v.shape, float(scale.value), float(power.value), variable)
    return _remembered(*key)


@lru_cache(maxsize=64)
def _remembered(
    y: bytes,
    y_shape: tuple[int, ...],
    v: bytes,
    v_shape: tuple[int, ...],
    scale: float,
    power: float,
    variable: bool,
) -> Jet:
    parts = [Jet.variable(x, k) if variable else Jet.constant(x) for k, x in ((1, scale), (2, power))]
    weights = np.frombuffer(v).reshape(v_shape)
    return _log_series(np.frombuffer(y).reshape(y_shape), parts[0] * (1.0 / weights), parts[1])


def _log_series(y: Array, scale: Jet, power: Jet) -> Jet:
    """Log of the density's factor that does not depend on the mean: 0 at y = 0."""
    positive = y > 0
    safe = np.where(positive, y, 1.0)[..., None]
    shape = (2.0 - power) * reciprocal(power - 1.0)
    scale = _with_axis(scale)
    # the largest term is near y^(2 - p) / (scale (2 - p)); terms fall off like a normal density around it
    p, a = float(power.value), float(shape.value)
    centre = safe ** (2.0 - p) / (scale.value * (2.0 - p))
    reach = np.sqrt(2.0 * LOST * np.maximum(centre, 1.0) / (1.0 + a)) * 1.3 + 20.0
    first = np.maximum(1.0, np.floor(centre - reach))
    count = int(min(np.max(2.0 * reach) + 2.0, MOST_TERMS))
    j = first + np.arange(count)
    log_z = shape * (np.log(safe) - log(power - 1.0)) - (shape + 1.0) * log(scale) - log(2.0 - power)
    terms = log_z * j - special.gammaln(j + 1.0) - gammaln(shape * j)
    total = _log_sum(terms) - np.log(safe[..., 0])
    keep = positive.astype(float)
    return Jet(
        np.where(positive, total.value, 0.0),
        {i: d * keep for i, d in total.d.items()},
        {ij: h * keep for ij, h in total.h.items()},
    )


def _with_axis(x: Jet) -> Jet:
    """Jet with an axis of terms at the end."""
    d = {i: np.asarray(part)[..., None] for i, part in x.d.items()}
    return Jet(
        np.asarray(x.value)[..., None], d, {ij: np.asarray(part)[..., None] for ij, part in x.h.items()}
    )


def _log_sum(terms: Jet) -> Jet:
    """Log of the sum of exp over the last axis."""
    value = special.logsumexp(terms.value, axis=-1)
    share = np.exp(terms.value - value[..., None])
    d = {i: (share * part).sum(axis=-1) for i, part in terms.d.items()}
    h = {}
    for i, a in terms.d.items():
        for k, b in terms.d.items():
            if i <= k:
                bend = terms.h.get((i, k), 0.0)
                h[i, k] = (share * (bend + a * b)).sum(axis=-1) - d[i] * d[k]
    return Jet(value, d, h)
