"""`MCLAMixedGLM` by formula and by arrays, rows with gaps, and what must not change a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from helpers import (
    CALLS,
    SALAMANDER,
    assert_matches,
    assert_monte_carlo,
    data_of,
    fit_of,
    model_of,
    no_warnings,
    truth_of,
)
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

import statsmodels_mcla.formula.api as smf
from statsmodels_mcla import MCLAMixedGLM

BINOMIAL = sm.families.Binomial()


def salamander_arrays() -> dict[str, Any]:
    data = data_of("salamander")
    F, M = (pd.get_dummies(data[c]).to_numpy(float) for c in ("Female", "Male"))
    return {
        "endog": data["Mate"].to_numpy(),
        "exog": pd.get_dummies(data["Cross"]).to_numpy(float),
        "exog_vc": np.hstack([F, M]),
        "ident": np.repeat([0, 1], [F.shape[1], M.shape[1]]),
    }


@pytest.mark.parametrize("sparse", [False, True])
def test_arrays_are_the_formula(sparse: bool) -> None:
    call = salamander_arrays()
    if sparse:
        call["exog_vc"] = sp.coo_matrix(call["exog_vc"])
    model = MCLAMixedGLM(**call, family=BINOMIAL, vcp_names=["F", "M"])
    result = model.fit(rng=1, nsample=512)
    expected = fit_of("salamander", nsample=512)
    np.testing.assert_allclose(result.params, expected.params, rtol=1e-9)
    np.testing.assert_allclose(result.mcse, expected.mcse, rtol=1e-6)
    assert result.params.index.tolist() == ["FE_1", "FE_2", "FE_3", "FE_4", "F Var", "M Var"]


def test_drop_in_for_the_bayes_model() -> None:
    """The calls that make a `BinomialBayesMixedGLM` make ours."""
    call = salamander_arrays()
    BinomialBayesMixedGLM(**call)
    MCLAMixedGLM(**call)
    args = ("Mate ~ 0 + Cross", SALAMANDER, data_of("salamander"))
    theirs, ours = BinomialBayesMixedGLM.from_formula(*args), MCLAMixedGLM.from_formula(*args)
    np.testing.assert_array_equal(theirs.exog, ours.exog)
    np.testing.assert_array_equal(theirs.endog, ours.endog)
    assert theirs.fep_names == ours.exog_names
    np.testing.assert_array_equal(theirs.exog_vc.toarray(), ours.design.Z.toarray())


def test_names_of_array_arguments() -> None:
    call = salamander_arrays()
    model = MCLAMixedGLM(**call, fep_names=list("abcd"), vcp_names=["female", "male"])
    assert model.data.param_names == ["a", "b", "c", "d", "female Var", "male Var"]
    frame = pd.DataFrame(call["exog"], columns=list("wxyz"))
    model = MCLAMixedGLM(call["endog"], frame, call["exog_vc"], call["ident"])
    assert model.exog_names == list("wxyz")


def test_shared_variance() -> None:
    """Equal ident, or a list of formulas, is one variance (varcomps.equal of R glmm)."""
    call = salamander_arrays()
    arrays = MCLAMixedGLM(**(call | {"ident": np.zeros(120, int)}))
    formula = MCLAMixedGLM.from_formula(
        "Mate ~ 0 + Cross", {"both": list(SALAMANDER.values())}, data_of("salamander")
    )
    assert formula.data.param_names[-1] == "both Var"
    first, second = (m.fit(rng=1, nsample=512) for m in (arrays, formula))
    assert len(first.params) == 5
    np.testing.assert_allclose(first.params, second.params, rtol=1e-8)
    separate = fit_of("salamander", nsample=512)
    assert separate.params.iloc[5] < first.params.iloc[4] < separate.params.iloc[4]


def test_formula_api_is_the_class_method() -> None:
    data = data_of("cbpp")
    model = smf.mcla_mixedglm(CALLS["cbpp"][0], data=data)
    result = model.fit(rng=1, nsample=128)
    assert np.array_equal(result.params, fit_of("cbpp", nsample=128).params)


def test_names_of_the_callers_frame_are_found() -> None:
    cut = 2
    data = data_of("bacteria").drop(columns="late")
    for make in (MCLAMixedGLM.from_formula, smf.mcla_mixedglm):
        model = make('I(y == "y") ~ I(week > cut) + (1 | ID)', data=data)
        assert model.exog_names == ["Intercept", "I(week > cut)[T.True]"]
    assert cut == 2


def test_two_column_response_by_arrays_is_the_formula() -> None:
    data = data_of("cbpp")
    Z = pd.get_dummies(data["herd"]).to_numpy(float)
    X = sm.add_constant(pd.get_dummies(data["period"], drop_first=True).to_numpy(float))
    endog = np.column_stack([data["incidence"], data["size"] - data["incidence"]])
    result = MCLAMixedGLM(endog, X, Z, np.zeros(15, int)).fit(rng=1)
    assert_monte_carlo(result.params, result.mcse, truth_of("cbpp").params, small=0.01, error=1e-6)
    frame = pd.DataFrame(endog, columns=["incidence", "rest"])
    again = MCLAMixedGLM(frame, X, Z, np.zeros(15, int)).fit(rng=1)
    assert np.array_equal(result.params, again.params)


@pytest.mark.parametrize(
    "make", [lambda y: y.astype(bool), lambda y: y.astype(float), list], ids=["bool", "float", "list"]
)
def test_kinds_of_binary_response(make: Any) -> None:
    call = salamander_arrays()
    model = MCLAMixedGLM(**(call | {"endog": make(call["endog"])}))
    assert np.array_equal(model.endog, call["endog"])


# Missing rows -----------------------------------------------------------------------------------------


def test_rows_with_gaps_are_dropped_jointly() -> None:
    data = data_of("epil").assign(off=0.1, w=1.0, lage=lambda d: d["lage"].astype(float))
    for row, column in enumerate(["y", "lbase", "subject", "off", "w", "trt", "visit"]):
        data[column] = data[column].astype(object if column == "trt" else float)
        data.loc[data.index[7 * row + 3], column] = None if column == "trt" else np.nan
    call = {"offset": "off", "freq_weights": "w", "family": sm.families.Poisson()}
    formula = "y ~ lbase + trt + lage + (1 + visit | subject)"
    model = MCLAMixedGLM.from_formula(formula, data=data, **call)
    kept = data.dropna()
    assert len(model.endog) == len(kept) == 236 - 7
    first = model.fit(rng=1, nsample=256)
    second = MCLAMixedGLM.from_formula(formula, data=kept, **call).fit(rng=1, nsample=256)
    assert np.array_equal(first.params, second.params)
    for missing in ("raise", "none"):
        with pytest.raises(ValueError, match="missing"):
            MCLAMixedGLM.from_formula(formula, data=data, missing=missing, **call)


def test_arrays_with_gaps() -> None:
    call = {name: np.array(value) for name, value in salamander_arrays().items()}
    call["endog"] = call["endog"].astype(float)
    call["endog"][3] = np.nan
    call["exog"][10, 0] = np.nan
    call["exog_vc"][20, 5] = np.nan
    offset, weights = np.zeros(360), np.ones(360)
    offset[30], weights[40] = np.nan, np.nan
    model = MCLAMixedGLM(**call, offset=offset, freq_weights=weights, missing="drop")
    assert len(model.endog) == model.exog.shape[0] == len(model.offset) == 355
    keep = np.setdiff1d(np.arange(360), [3, 10, 20, 30, 40])
    other = MCLAMixedGLM(
        call["endog"][keep], call["exog"][keep], call["exog_vc"][keep], call["ident"], offset=offset[keep]
    )
    a, b = (m.fit(rng=1, nsample=1024) for m in (model, other))
    assert np.array_equal(a.params, b.params)
    call["exog_vc"] = sp.csr_array(call["exog_vc"])
    sparse = MCLAMixedGLM(**call, offset=offset, freq_weights=weights, missing="drop")
    assert len(sparse.endog) == 355


def test_subset() -> None:
    data = data_of("cbpp")
    keep = data["herd"] != "1"
    formula = CALLS["cbpp"][0]
    by_mask = MCLAMixedGLM.from_formula(formula, data=data, subset=keep)
    by_hand = MCLAMixedGLM.from_formula(formula, data=data[keep])
    assert len(by_mask.endog) == keep.sum()
    assert np.array_equal(by_mask.exog, by_hand.exog)


def test_input_is_left_alone() -> None:
    call = salamander_arrays()
    call["exog_vc"] = sp.csr_array(call["exog_vc"])
    before = {k: (v.copy() if not sp.issparse(v) else v.toarray()) for k, v in call.items()}
    MCLAMixedGLM(**call).fit(rng=1, nsample=1024)
    for name, value in call.items():
        now = value.toarray() if sp.issparse(value) else value
        assert np.array_equal(now, before[name])


# Invariance -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["cbpp", "epil_slopes"])
def test_row_order_and_labels_do_not_matter(name: str) -> None:
    formula, family = CALLS[name]
    group = "herd" if name == "cbpp" else "subject"
    data = data_of(name).sample(frac=1.0, random_state=2)
    levels = data[group].unique()
    data[group] = data[group].map(
        dict(zip(levels, [f"z{k:03d}" for k in range(len(levels))][::-1], strict=True))
    )
    result = MCLAMixedGLM.from_formula(formula, data=data, family=family).fit(rng=1)
    assert_matches(result, truth_of(name))


def test_success_and_failure_swapped() -> None:
    data = data_of("cbpp")
    swapped = "I(size - incidence) + incidence ~ C(period) + (1 | herd)"
    result = MCLAMixedGLM.from_formula(swapped, data=data).fit(rng=1)
    truth = truth_of("cbpp").params * [-1, -1, -1, -1, 1]
    assert_monte_carlo(result.params, result.mcse, truth, small=0.01, error=1e-6)


def test_recoding_the_fixed_effects() -> None:
    """X -> XA: beta -> A^-1 beta, and the likelihood stays."""
    data = data_of("cbpp")
    X = model_of("cbpp").exog
    A = np.array([[1.0, 0.3, 0, 0], [0, 2.0, -1, 0], [0, 0, 0.5, 0.1], [100.0, 0, 0, 3.0]])
    Z = pd.get_dummies(data["herd"]).to_numpy(float)
    endog = np.column_stack([data["incidence"], data["size"] - data["incidence"]])
    result = MCLAMixedGLM(endog, X @ A, Z, np.zeros(15, int)).fit(rng=1)
    truth = truth_of("cbpp")
    fe = A @ result.fe_params.to_numpy()
    np.testing.assert_allclose(fe, truth.params[:4], atol=0.03 * truth.bse[:4].min())
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.01, error=1e-6)
    cov = A @ np.asarray(result.cov_params())[:4, :4] @ A.T
    np.testing.assert_allclose(np.sqrt(np.diag(cov)), truth.bse[:4], rtol=0.01)


@pytest.mark.parametrize("c", [1e-3, 365.0])
def test_units_of_a_slope(c: float) -> None:
    """A covariate times c divides its variance by c^2 and its covariance by c."""
    data = data_of("epil_slopes")
    data["visit"] *= c
    formula, family = CALLS["epil_slopes"]
    with no_warnings():
        result = MCLAMixedGLM.from_formula(formula, data=data, family=family).fit(rng=1)
    truth, scale = truth_of("epil_slopes"), np.array([1, 1, 1, 1, 1, 1 / c, 1, 1 / c, 1 / c**2])
    params, bse = np.asarray(result.params) / scale, np.asarray(result.bse) / scale
    assert_monte_carlo(
        params, np.asarray(result.mcse) / scale, truth.params, small=0.05 * truth.bse, error=1e-6
    )
    np.testing.assert_allclose(bse, truth.bse, rtol=0.03)
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.05)


def test_large_intercepts_and_offsets() -> None:
    """Shifting the offset by a constant shifts the intercept alone."""
    data = data_of("epil")
    formula, family = CALLS["epil"]
    result = MCLAMixedGLM.from_formula(formula, data=data, family=family, offset=np.full(236, -30.0)).fit(
        rng=1
    )
    truth = truth_of("epil")
    expected = truth.params + np.array([30.0, *np.zeros(6)])
    assert_monte_carlo(result.params, result.mcse, expected, small=0.05 * truth.bse, error=1e-5)
    exposed = MCLAMixedGLM.from_formula(
        formula, data=data.assign(t=np.exp(1.5)), family=family, exposure="t"
    ).fit(rng=1)
    assert exposed.params.iloc[0] == pytest.approx(truth.params[0] - 1.5, abs=1e-3)


def test_weights_are_copies_of_rows() -> None:
    data = data_of("bacteria")
    formula, family = CALLS["bacteria"]
    w = np.tile([1, 2, 0, 1], 55)
    weighted = MCLAMixedGLM.from_formula(formula, data=data, family=family, freq_weights=w).fit(rng=1)
    rows = data.loc[np.repeat(data.index, w)]
    repeated = MCLAMixedGLM.from_formula(formula, data=rows, family=family).fit(rng=1)
    mcse = np.hypot(weighted.mcse, repeated.mcse)
    assert_monte_carlo(weighted.params, mcse, repeated.params, small=0.05 * repeated.bse, error=1e-6)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-3)
    assert weighted.nobs == repeated.nobs == w.sum()
    assert weighted.bic == pytest.approx(repeated.bic, abs=1e-3)
    assert weighted.df_resid == repeated.df_resid


def test_nested_groups_are_their_interaction() -> None:
    rng = np.random.default_rng(1)
    a, b = np.repeat(np.arange(8), 12), np.tile(np.repeat(np.arange(3), 4), 8)
    u, v = 0.8 * rng.normal(size=8), 0.6 * rng.normal(size=(8, 3))
    data = pd.DataFrame({"y": rng.poisson(np.exp(0.5 + u[a] + v[a, b])), "a": a, "b": b})
    fits = [
        MCLAMixedGLM.from_formula(f"y ~ 1 + {bars}", data=data, family=sm.families.Poisson()).fit(rng=1)
        for bars in ("(1 | a/b)", "(1 | a) + (1 | a:b)")
    ]
    assert fits[0].model.design.n_blocks == 8
    assert np.array_equal(fits[0].params, fits[1].params)
    assert fits[0].llf == fits[1].llf


def test_double_bar_is_two_terms() -> None:
    data, (formula, family) = data_of("epil_slopes"), CALLS["epil_slopes"]
    fits = [
        MCLAMixedGLM.from_formula(
            formula.replace("(1 + visit | subject)", bars), data=data, family=family
        ).fit(rng=1)
        for bars in ("(visit || subject)", "(1 | subject) + (0 + visit | subject)")
    ]
    assert np.array_equal(fits[0].params, fits[1].params)
    arguments = oracle.problem("epil_slopes").arguments | {"structure": [0, 1]}
    truth = oracle.quadrature_mle(**arguments)
    assert_monte_carlo(
        fits[0].params, fits[0].mcse, truth.params, small=0.05 * truth.bse, error=1e-6 * truth.bse
    )
    assert_monte_carlo(fits[0].llf, fits[0].llf_mcse, truth.llf, small=0.05)


def test_mixedlm_arguments_are_the_bar_term() -> None:
    data, (formula, family) = data_of("epil_slopes"), CALLS["epil_slopes"]
    fixed = formula.replace(" + (1 + visit | subject)", "")
    model = MCLAMixedGLM.from_formula(fixed, data=data, family=family, groups="subject", re_formula="~visit")
    result = model.fit(rng=1, nsample=256)
    assert np.array_equal(result.params, fit_of("epil_slopes", nsample=256).params)
