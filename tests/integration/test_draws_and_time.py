"""Fits that few draws, or little time, are given: what they say, and that they lose nothing that is known."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import KIND, assert_monte_carlo, model_of, no_warnings, small, truth_of

from statsmodels_mcla import BlockSampling, MCLAMixedGLM
from statsmodels_mcla.estimation import laplace_maximum
from statsmodels_mcla.estimation.search import monte_carlo_fit, nearer_start
from statsmodels_mcla.estimation.search.monte_carlo_fit import maximum_of_paths
from statsmodels_mcla.exceptions import ConvergenceWarning, ImportanceWeightWarning, PrecisionWarning
from statsmodels_mcla.execution import OutOfTime, Threads, Until
from statsmodels_mcla.likelihood.monte_carlo.evaluation import evaluate
from statsmodels_mcla.likelihood.monte_carlo.kernel import weigh
from statsmodels_mcla.likelihood.sampling import Sampler
from statsmodels_mcla.model.messages import warn_maximum


def test_precision_that_is_not_reached() -> None:
    with pytest.warns(PrecisionWarning, match="max_draws"):
        result = model_of("salamander").fit(rng=1, mcse_tol=0.002, max_draws=1024)
    assert result.monte_carlo.draws.max() <= 1024
    assert result.converged
    with no_warnings():
        model_of("salamander").fit(rng=1, nsample=1024)  # asked for so many draws, and got them


def _told(function: Any, work: list[str]) -> Any:
    """A function that writes down its name each time that it has done its work."""

    def told(*args: Any, **kwargs: Any) -> Any:
        found = function(*args, **kwargs)
        work.append(function.__name__)
        return found

    return told


def test_fits_end_at_max_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The best answer so far: at once that of few draws at the Laplace fit, later the last round that has ended."""
    work: list[str] = []
    with monkeypatch.context() as counted:
        for name, of in (("at", Sampler), ("evaluate", monte_carlo_fit), ("evaluate", nearer_start)):
            counted.setattr(of, name, _told(getattr(of, name), work))
        with pytest.warns(ConvergenceWarning, match="max_seconds"):
            early = model_of("salamander").fit(rng=1, max_seconds=1e-9)
    assert work == ["at", "evaluate"]
    assert not early.converged
    assert len(early.mc_history) == 1
    assert early.llf == pytest.approx(truth_of("salamander").llf, abs=5.0)
    assert np.isfinite(early.bse).all()
    # time stands still until two rounds have ended
    rounds: list[float] = []

    def now() -> float:
        return 0.0 if len(rounds) < 2 else 1e9

    monkeypatch.setattr("statsmodels_mcla.execution.clock.time.perf_counter", now)
    monkeypatch.setattr("statsmodels_mcla.model.voice.Voice.round", lambda _, r: rounds.append(r.llf))
    with pytest.warns((ConvergenceWarning, PrecisionWarning), match="max_seconds"):
        late = model_of("salamander").fit(rng=1, max_seconds=10.0, mcse_tol=1e-4, max_draws=2**14)
    assert set(rounds[1:]) == {late.llf}  # nothing was evaluated after the second
    assert np.isfinite(late.bse).all()
    assert np.isfinite(late.monte_carlo.k_hat).all()


@pytest.mark.parametrize("workers", [1, 2])
def test_no_draws_are_weighed_after_the_deadline(monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    """A clock that counts sections of draws, of which a block has eight."""
    case, sections = small(KIND["poisson-log"], "intercept"), []
    design = case.model().design
    blocks = sum(bucket.n_blocks for bucket in design.buckets)
    sampler = Sampler.start(design, BlockSampling(), np.random.SeedSequence(1), False, None)
    params = np.array([*case.params[:2], np.sqrt(case.params[2])])
    draws = sampler.with_size(2**16).at(params).draws

    def counted(*args: Any) -> Any:
        sections.append(1)
        return weigh(*args)

    monkeypatch.setattr("statsmodels_mcla.likelihood.monte_carlo.kernel.weigh", counted)
    monkeypatch.setattr("statsmodels_mcla.execution.clock.time.perf_counter", lambda: float(len(sections)))
    assert blocks > 2
    with pytest.raises(OutOfTime):
        evaluate(design, params, draws, executor=Until(Threads(workers), 3.0))
    assert 3 <= len(sections) <= 2 + workers
    sections.clear()
    assert np.isfinite(evaluate(design, params, draws, executor=Until(Threads(workers), 1e9)).value)


def test_a_round_that_runs_out_of_time_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the last round found no maximum in time, errors are those of the round before."""
    module, calls = "statsmodels_mcla.estimation.search.monte_carlo_fit", []

    def lost(*args: Any) -> Any:
        calls.append(1)
        top = maximum_of_paths(*args)
        return top._replace(decrement=np.inf) if len(calls) == 2 else top

    monkeypatch.setattr(f"{module}.maximum_of_paths", lost)
    monkeypatch.setattr(
        "statsmodels_mcla.execution.clock.time.perf_counter", lambda: 0.0 if len(calls) < 2 else 10.5
    )
    with pytest.warns((ConvergenceWarning, PrecisionWarning), match="max_seconds"):
        result = model_of("salamander").fit(rng=1, max_seconds=10.0, mcse_tol=1e-4)
    assert np.isnan(result.mc_history["mcse_over_se"].iloc[1])
    assert np.isfinite(result.mcse).all()
    assert np.isfinite(result.bse).all()


def test_laplace_standard_errors_where_draws_know_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fit that ends where its Hessian is not negative definite reports those of Laplace's approximation."""
    module = "statsmodels_mcla.estimation.search.monte_carlo_fit"
    monkeypatch.setattr(f"{module}.distance", lambda *_: np.inf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cut = model_of("cbpp").fit(rng=1, max_draws=512)
    assert not cut.converged
    laplace = model_of("cbpp").fit_laplace()
    np.testing.assert_allclose(cut.bse, laplace.bse, rtol=0.1)
    assert np.isnan(cut.mcse).all()
    assert "nan" not in str(cut.summary(mcse=False))


def test_few_effective_draws() -> None:
    with pytest.warns(ImportanceWeightWarning, match=r"heavier tails|raise nsample"):
        model_of("cbpp").fit(rng=1, nsample=512, quasi=False, sampling=BlockSampling(df=np.inf, inflate=0.3))
    with no_warnings():
        model_of("cbpp").fit(rng=1, nsample=512, quasi=False)


@pytest.mark.parametrize("nsample", [256, 512])
def test_few_draws_have_a_maximum_too(nsample: int) -> None:
    """Few draws have a maximum as well, with an error that says how few they are."""
    for seed in range(4):
        result = model_of("salamander").fit(rng=seed, nsample=nsample)
        truth = truth_of("salamander")
        assert result.converged
        assert_monte_carlo(result.params, result.mcse, truth.params, small=0.3 * truth.bse, within=5)


@pytest.mark.parametrize("nsample", [64, 128])
def test_too_few_draws_are_told(nsample: int) -> None:
    """Four or eight points a replicate in 21 dimensions: the fit is near the truth or says that it failed."""
    truth = truth_of("salamander")
    for seed in range(4):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = model_of("salamander").fit(rng=seed, nsample=nsample)
        assert (ConvergenceWarning in [w.category for w in caught]) is not result.converged
        if result.converged:
            assert np.all(np.abs(result.params - truth.params) < 6 * result.mcse)


@pytest.mark.parametrize(
    ("converged", "where"),
    [(True, r"at the maximum \(a singular fit\)"), (False, "where the search stopped")],
)
def test_a_fit_that_was_stopped_says_nothing_of_the_maximum(converged: bool, where: str) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"y": rng.poisson(2.0, 60), "g": np.arange(60) % 12})
    data["y"] = np.sort(data["y"])  # groups are more alike than by chance
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family="poisson")
    found = laplace_maximum(model.design)
    assert found.reduction.vanished
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_maximum(model, found, found.params, found.reduction, converged, drawn=True)
    told = [str(w.message) for w in caught]
    assert re.search(f"the variance of 'g' is zero {where}: ", told[0])
    assert any("did not converge" in one for one in told) != converged
