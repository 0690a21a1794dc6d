"""Random effects given the data against quadrature, and their errors."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, assert_monte_carlo, data_of, fit_of, laplace_of, model_of, small

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning


def moments_of(name: str, result: Any) -> oracle.PosteriorMoments:
    """Quadrature moments at the estimates of a result, groups in sorted order."""
    return oracle.posterior_moments(np.asarray(result.params), **oracle.problem(name).arguments)


def in_order(table: pd.DataFrame, truth: oracle.PosteriorMoments) -> np.ndarray:
    """Rows of a table of random effects in the order of the truth."""
    return table.set_axis(table.index.map(str)).loc[[str(level) for level in truth.levels]].to_numpy()


@pytest.mark.parametrize("name", ["bacteria", "toenail", "epil_slopes", "cbpp"])
def test_moments_given_the_estimates_are_those_of_quadrature(name: str) -> None:
    """Within 0.01 conditional standard deviations: means, standard deviations and modes."""
    result = fit_of(name)
    truth = moments_of(name, result)
    (key,) = result.random_effects
    mean, sd, mode = (
        in_order(getattr(result, which)[key], truth)
        for which in ("random_effects", "random_effects_sd", "random_effects_mode")
    )
    assert np.abs((mean - truth.mean) / truth.sd).max() < 0.01
    np.testing.assert_allclose(sd, truth.sd, rtol=0.01)
    np.testing.assert_allclose(mode, truth.mode, atol=1e-6 * truth.sd.max())


def test_laplace_fit() -> None:
    """The estimates are Laplace's; what is said of the effects given those is exact."""
    result = laplace_of("bacteria")
    truth = moments_of("bacteria", result)
    np.testing.assert_allclose(in_order(result.random_effects["ID"], truth), truth.mean, atol=1e-4)
    frame = result.random_effects_frame(mcse=True)
    assert np.all(frame["mcse"] < 1e-4)
    assert np.all(frame["sd_total"] > frame["sd"])


def test_frame_agrees_with_tables() -> None:
    result = fit_of("epil_slopes")
    frame = result.random_effects_frame(alpha=0.1, mcse=True)
    assert list(frame.columns) == [
        *("term", "level", "effect", "mean", "mode", "sd", "sd_total"),
        *("mcse", "sd_mcse", "lower", "upper"),
        *("sd_total_mcse", "lower_mcse", "upper_mcse"),
    ]
    wide = frame.pivot_table(index="level", columns="effect", values="mean")
    table = result.random_effects["subject"]
    np.testing.assert_allclose(wide.loc[table.index, table.columns], table)
    np.testing.assert_allclose(frame["upper"] - frame["mean"], 1.6448536 * frame["sd_total"])
    pd.testing.assert_frame_equal(result.random_effects_frame("subject"), result.random_effects_frame())
    with pytest.raises(ValueError, match="no random-effect term 'herd'"):
        result.random_effects_frame("herd")
    with pytest.raises(ValueError, match="alpha"):
        result.random_effects_frame(alpha=1.5)


def test_pickled_results_say_the_same() -> None:
    result = fit_of("bacteria")
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.random_effects_frame(), result.random_effects_frame())


def test_levels_without_data_keep_their_prior() -> None:
    """A level whose rows have weight zero has mean 0 and the prior standard deviation."""
    data = data_of("bacteria").assign(weight=1.0)
    data.loc[data["ID"] == "X01", "weight"] = 0.0
    model = MCLAMixedGLM.from_formula(
        'I(y == "y") ~ late + (1 | ID)', data=data, family=sm.families.Binomial(), freq_weights="weight"
    )
    result = model.fit(rng=1)
    row = result.random_effects_frame().set_index("level").loc["X01"]
    prior = np.sqrt(result.vc_params.iloc[0])
    assert row["mean"] == row["mode"] == 0.0
    assert row["sd"] == pytest.approx(prior)
    # the standard deviation is a function of the variance, and has its Monte Carlo error
    assert row["sd_mcse"] == pytest.approx(result.mcse.iloc[-1] / (2 * prior))


def test_vanished_term_has_effects_of_zero() -> None:
    simulated = small(KIND["poisson-log"], "crossed", seed=2)
    rng = np.random.default_rng(3)
    data = simulated.data.assign(y=rng.poisson(2.0, len(simulated.data)))
    with pytest.warns(SingularFitWarning):
        result = simulated.model(data).fit(rng=1)
    assert result.singular
    vanished = [key for key, G in result.cov_re.items() if not np.any(G)]
    assert vanished
    frame = result.random_effects_frame(vanished[0])
    for column in ("mean", "mode", "sd", "sd_total", "mcse", "sd_mcse", "lower", "upper"):
        assert np.all(frame[column] == 0.0), column


def test_crossed_effects_against_quadrature() -> None:
    simulated = small(KIND["binomial-logit"], "crossed", seed=2)
    result = simulated.model().fit_laplace()
    truth = oracle.posterior_moments(np.asarray(result.params), **simulated.arguments())
    frame = result.random_effects_frame()
    assert_monte_carlo(frame["mean"], frame["mcse"], truth.mean[0], small=0.01, within=5)
    np.testing.assert_allclose(frame["sd"], truth.sd[0], rtol=0.02)


def test_joint_draws_say_the_same() -> None:
    """Independent draws of all effects at once, with the error that they have."""
    result = model_of("cbpp").fit(rng=1, sampling=JointSampling(), nsample=20_000)
    truth = moments_of("cbpp", result)
    frame = result.random_effects_frame()
    # given the estimates: the share of the estimates in the error makes it larger
    error = np.abs(in_order(result.random_effects["herd"], truth) - truth.mean).ravel()
    order = [str(level) for level in truth.levels]
    assert np.all(error < 4 * frame.set_index("level").loc[order, "mcse"])
    assert frame["mcse"].max() < 0.2 * frame["sd"].min()
