"""Influence of blocks: against refits without them."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import CALLS, KIND, SALAMANDER, F, data_of, fit_of, laplace_of, small

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.inference import units_of

GROUP = {"epil": "subject", "cbpp": "herd", "bacteria": "ID"}


def block_of_row(name: str, data: pd.DataFrame) -> np.ndarray:
    """Block of each row, in the order in which blocks first appear."""
    return pd.factorize(data[GROUP[name]] if name in GROUP else components(data))[0]


def components(data: pd.DataFrame) -> pd.Series:
    """Connected components of females and males, by spreading the smallest label."""
    label = pd.Series(np.arange(len(data)), index=data.index)
    while True:
        spread = label.groupby(data["Female"]).transform("min")
        spread = spread.groupby(data["Male"]).transform("min")
        if spread.equals(label):
            return label
        label = spread


def without_each(name: str, fit: Any) -> np.ndarray:
    """Change of the estimates by each block, from refits."""
    data = data_of(name)
    of_row = block_of_row(name, data)
    out = []
    for b in range(of_row.max() + 1):
        rest = data[of_row != b]
        if name == "salamander":
            model = MCLAMixedGLM.from_formula("Mate ~ 0 + Cross", SALAMANDER, rest, family=F.Binomial())
        else:
            model = MCLAMixedGLM.from_formula(CALLS[name][0], data=rest, family=CALLS[name][1])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            out.append(np.asarray(fit.params) - np.asarray(model.fit(rng=1).params))
    return np.array(out)


def assert_like_refits(name: str, within: float) -> None:
    fit = fit_of(name)
    found = fit.get_influence().d_params
    units = units_of(fit.model, fit.fitted)
    order = pd.factorize(units.of_row)[1]  # blocks as they first appear
    found = found.to_numpy()[order]
    truth = without_each(name, fit)
    for j in range(found.shape[1]):
        assert np.corrcoef(found[:, j], truth[:, j])[0, 1] > 0.99, fit.params.index[j]
    assert np.abs((found - truth) / np.asarray(fit.bse)).max() < within
    assert np.abs(truth / np.asarray(fit.bse)).max() > 5 * within  # there is something to predict


def test_cbpp_like_refits() -> None:
    assert_like_refits("cbpp", 0.1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["epil", "bacteria", "salamander"])
def test_like_refits(name: str) -> None:
    assert_like_refits(name, 0.1)


def test_tables() -> None:
    fit = fit_of("cbpp")
    influence = fit.get_influence()
    np.testing.assert_allclose(influence.dfbetas, influence.d_params / fit.bse)
    d, cov = influence.d_params.to_numpy(), np.asarray(fit.cov_params())
    cooks, p = influence.cooks_distance
    by_hand = [float(row @ np.linalg.inv(cov) @ row) / 5 for row in d]
    np.testing.assert_allclose(cooks, by_hand, rtol=1e-8)
    assert np.all((p > 0) & (p < 1))
    assert np.array_equal(np.argsort(p), np.argsort(-cooks))
    frame = influence.summary_frame(mcse=True)
    assert frame.index.name == "block"
    names = ["cooks_d", *(f"dfb_{name}" for name in fit.params.index)]
    assert list(frame.columns) == [*names, *(f"{name} mcse" for name in names)]
    assert "herd: 1" in frame.index
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(influence)).summary_frame(mcse=True), frame)


def test_laplace_and_joint_fits_have_it_too() -> None:
    mine = fit_of("cbpp").get_influence().dfbetas.to_numpy()
    laplace = laplace_of("cbpp").get_influence().dfbetas.to_numpy()
    assert np.abs(laplace - mine).max() < 0.05
    data = data_of("cbpp")
    joint = MCLAMixedGLM.from_formula(CALLS["cbpp"][0], data=data, family=F.Binomial()).fit(
        sampling=JointSampling(), nsample=40_000, rng=1
    )
    assert np.corrcoef(joint.get_influence().dfbetas.to_numpy().ravel(), mine.ravel())[0, 1] > 0.99


def test_parameters_at_the_boundary_have_no_influence() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"y": np.tile([0, 1, 2, 1, 0, 3], 10), "g": np.repeat(np.arange(10), 6)})
    data["x"] = rng.normal(size=60)
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data, family=F.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = model.fit(rng=1)
    assert fit.singular
    influence = fit.get_influence()
    assert len(influence.d_params) == 10
    assert influence.d_params["g Var"].isna().all()
    assert np.isfinite(influence.d_params[["Intercept", "x"]]).all(axis=None)
    assert np.all(np.isfinite(influence.cooks_distance[0]))


def test_small_variance_that_a_block_decides() -> None:
    """Near the boundary the step falls back to the natural scale, and still tells the story."""
    case = small(KIND["gaussian-identity"], "intercept", seed=3, sizes=(6,) * 8)
    fit = case.model().fit_laplace()
    assert 0 < fit.params["g Var"] < 0.5 * fit.bse["g Var"]
    found = fit.get_influence().d_params.to_numpy()
    of_row = units_of(fit.model, fit.fitted).of_row
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rest = [case.model(case.data[of_row != b]).fit_laplace().params for b in range(8)]
    truth = np.asarray(fit.params) - np.array(rest)
    assert np.all(np.isfinite(found))
    assert np.all(np.asarray(fit.params)[2] - found[:, 2] >= 0)
    for j in range(4):
        assert np.corrcoef(found[:, j], truth[:, j])[0, 1] > 0.95


def test_what_only_one_block_tells_is_not_known_without_it() -> None:
    data = data_of("cbpp").assign(special=lambda d: (d["herd"] == d["herd"].iloc[0]).astype(float))
    model = MCLAMixedGLM.from_formula(
        "incidence + I(size - incidence) ~ C(period) + special + (1 | herd)", data=data, family=F.Binomial()
    )
    table = model.fit_laplace().get_influence().dfbetas
    assert table.isna().all(axis=1).tolist() == [True] + [False] * 14
    crossed = small(KIND["poisson-log"], "crossed", seed=4).model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = crossed.fit_laplace()
    with pytest.raises(ValueError, match="influence needs at least two independent groups"):
        fit.get_influence()
    with pytest.raises(ValueError, match="at least two independent groups"):
        fit.with_cov_type("robust")


def test_singular_covariance_matrices_count_with_their_rank() -> None:
    case = small(KIND["poisson-log"], "slope", seed=3, sizes=(6,) * 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = [case.model(case.data.assign(x=c * case.data["x"])).fit_laplace() for c in (1, 10)]
    assert fits[0].singular
    assert np.linalg.matrix_rank(np.asarray(fits[0].cov_params())) == 4
    (cooks, p), (others, _) = (fit.get_influence().cooks_distance for fit in fits)
    assert np.all(np.isfinite(cooks) & (cooks > 0) & (p > 0) & (p < 1))
    np.testing.assert_allclose(others, cooks, rtol=0.02)  # whatever the units of x
