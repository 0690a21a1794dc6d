"""Families with predictors for the zero part, for ones, and for the dispersion, beside that of the mean.

Zeros come from a process of their own with probability p, logit p = eta_zi (Lambert, 1992, Technometrics 34, 1-14): on
top of those of a count (zero inflation), or all of them where the family has none (hurdle; Mullahy, 1986, J. Econom.
33, 341-365).  Of proportions that are not zero, a part q is one, logit q = eta_oi (Ospina and Ferrari, 2012, Comput.
Stat. Data Anal. 56, 1609-1623).  The logarithm of a dispersion is eta_disp.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.beta import Beta
from statsmodels_mcla.families.by_jets import ByJets, NormalByJets
from statsmodels_mcla.families.counts import GeneralizedPoisson, NegativeBinomial1
from statsmodels_mcla.families.directions import Directions, directions_of
from statsmodels_mcla.families.distribution import AsPredictors, Predictable
from statsmodels_mcla.families.gamma import GammaLog
from statsmodels_mcla.families.gaussian import GaussianIdentity
from statsmodels_mcla.families.jets import (
    Jet,
    exp,
    expit,
    expm1,
    log,
    log1p,
    log_add,
    log_rising,
    reciprocal,
    select,
    softplus,
    stirling,
)
from statsmodels_mcla.families.links import LOG, LOGIT, MeanLink
from statsmodels_mcla.families.negative_binomial import NegativeBinomialLog
from statsmodels_mcla.families.ordered import Cumulative
from statsmodels_mcla.families.parameter_scale import ParameterScale
from statsmodels_mcla.families.partial_odds import PartialOdds
from statsmodels_mcla.families.poisson import PoissonLog
from statsmodels_mcla.families.row_terms import Response, RowData
from statsmodels_mcla.families.several_predictors import SeveralPredictors, first_direction
from statsmodels_mcla.families.smooth_density import FAR, floored
from statsmodels_mcla.families.surfaces import Surface, along
from statsmodels_mcla.families.truncated import TruncatedNegativeBinomial, TruncatedPoisson
from statsmodels_mcla.families.zero_part import ZeroPart
from statsmodels_mcla.numerics import Array, Number

LogDensity = Callable[..., Jet]


def _poisson(y: Array, _v: Number, eta: Jet) -> Jet:
    return eta * y - exp(eta)


def _negative_binomial(y: Array, _v: Number, eta: Jet, dispersion: Jet) -> Jet:
    alpha = floored(dispersion)
    size = reciprocal(alpha)
    return eta * y - (size + y) * log1p(exp(eta) * alpha) + log_rising(y, size)


def _gamma(y: Array, v: Number, eta: Jet, scale: Jet) -> Jet:
    shape, log_ratio = reciprocal(scale) * v, np.log(y) - eta
    return shape * (log_ratio - expm1(log_ratio)) + log(shape) * 0.5 - stirling(shape)


def _gaussian(y: Array, v: Number, eta: Jet, scale: Jet) -> Jet:
    miss = y - eta
    return miss * miss * reciprocal(scale) * (-0.5 * np.asarray(v)) - log(scale) * 0.5


# Families that can have more predictors: densities beside those that are written with jets already.
DENSITIES: dict[type[ConditionalFamily], LogDensity] = {
    PoissonLog: _poisson,
    NegativeBinomialLog: _negative_binomial,
    GammaLog: _gamma,
    GaussianIdentity: _gaussian,
}
CALCULUS: dict[type[ConditionalFamily], type[ByJets]] = {GaussianIdentity: NormalByJets}
WITH_ZEROS = (PoissonLog, NegativeBinomialLog, NegativeBinomial1, GeneralizedPoisson)
WITHOUT_ZEROS = (TruncatedPoisson, TruncatedNegativeBinomial, GammaLog, Beta)
WITHOUT_ONES = (Beta,)
DISPERSED = (
    NegativeBinomialLog,
    NegativeBinomial1,
    TruncatedNegativeBinomial,
    GammaLog,
    GaussianIdentity,
    Beta,
)


@dataclass(frozen=True)
class WithEnds(Surface):
    """A mean with ones, and then zeros, of processes of their own."""

    curve: MeanLink
    zi: bool
    oi: bool

    def value(self, *etas: Jet) -> Jet:
        out, ends = along(self.curve, etas[0]), list(etas[1:])
        if self.oi:
            out = 1.0 - (1.0 - out) * expit(-ends.pop())
        return out * expit(-ends.pop()) if self.zi else out


@dataclass(frozen=True)
class Composed(SeveralPredictors):
    """A family with predictors for zeros, ones or the dispersion; mu is the array (K, ...) of linear predictors.

    Parameters
    ----------
    base : ConditionalFamily
        Of the response that is not from the zero part.
    zi, disp, oi : bool
        Which predictors there are.
    unit : float, optional
        Of the location, where that has the units of the response: a power of two near its standard deviation.
    """

    base: ConditionalFamily
    zi: bool
    disp: bool
    oi: bool = False
    unit: float | None = None

    @property
    def name(self) -> str:  # type: ignore[override]
        ends = "Zero" * self.zi + "One" * self.oi
        hurdle = self.hurdle and not isinstance(self.base, WITHOUT_ONES)
        inflated = "Hurdle" if hurdle else f"{ends}Inflated" if ends else ""
        return inflated + self.base.name.removeprefix("Truncated")

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self.base.discrete

    @property
    def atoms(self) -> tuple[float, ...]:  # type: ignore[override]
        return (0.0,) * self.zi + (1.0,) * self.oi + self.base.atoms

    @property
    def far(self) -> float:  # type: ignore[override]
        return np.inf if self.base.quadratic else FAR

    @property
    def _apart(self) -> bool:
        """Whether the log density is a sum of functions of one predictor each."""
        return (self.hurdle or not self.zi) and not self.disp

    @property
    def log_concave(self) -> bool:
        return self._apart and self.base.log_concave

    @property
    def multimodal(self) -> bool:
        return not self._apart or self.base.multimodal

    @property
    def predictors(self) -> tuple[str, ...]:
        return ("", *(name for name in ("zi", "oi", "disp") if getattr(self, name)))

    @property
    def directions(self) -> Directions:
        alone = ("zi",) * self.hurdle + ("oi",) * self.oi
        units = None if self.unit is None else (self.unit, *[1.0] * (len(self.predictors) - 1))
        return directions_of(len(self.predictors), tuple(map(self.predictors.index, alone)), units)

    def extent(self, etas: Array) -> Array:
        if not self.disp or not set(self.base.parameters) & {"scale", "precision"}:
            return etas
        # neither units of the response nor how well it is measured are signs of anything
        return np.vstack([etas[:-1], etas[-1:] - np.median(etas[-1])])

    @property
    def parameters(self) -> tuple[str, ...]:
        return self.base.parameters[1:] if self.disp else self.base.parameters

    @property
    def parameter_scale(self) -> ParameterScale:
        return ParameterScale(
            self.base.parameter_scale.curves[len(self.base.parameters) - len(self.parameters) :]
        )

    @property
    def link_function(self) -> MeanLink:
        return self.base.link_function

    @property
    def hurdle(self) -> bool:
        """Whether all zeros are from the zero part."""
        return self.zi and isinstance(self.base, WITHOUT_ZEROS)

    # -- density -----------------------------------------------------------------------------

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        mean, *others = (eta, *psi)[: len(self.predictors)]
        rest = psi[len(others) :]
        if self.disp:
            rest = (exp(others[-1]), *rest)
        density = DENSITIES.get(type(self.base)) or getattr(self.base, "log_density")  # noqa: B009
        f = density(self._of_base(y), v, mean, *rest)
        if self.oi:
            one = others[int(self.zi)]
            f = select(y == 1, -softplus(-one), f - softplus(one))
        if not self.zi:
            return f
        inside, outside = -softplus(-others[0]), -softplus(others[0])
        f = f + outside
        return select(y == 0, inside if self.hurdle else log_add(inside, f), f)

    def _at_ends(self, y: Array) -> np.ndarray:
        """Responses that are certain to be of a process of their own."""
        zeros = np.equal(y, 0) if self.hurdle else np.zeros(np.shape(y), bool)
        return np.asarray(zeros | np.equal(y, 1) if self.oi else zeros, bool)

    def _of_base(self, y: Array) -> Array:
        """Responses of the base, anything of it in the place of the others."""
        ends = self._at_ends(y)
        return np.where(ends, self.base.blank_row()[0], y) if ends.any() else y

    @property
    def _calculus(self) -> ZeroPart | ByJets:
        if self.disp or self.oi:
            return CALCULUS.get(type(self.base), ByJets)(self)
        return ZeroPart(self.base, self.hurdle)

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData] | None:
        inner = None if self.disp else self.base.limit(y, w, v)
        return inner if inner is None else (Composed(inner[0], self.zi, False, self.oi), RowData(y, w, v))

    def at_boundary(self) -> tuple[ConditionalFamily, ...]:
        without = () if self.hurdle or not self.zi else (compose(self.base, disp=self.disp),)
        return (*super().at_boundary(), *without)

    def of_first_predictor(self) -> ConditionalFamily:
        return self.base

    def parameters_of(self, other: ConditionalFamily) -> AsPredictors | None:
        constant = compose(self.base, zi=self.zi, oi=self.oi)
        return (
            AsPredictors((len(self.predictors) - 1,), LOG) if self.disp and constant.is_like(other) else None
        )

    # -- data --------------------------------------------------------------------------------

    def of_response(self, endog: Any) -> ConditionalFamily:
        if not self.base.quadratic or self.unit is not None:
            return self
        size = np.log2(np.nanstd(np.asarray(endog, float)))
        return replace(self, unit=float(2.0 ** np.round(size)) if np.isfinite(size) else 1.0)

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        return ConditionalFamily.row_data(self.base, endog, n_trials, freq_weights, var_weights)

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        weights = np.where(self._at_ends(endog), 0.0, freq_weights)
        return self.base.constant(self._of_base(endog), n_trials, weights, var_weights)

    def blank_row(self) -> tuple[float, float, float]:
        return (self.base.blank_row()[0], 0.0, 0.0)

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        values = np.asarray(endog, dtype=object)
        for number, wanted, argument in ((0, self.zi, "ziformula"), (1, self.oi, "oiformula")):
            if wanted and not np.any(values == number):
                raise ValueError(
                    f"endog has no {('zeros', 'ones')[number]}, so that there is nothing for {argument} to explain: "
                    "leave it out"
                )
        ends = self._at_ends(values)
        if not ends.any():
            return self.base.check_response(endog, n_trials)
        if ends.all():
            raise ValueError(f"endog: all responses are at the ends, and none is of family {self.base.name}")
        known = self.base.check_response(np.where(ends, self.base.blank_row()[0], values), n_trials)
        whole = np.where(ends, values, 0.0).astype(float).reshape(known.endog.shape)
        return known._replace(endog=np.where(ends.reshape(whole.shape), whole, known.endog))

    def start_predictors(self, y: Array, w: Array, v: Number) -> tuple[Array, ...]:
        D = len(self.directions)
        y, w, v = (first_direction(np.asarray(part), D, -1) for part in (y, w, v))
        seen = self._seen(y)
        own = self.base.start_mean(np.where(seen, y, np.average(y[seen], weights=w[seen])), w, v)
        parts = [self.base.link_function.eta(own)]
        if self.zi:
            none = np.average(y == 0, weights=w)
            if not self.hurdle:
                none = max(none - float(np.average(np.exp(-own), weights=w)), 0.1 * none)
            parts.append(np.full(len(y), special.logit(np.clip(none, 0.02, 0.95))))
        if self.oi:
            ones = np.average(y[y > 0] == 1, weights=w[y > 0])
            parts.append(np.full(len(y), special.logit(np.clip(ones, 0.02, 0.95))))
        if self.disp:
            phi = self.base.start_phi(y[seen], own[seen], freq_weights=w[seen], var_weights=_of(v, seen))
            parts.append(np.full(len(y), np.log(np.atleast_1d(phi)[0])))
        flat = [np.full(len(y), part.mean()) for part in parts]
        return tuple((np.column_stack(each) @ self.directions.matrix.T).ravel() for each in (parts, flat))

    def start_parameters(self, y: Array, w: Array, v: Number, eta: Array) -> Any:
        D = len(self.directions)
        y, w, v, eta = (first_direction(np.asarray(part), D, -1) for part in (y, w, v, eta))
        seen = self._seen(y)
        phi = self.base.start_phi(
            y[seen], self.base.mean(eta[seen]), freq_weights=w[seen], var_weights=_of(v, seen)
        )
        return np.atleast_1d(phi)[1:] if self.disp else phi

    def _seen(self, y: Array) -> np.ndarray:
        """Responses that tell of the base."""
        return np.asarray((y > 0) & ~self._at_ends(y) if self.zi else ~self._at_ends(y))

    # -- facts of the distribution -----------------------------------------------------------

    def concentrated_at(self, y: Array) -> Array:
        return self.base.concentrated_at(y)

    def _split(self, mu: Array, phi: Any) -> tuple[Array, Array, Array, Any]:
        """Return location and dispersion of the base, and between them P(zero part) and P(one) of the others."""
        nothing = np.zeros(mu.shape[1:])
        zero = special.expit(mu[1]) if self.zi else nothing
        one = special.expit(mu[1 + self.zi]) if self.oi else nothing
        return self.base.mean(mu[0]), zero, one, np.exp(mu[-1]) if self.disp else phi

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        base = self.base.predictable(np.nan if self.disp else phi)
        own = self.base.mean_curve(phi) if self.base.simple_mean or not self.disp else None
        out = {"linear": base["linear"], "conditional": Predictable(self.link_function)}
        if own is not None:
            ends = tuple(range(1 + self.zi + self.oi))
            mean = WithEnds(ends, own, self.zi, self.oi) if len(ends) > 1 else own
            out = {"mean": Predictable(mean, 0, self.link_function if len(ends) > 1 else None), **out}
        if self.zi:
            out["zprob"] = Predictable(LOGIT, 1)
        if self.oi:
            out["oneprob"] = Predictable(LOGIT, 1 + self.zi)
        if self.disp:
            out["dispersion"] = Predictable(LOG, len(self.predictors) - 1)
        return out

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        return self._variance(mu, *self._split(mu, phi))

    def inverse_variance(self, mu: Array, phi: Any, n_trials: Number, var_weights: Number) -> Array:
        if self.base.dispersion != "scale":
            return super().inverse_variance(mu, phi, n_trials, var_weights)
        location, zero, one, own = self._split(mu, phi)
        # which divide the dispersion, not what zeros add
        with np.errstate(divide="ignore"):
            return 1.0 / self._variance(mu, location, zero, one, own / var_weights)

    def _variance(self, mu: Array, location: Array, zero: Array, one: Array, own: Any) -> Array:
        base = self.base.mean_curve(own).mean(mu[0])
        spread = (1.0 - one) * (self.base.variance(location, own) + one * (1.0 - base) ** 2)
        mean = one + (1.0 - one) * base
        return (1.0 - zero) * (spread + zero * mean**2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        location, zero, one, own = self._split(mu, phi)
        other = self.base.sample(rng, location, own, n_trials, var_weights)
        if self.oi:
            other = np.where(rng.random(location.shape) < one, 1.0, other)
        return np.where(rng.random(location.shape) < zero, 0.0, other)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        location, zero, one, own = self._split(mu, phi)
        other = self.base.cdf(endog, location, own, n_trials, var_weights)
        other = np.where(np.asarray(endog) >= 1, one, 0.0) + (1.0 - one) * other if self.oi else other
        return np.where(np.asarray(endog) >= 0, zero, 0.0) + (1.0 - zero) * other


def compose(
    base: ConditionalFamily,
    *,
    zi: bool = False,
    disp: bool = False,
    oi: bool = False,
    nominal: bool = False,
) -> ConditionalFamily:
    """Return a family with more predictors.

    Raises
    ------
    ValueError
        If the family cannot have them; the message lists those that can.
    """
    for wanted, name, kinds in (
        (zi, "ziformula", WITH_ZEROS + WITHOUT_ZEROS),
        (disp, "dispformula", DISPERSED),
        (oi, "oiformula", WITHOUT_ONES),
        (nominal, "nominal", (Cumulative,)),
    ):
        # a family of its own that is made from one of these has another density
        if wanted and not (isinstance(base, kinds) and base.name in {kind.name for kind in kinds}):
            listed = ", ".join(f"{kind.name} ({kind().link})" for kind in kinds)
            raise ValueError(f"{name} is not known for family {base.name} ({base.link}); it is for {listed}")
    if isinstance(base, Cumulative):
        return PartialOdds(base) if nominal else base
    return Composed(base, zi, disp, oi) if zi or disp or oi else base


def without_predictors(family: Any) -> Any:
    """Return the family of the first linear predictor alone: what `compose` was given."""
    return family.base if isinstance(family, (Composed, PartialOdds)) else family


def _of(v: Any, rows: Array) -> Any:
    return v[rows] if np.ndim(v) else v
