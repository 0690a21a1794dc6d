"""Families with a predictor for the zero part, and one for the dispersion, beside that of the mean.

Zeros come from a process of their own with probability p, logit p = eta_zi (Lambert, 1992, Technometrics 34, 1-14): on
top of those of a count (zero inflation), or all of them where the family has none (hurdle; Mullahy, 1986, J. Econom.
33, 341-365).  The logarithm of a dispersion is eta_disp.
"""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.beta import Beta
from statsmodels_mcla.families.by_jets import ByJets
from statsmodels_mcla.families.counts import GeneralizedPoisson, NegativeBinomial1
from statsmodels_mcla.families.distribution import Predictable
from statsmodels_mcla.families.gamma import GammaLog
from statsmodels_mcla.families.gaussian import GaussianIdentity
from statsmodels_mcla.families.jets import (
    Jet,
    exp,
    gammaln,
    log,
    log1p,
    log_rising,
    reciprocal,
    select,
    softplus,
)
from statsmodels_mcla.families.links import LOG, LOGIT, MeanLink
from statsmodels_mcla.families.negative_binomial import NegativeBinomialLog
from statsmodels_mcla.families.parameter_scale import ParameterScale
from statsmodels_mcla.families.poisson import PoissonLog
from statsmodels_mcla.families.row_terms import (
    BEYOND,
    BlockTerms,
    DispersionTerms,
    Response,
    RowData,
    RowTerms,
    Workspace,
    without_lost_draws,
)
from statsmodels_mcla.families.smooth_density import SmoothDensity, floored
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
    shape = reciprocal(scale) * v
    return shape * (np.log(y) - eta - exp(-eta) * y + log(shape)) - gammaln(shape)


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
WITH_ZEROS = (PoissonLog, NegativeBinomialLog, NegativeBinomial1, GeneralizedPoisson)
WITHOUT_ZEROS = (TruncatedPoisson, TruncatedNegativeBinomial, GammaLog, Beta)
DISPERSED = (
    NegativeBinomialLog,
    NegativeBinomial1,
    TruncatedNegativeBinomial,
    GammaLog,
    GaussianIdentity,
    Beta,
)


@dataclass(frozen=True)
class Composed(SmoothDensity):
    """A family with predictors for the zero part or the dispersion; mu is the array (K, ...) of linear predictors.

    Parameters
    ----------
    base : ConditionalFamily
        Of the response that is not from the zero part.
    zi, disp : bool
        Which predictors there are.
    """

    base: ConditionalFamily
    zi: bool
    disp: bool

    simple_mean: ClassVar[bool] = False

    @property
    def name(self) -> str:  # type: ignore[override]
        zeros = "Hurdle" if isinstance(self.base, WITHOUT_ZEROS) else "ZeroInflated"
        return (zeros if self.zi else "") + self.base.name.removeprefix("Truncated")

    @property
    def discrete(self) -> bool:  # type: ignore[override]
        return self.base.discrete

    @property
    def predictors(self) -> tuple[str, ...]:
        return ("", *(["zi"] if self.zi else []), *(["disp"] if self.disp else []))

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
        zero = y == 0
        density = DENSITIES.get(type(self.base)) or getattr(self.base, "log_density")  # noqa: B009
        f = density(np.where(zero, self.base.blank_row()[0], y) if self.hurdle else y, v, mean, *rest)
        if not self.zi:
            return f
        inside, outside = -softplus(-others[0]), -softplus(others[0])
        f = f + outside
        return select(zero, inside if self.hurdle else _log_add(inside, f), f)

    @property
    def _calculus(self) -> ZeroPart | ByJets:
        """Derivatives of the log density of rows of weight one."""
        return ByJets(self) if self.disp else ZeroPart(self.base, self.hurdle)

    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        step, etas = len(self.directions), self.directions.apart(eta)
        with np.errstate(all="ignore"):
            found = self._calculus.second(_first(y, step), _first(v, step), etas, phi)
        return self._row_terms(found, _first(w, step), eta)

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        step, etas = len(self.directions), self.directions.apart(eta)
        with np.errstate(all="ignore"):
            found = self._calculus.complete(_first(y, step), _first(v, step), etas, phi)
        return self._parameter_terms(found, _first(w, step), eta)

    def complete_blocks(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any, work: Workspace | None = None
    ) -> tuple[BlockTerms, DispersionTerms]:
        step, etas = len(self.directions), self.directions.apart(eta)
        w = _first(w, step)
        with np.errstate(all="ignore"):
            found = self._calculus.complete(_first(y, step), _first(v, step), etas, phi)
        terms = self._row_terms(found, w, eta)
        own = without_lost_draws(terms.logf.sum(axis=-2), terms.d1, terms.d2)
        return own, self._parameter_terms(found, w, eta)

    def _row_terms(self, found: Jet, w: Array, eta: Array) -> RowTerms:
        """Terms of rows in directions, from those of rows of weight one."""
        ways, K = self.directions, len(self.predictors)
        etas = ways.apart(eta)
        logf = np.where(np.isnan(found.value), -np.inf, found.value)
        logf = np.where(np.isnan(sum(etas)), np.nan, logf)
        d1 = ways.together([w * found.d[k] for k in range(K)], eta)
        d2 = ways.hessian({pair: w * part for pair, part in found.h.items() if pair[1] < K}, eta)
        return RowTerms(ways.together([w * logf], eta), _cut(d1), _cut(d2))

    def _parameter_terms(self, found: Jet, w: Array, eta: Array) -> DispersionTerms:
        ways, K = self.directions, len(self.predictors)
        own = range(K, K + len(self.parameters))
        one = [ways.together([w * found.d[i]], eta) for i in own]
        two = [[ways.together([w * found.h[min(i, j), max(i, j)]], eta) for j in own] for i in own]
        mixed = [ways.together([w * found.h.get((k, i), 0.0) for k in range(K)], eta) for i in own]
        return DispersionTerms(*(_cut(np.array(part)) for part in (one, two, mixed)))

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        ways = self.directions
        y, w, v = (_first(part, len(ways)) for part in (y, w, v))
        with np.errstate(all="ignore"):
            cubes = self._calculus.cubes(y, v, ways.apart(eta), phi, ways.matrix)
        return _cut(ways.cubic([w * part for part in cubes], eta))

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        ways = self.directions
        y, w, v = (_first(part, len(ways)) for part in (y, w, v))
        etas = ways.apart(eta)
        with np.errstate(all="ignore"):
            at = self._calculus.second(y, v, etas, phi).h
            bends = self._calculus.bends(y, v, etas, phi)
        slopes = [ways.hessian({pair: w * part for pair, part in bend.items()}, eta, at) for bend in bends]
        return _cut(np.array(slopes))

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData] | None:
        inner = None if self.disp else self.base.limit(y, w, v)
        return inner if inner is None else (Composed(inner[0], self.zi, False), RowData(y, w, v))

    def at_boundary(self) -> tuple[ConditionalFamily, ...]:
        without = () if self.hurdle or not self.zi else (compose(self.base, zi=False, disp=self.disp),)
        return (*super().at_boundary(), *without)

    # -- data --------------------------------------------------------------------------------

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        return ConditionalFamily.row_data(self.base, endog, n_trials, freq_weights, var_weights)

    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        weights = np.broadcast_to(np.asarray(freq_weights, float), endog.shape)
        if self.hurdle:
            weights, endog = (
                np.where(endog == 0, 0.0, weights),
                np.where(endog == 0, self.base.blank_row()[0], endog),
            )
        return self.base.constant(endog, n_trials, weights, var_weights)

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        values = np.asarray(endog, dtype=object)
        if not self.zi:
            return self.base.check_response(endog, n_trials)
        if not np.any(values == 0):
            raise ValueError(
                "endog has no zeros, so that there is nothing for ziformula to explain: leave it out"
            )
        if not self.hurdle:
            return self.base.check_response(endog, n_trials)
        known = self.base.check_response(np.where(values == 0, self.base.blank_row()[0], values), n_trials)
        zero = np.asarray(values == 0, bool).reshape(known.endog.shape)
        return known._replace(endog=np.where(zero, 0.0, known.endog))

    def start_predictors(self, y: Array, w: Array, v: Number) -> tuple[Array, ...]:
        D = len(self.directions)
        y, w, v = (_first(np.asarray(part), D, -1) for part in (y, w, v))
        seen = y > 0 if self.zi else np.ones(len(y), bool)
        own = self.base.start_mean(np.where(seen, y, np.average(y[seen], weights=w[seen])), w, v)
        parts = [self.base.link_function.eta(own)]
        if self.zi:
            none = np.average(~seen, weights=w)
            if not self.hurdle:
                none = max(none - float(np.average(np.exp(-own), weights=w)), 0.1 * none)
            parts.append(np.full(len(y), special.logit(np.clip(none, 0.02, 0.95))))
        if self.disp:
            phi = self.base.start_phi(y[seen], own[seen], freq_weights=w[seen], var_weights=_of(v, seen))
            parts.append(np.full(len(y), np.log(np.atleast_1d(phi)[0])))
        flat = [np.full(len(y), part.mean()) for part in parts]
        return tuple((np.column_stack(each) @ self.directions.matrix.T).ravel() for each in (parts, flat))

    def start_parameters(self, y: Array, w: Array, v: Number, eta: Array) -> Any:
        D = len(self.directions)
        y, w, v, eta = (_first(np.asarray(part), D, -1) for part in (y, w, v, eta))
        seen = y > 0 if self.zi else np.ones(len(y), bool)
        phi = self.base.start_phi(
            y[seen], self.base.mean(eta[seen]), freq_weights=w[seen], var_weights=_of(v, seen)
        )
        return np.atleast_1d(phi)[1:] if self.disp else phi

    # -- facts of the distribution -----------------------------------------------------------

    def concentrated_at(self, y: Array) -> Array:
        return self.base.concentrated_at(y)

    def mean(self, eta: Array) -> Array:
        return eta

    def split_predictors(self, mu: Array, phi: Any) -> tuple[Array, Array, Any]:
        """Return location and dispersion of the base, and the probability of the zero part between them."""
        zero = special.expit(mu[1]) if self.zi else np.zeros(mu.shape[1:])
        return self.base.mean(mu[0]), zero, np.exp(mu[-1]) if self.disp else phi

    def predictable(self, phi: Any) -> dict[str, Predictable]:
        base = self.base.predictable(np.nan if self.disp else phi)
        own = base["mean"].curve if self.base.simple_mean or not self.disp else None
        out = {"linear": base["linear"], "conditional": Predictable(self.link_function)}
        if own is not None:  # of a response that is not from the zero part
            out = {"mean": Predictable(own, 0, self.link_function if self.zi else None), **out}
        if self.zi:
            out["zprob"] = Predictable(LOGIT, 1)
        if self.disp:
            out["dispersion"] = Predictable(LOG, len(self.predictors) - 1)
        return out

    @property
    def zero_predictor(self) -> int | None:
        return 1 if self.zi else None

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        location, zero, own = self.split_predictors(mu, phi)
        mean = self.base.mean_curve(own).mean(mu[0])
        return (1.0 - zero) * (self.base.variance(location, own) + zero * mean**2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        location, zero, own = self.split_predictors(mu, phi)
        other = self.base.sample(rng, location, own, n_trials, var_weights)
        return np.where(rng.random(location.shape) < zero, 0.0, other)

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        location, zero, own = self.split_predictors(mu, phi)
        other = self.base.cdf(endog, location, own, n_trials, var_weights)
        return np.where(np.asarray(endog) >= 0, zero, 0.0) + (1.0 - zero) * other


def compose(base: ConditionalFamily, *, zi: bool, disp: bool) -> ConditionalFamily:
    """Return a family with more predictors.

    Raises
    ------
    ValueError
        If the family cannot have them; the message lists those that can.
    """
    for wanted, name, kinds in (
        (zi, "ziformula", WITH_ZEROS + WITHOUT_ZEROS),
        (disp, "dispformula", DISPERSED),
    ):
        if wanted and not isinstance(base, kinds):
            listed = ", ".join(f"{kind.name} ({kind().link})" for kind in kinds)
            raise ValueError(f"{name} is not known for family {base.name} ({base.link}); it is for {listed}")
    return Composed(base, zi, disp) if zi or disp else base


def without_predictors(family: Any) -> Any:
    """Return the family of the first linear predictor alone: what `compose` was given."""
    return family.base if isinstance(family, Composed) else family


def _first(part: Any, step: int, axis: int = -2) -> Any:
    """Numbers of rows, from those of their directions."""
    if np.ndim(part) < -axis or np.shape(part)[axis] == 1:
        return part
    return part[..., ::step, :] if axis == -2 else part[..., ::step]


def _of(v: Any, rows: Array) -> Any:
    return v[rows] if np.ndim(v) else v


def _cut(part: Array) -> Array:
    """Keep derivatives within floating point; where they are lost the row has no weight."""
    if np.abs(part).max(initial=0.0) <= BEYOND:
        return part
    return np.clip(np.nan_to_num(part, nan=0.0), -BEYOND, BEYOND)


def _log_add(a: Jet, b: Jet) -> Jet:
    """Return log(e^a + e^b)."""
    return a + softplus(b - a)
