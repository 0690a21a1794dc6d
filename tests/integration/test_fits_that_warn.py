"""Fits that warn, and the ones beside them that do not."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import (
    CALLS,
    MLE,
    assert_matches,
    assert_monte_carlo,
    data_of,
    model_of,
    no_warnings,
    truth_of,
)

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import (
    ConvergenceWarning,
    PrecisionWarning,
    SeparationWarning,
    SingularFitWarning,
)

BINOMIAL = sm.families.Binomial()


def no_group_variance(seed: int = 0, groups: int = 25, rows: int = 8) -> pd.DataFrame:
    """Binary data whose maximum-likelihood variance is zero: groups are alike by construction."""
    rng = np.random.default_rng(seed)
    y = np.tile(np.arange(rows) % 2, groups)
    return pd.DataFrame(
        {"y": y, "x": rng.normal(size=rows * groups), "g": np.repeat(np.arange(groups), rows)}
    )


def test_a_variance_of_zero_is_reported_as_such() -> None:
    data = no_group_variance()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    truth = oracle.quadrature_mle(data["y"].to_numpy(float), X, None, data["g"], "binomial", "logit")
    assert truth.singular  # premise
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data)
    with pytest.warns(SingularFitWarning, match="'g'"):
        result = model.fit(rng=1)
    glm = sm.GLM(data["y"], X, family=BINOMIAL).fit()
    assert result.singular
    assert result.params.iloc[2] == 0.0
    assert np.isnan(result.bse.iloc[2])
    np.testing.assert_allclose(result.fe_params, glm.params, atol=1e-6)
    np.testing.assert_allclose(result.bse.iloc[:2], glm.bse, rtol=1e-5)
    assert result.llf == pytest.approx(glm.llf, abs=1e-8)
    assert result.converged
    assert "ingular" in result.summary().as_text()
    with pytest.warns(SingularFitWarning, match="'g'"):
        laplace = model.fit_laplace()
    assert laplace.params.iloc[2] == 0.0
    assert np.isnan(laplace.bse.iloc[2])


def with_noise(seed: int) -> MCLAMixedGLM:
    """Model of cbpp with a second factor of four levels that has nothing to do with the response."""
    data = data_of("cbpp")
    data["noise"] = np.random.default_rng(seed).permutation(np.arange(56) % 4)
    return MCLAMixedGLM.from_formula(CALLS["cbpp"][0] + " + (1 | noise)", data=data)


def test_one_of_two_variances_is_zero() -> None:
    model = with_noise(7)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model.fit(rng=1)
    assert [w.category for w in caught] == [SingularFitWarning]
    assert "'noise'" in str(caught[0].message)
    assert "'herd'" not in str(caught[0].message)
    truth = truth_of("cbpp")
    np.testing.assert_allclose(result.params.iloc[:5], truth.params, atol=2e-3)
    np.testing.assert_allclose(result.bse.iloc[:5], truth.bse, rtol=0.01)
    assert result.params["noise Var"] == 0.0
    assert np.isnan(result.bse["noise Var"])
    # the reduced model's numbers, whatever the parameter at the boundary
    assert np.all(np.isfinite(result.mcse.iloc[:5]))
    assert np.isfinite(result.llf_mcse)


def test_a_small_variance_of_a_crossed_factor() -> None:
    """Negative control: the variance is a ninth of its standard error, and its maximum is not at zero."""
    model = with_noise(0)
    with no_warnings():
        laplace = model.fit_laplace()
        result = model.fit(rng=1)
    assert result.converged
    assert not result.singular
    # lme4's Laplace fit: 0.4046, 0.00708
    assert laplace.params["noise Var"] == pytest.approx(0.00708, abs=2e-4)
    assert np.all(np.abs(result.params - laplace.params) < 0.3 * laplace.bse)
    assert np.all(result.mcse <= 0.0101 * result.bse)


def test_a_small_variance_is_no_singular_fit() -> None:
    """Negative control: a variance that is small and not zero."""
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(60), 40)
    y = rng.poisson(np.exp(1.0 + 0.12 * rng.normal(size=60)[g]))
    data = pd.DataFrame({"y": y, "g": g})
    truth = oracle.quadrature_mle(y.astype(float), np.ones((2400, 1)), None, g, "poisson", "log")
    assert not truth.singular
    assert truth.cov_re[0, 0] < 0.03
    with no_warnings():
        result = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=sm.families.Poisson()).fit(
            rng=1
        )
    assert not result.singular
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-5 * truth.bse
    )


@pytest.mark.parametrize("seed", [0, 1, 2, 7, 22, 28])
def test_default_fit_of_slopes_converges(seed: int) -> None:
    with no_warnings():
        assert_matches(model_of("epil_slopes").fit(rng=seed), truth_of("epil_slopes"))


def separated() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20), 6)
    x = np.tile([0, 0, 0, 1, 1, 1], 20)
    y = np.where(x == 1, 1, (rng.random(120) < 1 / (1 + np.exp(-2 * rng.normal(size=20)[g]))).astype(int))
    return pd.DataFrame({"y": y, "x": x, "z": rng.normal(size=120), "g": g})


def test_separation() -> None:
    data = separated()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = MCLAMixedGLM.from_formula("y ~ x + z + (1 | g)", data=data).fit(rng=1)
    messages = [str(w.message) for w in caught if w.category is SeparationWarning]
    assert len(messages) == 1
    assert messages[0].startswith("x ")
    assert not result.converged
    data.loc[3, "y"] = 0  # one failure is enough
    with warnings.catch_warnings():
        warnings.simplefilter("error", SeparationWarning)
        warnings.simplefilter("ignore", SingularFitWarning)
        result = MCLAMixedGLM.from_formula("y ~ x + z + (1 | g)", data=data).fit(rng=1)
    assert result.converged


def test_separation_of_counts() -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20), 6)
    x = np.tile([0, 0, 0, 1, 1, 1], 20)
    y = np.where(x == 1, 0, rng.poisson(np.exp(1 + 0.7 * rng.normal(size=20)[g])))
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", SeparationWarning)
        with pytest.raises(SeparationWarning, match=r"^x "):
            MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=sm.families.Poisson()).fit(rng=1)


def test_no_convergence() -> None:
    """No maximum: all groups but none in common, so the variance grows without end."""
    g = np.repeat(np.arange(12), 6)
    data = pd.DataFrame({"y": (g % 2), "g": g})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data).fit(rng=1, nsample=256)
    assert SeparationWarning in [w.category for w in caught]
    assert not result.converged
    assert "did not converge" in str(result.summary())


@pytest.mark.parametrize("name", ["salamander", "epil_slopes"])
def test_one_iteration_is_not_convergence_or_is_the_truth(name: str) -> None:
    """maxiter limits each climb: what comes back is the maximum, or says that it is not."""
    start = truth_of(name).params * 1.5
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = model_of(name).fit(rng=1, nsample=512, maxiter=1, start_params=start)
    told = ConvergenceWarning in [w.category for w in caught]
    assert told is not result.converged
    if result.converged:
        truth = truth_of(name)
        assert_monte_carlo(result.params, result.mcse, truth.params, small=0.1 * truth.bse)


def test_warnings_point_at_the_callers_line() -> None:
    with pytest.warns(PrecisionWarning) as caught:
        model_of("salamander").fit(rng=1, mcse_tol=0.002, max_draws=512)
    assert caught[0].filename == __file__


def test_pairwise_and_likelihood_ratio_truth_are_in_the_table() -> None:
    assert set(MLE["salamander"]["pairwise_p"]) == {
        "R/R-R/W",
        "R/R-W/R",
        "R/R-W/W",
        "R/W-W/R",
        "R/W-W/W",
        "W/R-W/W",
    }


@pytest.mark.parametrize("options", [{}, {"quasi": False}, {"sampling": JointSampling()}])
def test_no_more_draws_than_the_most_that_are_allowed(options: dict[str, Any]) -> None:
    """From the first ones on."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model_of("cbpp").fit(rng=1, max_draws=64, **options)
    assert fit.mc_diagnostics()["draws"].max() == 64
