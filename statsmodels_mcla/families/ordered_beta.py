"""Proportions with zeros and ones: ordered beta regression (Kubinec, 2023, Polit. Anal. 31, 519-536), logit link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.beta import Beta
from statsmodels_mcla.families.jets import Jet, log1mexp, select, softplus
from statsmodels_mcla.families.links import LOGIT, MeanLink
from statsmodels_mcla.families.parameter_scale import POSITIVE, REAL, ParameterScale
from statsmodels_mcla.families.response_checks import refuse
from statsmodels_mcla.families.smooth_density import STEP, SmoothDensity
from statsmodels_mcla.numerics import Array, Number

NEWTON = 60


@dataclass(frozen=True)
class OrderedBetaMean(MeanLink):
    """Mean of a proportion, zeros and ones among them, as a function of the linear predictor."""

    lower: float
    upper: float

    name: ClassVar[str] = "logit"
    strip: ClassVar[float] = np.pi

    def mean(self, eta: Array) -> Array:
        one, some = special.expit(eta - self.upper), special.expit(eta - self.lower)
        return np.asarray(one + (some - one) * special.expit(eta))

    def mean_deriv(self, eta: Array) -> Array:
        one, some, mu = (special.expit(eta - cut) for cut in (self.upper, self.lower, 0.0))
        d_one, d_some, d_mu = (p * (1.0 - p) for p in (one, some, mu))
        return np.asarray(d_one + (d_some - d_one) * mu + (some - one) * d_mu)

    def eta(self, mu: Array) -> Array:
        out = LOGIT.eta(np.clip(mu, 1e-12, 1.0 - 1e-12))
        for _ in range(NEWTON):
            out = out + np.clip((mu - self.mean(out)) / np.maximum(self.mean_deriv(out), 1e-12), -1.0, 1.0)
        return np.asarray(out)


@dataclass(frozen=True)
class OrderedBeta(SmoothDensity):
    """Proportions of which some are exactly 0 or 1.

    P(0) = 1 - expit(eta - lower), P(1) = expit(eta - upper), and what is between has a beta law of mean expit(eta): one
    linear predictor for all three, so that a covariate that raises proportions makes ones likelier and zeros less so.
    Where no response is 0, or none is 1, that cutpoint would be infinite: the family then has none.

    Parameters
    ----------
    seen : tuple of bool
        Whether there are zeros, and ones: the response of a model says it.

    Examples
    --------
    >>> from statsmodels_mcla.families import OrderedBeta
    >>> herds = datasets.cbpp.load_pandas().data
    >>> herds["share"] = herds["incidence"] / herds["size"]  # zeros among them
    >>> smf.mcla_mixedglm("share ~ period + (1 | herd)", data=herds, family=OrderedBeta()).fit(rng=1).fe_params.round(2)
    Intercept     -1.16
    period[T.2]   -0.65
    period[T.3]   -0.48
    period[T.4]   -1.02
    dtype: float64
    """

    seen: tuple[bool, bool] = (True, True)

    name: ClassVar[str] = "OrderedBeta"
    atoms: ClassVar[tuple[float, ...]] = (0.0, 1.0)
    simple_mean: ClassVar[bool] = False

    def of_response(self, endog: Any) -> OrderedBeta:
        try:
            y = np.asarray(endog, dtype=float)
        except (TypeError, ValueError):
            return self  # `check_response` says what is wrong
        zeros, ones = bool((y == 0.0).any()), bool((y == 1.0).any())
        if not (zeros or ones) and y.size and ((y > 0.0) & (y < 1.0)).all():
            raise ValueError(
                "endog has no zeros and no ones, so that both cutpoints of family OrderedBeta would be infinite: use "
                "Beta()"
            )
        return OrderedBeta((zeros, ones)) if zeros or ones else self

    @property
    def parameters(self) -> tuple[str, ...]:
        cuts = (name for name, seen in zip(("lower", "upper"), self.seen, strict=True) if seen)
        return ("precision", *cuts)

    @property
    def parameter_scale(self) -> ParameterScale:
        if not all(self.seen):
            return ParameterScale((POSITIVE, REAL))
        return ParameterScale((POSITIVE, REAL, POSITIVE), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 1.0, 1.0)))

    def _cuts(self, phi: Any) -> tuple[Any, Any]:
        """Return both cutpoints, infinite where there is none."""
        found = iter(phi[1:])
        zeros, ones = self.seen
        return next(found) if zeros else -np.inf, next(found) if ones else np.inf

    @property
    def link_function(self) -> MeanLink:
        return LOGIT

    def mean_curve(self, phi: Any) -> MeanLink:
        return OrderedBetaMean(*map(float, self._cuts(phi)))

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        inside, (zeros, ones), (lower, upper) = (y > 0) & (y < 1), self.seen, self._cuts(psi)
        out = Beta().log_density(np.where(inside, y, 0.5), v, eta, psi[0])
        if zeros and ones:
            out = out + log1mexp(upper - lower)
        if zeros:
            out = out - softplus(lower - eta)
        if ones:
            out = out - softplus(eta - upper)
            out = select(y >= 1, -softplus(upper - eta), out)
        return select(y <= 0, -softplus(eta - lower), out) if zeros else out

    def _step_of(self, k: int, at: float) -> float:
        return STEP * at if k == 0 else STEP

    def _check_support(self, y: Array) -> None:
        refuse((y < 0) | (y > 1), y, self.name, "proportions from 0 to 1")
        for value, name, seen in ((0.0, "zeros", self.seen[0]), (1.0, "ones", self.seen[1])):
            if not seen:
                refuse(y == value, y, self.name, f"no {name}, as the response that it was made for has none")

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        return np.clip(super().start_mean(y, w, v), 0.05, 0.95)

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Any:
        inside = (endog > 0) & (endog < 1)
        weights = np.broadcast_to(np.asarray(freq_weights, float), endog.shape)
        precision = Beta().start_phi(endog[inside], mu[inside]) if inside.any() else 2.0
        centre = float(special.logit(np.clip(np.average(mu, weights=weights), 0.02, 0.98)))
        shares = [np.clip(np.average(part, weights=weights), 0.01, 0.45) for part in (endog <= 0, endog >= 1)]
        cuts = np.array([centre + special.logit(shares[0]), centre - special.logit(shares[1])])
        return np.array([precision, *cuts[list(self.seen)]])

    def blank_row(self) -> tuple[float, float, float]:
        return (0.5, 0.0, 0.0)

    def _chances(self, mu: Array, phi: Any) -> tuple[Array, Array]:
        """Return P(0) and P(1)."""
        eta = special.logit(mu)
        lower, upper = self._cuts(phi)
        return special.expit(lower - eta), special.expit(eta - upper)

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        zero, one = self._chances(mu, phi)
        between = 1.0 - zero - one
        square = one + between * (mu**2 + mu * (1.0 - mu) / (1.0 + phi[0]))
        return np.asarray(square - (one + between * mu) ** 2)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        zero, one = self._chances(mu, phi)
        u = rng.random(np.shape(mu))
        return np.where(u < zero, 0.0, np.where(u > 1.0 - one, 1.0, Beta().sample(rng, mu, phi[0])))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        zero, one = self._chances(mu, phi)
        inner = zero + (1.0 - zero - one) * Beta().cdf(endog, mu, phi[0])
        return np.where(np.asarray(endog) < 0, 0.0, np.where(np.asarray(endog) >= 1, 1.0, inner))
