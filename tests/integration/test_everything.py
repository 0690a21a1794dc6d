"""Whatever results offer, they offer for every family and random-effect structure, and after pickling.

`OFFERED` is the list to add to: a name, and what to ask of a result.  The answer must be finite, and the same from
results that were pickled.  Whether it is right is for the tests of each part to say.
"""

from __future__ import annotations

import functools
import itertools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers import KIND_IDS, KINDS, STRUCTURES, Kind, Small, small

from statsmodels_mcla.exceptions import MCLAWarning

SIZES = (4, 5, 4, 5, 6)


def new_rows(case: Small) -> pd.DataFrame:
    """Rows with known levels, with new ones, and with levels that have not met before."""
    known = case.data.iloc[[0, 1, -1]]
    met = case.data.iloc[[2]].assign(a="a1", b="b2")
    return pd.concat([known, known.assign(g="new", a="new", b="new"), met], ignore_index=True)


def has_average(case: Small) -> bool:
    """Whether the mean over normal random effects exists."""
    return case.kind.oracle_link != "inverse"


def columns(prediction: Any) -> np.ndarray:
    """Predictions without intervals for new observations, which take their time."""
    found = prediction.predicted_mean, prediction.se, prediction.mcse, *prediction.conf_int().T
    return np.column_stack(found)


Ask = Callable[[Any, Small], Any]
OFFERED: dict[str, Ask] = {
    "contrasts": lambda r, _: r.t_test(np.eye(2)).summary_frame(),
    "tidy": lambda r, _: (
        r.tidy(conf_int=False).drop(columns=["statistic", "p_value"]).select_dtypes("number").fillna(0.0)
    ),
    "glance": lambda r, _: r.glance().drop(columns=["converged", "singular"]).iloc[0],
    "checks": lambda r, _: r.check(39, rng=1, by="x").table.drop(columns="random"),
    "other residuals": lambda r, _: np.column_stack([r.resid_working, r.resid_anscombe]),
    "leverages": lambda r, _: r.get_hat_matrix_diag(),
    "law of a response": lambda r, _: r.get_distribution().mean(),
    "score test": lambda r, _: list(r.score_test("I(x**2)")),
    "random_effects_frame": lambda r, _: r.random_effects_frame().select_dtypes("number"),
    "random_effects": lambda r, _: pd.concat(list(r.random_effects.values())).fillna(0.0),
    "random_effects_mode": lambda r, _: pd.concat(list(r.random_effects_mode.values())).fillna(0.0),
    "predict": lambda r, _: r.predict(),
    "predict conditional": lambda r, _: r.predict(random="conditional"),
    "prediction of the model's rows": lambda r, _: columns(r.get_prediction(random="conditional")),
    "prediction of new rows": lambda r, case: columns(r.get_prediction(new_rows(case))),
    "linear prediction of new levels": lambda r, case: r.get_prediction(
        new_rows(case), which="linear", random="conditional"
    ).summary_frame(),
    "get_margeff": lambda r, _: r.get_margeff().summary_frame(),
    "emmeans": lambda r, _: r.emmeans("x", at={"x": [-0.5, 0.5]}, type="response").summary_frame(),
    "contrasts of means": lambda r, _: (
        r.emmeans("x", at={"x": [-0.5, 0.5]}).contrasts().summary_frame().drop(columns="contrast")
    ),
    "emtrends": lambda r, _: r.emtrends("x", "x").summary_frame(),
    "anova": lambda r, _: r.anova(),
    "fittedvalues": lambda r, _: np.column_stack([r.fittedvalues, r.fittedvalues_mcse]),
    "residuals": lambda r, _: np.column_stack([r.resid_response, r.resid_pearson, r.resid_deviance]),
    "resid_quantile": lambda r, _: r.resid_quantile(nsim=20, rng=1, scale="normal"),
    "simulate": lambda r, _: r.simulate(2, rng=1),
    "simulate conditional": lambda r, _: r.simulate(2, rng=1, random="conditional"),
    "r2": lambda r, _: r.r2(),
    "icc": lambda r, _: r.icc(),
    "information criteria": lambda r, _: [r.aic, r.bic, r.caic, r.caic_mcse, r.effective_df],
    "clone_with": lambda r, _: r.model.clone_with(r.simulate(rng=2)[0]).fit_laplace().params,
    "bootstrap": lambda r, _: r.bootstrap(2, rng=3, **QUICK if hasattr(r, "mcse") else {}).estimates,
}
QUICK: dict[str, Any] = {"nsample": 64}
OFFERED_WITH_BLOCKS: dict[str, Ask] = {
    "robust": lambda r, _: r.with_cov_type("robust").bse[~r.boundary],
    "cluster": lambda r, case: r.with_cov_type("cluster", groups=case.data["g"].to_numpy()).bse[~r.boundary],
    "get_influence": lambda r, _: r.get_influence().summary_frame().dropna(axis=1, how="all"),
}
OFFERED_SLOWLY: dict[str, Ask] = {
    "profile interval": lambda r, _: r.conf_int(method="profile", parm="Intercept"),
}
OFFERED_WITH_AVERAGE: dict[str, Ask] = {
    "prediction of new levels": lambda r, case: r.get_prediction(
        new_rows(case), random="conditional"
    ).summary_frame(),
    "population average": lambda r, _: columns(r.get_prediction(random="marginal")),
    "population_averaged": lambda r, _: r.population_averaged().summary_frame(),
    "average emmeans": lambda r, _: r.emmeans("x", random="marginal").summary_frame(),
    "average marginal effects": lambda r, _: r.get_margeff(random="marginal").summary_frame(),
}


@functools.cache
def fits(kind: Kind, structure: str, how: str) -> tuple[Small, Any, Any]:
    """A fit, regular or at the boundary as the case may be, and the same after pickling."""
    case = small(kind, structure, seed=4, sizes=SIZES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = case.model().fit(rng=1, mcse_tol=0.05) if how == "mcla" else case.model().fit_laplace()
        return case, result, pickle.loads(pickle.dumps(result))


def check(kind: Kind, structure: str, how: str, *, pickled: bool) -> None:
    case, result, again = fits(kind, structure, how)
    asked = OFFERED | (OFFERED_WITH_AVERAGE if has_average(case) else {})
    if how == "mcla" or case.structure == "intercept":
        asked |= OFFERED_SLOWLY
    if structure != "crossed":  # which is one block here
        asked |= OFFERED_WITH_BLOCKS
    for name, ask in asked.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MCLAWarning)
            answer = ask(result, case)
            repeated = ask(again, case) if pickled else answer
        values = np.asarray(answer, dtype=float)
        assert values.size, name
        assert np.all(np.isfinite(values)), f"{name}:\n{answer}"
        np.testing.assert_allclose(np.asarray(repeated, dtype=float), values, rtol=1e-8, err_msg=name)


def pairs() -> list[Any]:
    """Two of the three structures for every kind; the third is slow, and a third of what these tests take."""
    numbered = itertools.product(enumerate(KINDS), enumerate(STRUCTURES))
    return [
        pytest.param(
            kind, structure, marks=[] if (k + s) % 3 else pytest.mark.slow, id=f"{kind.name}-{structure}"
        )
        for (k, kind), (s, structure) in numbered
    ]


@pytest.mark.parametrize(("kind", "structure"), pairs())
def test_everything_is_offered(kind: Kind, structure: str) -> None:
    check(kind, structure, "laplace", pickled=structure == "slope")


@pytest.mark.slow
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("kind", KINDS, ids=KIND_IDS)
def test_everything_is_offered_with_its_monte_carlo_error(kind: Kind, structure: str) -> None:
    check(kind, structure, "mcla", pickled=True)


def test_what_has_no_average_says_so() -> None:
    (kind,) = (kind for kind in KINDS if kind.oracle_link == "inverse")
    case, result, _ = fits(kind, "intercept", "laplace")
    for name, ask in OFFERED_WITH_AVERAGE.items():
        with pytest.raises(ValueError, match=r"1 / eta has no mean"):
            ask(result, case)
        assert name
