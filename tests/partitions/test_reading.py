"""Reading a formula on partitions: rows, categories and responses are those of all of them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.execution import PartitionError
from statsmodels_mcla.families import OrderedBeta
from tests.partitions.test_partitions import FORMULA, cut, loaders, numbers, partitioned, table


def test_levels_that_a_partition_lacks_are_coded_alike() -> None:
    data = table()
    data.loc[data["g"] < 20, "f"] = "c"
    whole = MCLAMixedGLM.from_formula(FORMULA, data=data).fit(rng=3)
    for frame in (data, data.assign(f=pd.Categorical(data["f"], categories=list("cabd")))):
        parts = partitioned(frame, FORMULA, 20)
        assert "f[T.d]" not in parts.exog_names
    np.testing.assert_allclose(
        numbers(partitioned(data, FORMULA, 20).fit(rng=3)), numbers(whole), rtol=1e-8, atol=1e-10
    )


def no_frame() -> list[int]:
    return [1]


def failing() -> pd.DataFrame:
    raise ZeroDivisionError("nothing to divide by")


@pytest.mark.parametrize("place", [0, 1])
@pytest.mark.parametrize(
    ("loader", "message"),
    [(no_frame, "must return a DataFrame, not a list"), (failing, "nothing to divide by")],
)
def test_loaders_that_load_nothing(loader: Callable[[], Any], message: str, place: int) -> None:
    given = loaders(cut(table(), 20))
    given[place] = loader
    with pytest.raises(PartitionError, match=f"partition {place}: .*{message}"):
        MCLAMixedGLM.from_partitions(FORMULA, given)


@pytest.mark.parametrize(
    "formula", ["y ~ x + f + (1 | g)", "y ~ center(x) + f + (1 | g)", "y ~ bs(x, df=4) + f + (1 | g)"]
)
def test_categories_have_their_order_where_some_do_not_occur(formula: str) -> None:
    """The reference level is that of all rows, not of those that a partition has."""
    data = table()
    data["f"] = pd.Categorical(np.where(data["g"] < 7, "low", np.where(data["x"] > 0, "mid", "high")))
    data["f"] = data["f"].cat.set_categories(["none", "low", "mid", "high"])
    parts, whole = partitioned(data, formula), MCLAMixedGLM.from_formula(formula, data=data)
    assert parts.exog_names == whole.exog_names
    assert any(name == "f[T.mid]" for name in whole.exog_names)
    np.testing.assert_allclose(parts.fit_laplace().params, whole.fit_laplace().params, rtol=1e-7, atol=1e-9)


def test_functions_of_a_whole_column_are_refused() -> None:
    """Each partition would evaluate them on its own rows."""
    with pytest.raises(ValueError, match=r"`I\(x - x.mean\(\)\)` of a row depends on other rows"):
        partitioned(table(), "y ~ I(x - x.mean()) + f + (1 | g)")


def test_updates_have_the_rows_of_the_fit() -> None:
    """Rows without x are no rows of the model without x either, as likelihoods are to be compared."""
    data = table()
    data.loc[[3, 100, 250], "x"] = np.nan
    parts, whole = (
        partitioned(data).fit_laplace(),
        MCLAMixedGLM.from_formula(FORMULA, data=data).fit_laplace(),
    )
    mine, its = parts.update(". ~ . - x"), whole.update(". ~ . - x")
    assert mine.nobs == its.nobs == len(data) - 3
    assert mine.llf == pytest.approx(its.llf, abs=1e-8)
    assert mine.update(". ~ . - w").nobs == len(data) - 3


@pytest.mark.parametrize(
    ("ends", "message"), [((), "no zeros and no ones"), ((1.0,), "fit such a model from_formula")]
)
def test_ends_of_proportions_are_those_of_all_rows(ends: tuple[float, ...], message: str) -> None:
    data = table()
    data["share"] = np.random.default_rng(1).uniform(0.1, 0.9, len(data))
    for k, end in enumerate(ends):
        data.loc[data.index[k::9], "share"] = end
    with pytest.raises(ValueError, match=message):
        partitioned(data, "share ~ x + (1 | g)", family=OrderedBeta())


def test_bad_formulas() -> None:
    data = table()
    frames = [data.assign(nowhere=1.0), data.assign(g=data["g"] + 100)]
    with pytest.raises(ValueError, match=r"partition 1: .*'nowhere'"):
        MCLAMixedGLM.from_partitions("y ~ nowhere + (1 | g)", loaders(frames))
    with pytest.raises(ValueError, match="no random effects"):
        partitioned(data, "y ~ x")
    with pytest.raises(ValueError, match="linear combination"):
        partitioned(data, "y ~ x + I(2 * x) + (1 | g)")
    with pytest.raises(ValueError, match="has one level only"):
        partitioned(data.assign(f="a"))
