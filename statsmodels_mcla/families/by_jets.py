"""Derivatives of a density of several linear predictors, by forward differentiation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from statsmodels_mcla.families.jets import Jet
from statsmodels_mcla.families.smooth_density import FIVE_POINTS, LEAST, STEP, SmoothDensity, five_point_slope
from statsmodels_mcla.numerics import Array, Number


@dataclass(frozen=True)
class ByJets:
    """Derivatives of a composed density by forward differentiation; variables are predictors, then parameters."""

    family: SmoothDensity

    def _jet(self, y: Array, v: Number, etas: Sequence[Jet], psi: Sequence[Jet]) -> Jet:
        return self.family.log_density(y, v, etas[0], *etas[1:], *psi)

    def _within(self, etas: list[Array]) -> list[Array]:
        return [np.clip(eta, -self.family.far, self.family.far) for eta in etas]

    def _psi(self, phi: Any) -> Array:
        return np.atleast_1d(phi)[: len(self.family.parameters)]

    def second(self, y: Array, v: Number, etas: list[Array], phi: Any) -> Jet:
        """Return the log density with its derivatives in the predictors."""
        own = [Jet.variable(eta, k) for k, eta in enumerate(self._within(etas))]
        return self._jet(y, v, own, [Jet.constant(p) for p in self._psi(phi)])

    def complete(self, y: Array, v: Number, etas: list[Array], phi: Any) -> Jet:
        """Return the log density with all its derivatives."""
        numbers = enumerate([*self._within(etas), *self._psi(phi)])
        every = [Jet.variable(at, k) for k, at in numbers]
        return self._jet(y, v, every[: len(etas)], every[len(etas) :])

    def cubes(self, y: Array, v: Number, etas: list[Array], phi: Any, ways: Array) -> list[Array]:
        """Return third derivatives along directions, from differences of second ones (five-point rule)."""
        size = STEP * np.maximum(1.0, np.max(np.abs(etas), axis=0))
        ends = FIVE_POINTS.reshape(-1, *[1] * size.ndim) * size
        psi = [Jet.constant(p) for p in self._psi(phi)]
        out = []
        for c in ways:
            moved = self._within([eta + x * ends for eta, x in zip(etas, c, strict=True)])
            along = [Jet(at, {0: np.asarray(x)} if x else {}) for at, x in zip(moved, c, strict=True)]
            bend = self._jet(y, v, along, psi).h.get((0, 0), 0.0)
            out.append(five_point_slope(np.broadcast_to(bend, ends.shape)) / size)
        return out

    def bends(self, y: Array, v: Number, etas: list[Array], phi: Any) -> list[dict[tuple[int, int], Array]]:
        """Return derivatives of the Hessian by each parameter, by the same rule."""
        psi, out = self._psi(phi).astype(float), []
        for k, at in enumerate(psi):
            size = STEP * max(at, LEAST)
            ends = at + size * FIVE_POINTS.reshape(-1, *[1] * np.ndim(etas[0]))
            moved: list[Any] = [*psi[:k], ends, *psi[k + 1 :]]
            own = [Jet.variable(eta, i) for i, eta in enumerate(self._within(etas))]
            h = self._jet(y, v, own, [Jet.constant(p) for p in moved]).h
            whole = (len(FIVE_POINTS), *np.shape(etas[0]))  # of a part that does not depend on it, too
            out.append(
                {pair: five_point_slope(np.broadcast_to(part, whole)) / size for pair, part in h.items()}
            )
        return out


class NormalByJets(ByJets):
    """The same of normal responses with a predictor of the logarithm of their variance; third derivatives are exact.

    A step that is small for means is not in the units of the logarithm, and the other way round.
    """

    def cubes(self, y: Array, v: Number, etas: list[Array], phi: Any, ways: Array) -> list[Array]:
        """Return third derivatives along directions of -v (y - eta)^2 exp(-log variance) / 2."""
        miss, precision = y - etas[0], v * np.exp(-etas[1])
        return [
            precision * b * (3.0 * a * a + 3.0 * a * b * miss + 0.5 * b * b * miss * miss) for a, b in ways
        ]
