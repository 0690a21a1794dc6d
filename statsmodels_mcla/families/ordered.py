"""Ordered categories: cumulative link models (McCullagh, 1980, J. R. Stat. Soc. B 42, 109-142).

The category of a row is k or lower with probability F(tau_k - eta), so that a larger eta makes higher categories more
likely; F is the logistic, normal or complementary log-log distribution function.  Thresholds tau are the family's
parameters, and take the place of the intercept.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import special

from statsmodels_mcla.families.categories import Categories, sampled_category
from statsmodels_mcla.families.distribution import Predictable
from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.links import CLOGLOG, IDENTITY, LOGIT, PROBIT, Identity, MeanLink
from statsmodels_mcla.families.parameter_scale import POSITIVE, REAL, ParameterScale
from statsmodels_mcla.families.smooth_density import STEP, SmoothDensity
from statsmodels_mcla.numerics import LOG_2PI, Array, Number

NEWTON = 60


class Latent(NamedTuple):
    """A latent distribution: link, logs of its function, of one minus it and of its density, whose slope is last."""

    link: MeanLink
    log_cdf: Callable[[Array], Array]
    log_sf: Callable[[Array], Array]
    log_pdf: Callable[[Array], Array]
    slope: Callable[[Array], Array]


def _log1mexp(x: Array) -> Array:
    """Return log(1 - e^-x) at x >= 0."""
    near = x < 0.7
    return np.where(
        near, np.log(-np.expm1(-np.where(near, x, 1.0))), np.log1p(-np.exp(-np.where(near, 1.0, x)))
    )


LATENT = {
    "logit": Latent(
        LOGIT,
        lambda x: -np.logaddexp(0.0, -x),
        lambda x: -np.logaddexp(0.0, x),
        lambda x: -np.logaddexp(0.0, -x) - np.logaddexp(0.0, x),
        lambda x: 1.0 - 2.0 * special.expit(x),
    ),
    "probit": Latent(
        PROBIT,
        special.log_ndtr,
        lambda x: special.log_ndtr(-x),
        lambda x: -0.5 * (x * x + LOG_2PI),
        lambda x: -x,
    ),
    "cloglog": Latent(
        CLOGLOG,
        lambda x: _log1mexp(np.exp(x)),
        lambda x: -np.exp(x),
        lambda x: x - np.exp(x),
        lambda x: 1.0 - np.exp(x),
    ),
}


@dataclass(frozen=True)
class LatentLocation(Identity):
    """The location of the latent variable, whose variance given it is that of the link."""

    variance: float

    @property
    def latent_variance(self) -> float:  # type: ignore[override]
        return self.variance


@dataclass(frozen=True)
class OrderedMean(MeanLink):
    """Mean of the category's number as a function of the linear predictor."""

    link: MeanLink
    thresholds: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.link.name

    @property
    def strip(self) -> float:  # type: ignore[override]
        return self.link.strip

    def mean(self, eta: Array) -> Array:
        out = np.full(np.shape(eta), self.values[0])
        for tau, step in zip(self.thresholds, np.diff(self.values), strict=True):
            out = out + step * (1.0 - self.link.mean(tau - eta))
        return out

    def mean_deriv(self, eta: Array) -> Array:
        steps = zip(self.thresholds, np.diff(self.values), strict=True)
        return np.asarray(sum(step * self.link.mean_deriv(tau - eta) for tau, step in steps))

    def eta(self, mu: Array) -> Array:
        out = np.full(np.shape(mu), float(np.mean(self.thresholds)))
        for _ in range(NEWTON):
            out = out + np.clip((mu - self.mean(out)) / np.maximum(self.mean_deriv(out), 1e-10), -1.0, 1.0)
        return out


@dataclass(frozen=True)
class CategoryProbability(MeanLink):
    """Probability of a category between two thresholds as a function of the linear predictor."""

    link: MeanLink
    lower: float
    upper: float

    name: ClassVar[str] = "probability"

    @property
    def strip(self) -> float:  # type: ignore[override]
        return self.link.strip

    def mean(self, eta: Array) -> Array:
        below = self.link.mean(self.lower - eta) if np.isfinite(self.lower) else 0.0
        return np.asarray((self.link.mean(self.upper - eta) if np.isfinite(self.upper) else 1.0) - below)

    def mean_deriv(self, eta: Array) -> Array:
        out = np.zeros(np.shape(eta))
        for tau, sign in ((self.lower, 1.0), (self.upper, -1.0)):
            out = out + (sign * self.link.mean_deriv(tau - eta) if np.isfinite(tau) else 0.0)
        return out

    def eta(self, mu: Array) -> Array:
        raise TypeError("the probability of a category is that of two linear predictors")


@dataclass(frozen=True)
class Cumulative(Categories, SmoothDensity):
    """Ordered categories by a cumulative link.

    Parameters
    ----------
    latent : {"logit", "probit", "cloglog"}
        Proportional odds; normal latent variable; proportional hazards.
    threshold : {"flexible", "symmetric", "equidistant"}
        Free thresholds; distances that are the same on both sides of the centre; equal distances.
    labels, values : tuple, optional
        See `Categories`.

    Raises
    ------
    ValueError
        If ``latent`` or ``threshold`` is unknown.

    Examples
    --------
    >>> from statsmodels_mcla.families import Cumulative
    >>> epil = datasets.epil.load_pandas().data
    >>> epil["grade"] = epil["y"].clip(upper=3)  # none, one, two, more
    >>> ordered = smf.mcla_mixedglm("grade ~ lbase + trt + (1 | subject)", data=epil, family=Cumulative("logit"))
    >>> ordered.fit(rng=1).params.round(1)
    trt[T.progabide]   -0.9
    lbase               1.7
    subject Var         1.0
    0|1                -3.6
    1|2                -2.9
    2|3                -2.1
    dtype: float64
    """

    latent: str = "logit"
    threshold: str = "flexible"
    labels: tuple[str, ...] = ()
    values: tuple[float, ...] = ()

    name: ClassVar[str] = "Cumulative"
    simple_mean: ClassVar[bool] = False
    intercept: ClassVar[bool] = False
    far: ClassVar[float] = np.inf

    def __post_init__(self) -> None:
        if self.latent not in LATENT:
            raise ValueError(f"latent must be one of {', '.join(map(repr, LATENT))}, got {self.latent!r}")
        if self.threshold not in THRESHOLDS:
            raise ValueError(
                f"threshold must be one of {', '.join(map(repr, THRESHOLDS))}, got {self.threshold!r}"
            )

    @property
    def log_concave(self) -> bool:
        return True

    @property
    def link(self) -> str:
        return self.latent

    @property
    def link_function(self) -> MeanLink:
        return LatentLocation(float(self.latent_law.link.latent_variance or 0.0))

    @property
    def parameters(self) -> tuple[str, ...]:
        return self._thresholds.names

    @property
    def parameter_scale(self) -> ParameterScale:
        return self._thresholds.scale

    @property
    def latent_law(self) -> Latent:
        """The latent distribution."""
        return LATENT[self.latent]

    @property
    def _thresholds(self) -> Thresholds:
        return _thresholds_of(self.threshold, self.labels)

    # -- data --------------------------------------------------------------------------------

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.zeros(len(y))

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Any:
        weights = np.broadcast_to(np.asarray(freq_weights, float), endog.shape)
        tau = np.zeros(len(self.values) - 1)
        for k, value in enumerate(self.values[:-1]):
            share = float(np.clip(np.average(endog <= value, weights=weights), 1e-3, 1.0 - 1e-3))
            low, high = float(mu.min()) - 12.0, float(mu.max()) + 12.0
            for _ in range(60):
                middle = 0.5 * (low + high)
                above = np.average(self.latent_law.link.mean(middle - mu), weights=weights) > share
                low, high = (low, middle) if above else (middle, high)
            tau[k] = middle + 1e-6 * k
        psi = np.linalg.lstsq(self._thresholds.matrix, tau, rcond=None)[0]
        return psi if len(psi) > 1 else float(psi[0])

    # -- density -----------------------------------------------------------------------------

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        category = self.category(y)
        A = self._thresholds.matrix
        zero = np.zeros((1, A.shape[1]))
        upper = _threshold(np.concatenate([A, zero])[category], psi, category == len(A), np.inf)
        lower = _threshold(np.concatenate([zero, A])[category], psi, category == 0, -np.inf)
        return log_difference(self.latent_law, upper - eta, lower - eta)

    def _step_of(self, k: int, at: float) -> float:
        return STEP

    # -- facts of the distribution -----------------------------------------------------------

    def _tau(self, phi: Any) -> Array:
        return np.asarray(self._thresholds.matrix @ np.atleast_1d(phi))

    def mean_curve(self, phi: Any) -> MeanLink:
        return OrderedMean(self.latent_law.link, tuple(self._tau(phi).tolist()), self.values)

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        tau, curve = self._tau(phi).tolist(), self.latent_law.link
        ends = zip([-np.inf, *tau], [*tau, np.inf], strict=True)
        chances = [Predictable(CategoryProbability(curve, low, high), 0, LOGIT) for low, high in ends]
        found = {"mean": Predictable(self.mean_curve(phi)), "linear": Predictable(IDENTITY)}
        return found | {f"prob: {label}": chance for label, chance in zip(self.labels, chances, strict=True)}

    def probabilities(self, eta: Array, phi: Any) -> Array:
        """Return the probability of each category at ``eta``, (..., J)."""
        below = self.latent_law.link.mean(self._tau(phi) - np.asarray(eta)[..., None])
        return np.diff(below, prepend=0.0, append=1.0)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        p, values = self.probabilities(mu, phi), np.array(self.values)
        return np.asarray(p @ values**2 - (p @ values) ** 2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        return sampled_category(rng, self.probabilities(mu, phi), self.values)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        endog, mu = np.broadcast_arrays(np.asarray(endog, float), mu)
        place = np.searchsorted(np.array(self.values), endog, side="right")
        at = np.concatenate([[-np.inf], self._tau(phi), [np.inf]])[place]
        with np.errstate(over="ignore"):
            inside = self.latent_law.link.mean(np.where(np.isfinite(at), at, 0.0) - mu)
        return np.where(np.isfinite(at), inside, (at > 0).astype(float))


class Thresholds(NamedTuple):
    """Parameters of thresholds: their names, thresholds = matrix @ psi, and free coordinates."""

    names: tuple[str, ...]
    matrix: Array
    scale: ParameterScale


def _scale(count: int, mix: Array) -> ParameterScale:
    """First coordinate free, the others distances."""
    return ParameterScale((REAL,) + (POSITIVE,) * (count - 1), tuple(map(tuple, mix.tolist())))


def _flexible(labels: tuple[str, ...]) -> Thresholds:
    K = max(len(labels) - 1, 0)
    names = tuple(f"{a}|{b}" for a, b in pairwise(labels))
    return Thresholds(names, np.eye(K), _scale(K, np.tril(np.ones((K, K)))))


def _equidistant(labels: tuple[str, ...]) -> Thresholds:
    K = len(labels) - 1
    if K < 2:
        return _flexible(labels)
    matrix = np.column_stack([np.ones(K), np.arange(K)])
    return Thresholds(("threshold.1", "spacing"), matrix, _scale(2, np.eye(2)))


def _symmetric(labels: tuple[str, ...]) -> Thresholds:
    K = len(labels) - 1
    if K < 3:
        return _flexible(labels)
    centres, sides = 2 - K % 2, (K - 1) // 2
    size = centres + sides
    matrix = np.zeros((K, size))
    matrix[: sides + 1, 0] = matrix[sides + centres - 1 :, centres - 1] = 1.0
    for i in range(sides):
        matrix[sides - 1 - i, centres + i] = -1.0
        matrix[K - sides + i, centres + i] = 1.0
    mix = np.eye(size)
    mix[:centres, :centres] = np.tril(np.ones((centres, centres)))
    mix[centres:, centres:] = np.tril(np.ones((sides, sides)))
    names = ("central",) if centres == 1 else ("central.1", "central.2")
    return Thresholds(names + tuple(f"spacing.{i + 1}" for i in range(sides)), matrix, _scale(size, mix))


THRESHOLDS = {"flexible": _flexible, "symmetric": _symmetric, "equidistant": _equidistant}


@lru_cache
def _thresholds_of(kind: str, labels: tuple[str, ...]) -> Thresholds:
    return THRESHOLDS[kind](labels)


def _threshold(rows: Array, psi: tuple[Jet, ...], absent: Array, instead: float) -> Jet:
    """Threshold of each row, from its coefficients rows (..., 1, m) of psi; infinite where there is none."""
    out = Jet.constant(np.where(absent, instead, 0.0))
    for k, one in enumerate(psi):
        out = out + one * rows[..., k]
    return out


def log_difference(latent: Latent, upper: Jet, lower: Jet) -> Jet:
    """Return log(F(upper) - F(lower)), from the tail that is nearer."""
    a, b = upper.value, lower.value
    low, high = np.isfinite(b), np.isfinite(a)
    a_in, b_in = np.where(high, a, 0.0), np.where(low, b, 0.0)
    whole = np.zeros(())
    below = np.where(high, latent.log_cdf(a_in), whole), np.where(low, latent.log_cdf(b_in), -np.inf)
    above = np.where(low, latent.log_sf(b_in), whole), np.where(high, latent.log_sf(a_in), -np.inf)
    left = np.where(low & high, a_in + b_in < 0.0, high)
    more, less = (np.where(left, x, z) for x, z in zip(below, above, strict=True))
    value = np.where(a > b, more + _log1mexp(np.maximum(more - less, 0.0)), -np.inf)
    da = np.where(high, np.exp(latent.log_pdf(a_in) - value), 0.0)
    db = -np.where(low, np.exp(latent.log_pdf(b_in) - value), 0.0)
    d = {i: da * part for i, part in upper.d.items()}
    for i, part in lower.d.items():
        d[i] = d[i] + db * part if i in d else db * part
    daa, dbb, dab = da * latent.slope(a_in) - da * da, db * latent.slope(b_in) - db * db, -da * db
    h = {}
    variables = sorted(set(upper.d) | set(lower.d))
    for i in variables:
        for j in variables:
            if i <= j:
                ai, aj, bi, bj = upper.d.get(i), upper.d.get(j), lower.d.get(i), lower.d.get(j)
                total: Any = 0.0
                for coefficient, x, z in ((daa, ai, aj), (dab, ai, bj), (dab, aj, bi), (dbb, bi, bj)):
                    if x is not None and z is not None:
                        total = total + coefficient * (x * z)
                h[i, j] = total
    return Jet(value, d, h)
