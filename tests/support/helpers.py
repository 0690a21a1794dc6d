"""Shared by the tests: reference values and their models, small simulated models, Monte Carlo assertions.

Nothing here computes what the package computes; the truth comes from `oracle` and from tests/reference.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import statsmodels.api as sm
from statsmodels.genmod.families import links

from statsmodels_mcla import MCLAMixedGLM, datasets

REFERENCE = Path(__file__).parents[1] / "reference"
MLE = json.loads((REFERENCE / "mle.json").read_text())
QUADRATURE = json.loads((REFERENCE / "quadrature.json").read_text())
LME4 = json.loads((REFERENCE / "lme4.json").read_text())


# Models of the reference values -----------------------------------------------------------------------

EPIL = 'y ~ lbase * C(trt, Treatment("placebo")) + lage'
TOENAIL = 'I(outcome != "none or mild") ~ C(treatment) * time + (1 | patientID)'
CBPP = "incidence + I(size - incidence) ~ C(period) + (1 | herd)"
F = sm.families
CALLS: dict[str, tuple[str, Any]] = {
    "bacteria": ('I(y == "y") ~ C(trt, Treatment("placebo")) + late + (1 | ID)', F.Binomial()),
    "cbpp": (CBPP, F.Binomial()),
    "cbpp_cloglog": (CBPP, F.Binomial(links.CLogLog())),
    "epil": (f"{EPIL} + V4 + (1 | subject)", F.Poisson()),
    "epil_nb": (f"{EPIL} + V4 + (1 | subject)", F.NegativeBinomial(alpha=1.0)),
    "epil_slopes": (f"{EPIL} + visit + (1 + visit | subject)", F.Poisson()),
    "toenail": (TOENAIL, F.Binomial()),
    "toenail_probit": (TOENAIL, F.Binomial(links.Probit())),
    "sleepstudy_gamma": ("Reaction ~ Days + (1 | Subject)", F.Gamma(links.Log())),
}
SALAMANDER = {"F": "0 + C(Female)", "M": "0 + C(Male)"}


def data_of(name: str) -> pd.DataFrame:
    """Table of an entry of mle.json with the derived columns that its model uses."""
    data = getattr(datasets, name.split("_")[0]).load_pandas().data.copy()
    if "week" in data:
        data["late"] = (data["week"] > 2).astype(float)
    if "period" in data and "V4" in data:
        data["visit"] = (2 * data["period"] - 5) / 10
    return data


def model_of(name: str) -> MCLAMixedGLM:
    """Model of an entry of mle.json."""
    if name.startswith("salamander"):
        formula = "Mate ~ 1" if name == "salamander_null" else "Mate ~ 0 + Cross"
        return MCLAMixedGLM.from_formula(formula, SALAMANDER, data_of(name), family=F.Binomial())
    formula, family = CALLS[name]
    return MCLAMixedGLM.from_formula(formula, data=data_of(name), family=family)


@functools.lru_cache(maxsize=64)
def fit_of(name: str, rng: int = 1, **options: Any) -> Any:
    """Fit of an entry of mle.json, made once."""
    return model_of(name).fit(rng=rng, **options)


@functools.lru_cache(maxsize=16)
def laplace_of(name: str) -> Any:
    """Laplace fit of an entry of mle.json, made once."""
    return model_of(name).fit_laplace()


@dataclass(frozen=True)
class Truth:
    """Maximum-likelihood values, and the errors that they themselves have."""

    names: list[str]
    params: np.ndarray
    bse: np.ndarray
    llf: float
    params_error: np.ndarray
    llf_error: float


def lower(matrix: Any) -> np.ndarray:
    """Lower triangle, row by row."""
    matrix = np.asarray(matrix)
    return matrix[np.tril_indices(len(matrix))]


def truth_of(name: str) -> Truth:
    """True values of an entry of mle.json."""
    entry = QUADRATURE.get(name) or MLE[name]
    if "vc" in entry:
        parts = [(entry[key], entry[f"se_{key}"], entry["error"][key]) for key in ("beta", "vc")]
        params, bse, error = (np.concatenate(values) for values in zip(*parts, strict=True))
        return Truth(entry["names"], params, bse, entry["llf"], error, entry["error"]["llf"])
    params = [entry["beta"], lower(entry["cov_re"])]
    bse = [entry["se_beta"], entry["se_cov_re_lower"]]
    if "dispersion" in entry:
        params.append([entry["dispersion"]])
        bse.append([entry["se_dispersion"]])
    params, bse = np.concatenate(params), np.concatenate(bse)
    return Truth(entry["names"], params, bse, entry["llf"], 1e-6 * bse, 1e-8)


# Monte Carlo assertions -------------------------------------------------------------------------------


def assert_monte_carlo(
    value: Any, mcse: Any, truth: Any, *, small: Any, within: float = 4.0, error: Any = 0.0
) -> None:
    """Two gates: the Monte Carlo error is small enough, and the value is within so many of it.

    Parameters
    ----------
    value, mcse : array_like
        What the package says, and its Monte Carlo standard error.
    truth : array_like
    small : array_like
        Largest Monte Carlo standard error that makes the comparison worth anything.
    within : float
        Largest distance, in Monte Carlo standard errors.
    error : array_like
        Standard error of the truth itself, or its round-off.
    """
    value, mcse, truth = np.asarray(value, float), np.asarray(mcse, float), np.asarray(truth, float)
    assert np.all(np.isfinite(value))
    assert np.all(np.isfinite(mcse))
    assert np.all(mcse <= small), f"Monte Carlo errors {mcse} above {small}"
    distance = np.abs(value - truth) / np.sqrt(mcse**2 + np.asarray(error) ** 2)
    assert np.all(distance <= within), (
        f"{distance} Monte Carlo errors from the truth: {value} against {truth}"
    )


def assert_matches(result: Any, truth: Truth, *, ratio: float = 0.05, within: float = 4.0) -> None:
    """Assert that estimates, standard errors and log-likelihood are the true ones."""
    assert result.converged
    assert list(result.params.index[: len(truth.names)]) == truth.names
    assert_monte_carlo(
        result.params,
        result.mcse,
        truth.params,
        small=ratio * truth.bse,
        within=within,
        error=truth.params_error + 1e-6 * truth.bse,
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
    assert_monte_carlo(
        result.llf, result.llf_mcse, truth.llf, small=0.05, within=within, error=truth.llf_error + 1e-6
    )


@contextmanager
def no_warnings() -> Iterator[None]:
    """Negative control of a warning: none at all."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# Small simulated models -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """A family and link: as statsmodels has them, as the oracle names them, and where they live."""

    family: Any
    oracle_family: str
    oracle_link: str
    intercept: float
    sd: float
    phi: float | None = None

    @property
    def name(self) -> str:
        return f"{self.oracle_family}-{self.oracle_link}"


KINDS = [
    Kind(F.Binomial(), "binomial", "logit", 0.3, 0.8),
    Kind(F.Binomial(links.Probit()), "binomial", "probit", 0.2, 0.6),
    Kind(F.Binomial(links.CLogLog()), "binomial", "cloglog", -0.4, 0.6),
    Kind(F.Binomial(links.Cauchy()), "binomial", "cauchit", 0.3, 0.7),
    Kind(F.Poisson(), "poisson", "log", 0.8, 0.6),
    Kind(F.Poisson(links.Sqrt()), "poisson", "sqrt", 2.5, 0.4),
    Kind(F.NegativeBinomial(alpha=1.0), "negativebinomial", "log", 1.0, 0.6, 0.5),
    Kind(F.Gamma(links.Log()), "gamma", "log", 0.5, 0.6, 0.3),
    Kind(F.Gamma(links.InversePower()), "gamma", "inverse", 2.5, 0.25, 0.2),
    Kind(F.Gaussian(), "gaussian", "identity", 0.5, 0.8, 0.6),
    Kind(F.Gaussian(links.Log()), "gaussian", "log", 0.5, 0.4, 0.3),
    Kind(F.InverseGaussian(links.Log()), "inversegaussian", "log", 0.3, 0.5, 0.2),
]
KIND_IDS = [kind.name for kind in KINDS]
KIND = {kind.name: kind for kind in KINDS}

STRUCTURES = {
    "intercept": "(1 | g)",
    "slope": "(1 + x | g)",
    "crossed": "(1 | a) + (1 | b)",
}


@dataclass(frozen=True)
class Small:
    """A small simulated model: its data, and natural parameters at which to look at it."""

    kind: Kind
    structure: str
    data: pd.DataFrame
    params: np.ndarray
    trials: np.ndarray

    @property
    def counts(self) -> bool:
        """Whether the response is successes out of trials."""
        return self.kind.oracle_family == "binomial"

    @property
    def formula(self) -> str:
        left = "y + failures" if self.counts else "y"
        return f"{left} ~ x + {STRUCTURES[self.structure]}"

    def model(self, data: pd.DataFrame | None = None, **rows: Any) -> MCLAMixedGLM:
        """Model of the package, with row arrays such as ``offset="off"``."""
        return MCLAMixedGLM.from_formula(
            self.formula, data=self.data if data is None else data, family=self.kind.family, **rows
        )

    def arguments(self, **rows: Any) -> dict[str, Any]:
        """Model of the oracle; a crossed design is one group with an effect for every level."""
        data = self.data
        X = np.column_stack([np.ones(len(data)), data["x"]])
        out = {
            "y": data["y"].to_numpy(float),
            "X": X,
            "family": self.kind.oracle_family,
            "link": self.kind.oracle_link,
            "trials": self.trials,
            **rows,
        }
        if self.structure == "crossed":
            a, b = (pd.get_dummies(data[c]).to_numpy(float) for c in "ab")
            out |= {
                "Zg": np.hstack([a, b]),
                "group": np.zeros(len(data)),
                "structure": [0] * a.shape[1] + [1] * b.shape[1],
            }
        else:
            out |= {"Zg": X if self.structure == "slope" else None, "group": data["g"].to_numpy()}
        return out


def small(kind: Kind, structure: str, seed: int = 0, sizes: tuple[int, ...] = (5, 4, 6, 5, 4)) -> Small:
    """Simulate a small model whose groups differ in size."""
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(len(sizes)), sizes)
    n = len(g)
    x = rng.uniform(-1, 1, n)
    a, b = np.arange(n) % 2, (np.arange(n) // 2) % 3
    sd = kind.sd
    if structure == "crossed":
        theta = np.array([1.2, 0.7]) * sd**2
        u = rng.normal(size=2) * np.sqrt(theta[0]), rng.normal(size=3) * np.sqrt(theta[1])
        random = u[0][a] + u[1][b]
    else:
        L = sd * np.array([[1.0, 0.0], [0.3, 0.7]])
        if structure == "intercept":
            L = L[:1, :1]
        theta = lower(L @ L.T)
        u = rng.normal(size=(len(sizes), len(L))) @ L.T
        random = (u[g] * np.column_stack([np.ones(n), x])[:, : len(L)]).sum(axis=1)
    beta = np.array([kind.intercept, -0.4 if kind.oracle_link != "inverse" else -0.1])
    eta = beta[0] + beta[1] * x + random
    mu = oracle.mean(kind.oracle_link, eta)
    trials = rng.integers(1, 4, n) if kind.oracle_family == "binomial" else np.ones(n, int)
    phi = kind.phi or 1.0
    y = {
        "binomial": lambda: rng.binomial(trials, mu),
        "poisson": lambda: rng.poisson(mu),
        "negativebinomial": lambda: rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)),
        "gamma": lambda: rng.gamma(1 / phi, phi * mu),
        "gaussian": lambda: rng.normal(mu, np.sqrt(phi)),
        "inversegaussian": lambda: rng.wald(mu, 1 / phi),
    }[kind.oracle_family]()
    data = pd.DataFrame(
        {
            "y": y,
            "failures": trials - y,
            "x": x,
            "g": [f"g{k}" for k in g],
            "a": [f"a{k}" for k in a],
            "b": [f"b{k}" for k in b],
            "off": rng.uniform(-0.2, 0.2, n),
            "w": rng.choice([0.5, 1.0, 2.0], n),
        }
    )
    params = np.concatenate([beta, theta, [] if kind.phi is None else [kind.phi]])
    return Small(kind, structure, data, params, trials.astype(float))


def differences(function: Any, at: np.ndarray, step: np.ndarray) -> np.ndarray:
    """Derivative of a function of any shape by central differences, twice extrapolated: (..., P)."""
    out = []
    for j, h in enumerate(step):
        d = np.zeros(len(at))
        d[j] = 1.0

        def slope(size: float, d: np.ndarray = d) -> np.ndarray:
            return (np.asarray(function(at + size * d)) - np.asarray(function(at - size * d))) / (2 * size)

        one, half, quarter = slope(h), slope(h / 2), slope(h / 4)
        first, second = (4 * half - one) / 3, (4 * quarter - half) / 3
        out.append((16 * second - first) / 15)
    return np.stack(out, axis=-1)


def differences_of_both(function: Any, at: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`differences` of a value and a score that are found together: score (P,) and Hessian (P, P)."""
    found = differences(lambda x: np.concatenate([np.atleast_1d(part) for part in function(x)]), at, step)
    return found[0], found[1:]
