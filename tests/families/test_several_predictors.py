"""Rows of several linear predictors: sums over directions, and densities against scipy and finite differences."""

from __future__ import annotations

import re
import warnings
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from family_cases import assert_complete
from responses import ONE_PREDICTOR, SEVERAL_PREDICTORS, ResponseModel
from scipy import special

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import SmoothDensity, Surface, TruncatedNegativeBinomial, TruncatedPoisson
from statsmodels_mcla.families.by_jets import ByJets
from statsmodels_mcla.families.directions import Directions
from statsmodels_mcla.families.zero_part import ZeroPart

MODELS = {m.name: m for m in SEVERAL_PREDICTORS}
every = pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
N = 25


def centre_of(model: ResponseModel, K: int) -> Any:
    """Linear predictors to look around."""
    if model.fixed:
        return np.array([effects.get("1", 0.0) for effects in model.fixed])
    return np.array([model.intercept, *[-0.5] * (K - 1)])


class Rows:
    """Rows of a model in directions, as its family's kernels take them."""

    def __init__(self, model: ResponseModel) -> None:
        rng = np.random.default_rng([1, *model.name.encode()])
        built = model.model(model.data(groups=6, size=8))
        self.model, self.family = model, built.conditional_family
        self.ways = self.family.directions
        K = len(self.family.predictors)
        self.eta = centre_of(model, K)[:, None, None] + rng.uniform(-0.5, 0.5, (K, N, 2))
        self.endog = np.asarray(model.sample(rng, self.eta[..., 0], model.psi, np.ones(N)), float)
        if "zi" in self.family.predictors:
            self.endog[:3] = 0.0
        if "oi" in self.family.predictors:
            self.endog[3:6] = 1.0
        self.freq = rng.integers(1, 4, N).astype(float)
        numbers = self.family.row_data(self.endog, 1.0, self.freq, np.ones(N))
        self.data = [np.repeat(part, len(self.ways))[:, None] for part in numbers]
        self.constant = self.family.constant(self.endog, 1.0, self.freq, np.ones(N))

    def spread(self, eta: Any) -> Any:
        """Direction rows (N D, m) of predictors (K, N, m)."""
        return np.einsum("ndk,knm->ndm", self.family.ways(self.endog), eta).reshape(-1, eta.shape[2])

    def rows(self, eta: Any, phi: Any = None) -> Any:
        return self.family.rows(*self.data, self.spread(eta), self.model.phi if phi is None else phi)

    def along(self, part: Any, t: Any, power: int) -> Any:
        """Sum over directions of a part times (c't)^power, row by row (N, m)."""
        split = part.reshape(N, len(self.ways), -1)
        return np.einsum("ndm,nd->nm", split, (self.family.ways(self.endog) @ t) ** power)


def central(f: Any, h: float) -> Any:
    """Derivative at zero."""
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


@pytest.mark.parametrize("unit", [1.0, 2.0**-20, 2.0**24])
@pytest.mark.parametrize(("K", "alone"), [(1, ()), (2, ()), (3, ()), (2, (1,)), (4, (2,))])
def test_forms_are_sums_over_directions(K: int, alone: tuple[int, ...], unit: float) -> None:
    units = np.array([unit, *[1.0] * (K - 1)])
    rng, ways = np.random.default_rng(K), Directions(K, alone, tuple(units))
    like = np.zeros((4 * len(ways), 2))
    H = rng.normal(size=(K, K, 4, 2))
    H = (H + H.swapaxes(0, 1)) / np.outer(units, units)[..., None, None]
    a, b = rng.normal(size=(2, K)) / units  # of a cubic form (a't)^3 - 2 (b't)^3
    for k in alone:
        H[k, [j for j in range(K) if j != k]] = H[[j for j in range(K) if j != k], k] = a[k] = b[k] = 0.0
    assert len(ways) == [0, 1, 4, 10][K - len(alone)] + len(alone)
    known = {(i, j): H[i, j] for i in range(K) for j in range(i, K) if H[i, j].any()}
    h = ways.hessian(known, like).reshape(4, -1, 2)
    q = ways.cubic([(a @ c) ** 3 * np.ones((4, 2)) - 2.0 * (b @ c) ** 3 for c in ways.points], like)
    q = q.reshape(4, -1, 2)
    for t in rng.normal(size=(5, K)) * units:
        along = ways.matrix @ t
        np.testing.assert_allclose(np.einsum("ndm,d->nm", h, along**2), np.einsum("i,ijnm,j->nm", t, H, t))
        cubic = (a @ t) ** 3 - 2.0 * (b @ t) ** 3
        np.testing.assert_allclose(np.einsum("ndm,d->nm", q, along**3), cubic, rtol=1e-8, atol=1e-9)


@every
def test_log_density_is_that_of_scipy(model: ResponseModel) -> None:
    s = Rows(model)
    truth = model.log_density(s.endog[:, None], s.eta, model.psi, np.ones((N, 1)))
    ours = s.rows(s.eta).logf.sum(axis=0) + s.constant
    np.testing.assert_allclose(ours, (s.freq[:, None] * truth).sum(axis=0), rtol=1e-10)


@every
def test_derivatives_in_the_predictors(model: ResponseModel) -> None:
    s = Rows(model)
    rng, h = np.random.default_rng(2), 2e-3
    at = s.rows(s.eta)
    third = s.family.third(*s.data, s.spread(s.eta), model.phi)
    for t in rng.normal(size=(4, len(s.eta))):
        step = t[:, None, None] * np.ones_like(s.eta)

        def value(x: float, step: Any = step) -> Any:
            return s.rows(s.eta + x * step).logf.reshape(N, -1, 2).sum(axis=1)

        def slope(x: float, step: Any = step, t: Any = t) -> Any:
            return s.along(s.rows(s.eta + x * step).d1, t, 1)

        def bend(x: float, step: Any = step, t: Any = t) -> Any:
            return s.along(s.rows(s.eta + x * step).d2, t, 2)

        close = {"rtol": 1e-6, "atol": 1e-6}
        np.testing.assert_allclose(slope(0.0), central(value, h), **close)
        np.testing.assert_allclose(bend(0.0), central(slope, h), **close)
        np.testing.assert_allclose(s.along(third, t, 3), central(bend, h), **close)
    assert np.isfinite(at.d2).all()


@pytest.mark.parametrize(
    "model", [m for m in MODELS.values() if m.psi], ids=[n for n, m in MODELS.items() if m.psi]
)
def test_derivatives_in_the_parameter(model: ResponseModel) -> None:
    s, psi = Rows(model), float(model.psi[0])
    h = 1e-3 * psi
    at = s.family.parameter_rows(*s.data, s.spread(s.eta), psi)
    assert_complete(s.family, *s.data, s.spread(s.eta), psi)

    def total(part: Any) -> Any:
        return part.reshape(N, -1, 2).sum(axis=1)

    close = {"rtol": 1e-6, "atol": 1e-6}
    slope = central(lambda x: total(s.rows(s.eta, psi + x).logf), h)
    np.testing.assert_allclose(total(at.dphi[0]), slope, **close)
    bend = central(lambda x: total(s.family.parameter_rows(*s.data, s.spread(s.eta), psi + x).dphi[0]), h)
    np.testing.assert_allclose(total(at.dphi2[0, 0]), bend, **close)
    mixed = s.family.d2_parameters(*s.data, s.spread(s.eta), psi)[0]
    for t in np.random.default_rng(3).normal(size=(3, len(s.eta))):
        along = central(lambda x, t=t: s.along(s.rows(s.eta, psi + x).d1, t, 1), h)
        np.testing.assert_allclose(s.along(at.d1phi[0], t, 1), along, **close)
        along = central(lambda x, t=t: s.along(s.rows(s.eta, psi + x).d2, t, 2), h)
        np.testing.assert_allclose(s.along(mixed, t, 2), along, **close)


@pytest.mark.parametrize("name", [n for n, m in MODELS.items() if dict(m.formulas).keys() == {"zi"}])
def test_derivatives_by_hand_are_those_of_jets(name: str) -> None:
    """Of both predictors and the parameters, the third ones within the error of a five-point rule."""
    s, rng = Rows(MODELS[name]), np.random.default_rng(4)
    y, v, etas = s.endog[:, None], np.ones((N, 1)), [eta + rng.normal(size=eta.shape) for eta in s.eta]
    phi, ways = s.model.phi, s.ways.matrix
    hand, jets = s.family._calculus, ByJets(s.family)
    assert isinstance(hand, ZeroPart)
    kinds = ["second", "complete"] if s.model.psi else ["second"]
    for kind in kinds:
        ours, theirs = (getattr(one, kind)(y, v, etas, phi) for one in (hand, jets))
        constant = theirs.value - ours.value  # of the data alone
        np.testing.assert_allclose(constant, constant[:, :1] * np.ones(2), atol=1e-9)
        for part, other in ((ours.d, theirs.d), (ours.h, theirs.h)):
            assert set(part) >= set(other)
            for key, value in part.items():
                np.testing.assert_allclose(value, other.get(key, 0.0) + 0.0 * value, rtol=1e-9, atol=1e-9)
    for ours, theirs in zip(
        hand.cubes(y, v, etas, phi, ways), jets.cubes(y, v, etas, phi, ways), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-7)
    if s.model.psi:
        for ours, theirs in zip(hand.bends(y, v, etas, phi), jets.bends(y, v, etas, phi), strict=True):
            for pair, value in ours.items():
                np.testing.assert_allclose(value, theirs.get(pair, 0.0) + 0.0 * value, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("family", [TruncatedPoisson(), TruncatedNegativeBinomial()], ids=["poisson", "nb"])
def test_counts_without_zeros_by_hand_are_those_of_jets(family: Any) -> None:
    rng = np.random.default_rng(6)
    y, v, w, eta = (
        rng.integers(1, 9, (N, 1)).astype(float),
        np.ones((N, 1)),
        np.ones((N, 1)),
        rng.normal(size=(N, 3)),
    )
    phi = 0.4
    ours, theirs = family.rows(y, w, v, eta, phi), SmoothDensity.rows(family, y, w, v, eta, phi)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-10)
    if family.parameters:
        ours, theirs = (
            f(y, w, v, eta, phi)
            for f in (family.parameter_rows, partial(SmoothDensity.parameter_rows, family))
        )
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9)


def value_of(curve: Any, eta: Any) -> Any:
    """What is predicted from predictors (K, n)."""
    return (
        curve.at([eta[k] for k in curve.predictors]).value
        if isinstance(curve, Surface)
        else curve.mean(eta[0])
    )


@every
def test_surfaces_and_their_means_over_normal_predictors(model: ResponseModel) -> None:
    """Against a dense trapezoid rule in the predictors themselves; slopes against differences."""
    family = Rows(model).family
    centre = centre_of(model, len(family.predictors))
    L = np.array([[0.5, 0.0], [0.3, 0.4]])
    for found in family.predictable(model.phi).values():
        curve = found.curve
        if not isinstance(curve, Surface):
            continue
        eta, K = [np.array([centre[k]]) for k in curve.predictors], len(curve.predictors)
        at, h = curve.at(eta), 1e-3
        for i in range(K):
            step = [h * (k == i) for k in range(K)]

            def moved(x: float, step: Any = step) -> Any:
                return curve.at([e + x / h * s for e, s in zip(eta, step, strict=True)])  # noqa: B023

            np.testing.assert_allclose(at.d[i], central(lambda x: moved(x).value, h), rtol=1e-8, atol=1e-10)
            for j in range(i, K):
                wanted = central(lambda x, j=j: moved(x).d[j], h)
                np.testing.assert_allclose(at.h.get((i, j), 0.0), wanted, rtol=1e-7, atol=1e-9)
        cov = np.zeros((1, K, K))
        cov[0, :2, :2] = L @ L.T
        grid = np.linspace(-8.0, 8.0, 161)
        u, v = (axis.ravel() for axis in np.meshgrid(grid, grid))
        weight = np.exp(-0.5 * (u**2 + v**2))
        weight /= weight.sum()

        def mean(cov: Any) -> Any:
            A = np.linalg.cholesky(cov[0, :2, :2])
            shift = [A[0, 0] * u, A[1, 0] * u + A[1, 1] * v, *[0.0 * u] * (K - 2)]  # noqa: B023
            return weight @ curve.at([e + s for e, s in zip(eta, shift, strict=True)]).value  # noqa: B023

        whole = curve.normal_mean(eta, cov)
        np.testing.assert_allclose(whole.mean, mean(cov), rtol=1e-8)
        for i, j in ((0, 0), (0, 1), (1, 1)):
            step = np.zeros((1, K, K))
            step[0, i, j] = step[0, j, i] = 1.0
            np.testing.assert_allclose(
                whole.bends[i, j],
                central(lambda x, s=step, at=cov: mean(at + x * s), 1e-3),
                rtol=1e-6,
                atol=1e-9,
            )


@every
def test_facts_are_those_of_samples(model: ResponseModel) -> None:
    family, size = Rows(model).family, 40_000
    K = len(family.predictors)
    eta = centre_of(model, K)
    draws = family.sample(np.random.default_rng(5), np.repeat(eta[:, None], size, axis=1), model.phi)
    at = eta[:, None]
    known = family.predictable(model.phi)
    if "mean" in known:
        curve, variance = known["mean"].curve, family.variance(at, model.phi)[0]
        mean = value_of(curve, at)[0]
        assert abs(draws.mean() - mean) < 4.5 * draws.std() / np.sqrt(size)
        kurtosis = max(float(((draws - mean) ** 4).mean() / variance**2), 3.0)
        assert abs(draws.var() - variance) < 6.0 * variance * np.sqrt(kurtosis / size)
    for y in (-1.0, 0.0, *np.quantile(draws, [0.3, 0.7])):
        below = family.cdf(np.array([y]), at, model.phi)[0]
        assert abs((draws <= y).mean() - below) < 4.5 * 0.5 / np.sqrt(size)


@pytest.mark.parametrize("mean", [5.0, 30.0, 36.0, 39.5, 45.0])
def test_zeros_of_means_beyond_all_counts_are_those_of_the_zero_part(mean: float) -> None:
    """Where e^-mu is nothing, log(p + (1 - p) e^-mu) is log p: a draw far out must not weigh more."""
    family = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g)",
        pd.DataFrame({"y": [0, 1, 2, 0], "g": [0, 0, 1, 1]}),
        family=sm.families.Poisson(),
        ziformula="~ 1",
    ).design.family
    ways = family.directions.matrix
    zero, one = np.zeros((len(ways), 1)), np.ones((len(ways), 1))
    for z in (-30.0, -5.0, 0.0, 17.3, 40.0):
        found = family.rows(zero, one, one, ways @ np.array([[mean], [z]]), 1.0).logf.sum()
        assert found == pytest.approx(
            np.logaddexp(special.log_expit(z), special.log_expit(-z) - np.exp(mean)), abs=1e-12
        )


@pytest.mark.parametrize("option", ["ziformula", "oiformula", "dispformula"])
@pytest.mark.parametrize("one", ONE_PREDICTOR, ids=lambda one: one.name)
def test_a_further_predictor_is_refused_or_fitted(one: ResponseModel, option: str) -> None:
    """Whatever a family is made from."""
    data, call = one.data(groups=8, size=6), {"formula": one.formula(), "family": one.family, option: "~ x"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = MCLAMixedGLM.from_formula(data=data, **call).fit_laplace()
        except ValueError as error:
            assert re.search("is not known for family|has no (zeros|ones)", str(error))  # noqa: PT017
        else:
            assert np.isfinite(found.llf)
