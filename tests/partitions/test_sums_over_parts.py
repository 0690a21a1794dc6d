"""What is computed after a fit as sums over partitions: the numbers of a model of all rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.execution import PartitionError
from statsmodels_mcla.numerics import child, seed_of
from tests.partitions.test_partitions import FORMULA, cut, loaders, numbers, partitioned, table


@pytest.fixture(scope="module")
def fits() -> tuple[Any, Any]:
    data = table()
    return MCLAMixedGLM.from_formula(FORMULA, data=data).fit(rng=3), partitioned(data).fit(rng=3)


# Bootstrap ----------------------------------------------------------------------------------------------


def responses(model: Any) -> np.ndarray:
    """Of a design whose rows are not merged."""
    return np.concatenate(model.workplace.map(lambda design: design.y, model.design.parts))


def test_a_simulated_data_set_is_fitted_as_one_of_all_rows(fits: tuple[Any, Any]) -> None:
    data, parts = table(), fits[1]
    simulated = parts.model.simulated(parts.estimates.params, seed_of(5))
    y = responses(simulated)
    np.testing.assert_array_equal(responses(parts.model), data["y"])
    assert 0.2 < np.mean(y != data["y"]) < 0.8
    whole = MCLAMixedGLM.from_formula(FORMULA, data=data.assign(y=y)).fit(rng=3)
    np.testing.assert_allclose(numbers(simulated.fit(rng=3)), numbers(whole), rtol=1e-8, atol=1e-10)


def test_simulated_responses_have_the_law_of_the_model() -> None:
    """Means of groups of a Gaussian response vary by the variance of groups, and by that of rows over their number."""
    data = table(groups=300)
    model = partitioned(data, "size ~ 1 + (1 | g)", 100, 200, family="gaussian")
    params = np.array([2.0, 1.5, 0.5])
    y = np.stack([responses(model.simulated(params, child(seed_of(1), k))) for k in range(8)], axis=1)
    groups = pd.DataFrame(y).groupby(data["g"].to_numpy())
    n, means, within = groups.size().to_numpy(), groups.mean().to_numpy(), groups.var().to_numpy()
    z = (means - 2.0) / np.sqrt(1.5 + 0.5 / n)[:, None]
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs((z**2).mean() - 1) < 4 * np.sqrt(2 / z.size)
    chi2 = ((n - 1)[:, None] * within).sum() / 0.5
    df = 8 * (n - 1).sum()
    assert abs(chi2 - df) < 4 * np.sqrt(2 * df)
    apart = np.corrcoef(means[:100].ravel(), means[100:200].ravel())[0, 1]  # streams of two partitions
    assert abs(apart) < 4 / np.sqrt(800)


def test_a_bootstrap_depends_on_no_worker(fits: tuple[Any, Any]) -> None:
    parts = fits[1]
    alive = set(parts.model.workplace._alive)
    found = parts.bootstrap(4, rng=1)
    assert parts.model.workplace._alive == alive  # nothing is kept of data sets that were fitted
    assert found.n_failed == 0
    np.testing.assert_array_equal(parts.bootstrap(4, rng=1, n_jobs=2).estimates, found.estimates)
    again = partitioned(table(), executor=None).fit(rng=3, n_jobs=1).bootstrap(4, rng=1)
    np.testing.assert_array_equal(again.estimates, found.estimates)
    seed = seed_of(1).spawn(4)[2]
    one = parts.model.simulated(parts.estimates.params, child(seed, 0)).fit(rng=child(seed, 1), mcse_tol=0.1)
    np.testing.assert_array_equal(found.estimates.iloc[2], one.params)
    laplace = parts.model.fit_laplace()
    assert laplace.bootstrap(2, rng=1).estimates.shape == (2, len(laplace.params))


def test_a_row_of_weight_two_has_two_simulated_responses() -> None:
    data = table().assign(m=lambda d: 1 + d["w"])
    model = partitioned(data, freq_weights="m")
    simulated = model.simulated(model.fit_laplace().estimates.params, seed_of(1))
    assert len(responses(simulated)) == data["m"].sum() == model.nobs == simulated.nobs
    half = partitioned(data.assign(m=0.5), freq_weights="m").fit_laplace()
    with pytest.raises(ValueError, match="partition 0: freq_weights must be whole numbers"):
        half.bootstrap(2, rng=1)


def test_columns_that_the_rows_cannot_tell_are_not_simulated_with() -> None:
    data = table()
    frames = cut(data.assign(f=pd.Categorical(data["f"], categories=list("abcd"))), 20)
    model = MCLAMixedGLM.from_partitions(FORMULA, loaders(frames))
    found = model.fit_laplace().bootstrap(2, rng=1)
    assert found.n_failed == 0
    assert "f[T.d]" not in found.estimates.columns


# Sandwich covariances and influence ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def nested() -> tuple[Any, Any]:
    """Blocks of several levels."""
    data, formula = table(), "count ~ x + (1 | p/g)"
    args: dict[str, Any] = {"family": "poisson"}
    return (
        MCLAMixedGLM.from_formula(formula, data=data, **args).fit(rng=3, mcse_tol=0.1),
        partitioned(data, formula, 10, 20, 45, **args).fit(rng=3, mcse_tol=0.1),
    )


@pytest.mark.parametrize("which", ["fits", "nested"])
def test_sums_over_units_are_those_of_all_rows(which: str, request: pytest.FixtureRequest) -> None:
    whole, parts = request.getfixturevalue(which)
    mine, its = parts.get_influence(), whole.get_influence()
    assert list(mine.d_params.index) == list(its.d_params.index)
    np.testing.assert_allclose(mine.summary_frame(), its.summary_frame(), rtol=1e-7, atol=1e-9)
    robust, known = (fit.with_cov_type("robust") for fit in (parts, whole))
    one, other = robust.cov_params(), known.cov_params()
    np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-9 * other.abs().to_numpy().max())
    np.testing.assert_allclose(robust.bse_mcse, known.bse_mcse, rtol=1e-6)
    assert robust.estimates.cov.options == known.estimates.cov.options
    corrected = parts.with_cov_type("robust", use_correction=True)
    np.testing.assert_allclose(
        corrected.bse, whole.with_cov_type("robust", use_correction=True).bse, rtol=1e-8
    )


def test_monte_carlo_errors_of_influence(fits: tuple[Any, Any]) -> None:
    whole, parts = (fit.get_influence().summary_frame(mcse=True) for fit in fits)
    np.testing.assert_allclose(parts, whole, rtol=1e-5, atol=1e-9)


def test_laplace_sums_over_units(fits: tuple[Any, Any]) -> None:
    whole, parts = (fit.model.fit_laplace(gtol=1e-7) for fit in fits)
    np.testing.assert_allclose(
        parts.get_influence().summary_frame(), whole.get_influence().summary_frame(), atol=1e-6
    )
    robust, known = (fit.model.fit_laplace(gtol=1e-7, cov_type="robust") for fit in (parts, whole))
    np.testing.assert_allclose(robust.bse, known.bse, rtol=1e-6)


def test_rows_without_effects_and_a_variance_of_zero() -> None:
    """Units then are rows, and blocks of a term that the fit has lost."""
    data = table(seed=5)
    data["y"] = (np.random.default_rng(2).random(len(data)) < 0.4).astype(int)
    fits = []
    for model in (
        MCLAMixedGLM.from_formula("y ~ x + (0 + w | g)", data=data),
        partitioned(data, "y ~ x + (0 + w | g)"),
    ):
        with pytest.warns(SingularFitWarning):
            fits.append(model.fit(rng=3))
    whole, parts = fits
    mine, its = (
        fit.get_influence().d_params.sort_values(list(fit.params.index[:2])) for fit in (parts, whole)
    )  # blocks stand before single rows, in each partition
    assert len(mine) == len(its) > data["g"].nunique()
    np.testing.assert_allclose(mine, its, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(
        parts.with_cov_type("robust").bse, whole.with_cov_type("robust").bse, rtol=1e-8
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda r: r.get_influence(),
        lambda r: r.with_cov_type("robust"),
        lambda r: r.bootstrap(2),
        lambda r: r.conf_int(method="profile"),
        lambda r: r.model.loglike(r.params),
    ],
)
def test_a_part_does_not_take_its_sums_for_those_of_all(fits: tuple[Any, Any], call: Any) -> None:
    for fit in (fits[1], fits[1].model.fit_laplace()):
        with pytest.raises(PartitionError, match="partition 0: this is a sum over all rows"):
            fit.map_partitions(call)
