"""`MCLAMixedGLM` from formula to estimates: truth, randomness, optimisers."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pytest
import statsmodels.api as sm
from helpers import (
    CALLS,
    KIND,
    assert_matches,
    assert_monte_carlo,
    data_of,
    fit_of,
    model_of,
    no_warnings,
    small,
    truth_of,
)

from statsmodels_mcla import JointSampling
from statsmodels_mcla.exceptions import (
    ImportanceWeightWarning,
    PrecisionWarning,
)

BINOMIAL = sm.families.Binomial()


NAMES = ["salamander", "salamander_null", *CALLS]

# Truth ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_default_fit_is_the_truth(name: str) -> None:
    with no_warnings():
        result = fit_of(name)
    assert_matches(result, truth_of(name))
    assert np.all(result.mcse <= 0.0101 * result.bse)  # what the default asks for
    assert not result.singular
    assert result.nobs == len(data_of(name))


@pytest.mark.parametrize("name", ["salamander", "cbpp"])
def test_draws_at_the_maximum_stay_in_the_model(name: str) -> None:
    """Afterwards loglike, score and hessian are those of the draws made at the maximum."""
    model = model_of(name)
    result = model.fit(rng=2)
    params = np.asarray(result.params)
    assert model.loglike(params) == result.llf
    # a fit stops where what is left of the way is little beside the Monte Carlo error, and 3e-4 standard errors at most
    left = np.abs(model.score(params) * result.bse).max()
    assert left < 3e-4
    # the covariance of the fitted parameters carried over, J C J', differs from this by the size of the score
    inverse = np.linalg.inv(-model.hessian(params))
    assert np.all(np.abs(inverse - result.cov_params()) <= (1e-9 + left) * np.outer(result.bse, result.bse))


@pytest.mark.parametrize("options", [{"quasi": False}, {"quasi": False, "mcse_tol": 0.03}], ids=str)
def test_plain_monte_carlo_finds_the_truth_too(options: dict[str, Any]) -> None:
    options = {"mcse_tol": 0.03, **options}
    result = model_of("cbpp").fit(rng=1, **options)
    assert_matches(result, truth_of("cbpp"))
    assert np.all(result.mcse <= 0.0301 * result.bse)


def test_joint_sampler_finds_the_truth_of_a_small_model() -> None:
    result = model_of("cbpp").fit(rng=1, sampling=JointSampling(), nsample=20_000)
    assert_matches(result, truth_of("cbpp"), ratio=0.2)


@pytest.mark.slow
def test_joint_sampler_of_glmm_on_salamander() -> None:
    """The setting of the R package: 10^5 draws of 120 effects at once; its own error is an honest one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImportanceWeightWarning)
        result = model_of("salamander").fit(rng=1, sampling=JointSampling(), nsample=100_000)
    assert result.converged
    truth = truth_of("salamander")
    assert_monte_carlo(result.params, result.mcse, truth.params, small=truth.bse, within=6)


def test_fixed_number_of_draws() -> None:
    result = model_of("cbpp").fit(rng=1, nsample=100)
    assert result.monte_carlo.draws.tolist() == [128] * 15
    assert_matches(result, truth_of("cbpp"))
    plain = model_of("cbpp").fit(rng=1, nsample=1000, quasi=False)
    assert plain.monte_carlo.draws.tolist() == [1000] * 15
    assert_matches(plain, truth_of("cbpp"), ratio=0.1)


def test_more_draws_smaller_errors() -> None:
    loose, tight = fit_of("salamander", mcse_tol=0.04), fit_of("salamander", mcse_tol=0.005)
    assert np.all(loose.mcse <= 0.0401 * loose.bse)
    assert np.all(tight.mcse <= 0.00501 * tight.bse)
    assert tight.monte_carlo.draws.sum() > loose.monte_carlo.draws.sum()
    assert_matches(tight, truth_of("salamander"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("salamander", {}),
        ("bacteria", {}),
        ("salamander", {"nsample": 4096, "quasi": False}),
        ("bacteria", {"nsample": 200, "quasi": False}),
    ],
)
def test_monte_carlo_errors_are_honest(name: str, options: dict[str, Any]) -> None:
    """Over 200 seeds (estimate - truth)/MCSE has mean 0 and SD 1, within what 200 seeds can tell."""
    truth = truth_of(name)
    params = np.asarray(truth.params)
    if name == "salamander":  # the published value's own error is as large as a third of the MCSE here
        reference = Path(__file__).parents[1] / "reference" / "salamander.json"
        params = np.array(json.loads(reference.read_text())["params"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)  # 200 draws leave a fifth of a standard error
        fits = [model_of(name).fit(rng=seed, **options) for seed in range(200)]
    z = np.array([(r.params - params) / r.mcse for r in fits])
    assert np.all(np.abs(z.mean(axis=0)) < 0.35), z.mean(axis=0)
    assert np.all((z.std(axis=0) > 0.8) & (z.std(axis=0) < 1.25)), z.std(axis=0)
    llf = np.array([(r.llf - truth.llf) / r.llf_mcse for r in fits])
    assert 0.75 < llf.std() < 1.33


def test_monte_carlo_errors_of_slopes_are_honest() -> None:
    """Few binary rows a group: the conditional laws of two effects are skewed, with the tails of the prior."""
    case = small(KIND["binomial-logit"], "slope", seed=5, sizes=(9,) * 14)
    data = case.data
    arguments = case.arguments(weights=data["w"].to_numpy(), offset=data["off"].to_numpy())
    truth = oracle.quadrature_mle(**arguments)
    with no_warnings():
        fits = [case.model(freq_weights="w", offset="off").fit(rng=seed) for seed in range(60)]
    z = np.array([(r.params - truth.params) / r.mcse for r in fits])
    # 60 seeds carry a mean of 0 to 0.13 and an SD of 1 to 0.09
    assert np.all(np.abs(z.mean(axis=0)) < 0.5), z.mean(axis=0)
    assert np.all((z.std(axis=0) > 0.7) & (z.std(axis=0) < 1.35)), z.std(axis=0)
    llf = np.array([(r.llf - truth.llf) / r.llf_mcse for r in fits])
    assert abs(llf.mean()) < 0.5
    assert 0.7 < llf.std() < 1.35


# Randomness -------------------------------------------------------------------------------------------


def test_same_rng_same_numbers() -> None:
    first, again, other = (model_of("salamander").fit(rng=s, nsample=512) for s in (5, 5, 6))
    for name in ("params", "bse", "mcse"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.any(getattr(first, name) == getattr(other, name))
    assert first.llf == again.llf != other.llf


def test_generators_are_accepted_and_advance() -> None:
    a, b = np.random.default_rng(3), np.random.default_rng(3)
    fits = [model_of("cbpp").fit(rng=g, nsample=64) for g in (a, b, a)]
    assert np.array_equal(fits[0].params, fits[1].params)
    assert not np.array_equal(fits[0].params, fits[2].params)


def test_no_rng_is_another_draw_each_time() -> None:
    fits = [model_of("cbpp").fit(nsample=64) for _ in range(2)]
    assert not np.array_equal(fits[0].params, fits[1].params)


def test_global_random_state_is_left_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    model_of("cbpp").fit(rng=1, nsample=64)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_threads_give_bit_identical_fits() -> None:
    one, two = (model_of("salamander").fit(rng=1, nsample=4096, n_jobs=n) for n in (1, 2))
    for name in ("params", "bse", "mcse", "ess"):
        assert np.array_equal(getattr(one, name), getattr(two, name))
    assert one.llf == two.llf
    assert np.array_equal(one.cov_params(), two.cov_params())


# Optimisers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"method": "newton"},
        {"method": "bfgs"},
        {"method": "lbfgs"},
        {"method": "nm", "maxiter": 400},
        {"method": "powell"},
        {"method": "cg"},
        {"method": "ncg"},
        {"method": "basinhopping", "niter": 2},
        {"method": "minimize", "min_method": "trust-ncg"},
        {"method": "minimize", "min_method": "L-BFGS-B"},
        {"method": "minimize", "min_method": "Nelder-Mead"},
        {"method": "minimize", "min_method": "dogleg"},
    ],
    ids=lambda o: o.get("min_method", o["method"]),
)
def test_every_optimiser_arrives(options: dict[str, Any]) -> None:
    with no_warnings():
        # statsmodels passes it on to L-BFGS-B
        warnings.filterwarnings("ignore", message=".*(The `disp`|options: disp$)")
        result = model_of("cbpp").fit(rng=1, nsample=256, **options)
    expected = fit_of("cbpp", nsample=256)
    np.testing.assert_allclose(result.params, expected.params, atol=1e-6)
    np.testing.assert_allclose(result.bse, expected.bse, rtol=1e-5)
    assert result.mle_settings["optimizer"] == options["method"]


def test_unknown_optimiser_is_refused() -> None:
    with pytest.raises(ValueError, match="method"):
        model_of("cbpp").fit(rng=1, method="steepest")


@pytest.mark.parametrize("far", [0.3, 3.0])
def test_starting_values_do_not_matter(far: float) -> None:
    truth = truth_of("cbpp").params
    start = truth + np.array([far, -far, far, far, far])
    result = model_of("cbpp").fit(start_params=start, rng=1, nsample=256)
    np.testing.assert_allclose(result.params, fit_of("cbpp", nsample=256).params, atol=1e-5)


def test_disp_prints_a_line_a_round(capsys: pytest.CaptureFixture[str]) -> None:
    model_of("cbpp").fit(rng=1, disp=True)
    out = capsys.readouterr().out
    assert "draws" in out
    assert "MCSE/SE" in out
    model_of("cbpp").fit(rng=1)
    assert capsys.readouterr().out == ""
