"""Student's t: responses with heavier tails than normal ones, identity link."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from scipy import special

from statsmodels_mcla.families.jets import Jet, gammaln, log, log1p, reciprocal
from statsmodels_mcla.families.links import IDENTITY, MeanLink
from statsmodels_mcla.families.parameter_scale import POSITIVE, ParameterScale
from statsmodels_mcla.families.smooth_density import STEP, SmoothDensity
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class StudentT(SmoothDensity):
    """Responses eta + sqrt(scale) t, t of Student's law (Lange, Little and Taylor, 1989, JASA 84, 881-896).

    Parameters
    ----------
    df : float, optional
        Degrees of freedom; estimated if None.

    Examples
    --------
    >>> from statsmodels_mcla.families import StudentT
    >>> sleep = datasets.sleepstudy.load_pandas().data
    >>> robust = smf.mcla_mixedglm("Reaction ~ Days + (1 | Subject)", data=sleep, family=StudentT(df=4))
    >>> robust.fit(rng=1).fe_params.round(1)
    Intercept    251.0
    Days          10.5
    dtype: float64
    """

    df: float | None = None

    name: ClassVar[str] = "StudentT"
    far: ClassVar[float] = np.inf
    ends: ClassVar[Mapping[str, tuple[str, str]]] = MappingProxyType(
        {
            "df": (
                "and the likelihood has no bound there: give df",
                "and the other results are those of Gaussian responses, sm.families.Gaussian()",
            )
        }
    )

    def __post_init__(self) -> None:
        if self.df is not None and not (np.isfinite(self.df) and self.df > 0):
            raise ValueError(f"df must be positive and finite, or None to estimate it; got {self.df!r}")

    @property
    def parameters(self) -> tuple[str, ...]:
        return ("scale", "df") if self.df is None else ("scale",)

    @property
    def parameter_scale(self) -> ParameterScale:
        return ParameterScale((POSITIVE,) * len(self.parameters))

    @property
    def link_function(self) -> MeanLink:
        return IDENTITY

    def _split(self, phi: Any) -> tuple[float, float]:
        psi = np.atleast_1d(phi)
        return float(psi[0]), float(psi[1]) if self.df is None else self.df

    def log_density(self, y: Array, v: Number, eta: Jet, *psi: Jet) -> Jet:
        scale, df = psi[0] * (1.0 / np.asarray(v)), psi[1] if self.df is None else Jet.constant(self.df)
        half = (df + 1.0) * 0.5
        miss = y - eta
        tail = log1p(miss * miss * reciprocal(scale * df)) * half
        return gammaln(half) - gammaln(df * 0.5) - log(scale * df) * 0.5 - 0.5 * np.log(np.pi) - tail

    def _step_of_eta(self, eta: Array, phi: Any) -> Array:
        return np.full(np.shape(eta), STEP * np.sqrt(self._split(phi)[0]))  # in the units of the response

    def _step_of(self, k: int, at: float) -> float:
        return STEP * at

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Any:
        spread = np.median(np.abs(endog - mu)) / 0.6745
        scale = float(spread**2) if spread > 0 else 1.0
        return scale if self.df is not None else np.array([scale, 8.0])

    def variance(self, mu: Array, phi: Any = 1.0, n_trials: Number = 1.0) -> Array:
        scale, df = self._split(phi)
        return np.full_like(mu, scale * df / (df - 2.0) if df > 2.0 else np.inf)

    def sample(
        self,
        rng: np.random.Generator,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        scale, df = self._split(phi)
        return np.asarray(mu + np.sqrt(scale / np.asarray(var_weights)) * rng.standard_t(df, np.shape(mu)))

    def cdf(
        self,
        endog: Array,
        mu: Array,
        phi: Any = 1.0,
        n_trials: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> Array:
        scale, df = self._split(phi)
        return np.asarray(special.stdtr(df, (endog - mu) / np.sqrt(scale / np.asarray(var_weights))))
