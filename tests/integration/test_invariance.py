"""The same model in other coordinates is the same fit: origin and units of covariates, units of the response.

Exact theory: a term (1 + x | g), with its covariances, and an intercept among the fixed effects make a model that does
not depend on where x is counted from; a term of any kind does not depend on its units.
"""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import no_warnings
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st
from responses import ONE_PREDICTOR, SEVERAL_PREDICTORS, ResponseModel

from statsmodels_mcla import MCLAMixedGLM, families
from statsmodels_mcla.exceptions import SingularFitWarning

FAMILIES = {
    "binomial": sm.families.Binomial(),
    "poisson": sm.families.Poisson(),
    "negative binomial": sm.families.NegativeBinomial(alpha=1.0),
    "gamma": sm.families.Gamma(sm.families.links.Log()),
    "gaussian": sm.families.Gaussian(),
    "cumulative": families.Cumulative(),
}
STRUCTURES = {
    "slope": "y ~ x + (1 + x | g)",
    "crossed": "y ~ x + (1 + x | g) + (1 | h)",
    "factor": "y ~ x * f + (1 + x + f | g)",
    "double bar": "y ~ x + (x || g)",
    "intercept": "y ~ x + f + (1 | g)",
}
RESPONSES = (*ONE_PREDICTOR, *SEVERAL_PREDICTORS)
SHIFTED = [name for name in STRUCTURES if name != "double bar"]


def data_of(family: str, seed: int = 3) -> pd.DataFrame:
    """Simulate 14 groups of 12 rows with slopes that vary."""
    rng = np.random.default_rng(seed)
    g, h = np.repeat(np.arange(14), 12), np.tile(np.arange(4), 42)
    x = rng.normal(size=len(g))
    f = np.where(rng.random(len(g)) < 0.5, "a", "b")
    u = rng.normal(size=(14, 2)) @ np.array([[0.7, 0.3], [0.0, 0.6]])
    eta = 0.4 + 0.5 * x + 0.4 * (f == "b") + u[g, 0] + u[g, 1] * x + 0.4 * rng.normal(size=4)[h]
    y = {
        "binomial": lambda: rng.random(len(g)) < 1 / (1 + np.exp(-eta)),
        "poisson": lambda: rng.poisson(np.exp(eta)),
        "negative binomial": lambda: rng.poisson(np.exp(eta) * rng.gamma(3.0, 1 / 3.0, len(g))),
        "gamma": lambda: rng.gamma(3.0, np.exp(eta) / 3.0),
        "gaussian": lambda: eta + 0.6 * rng.normal(size=len(g)),
        "cumulative": lambda: np.digitize(eta + rng.logistic(size=len(g)), [-0.5, 0.5, 1.5]),
    }[family]()
    return pd.DataFrame({"y": np.asarray(y, float), "x": x, "f": f, "g": g, "h": h})


def fit(structure: str, family: str, data: pd.DataFrame, laplace: bool = False):
    model = MCLAMixedGLM.from_formula(STRUCTURES[structure], data=data, family=FAMILIES[family])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        return model.fit_laplace() if laplace else model.fit(rng=1, nsample=256)


_FITS: dict = {}


def reference(structure: str, family: str, laplace: bool):
    key = structure, family, laplace
    if key not in _FITS:
        _FITS[key] = fit(structure, family, data_of(family), laplace)
    return _FITS[key]


@pytest.mark.parametrize("family", FAMILIES)
@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(
    structure=st.sampled_from(SHIFTED),
    shift=st.floats(-1e4, 1e4),
    log_scale=st.floats(-8.0, 8.0),
    laplace=st.booleans(),
)
@example(structure="slope", shift=-7228.4, log_scale=0.0, laplace=False)
def test_origin_and_units_of_a_covariate(
    family: str, structure: str, shift: float, log_scale: float, laplace: bool
) -> None:
    scale = 10.0**log_scale
    data = data_of(family).assign(x=lambda d: scale * (d["x"] + shift))
    assert_same(reference(structure, family, laplace), fit(structure, family, data, laplace), scale)


@pytest.mark.parametrize("model", RESPONSES, ids=[m.name for m in RESPONSES])
def test_origin_and_units_in_every_family(model: ResponseModel) -> None:
    data, scale = model.data(), 1e-8
    far = data.assign(x=scale * (data["x"] - 6e3))  # ten thousand standard deviations away
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        one, other = (model.model(rows).fit(rng=1, nsample=256) for rows in (data, far))
    assert one.converged
    assert other.converged
    assert other.llf == pytest.approx(one.llf, abs=2e-5)
    slopes = [name for name in one.params.index if name.split(": ")[-1] == "x"]
    assert slopes
    np.testing.assert_allclose(other.bse[slopes] * scale, one.bse[slopes], rtol=1e-3)
    moved = (other.params[slopes] * scale - one.params[slopes]) / one.bse[slopes]
    np.testing.assert_allclose(moved, 0.0, atol=2e-3)


@pytest.mark.parametrize("scale", [1e-8, 1e8])
@pytest.mark.parametrize("family", FAMILIES)
def test_units_of_a_covariate_without_covariances(family: str, scale: float) -> None:
    data = data_of(family).assign(x=lambda d: scale * d["x"])
    assert_same(reference("double bar", family, False), fit("double bar", family, data), scale)


def assert_same(one, other, scale: float) -> None:
    """The fits agree in all that has to do with x or with the height of the likelihood."""
    assert other.converged
    assert one.converged
    assert other.singular == one.singular
    assert other.llf == pytest.approx(one.llf, abs=2e-5)
    assert other.params["x"] * scale == pytest.approx(one.params["x"], abs=2e-3 * one.bse["x"])
    assert other.bse["x"] * scale == pytest.approx(one.bse["x"], rel=1e-3)
    if "x Var" in one.params and not one.singular:
        assert other.params["x Var"] * scale**2 == pytest.approx(one.params["x Var"], rel=2e-3)
        assert other.bse["x Var"] * scale**2 == pytest.approx(one.bse["x Var"], rel=5e-3)
    if hasattr(one, "mcse"):
        assert other.llf_mcse == pytest.approx(one.llf_mcse, rel=0.05, abs=1e-6)
        assert other.mcse["x"] * scale == pytest.approx(one.mcse["x"], rel=0.05, abs=1e-6 * one.bse["x"])
        assert other.bse_mcse["x"] * scale == pytest.approx(
            one.bse_mcse["x"], rel=0.05, abs=1e-6 * one.bse["x"]
        )


@pytest.mark.parametrize("shift", [30.0, 1e4])
@pytest.mark.parametrize("seed", range(4))
def test_gaussian_slopes_far_from_zero(seed: int, shift: float) -> None:
    """Where |mean| / SD of the covariate is 30 or more, fits once ended lower in half of such data."""
    rng = np.random.default_rng(seed)
    g, t = np.repeat(np.arange(30), 8), np.tile(np.arange(8.0), 30)
    u = rng.normal(size=(30, 2)) * [0.6, 0.12]
    data = pd.DataFrame(
        {"g": g, "x": t, "y": 1 + 0.05 * t + u[g, 0] + u[g, 1] * t + 0.7 * rng.normal(size=240)}
    )
    near = fit("slope", "gaussian", data)
    far = fit("slope", "gaussian", data.assign(x=t + shift * t.std()))
    assert_same(near, far, 1.0)


@pytest.mark.parametrize("log_scale", [-8, -3, 6])
def test_units_of_a_gaussian_response(log_scale: int) -> None:
    scale = 10.0**log_scale
    one = reference("slope", "gaussian", False)
    data = data_of("gaussian").assign(y=lambda d: scale * d["y"])
    other = fit("slope", "gaussian", data)
    assert other.converged
    assert other.llf + len(data) * np.log(scale) == pytest.approx(one.llf, abs=1e-5)
    power = np.array([1, 1, 2, 2, 2, 2])
    np.testing.assert_allclose(other.params / scale**power, one.params, atol=1e-3 * one.bse.min())
    np.testing.assert_allclose(other.bse / scale**power, one.bse, rtol=1e-3)


@pytest.mark.parametrize("log_scale", [-8, 6])
def test_units_of_a_gamma_response(log_scale: int) -> None:
    """Units move the intercept of a log link."""
    scale = 10.0**log_scale
    one = reference("slope", "gamma", False)
    data = data_of("gamma").assign(y=lambda d: scale * d["y"])
    other = fit("slope", "gamma", data)
    assert other.converged
    assert other.llf + len(data) * np.log(scale) == pytest.approx(one.llf, abs=1e-5)
    params = other.params.to_numpy() - np.log(scale) * np.eye(6)[0]
    np.testing.assert_allclose(params, one.params, atol=1e-3 * one.bse.min())
    np.testing.assert_allclose(other.bse, one.bse, rtol=1e-3)


LOG = sm.families.links.Log()
WITH_UNITS = {
    "lognormal": (families.LogNormal(), {}),
    "gamma": (sm.families.Gamma(LOG), {}),
    "gamma, dispersed": (sm.families.Gamma(LOG), {"dispformula": "~ x"}),
    "hurdle gamma": (sm.families.Gamma(LOG), {"ziformula": "~ 1"}),
    "inverse gaussian": (sm.families.InverseGaussian(LOG), {}),
    "tweedie": (families.Tweedie(), {}),
    "gaussian, log link": (sm.families.Gaussian(LOG), {}),
    "gaussian": (sm.families.Gaussian(), {}),
    "gaussian, dispersed": (sm.families.Gaussian(), {"dispformula": "~ x"}),
    "t": (families.StudentT(), {}),
    "t, df given": (families.StudentT(df=4), {}),
}


@functools.cache
def positive_fit(name: str, unit: float) -> Any:
    """Fit of responses between a few and a few hundred of these units; in some, zeros."""
    family, options = WITH_UNITS[name]
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(15), 10), rng.uniform(-1, 1, 150)
    y = np.exp(3.0 + 0.4 * x + 0.5 * rng.normal(size=15)[g]) * rng.gamma(9.0, 1 / 9.0, 150)
    y = np.where((rng.random(150) < 0.2) & (name in ("tweedie", "hurdle gamma")), 0.0, y)
    data = pd.DataFrame({"y": y * unit, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=family, **options)
    with no_warnings():
        return model.fit_laplace(), data


UNITS = [(name, unit) for name in WITH_UNITS for unit in (1e-6, 1e-3, 1e3, 1e6)]


@pytest.mark.parametrize(("name", "unit"), UNITS)
def test_units_of_a_response(name: str, unit: float) -> None:
    """Of every family whose responses have units: the same fit, with means in the other units."""
    (one, _), (other, data) = positive_fit(name, 1.0), positive_fit(name, unit)
    assert other.converged
    positive = int((data["y"] > 0).sum())
    assert other.llf == pytest.approx(one.llf - positive * np.log(unit), abs=1e-3)
    np.testing.assert_allclose(other.predict(random="none") / unit, one.predict(random="none"), rtol=1e-3)
    z = {fit: fit.params["x"] / fit.bse["x"] for fit in (one, other)}
    assert z[other] == pytest.approx(z[one], rel=2e-3)
