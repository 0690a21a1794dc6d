"""Interrupted, repeated, side by side, and at the edges of what data can be: fits stay right, or say what is wrong."""

from __future__ import annotations

import gc
import multiprocessing
import sys
import threading
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, small
from scipy import special, stats
from threadpoolctl import threadpool_info

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.design import Stacking
from statsmodels_mcla.exceptions import SeparationWarning, SingularFitWarning
from statsmodels_mcla.families import Beta


def bits(result: Any) -> tuple[bytes, ...]:
    """All that a fit says, bit by bit."""
    values = (result.params, result.bse, result.mcse, result.llf, result.llf_mcse, result.cov_params())
    return tuple(np.asarray(value, float).tobytes() for value in values)


# -- interruption -----------------------------------------------------------------------------------


class Interrupt:
    """Ctrl-C at the n-th call of a Python function: the interpreter looks for signals there too."""

    def __init__(self, at: int | None) -> None:
        self.at, self.calls, self.where = at, 0, ""

    def __call__(self, frame: Any, event: str, arg: object) -> None:
        if event != "call":
            return
        self.calls += 1
        if self.calls == self.at:
            self.where = f"{frame.f_code.co_filename}:{frame.f_code.co_name}"
            raise KeyboardInterrupt


@contextmanager
def profiled(interrupt: Interrupt) -> Iterator[None]:
    old = sys.getprofile()
    gc.disable()  # an interrupt within a callback of the collector, such as hypothesis', is ignored
    sys.setprofile(interrupt)
    try:
        yield
    finally:
        sys.setprofile(old)
        gc.enable()


def blas_threads() -> list[int]:
    return [found["num_threads"] for found in threadpool_info() if found["user_api"] == "blas"]


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("structure", ["slope", "crossed"])
def test_an_interrupted_fit_leaves_no_trace(structure: str, n_jobs: int) -> None:
    problem = small(KIND["poisson-log"], structure, 1, (6,) * 12)
    right = bits(problem.model().fit(rng=1, n_jobs=n_jobs))
    threads, whole, places = blas_threads(), Interrupt(None), set()
    model = problem.model()
    with profiled(whole):
        model.fit(rng=1, n_jobs=n_jobs)
    for at in np.random.default_rng(7).integers(1, 0.95 * whole.calls, 12):
        interrupt, model = Interrupt(int(at)), problem.model()
        with pytest.raises(KeyboardInterrupt), profiled(interrupt):
            model.fit(rng=1, n_jobs=n_jobs)
        places.add(interrupt.where)
        assert blas_threads() == threads
        assert bits(model.fit(rng=1, n_jobs=n_jobs)) == right
    assert len(places) > 4


def test_an_interruption_of_stacking_is_one_wherever_it_comes() -> None:
    design, whole = small(KIND["poisson-log"], "crossed", 1, (6,) * 12).model().design, Interrupt(None)
    Stacking.of(*design.shapes, design.levels.dims)
    with profiled(whole):
        Stacking.of(*design.shapes, design.levels.dims)
    for at in range(1, whole.calls - 2):  # the last calls are those that end the watch
        with pytest.raises(KeyboardInterrupt), profiled(Interrupt(at)):
            Stacking.of(*design.shapes, design.levels.dims)


# -- repetition -------------------------------------------------------------------------------------


def growth(refit: Callable[[], object], times: int) -> float:
    """Kilobytes a call that are held after so many and were not after the first five."""

    def held(count: int) -> int:
        for _ in range(count):
            refit()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = held(5)
        return (held(times) - before) / 1000 / times
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("times", [15, pytest.param(200, marks=pytest.mark.slow)])  # 200 fits, traced: 40 s
def test_refits_hold_no_memory(times: int) -> None:
    model = small(KIND["poisson-log"], "intercept").model()
    assert growth(lambda: model.fit(rng=1, mcse_tol=0.05), times) < 100 / times


@pytest.mark.slow  # 10 s, traced
def test_new_seeds_and_new_models_hold_no_memory() -> None:
    problem, seeds = small(KIND["poisson-log"], "intercept"), iter(range(10**6))
    assert growth(lambda: problem.model().fit(rng=next(seeds), mcse_tol=0.05), 40) < 20


def test_what_holds_memory_is_found() -> None:
    model, kept = small(KIND["poisson-log"], "intercept").model(), []
    assert growth(lambda: kept.append(model.fit(rng=1, mcse_tol=0.05)), 15) > 10


# -- side by side -----------------------------------------------------------------------------------


def fit_bits(structure: str) -> tuple[bytes, ...]:
    return bits(small(KIND["binomial-logit"], structure).model().fit(rng=3, n_jobs=2))


@pytest.mark.parametrize("shared", [True, False], ids=["one model", "two models"])
def test_two_threads_give_the_same_bits(shared: bool) -> None:
    problem = small(KIND["binomial-logit"], "crossed")
    right, one = fit_bits("crossed"), problem.model()
    start, found = threading.Barrier(2), []

    def work() -> None:
        model = one if shared else problem.model()
        start.wait()
        found.extend(bits(model.fit(rng=3, n_jobs=2)) for _ in range(3))

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert found == [right] * 6


@pytest.mark.parametrize("kind", ["fork", "spawn"])
def test_two_processes_give_the_same_bits(kind: str) -> None:
    if kind not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {kind} on this platform")
    right = fit_bits("crossed")  # with threads that a forked process no longer has
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        with multiprocessing.get_context(kind).Pool(2) as pool:
            assert pool.map_async(fit_bits, ["crossed"] * 2).get(timeout=120) == [right] * 2


# -- the edges of data ------------------------------------------------------------------------------

WORST = 0.05  # error in standard errors
EDGES = ["binomial-logit", "poisson-log", "negativebinomial-log", "gamma-log", "gaussian-identity"]


def frame(name: str, groups: int, seed: int = 0, n: int = 12) -> pd.DataFrame:
    """A random intercept of SD .8 and a covariate."""
    sizes = (n,) * groups
    return small(KIND[name], "intercept", seed, sizes).data


def fit_of(name: str, data: pd.DataFrame, formula: str = "x + (1 | g)", **rows: Any) -> Any:
    left = "y + failures" if name.startswith("binomial") else "y"
    model = MCLAMixedGLM.from_formula(f"{left} ~ {formula}", data=data, family=KIND[name].family, **rows)
    return model.fit(rng=1)


def assert_right(
    result: Any, name: str, data: pd.DataFrame, X: np.ndarray | None = None, **rows: Any
) -> None:
    """The maximum and its log-likelihood are those of quadrature."""
    kind = KIND[name]
    arguments = {
        "y": data["y"].to_numpy(float),
        "X": np.column_stack([np.ones(len(data)), data["x"]]) if X is None else X,
        "Zg": None,
        "group": data["g"].to_numpy(),
        "family": kind.oracle_family,
        "link": kind.oracle_link,
        "trials": (data["y"] + data["failures"]).to_numpy(float)
        if kind.oracle_family == "binomial"
        else None,
        **rows,
    }
    right = oracle.quadrature_mle(**arguments)
    assert result.converged
    np.testing.assert_allclose(result.llf, right.llf, atol=4 * result.llf_mcse + 1e-6 * (1 + abs(right.llf)))
    known = np.isfinite(right.bse)
    away = np.abs(np.asarray(result.params) - right.params)[known] / right.bse[known]
    assert np.all(away < WORST), away
    np.testing.assert_allclose(np.asarray(result.bse)[known], right.bse[known], rtol=0.03)


@pytest.mark.parametrize("name", EDGES)
def test_two_groups(name: str) -> None:
    data = frame(name, 2, {"gamma-log": 2, "poisson-log": 4}.get(name, 4))
    assert_right(fit_of(name, data), name, data)


@pytest.mark.parametrize("name", EDGES)
def test_one_group_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="one level only"):
        fit_of(name, frame(name, 1))


def test_equal_counts_within_groups() -> None:
    data = frame("poisson-log", 12)
    data["y"] = data.groupby("g")["y"].transform("first")
    assert_right(fit_of("poisson-log", data), "poisson-log", data)


def test_equal_counts_everywhere() -> None:
    data = frame("poisson-log", 6).assign(y=3)
    with pytest.warns(SingularFitWarning, match="variance of 'g' is zero") as told:
        fit = fit_of("poisson-log", data, "1 + (1 | g)")
    assert len(told) == 1
    np.testing.assert_allclose(fit.params, [np.log(3), 0], atol=1e-6)
    np.testing.assert_allclose(fit.llf, len(data) * stats.poisson.logpmf(3, 3))


@pytest.mark.parametrize("formula", ["1 + (1 | g)", "x + (1 | g)"])
def test_groups_of_one_answer_are_told(formula: str) -> None:
    data = frame("binomial-logit", 12)
    data["y"] = (data["g"].str[1:].astype(int) % 3 == 0).astype(int)
    data["failures"] = 1 - data["y"]
    with pytest.warns(SeparationWarning, match="predict every response perfectly") as told:
        fit = fit_of("binomial-logit", data, formula)
    assert len(told) == 1
    assert not fit.converged


@pytest.mark.parametrize("name", EDGES)
def test_rows_of_hardly_any_weight_hardly_count(name: str) -> None:
    data = frame(name, 10, 3)
    w = np.where(np.arange(len(data)) % 3 == 0, 1e-8, 1.0)
    assert_right(fit_of(name, data, freq_weights=w), name, data, weights=w)


@pytest.mark.parametrize("name", ["binomial-logit", "poisson-log", "gaussian-identity"])
def test_rows_of_vast_weight_tell_every_groups_intercept(name: str) -> None:
    """Intercepts of the groups are those of a GLM with one each; their law is fitted as if they were data."""
    data = frame(name, 10, 3, 40)
    fit = fit_of(name, data, freq_weights=np.full(len(data), 1e8))
    left = data[["y", "failures"]] if name.startswith("binomial") else data["y"]
    groups = pd.get_dummies(data["g"]).astype(float)
    glm = sm.GLM(left, groups.assign(x=data["x"]), family=KIND[name].family).fit()
    of_groups = glm.params[:-1]
    mean, variance = of_groups.mean(), of_groups.var(ddof=0)
    np.testing.assert_allclose(fit.params.iloc[:3], [mean, glm.params["x"], variance], rtol=1e-3)
    np.testing.assert_allclose(
        fit.bse.iloc[[0, 2]], [np.sqrt(variance / 10), variance / np.sqrt(5)], rtol=5e-3
    )
    assert fit.bse["x"] < 1e-4


@pytest.mark.parametrize("size", [1e-8, 1e8])
@pytest.mark.parametrize("name", ["gamma-log", "gaussian-identity"])
def test_variance_weights_only_scale_the_dispersion(name: str, size: float) -> None:
    data = frame(name, 10, 3)
    plain, scaled = fit_of(name, data), fit_of(name, data, var_weights=np.full(len(data), size))
    unit = np.append(np.ones(len(plain.params) - 1), size)
    np.testing.assert_allclose(scaled.params / unit, plain.params, rtol=1e-4)
    np.testing.assert_allclose(scaled.bse / unit, plain.bse, rtol=1e-3)
    np.testing.assert_allclose(scaled.llf, plain.llf, atol=0.01)


@pytest.mark.parametrize(
    ("family", "dispformula"),
    [
        (sm.families.Gamma(sm.families.links.Log()), "~ 1"),
        (sm.families.Gamma(sm.families.links.Log()), "~ x"),
        (sm.families.Gaussian(sm.families.links.Log()), "~ 1"),
        (sm.families.InverseGaussian(sm.families.links.Log()), "~ 1"),
    ],
)
def test_hardly_any_noise(family: sm.families.Family, dispformula: str) -> None:
    """Relative errors of 1e-4, a dispersion of 1e-8, are additive for log y, where group means tell the variance."""
    rng, groups = np.random.default_rng(5), 12
    g, x = np.repeat(np.arange(groups), 6), rng.normal(size=6 * groups)
    y = np.exp(0.2 + 0.4 * x + 0.5 * rng.normal(size=groups)[g]) * rng.gamma(1e8, 1e-8, size=len(g))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    exact = sm.OLS(np.log(y), pd.get_dummies(data["g"]).astype(float).assign(x=x)).fit()
    intercepts, slope = exact.params[:-1], exact.params["x"]
    made = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=family, dispformula=dispformula)
    fit = made.fit(rng=1)
    assert fit.converged
    np.testing.assert_allclose(fit.params.iloc[:2], [intercepts.mean(), slope], atol=1e-4)
    np.testing.assert_allclose(fit.params["g Var"], intercepts.var(ddof=0), rtol=1e-3)
    np.testing.assert_allclose(fit.bse.iloc[0], np.sqrt(intercepts.var(ddof=0) / groups), rtol=1e-3)
    if isinstance(family, sm.families.Gamma) and dispformula == "~ 1":
        np.testing.assert_allclose(fit.params.iloc[3], exact.ssr / (len(g) - groups), rtol=1e-3)


@pytest.mark.parametrize("dispformula", ["~ 1", "~ x"])
@pytest.mark.parametrize("precision", [1e4, 1e6])
def test_proportions_with_hardly_any_noise(precision: float, dispformula: str) -> None:
    """Differences of log Gamma at millions; logits are normal then, with variance 1 / (precision mu (1 - mu))."""
    rng, groups = np.random.default_rng(5), 12
    g, x = np.repeat(np.arange(groups), 6), rng.normal(size=6 * groups)
    mu = special.expit(-1.0 + 0.4 * x + 0.5 * rng.normal(size=groups)[g])
    data = pd.DataFrame({"y": rng.beta(precision * mu, precision * (1.0 - mu)), "x": x, "g": g})
    dummies = pd.get_dummies(data["g"]).astype(float).assign(x=x)
    exact = sm.WLS(special.logit(data["y"]), dummies, weights=mu * (1.0 - mu)).fit()
    intercepts, slope = exact.params[:-1], exact.params["x"]
    made = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=Beta(), dispformula=dispformula)
    fit = made.fit(rng=1)
    assert fit.converged
    spread, variance = 1.0 / np.sqrt(precision), fit.params["g Var"]
    np.testing.assert_allclose(fit.params.iloc[:2], [intercepts.mean(), slope], atol=spread)
    np.testing.assert_allclose(variance, intercepts.var(ddof=0), rtol=spread)
    np.testing.assert_allclose(fit.bse.iloc[0], np.sqrt(variance / groups), rtol=1e-3)
    if dispformula == "~ 1":
        np.testing.assert_allclose(
            fit.params["precision"], (len(g) - groups) / (exact.wresid**2).sum(), rtol=1e-2
        )


@pytest.mark.parametrize("size", [1e3, -1e3])
@pytest.mark.parametrize("name", EDGES)
def test_offsets_move_the_intercept(name: str, size: float) -> None:
    data = frame(name, 10, 3)
    plain, moved = fit_of(name, data), fit_of(name, data, offset=np.full(len(data), size))
    np.testing.assert_allclose(np.asarray(moved.params)[1:], np.asarray(plain.params)[1:], rtol=1e-4)
    np.testing.assert_allclose(moved.params.iloc[0] + size, plain.params.iloc[0], atol=1e-4)
    np.testing.assert_allclose(moved.bse, plain.bse, rtol=1e-3)
    np.testing.assert_allclose(moved.llf, plain.llf, atol=0.01)


@pytest.mark.parametrize("seed", range(12))
def test_counts_that_are_all_zero(seed: int) -> None:
    """Whatever the covariate: a warning that nothing can be estimated, or one clear error, of this package."""
    x = np.random.default_rng(seed).normal(size=200)
    data = pd.DataFrame({"s": np.repeat(np.arange(20), 10), "i": np.tile(np.arange(10), 20), "y": 0, "x": x})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | s) + (1 | i)", data=data, family="poisson")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            converged, refusal = model.fit(rng=1).converged, ""
        except ValueError as error:
            converged, refusal = False, str(error)
    assert not converged
    told_by_warning = any(w.category is SeparationWarning for w in told)
    assert told_by_warning or refusal.startswith(
        "endog: effects of the model predict all responses perfectly"
    )
