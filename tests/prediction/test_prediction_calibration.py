"""Monte Carlo errors of random effects and predictions are honest: over seeds, errors scatter as they say.

Truth is quadrature at the maximum-likelihood estimates.  With perfect errors the mean over n seeds of
((value - truth) / MCSE)^2 is a chi-square with n degrees of freedom over n: gates are its quantiles at 1e-4 on each
side, for every quantity by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pytest
from helpers import model_of, truth_of
from scipy import stats


def truths(name: str) -> dict[str, np.ndarray]:
    """Quantities at the true estimates, levels in sorted order."""
    problem, params = oracle.problem(name), truth_of(name).params
    found = oracle.posterior_moments(params, **problem.arguments)
    eta = problem.X @ params[: problem.X.shape[1]]
    sd = np.sqrt(params[problem.X.shape[1]])
    return {
        "mean": found.mean[:, 0],
        "sd": found.sd[:, 0],
        "marginal": oracle.marginal_mean(eta, sd, problem.link),
        "none": oracle.mean(problem.link, eta),
        "linear": eta + found.mean[np.searchsorted(found.levels, problem.group), 0],
    }


def answers(name: str, result: Any) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same by a fit, with their Monte Carlo errors."""
    levels = [str(k) for k in np.unique(oracle.problem(name).group)]
    frame = result.random_effects_frame().set_index("level").loc[levels]
    out = {
        "mean": (frame["mean"].to_numpy(), frame["mcse"].to_numpy()),
        "sd": (frame["sd"].to_numpy(), frame["sd_mcse"].to_numpy()),
    }
    for key, options in {
        "marginal": {"random": "marginal"},
        "none": {},
        "linear": {"random": "conditional", "which": "linear"},
    }.items():
        found = result.get_prediction(**options)
        out[key] = found.predicted_mean, found.mcse
    return out


def assert_honest(name: str, seeds: int, **options: Any) -> None:
    truth = truths(name)
    squares: dict[str, list[np.ndarray]] = {key: [] for key in truth}
    model = model_of(name)
    for seed in range(seeds):
        for key, (value, mcse) in answers(name, model.fit(rng=seed, **options)).items():
            assert np.all(mcse > 0), key
            squares[key].append(((value - truth[key]) / mcse) ** 2)
    low, high = stats.chi2.ppf([1e-4, 1 - 1e-4], seeds) / seeds
    for key, found in squares.items():
        ratio = np.mean(found, axis=0)
        assert low < np.median(ratio) < high, f"{key}: {np.median(ratio)}"
        assert ratio.max() < 1.3 * high, f"{key}: {ratio.max()}"  # the largest of many
        assert ratio.min() > low / 1.3, f"{key}: {ratio.min()}"


def test_errors_are_honest() -> None:
    assert_honest("cbpp", 12, nsample=256)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bacteria", "cbpp", "epil"])
def test_errors_of_default_fits_are_honest(name: str) -> None:
    assert_honest(name, 40)


@pytest.mark.slow
def test_errors_of_independent_draws_are_honest() -> None:
    assert_honest("cbpp", 40, quasi=False, nsample=4000)
