"""Ordered categories: cumulative link models (McCullagh, 1980, J. R. Stat. Soc. B 42, 109-142).

The category of a row is k or lower with probability F(tau_k - eta), so that a larger eta makes higher categories more
likely; F is the logistic, normal or complementary log-log distribution function.  Thresholds tau are the family's
parameters, and take the place of the intercept.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np

from statsmodels_mcla.families.categories import Categories, sampled_category
from statsmodels_mcla.families.distribution import Predictable
from statsmodels_mcla.families.latent import LATENT, Interval, Latent
from statsmodels_mcla.families.links import IDENTITY, LOGIT, Identity, MeanLink
from statsmodels_mcla.families.parameter_scale import POSITIVE, REAL, ParameterScale
from statsmodels_mcla.families.row_terms import DispersionTerms, RowTerms
from statsmodels_mcla.families.smooth_density import CompleteDensity, full
from statsmodels_mcla.numerics import Array, Number

NEWTON = 60
HALVINGS = 30  # of the range in which thresholds are looked for, to start with


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
class Cumulative(Categories, CompleteDensity):
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
        weights = weights / weights.sum()
        share = np.clip((endog <= np.array(self.values[:-1])[:, None]) @ weights, 1e-3, 1.0 - 1e-3)
        low, high = np.full(len(share), mu.min() - 12.0), np.full(len(share), mu.max() + 12.0)
        for _ in range(HALVINGS):
            tau = 0.5 * (low + high)
            above = self.latent_law.link.mean(tau[:, None] - mu) @ weights > share
            low, high = np.where(above, low, tau), np.where(above, tau, high)
        tau += 1e-6 * np.arange(len(tau))
        psi = np.linalg.lstsq(self._thresholds.matrix, tau, rcond=None)[0]
        return psi if len(psi) > 1 else float(psi[0])

    # -- density -----------------------------------------------------------------------------

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        return self._row_terms(self._interval(y, eta, phi), w, eta)

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        return self._parameter_terms(self._interval(y, eta, phi), y, w, eta)

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        found = self._interval(y, eta, phi)
        return self._row_terms(found, w, eta), self._parameter_terms(found, y, w, eta)

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        with np.errstate(all="ignore"):
            return full(-w * np.add(*self._interval(y, eta, phi).bends()), eta)

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        upper, lower = self._of_thresholds(y)
        with np.errstate(all="ignore"):
            above, below = self._interval(y, eta, phi).bends()
            return _whole(w * (upper * above + lower * below), eta)

    def _interval(self, y: Array, eta: Array, phi: Any) -> Interval:
        """Between the thresholds around each response."""
        tau, category = np.concatenate([[-np.inf], self._tau(phi), [np.inf]]), self.category(y)
        with np.errstate(all="ignore"):
            return self.latent_law.between(tau[category + 1], tau[category], eta)

    def _of_thresholds(self, y: Array) -> tuple[Array, Array]:
        """Part of each parameter in the thresholds above and below each response, (m, ...) each."""
        A, category = self._thresholds.matrix.T, self.category(y)
        none = np.zeros((len(A), 1))
        return np.hstack([A, none])[:, category], np.hstack([none, A])[:, category]

    def _row_terms(self, found: Interval, w: Array, eta: Array) -> RowTerms:
        with np.errstate(all="ignore"):
            d1, d2 = (full(w * part, eta) for part in found.slopes())
            value = np.where(np.isnan(found.value), -np.inf, found.value)
            return RowTerms(np.where(np.isnan(eta), np.nan, w * value), d1, d2)

    def _parameter_terms(self, found: Interval, y: Array, w: Array, eta: Array) -> DispersionTerms:
        upper, lower = self._of_thresholds(y)
        with np.errstate(all="ignore"):
            da, db, daa, dab, dbb, d1a, d1b = (w * part for part in found.ends())
            dphi, d1phi = upper * da + lower * db, upper * d1a + lower * d1b
            dphi2 = (upper[:, None] * upper) * daa
            dphi2 += (upper[:, None] * lower + lower[:, None] * upper) * dab
            dphi2 += (lower[:, None] * lower) * dbb
            return DispersionTerms(*(_whole(part, eta) for part in (dphi, dphi2, d1phi)))

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


def _whole(parts: Array, eta: Array) -> Array:
    """Derivatives by parameters within floating point."""
    return full(parts, np.broadcast_to(eta, parts.shape))
