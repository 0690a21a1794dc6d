"""Maxima at and near the boundary: variances of zero, perfect correlations, and what is almost one or the other.

The truth comes from quadrature over the standard effects of a reduced model, written here, from the oracle, and for
Gaussian responses from the normal density of the response.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import (
    KIND,
    KIND_IDS,
    KINDS,
    assert_monte_carlo,
    differences,
    differences_of_both,
    lower,
    no_warnings,
    small,
)
from scipy import optimize, special, stats

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.estimation.boundary.reduction import Reduction
from statsmodels_mcla.estimation.boundary.variance_scores import curvatures_by_level
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.likelihood.monte_carlo.evaluation import evaluate
from statsmodels_mcla.likelihood.sampling.sampler import Sampler
from statsmodels_mcla.likelihood.sampling.settings import BlockSampling

# Reference: quadrature over b in u = Lambda b ----------------------------------------------------------


@dataclass(frozen=True)
class Reference:
    """Maximum-likelihood values of a model whose covariance matrix is Lambda Lambda'."""

    params: np.ndarray
    bse: np.ndarray
    llf: float


def trapezoid(rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Equal steps over the standard normal density in so many dimensions: points (rank, m), log weights (m,)."""
    step = {1: 0.05, 2: 0.25}[rank]
    line = np.arange(-7.0, 7.01, step)
    points = np.stack(np.meshgrid(*[line] * rank, indexing="ij")).reshape(rank, -1)
    return points, stats.norm.logpdf(points).sum(axis=0) + rank * np.log(step)


def poisson_reference(data: pd.DataFrame, Z: np.ndarray, start: np.ndarray) -> Reference:
    """Maximise over (beta, Lambda) with Lambda's entries as ``start`` has them, zeros above the diagonal."""
    y = data["y"].to_numpy(float)
    X = np.column_stack([np.ones(len(y)), data["x"]])
    groups = [np.flatnonzero(data["g"] == g) for g in data["g"].unique()]
    rows, cols = np.nonzero(start)
    b, log_w = trapezoid(start.shape[1])

    def value(x: np.ndarray) -> tuple[float, np.ndarray]:
        L = np.zeros(start.shape)
        L[rows, cols] = x[2:]
        eta = (X @ x[:2])[:, None] + Z @ L @ b
        logf = y[:, None] * eta - np.exp(eta) - special.gammaln(y + 1)[:, None]
        total, score = 0.0, np.zeros(len(x))
        for g in groups:
            each = logf[g].sum(axis=0) + log_w
            height = special.logsumexp(each)
            total += height
            d1 = (y[g, None] - np.exp(eta[g])) * np.exp(each - height)
            score[:2] += X[g].T @ d1.sum(axis=1)
            score[2:] += np.array([Z[g, i] @ (d1 @ b[k]) for i, k in zip(rows, cols, strict=True)])
        return total, score

    def natural(x: np.ndarray) -> np.ndarray:
        L = np.zeros(start.shape)
        L[rows, cols] = x[2:]
        return np.concatenate([x[:2], lower(L @ L.T)])

    x0 = np.concatenate([[0.5, -0.3], start[rows, cols]])
    found = optimize.minimize(lambda x: tuple(-v for v in value(x)), x0, jac=True, method="BFGS", tol=1e-9)
    x = found.x
    for _ in range(3):
        hessian = differences(lambda at: value(at)[1], x, np.full(len(x), 1e-2))
        x = x - np.linalg.solve(hessian, value(x)[1])
    J = differences(natural, x, np.full(len(x), 1e-2))
    return Reference(natural(x), np.sqrt(np.diag(J @ np.linalg.inv(-hessian) @ J.T)), value(x)[0])


@dataclass(frozen=True)
class Case:
    """Poisson data whose random effects are simulated with a covariance matrix of low rank."""

    Lambda: tuple[tuple[float, ...], ...]
    seed: int
    groups: int = 40
    intercept: float = 0.5  # few counts a group, where the quadrature has few points

    @functools.cached_property
    def L(self) -> np.ndarray:  # noqa: N802
        return np.array(self.Lambda)

    @functools.cached_property
    def data(self) -> pd.DataFrame:
        rng = np.random.default_rng(self.seed)
        g = np.repeat(np.arange(self.groups), 6)
        x, z = rng.uniform(-1, 1, (2, len(g)))
        data = pd.DataFrame({"x": x, "z": z, "g": g})
        u = (rng.normal(size=(self.groups, self.L.shape[1])) @ self.L.T)[g]
        data["y"] = rng.poisson(np.exp(self.intercept - 0.3 * x + (u * self.Z_of(data)).sum(axis=1)))
        return data

    def Z_of(self, data: pd.DataFrame) -> np.ndarray:  # noqa: N802
        return np.column_stack([np.ones(len(data)), data["x"], data["z"]])[:, : len(self.L)]

    @functools.cached_property
    def formula(self) -> str:
        return f"y ~ x + ({['1', '1 + x', '1 + x + z'][len(self.L) - 1]} | g)"

    def model(self) -> MCLAMixedGLM:
        return MCLAMixedGLM.from_formula(self.formula, data=self.data, family=sm.families.Poisson())


@functools.lru_cache(maxsize=8)
def reference_of(case: Case) -> Reference:
    return poisson_reference(case.data, case.Z_of(case.data), case.L)


@functools.lru_cache(maxsize=8)
def fit_of(case: Case, rng: int = 1) -> Any:
    with pytest.warns(SingularFitWarning, match="'g' are perfectly correlated"):
        return case.model().fit(rng=rng, llf_tol=0.01)


ONE = Case(((0.8,), (0.5,)), 0)
CASES = {
    "one": ONE,
    "minus one": Case(((0.8,), (-0.5,)), 1),
    "rank 1 of 3": Case(((0.8,), (0.5,), (-0.6,)), 0),
    "rank 2 of 3": Case(((0.8, 0.0), (0.5, 0.5), (-0.5, 0.6)), 1, 30, -0.7),
}


@pytest.mark.parametrize("name", CASES)
def test_fit_on_the_boundary_is_quadrature_of_the_reduced_model(name: str) -> None:
    case = CASES[name]
    result, truth = fit_of(case), reference_of(case)
    assert result.singular
    assert result.converged
    assert result.reduction.ranks == (case.L.shape[1],)
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.0101 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.01, error=1e-6)
    G = result.cov_re["g"].to_numpy()
    assert np.linalg.matrix_rank(G, tol=1e-10) == case.L.shape[1]


def test_draws_converge_to_quadrature() -> None:
    """One standard effect a group: a grid that is exact to many digits."""
    with pytest.warns(SingularFitWarning):
        result = ONE.model().fit(rng=1, nsample=2048)
    truth = reference_of(ONE)
    np.testing.assert_allclose(result.params, truth.params, rtol=1e-6)
    np.testing.assert_allclose(result.bse, truth.bse, rtol=1e-5)
    assert result.llf == pytest.approx(truth.llf, abs=1e-6)


def test_what_is_said_of_a_perfect_correlation() -> None:
    for case, corr in ((ONE, 1.0), (CASES["minus one"], -1.0)):
        result = fit_of(case)
        table = result.var_corr().set_index("effect")
        row = table.loc["Corr(Intercept, x)"]
        assert row["estimate"] == corr
        assert np.isnan(row["std err"])
        assert np.isnan(row["mcse"])
        assert np.all(np.isfinite(table.loc[["SD(Intercept)", "SD(x)"], ["std err", "mcse"]]))
        assert "rank 1 of 2" in result.summary().as_text()
    result = fit_of(ONE)
    assert not result.boundary.any()
    assert np.all(np.isfinite(result.cov_params()))
    assert np.all(np.isfinite(result.conf_int()))
    sd = table.loc["SD(x)"]
    assert sd["std err"] > 0
    test = result.t_test("x = 0")
    assert test.sd.item() == pytest.approx(result.bse["x"])
    with no_warnings():
        independent = MCLAMixedGLM.from_formula(
            "y ~ x + (x || g)", data=ONE.data, family=sm.families.Poisson()
        ).fit(rng=1)
    lr = result.compare_lr_test(independent)
    assert lr.df == 1
    difference = 2 * (result.llf - independent.llf)
    assert abs(lr.statistic - difference) < 5 * 2 * np.hypot(result.llf_mcse, independent.llf_mcse)


def test_tests_of_fixed_effects_beside_a_vanished_variance() -> None:
    data = pd.DataFrame(
        {
            "y": np.tile([0, 1], 60),
            "x": np.random.default_rng(0).normal(size=120),
            "g": np.repeat(range(20), 6),
        }
    )
    with pytest.warns(SingularFitWarning, match="'g' is zero"):
        result = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data).fit(rng=1)
    assert result.reduction.vanished == (0,)
    assert result.t_test([0.0, 1.0]).sd.item() == pytest.approx(result.bse["x"])
    assert np.isfinite(result.wald_test("x = 0", scalar=True).pvalue)


@pytest.mark.parametrize("name", ["one", "rank 2 of 3"])
def test_laplace_fit_on_the_boundary(name: str) -> None:
    case = CASES[name]
    with pytest.warns(SingularFitWarning, match="'g' are perfectly correlated"):
        result = case.model().fit_laplace()
    truth = reference_of(case)
    assert result.singular
    assert result.converged
    # Laplace's own error is a few per cent of a standard error here, and so is that of its curvature
    assert np.all(np.abs(result.params - truth.params) < 0.15 * truth.bse)
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.05)
    assert np.linalg.matrix_rank(result.cov_re["g"], tol=1e-10) == case.L.shape[1]
    moments = result.fitted
    assert moments.evaluation.value == pytest.approx(truth.llf, abs=0.5)


@pytest.mark.parametrize(
    ("name", "seeds"),
    [
        ("one", 30),
        *(pytest.param(name, 60, marks=pytest.mark.slow) for name in CASES),
    ],
)
def test_errors_are_honest_on_the_boundary(name: str, seeds: int) -> None:
    """Over seeds, (estimate - truth) / MCSE is about standard normal."""
    case = CASES[name]
    truth = reference_of(case)
    z = []
    for seed in range(seeds):
        with pytest.warns(SingularFitWarning):
            result = case.model().fit(rng=seed)
        z.append(
            np.append(
                (result.params - truth.params) / result.mcse, (result.llf - truth.llf) / result.llf_mcse
            )
        )
    z = np.array(z)
    assert np.all(np.abs(z.mean(axis=0)) < 0.75)
    assert np.all((z.std(axis=0) > 0.6) & (z.std(axis=0) < 1.5))


# Derivatives ------------------------------------------------------------------------------------------

PIVOTS = {
    "as it stands": (0, 1),
    "other order": (1, 0),
    "rank 1": (0,),
    "rank 1, other pivot": (1,),
}


def draws_of(
    model: MCLAMixedGLM, pivots: tuple[int, ...], params: np.ndarray, size: int | None = 128
) -> tuple[Reduction, Any, Any]:
    """Reduction, design and draws at the fitted parameters."""
    reduction = Reduction.of(model.design, [pivots])
    design = reduction.reduce(model.design)
    sampler = Sampler.start(design, BlockSampling(), np.random.SeedSequence(1), True, size)
    return reduction, design, sampler.at(reduction.restrict(params))


@pytest.mark.parametrize("pivots", [*PIVOTS.values(), ()], ids=[*PIVOTS, "vanished"])
@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
@pytest.mark.filterwarnings("ignore:.*does not respect the domain")
def test_derivatives_in_loadings(kind: Any, pivots: tuple[int, ...]) -> None:
    case = small(kind, "slope", seed=1, sizes=(4, 3, 4))
    model = case.model(freq_weights="w", offset="off")
    _, design, position = draws_of(model, pivots, case.params)
    at = position.params * 1.02
    step = 1e-3 * np.maximum(np.abs(at), 0.05)
    found = evaluate(design, at, position.draws)
    assert len(at) == design.n_params

    def value_and_score(x: np.ndarray) -> tuple[float, np.ndarray]:
        here = evaluate(design, x, position.draws)
        return here.value, here.score

    slope, bend = differences_of_both(value_and_score, at, step)
    np.testing.assert_allclose(found.score, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    np.testing.assert_allclose(found.hessian, bend, rtol=1e-6, atol=1e-6 * np.abs(bend).max())


@pytest.mark.parametrize("pivots", PIVOTS.values(), ids=PIVOTS)
def test_parameters_and_effects_of_the_model(pivots: tuple[int, ...]) -> None:
    case = small(KIND["poisson-log"], "slope", seed=1)
    model = case.model()
    params = case.params.copy()
    if len(pivots) == 1:
        params[2:5] = lower(np.outer([0.6, -0.3], [0.6, -0.3]))
    reduction, design, position = draws_of(model, pivots, params)
    fitted = position.params
    assert reduction.ranks == design.loadings.ranks == (len(pivots),)
    np.testing.assert_allclose(reduction.extend(fitted), params, atol=1e-14)
    J = differences(reduction.extend, fitted, np.full(len(fitted), 1e-2))
    np.testing.assert_allclose(reduction.jacobian(fitted), J, atol=1e-9)
    M = reduction.effects(fitted)
    G = reduction.terms[0].whole.matrix(params[2:5])
    np.testing.assert_allclose((M @ M.T).toarray(), np.kron(np.eye(5), G), atol=1e-14)
    # linear predictors of the blocks are those of the model, standard effects by standard effects
    Z = (model.design.Z @ M).toarray()
    factors = design.loadings.factors(design.split(fitted)[1])
    for bucket in design.buckets:
        J = bucket.standardised(factors)
        columns = [J.times(np.tile(unit, (bucket.n_blocks, 1))) for unit in np.eye(bucket.n_drawn)]
        for rows, drawn, own in zip(bucket.rows, bucket.drawn, np.stack(columns, axis=-1), strict=True):
            np.testing.assert_allclose(own[rows >= 0], Z[np.ix_(rows[rows >= 0], drawn)], atol=1e-14)
    data = case.arguments()
    truth = oracle.quadrature_loglike(params, **data)
    found = evaluate(design, fitted, position.draws)
    assert_monte_carlo(found.value, np.sqrt(found.value_var), truth, small=0.1, within=5)


@pytest.mark.parametrize("pivots", [(0, 1), (1, 0)], ids=str)
def test_natural_derivatives_of_loadings(pivots: tuple[int, ...]) -> None:
    case = small(KIND["gamma-log"], "slope", seed=1)
    reduction, design, position = draws_of(case.model(), pivots, case.params)
    at = case.params * np.array([1, 1, 1.05, 0.9, 0.97, 1.1])

    def natural(x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        fitted = reduction.restrict(x)
        there = evaluate(design, fitted, position.draws)
        return there.value, *reduction.derivatives(fitted, there.score, there.hessian)

    step = 1e-2 * np.maximum(np.abs(at), 0.05)
    slope, bend = differences_of_both(lambda x: natural(x)[:2], at, step)
    _, score, hessian = natural(at)
    np.testing.assert_allclose(score, slope, rtol=1e-6, atol=1e-6 * np.abs(slope).max())
    np.testing.assert_allclose(hessian, bend, rtol=1e-6, atol=1e-6 * np.abs(bend).max())


# Out of the boundary, and near it ---------------------------------------------------------------------


def test_slope_out_of_the_boundary_is_that_of_quadrature() -> None:
    case, result = ONE, fit_of(ONE)
    fitted = result.fitted
    (M,) = curvatures_by_level(case.model().random_terms[:1], fitted.design, fitted.position)
    arguments = {
        "y": case.data["y"].to_numpy(float),
        "X": case.Z_of(case.data),
        "Zg": case.Z_of(case.data),
        "group": case.data["g"].to_numpy(),
        "family": "poisson",
        "link": "log",
    }
    params = np.asarray(result.params)
    G = result.cov_re["g"].to_numpy()
    top = oracle.quadrature_loglike(params, **arguments)
    w = np.linalg.eigh(G)[1][:, 0]  # the direction that G lacks

    def rise(nu: float) -> float:
        there = np.concatenate([params[:2], lower(G + nu * np.outer(w, w))])
        return oracle.quadrature_loglike(there, **arguments) - top

    h = 1e-3
    slope = (8 * rise(h / 2) - rise(h) * 2) / (2 * h)  # one-sided, of second order
    assert slope < -0.1  # premise: the maximum is on the boundary
    assert 0.5 * w @ M.sum(axis=0) @ w == pytest.approx(slope, rel=0.02)


def binary(seed: int, Lambda: np.ndarray, groups: int, rows: int) -> tuple[MCLAMixedGLM, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rows)
    x = rng.uniform(-1, 1, len(g))
    Z = np.column_stack([np.ones(len(g)), x])[:, : len(Lambda)]
    u = rng.normal(size=(groups, Lambda.shape[1])) @ Lambda.T
    y = rng.binomial(1, special.expit(0.3 - 0.4 * x + (u[g] * Z).sum(axis=1)))
    bar = "1 + x" if len(Lambda) == 2 else "1"
    model = MCLAMixedGLM.from_formula(f"y ~ x + ({bar} | g)", data=pd.DataFrame({"y": y, "x": x, "g": g}))
    X = np.column_stack([np.ones(len(g)), x])
    return model, {"y": y.astype(float), "X": X, "Zg": Z, "group": g, "family": "binomial", "link": "logit"}


def assert_is_quadrature(result: Any, truth: Any) -> None:
    assert result.converged
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.0101 * truth.bse, within=5, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.02, within=5, error=1e-6)


def test_a_variance_that_laplace_puts_at_zero_is_found() -> None:
    """Laplace's approximation has its maximum at zero, the likelihood has not."""
    model, arguments = binary(11, np.array([[0.35]]), 15, 5)
    arguments["Zg"] = None
    truth = oracle.quadrature_mle(**arguments)
    assert not truth.singular  # premises
    assert truth.cov_re[0, 0] > 0.01
    with pytest.warns(SingularFitWarning):
        assert model.fit_laplace().singular
    with no_warnings():
        result = model.fit(rng=1)
    assert not result.singular
    assert_is_quadrature(result, truth)


def test_almost_singular_is_not_singular() -> None:
    """A matrix that is regular by little."""
    model, arguments = binary(4, np.array([[0.7, 0.0], [0.1, 0.4]]), 20, 6)
    truth = oracle.quadrature_mle(**arguments)
    assert not truth.singular  # premises
    assert np.linalg.eigvalsh(truth.cov_re)[0] < 0.2
    with no_warnings():
        result = model.fit(rng=1)
    assert result.reduction.ranks == (2,)
    assert not result.singular
    assert_is_quadrature(result, truth)
    at = np.asarray(result.params)
    assert model.loglike(at) == pytest.approx(result.llf, abs=1e-9)
    np.testing.assert_allclose(model.score(at), 0.0, atol=1e-4 / truth.bse.min())
    np.testing.assert_allclose(np.linalg.inv(-model.hessian(at)), result.cov_params(), rtol=1e-3, atol=3e-5)


# Several terms, against the normal density of a Gaussian response --------------------------------------


def gaussian_reference(data: pd.DataFrame, Zs: list[np.ndarray], starts: list[np.ndarray]) -> np.ndarray:
    """(beta, lower triangles of every Lambda Lambda', scale), their standard errors, and the log-likelihood.

    ``Zs`` are (n, L, d) arrays: the design of the effects of every level of a term.
    """
    y = data["y"].to_numpy(float)
    X = np.column_stack([np.ones(len(y)), data["x"]])
    shapes = [s.shape for s in starts]
    sizes = np.cumsum([2, *(s.size for s in starts)])

    def parts(x: np.ndarray) -> list[np.ndarray]:
        return [v.reshape(s) for v, s in zip(np.split(x[2:-1], sizes[1:-1] - 2), shapes, strict=True)]

    def loglike(x: np.ndarray) -> float:
        V = np.exp(x[-1]) * np.eye(len(y))
        for Z, L in zip(Zs, parts(x), strict=True):
            A = (Z @ L).reshape(len(y), -1)
            V += A @ A.T
        return float(stats.multivariate_normal.logpdf(y, X @ x[:2], V))

    def natural(x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[:2], *(lower(L @ L.T) for L in parts(x)), np.exp(x[-1:])])

    x0 = np.concatenate([np.linalg.lstsq(X, y, rcond=None)[0], *(s.ravel() for s in starts), [0.0]])
    x = optimize.minimize(lambda x: -loglike(x), x0, method="BFGS", tol=1e-6).x
    step = np.full(len(x), 0.02)
    hessian = differences(lambda at: differences(loglike, at, step), x, step)
    J = differences(natural, x, step)
    return np.array(
        [natural(x), np.sqrt(np.diag(J @ np.linalg.inv(-hessian) @ J.T)), np.full(len(J), loglike(x))]
    )


def test_one_of_several_terms_is_singular() -> None:
    """A perfectly correlated term beside a regular crossed one and one that vanishes."""
    rng = np.random.default_rng(5)
    g, h, k = np.repeat(np.arange(12), 8), np.tile(np.arange(8), 12), np.arange(96) % 5
    x = rng.uniform(-1, 1, 96)
    b, c = rng.normal(size=12), rng.normal(size=8)
    y = 1.0 - x + b[g] * (1.0 + 0.8 * x) + 0.7 * c[h] + 0.8 * rng.normal(size=96)
    data = pd.DataFrame({"y": y, "x": x, "g": g, "h": h, "k": k})
    slope = np.eye(12)[g][:, :, None] * np.column_stack([np.ones(96), x])[:, None, :]
    truth, bse, llf = gaussian_reference(
        data, [slope, np.eye(8)[h][:, :, None]], [np.array([[1.0], [0.8]]), np.array([[0.7]])]
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = MCLAMixedGLM.from_formula(
            "y ~ x + (1 + x | g) + (1 | h)", {"k": "0 + C(k)"}, data, sm.families.Gaussian()
        ).fit(rng=1)
    assert {w.category for w in caught} == {SingularFitWarning}
    assert any("'g' are perfectly" in str(w.message) for w in caught)
    assert any("'k' is zero" in str(w.message) for w in caught)
    names = [n for n in result.params.index if n != "k Var"]
    assert result.params["k Var"] == 0.0
    assert np.isnan(result.bse["k Var"])
    assert result.llf == pytest.approx(llf[0], abs=1e-8)
    np.testing.assert_allclose(result.params[names], truth, atol=1e-4)
    np.testing.assert_allclose(result.bse[names], bse, rtol=0.05)


# Importance densities ---------------------------------------------------------------------------------


class Wide:
    """A density of one's own over all effects."""

    def __init__(self, effects: int) -> None:
        self.effects = effects

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return rng.standard_normal((self.effects, n))

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(u).sum(axis=0)


def test_a_density_of_all_effects_is_no_density_of_fewer() -> None:
    with pytest.raises(ValueError, match="'g' is singular at the maximum"):
        ONE.model().fit(rng=1, sampling=Wide(80), nsample=1000)


def test_a_joint_density_on_the_boundary() -> None:
    case = Case(ONE.Lambda, 0, 8)
    truth = reference_of(case)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # joint draws are few effective ones
        result = case.model().fit(rng=1, sampling=JointSampling(), nsample=20_000)
    assert result.reduction.ranks == (1,)
    assert_monte_carlo(result.params, result.mcse, truth.params, small=0.2 * truth.bse)
