"""`MCLAMixedGLM` from formula to estimates: truth, invariance, optimisers, warnings."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from helpers import (
    CALLS,
    KIND,
    MLE,
    SALAMANDER,
    assert_matches,
    assert_monte_carlo,
    data_of,
    fit_of,
    model_of,
    no_warnings,
    small,
    truth_of,
)
from scipy import stats
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM
from statsmodels.genmod.families import links
from statsmodels.regression.mixed_linear_model import MixedLM

import statsmodels_mcla.formula.api as smf
from statsmodels_mcla import BlockSampling, JointSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import (
    ConvergenceWarning,
    ImportanceWeightWarning,
    PrecisionWarning,
    SeparationWarning,
    SingularFitWarning,
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
        fits = [case.model(freq_weights="w", offset="off").fit(rng=seed) for seed in range(25)]
    z = np.array([(r.params - truth.params) / r.mcse for r in fits])
    # 25 seeds carry a mean of 0 to 0.2 and an SD of 1 to 0.14
    assert np.all(np.abs(z.mean(axis=0)) < 0.8), z.mean(axis=0)
    assert np.all((z.std(axis=0) > 0.55) & (z.std(axis=0) < 1.45)), z.std(axis=0)
    llf = np.array([(r.llf - truth.llf) / r.llf_mcse for r in fits])
    assert abs(llf.mean()) < 0.8
    assert llf.std() < 1.5


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


# Two interfaces ---------------------------------------------------------------------------------------


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


# Other packages and closed forms ----------------------------------------------------------------------

EXACT = BlockSampling(df=np.inf, inflate=1.0, centre="mode")


@pytest.mark.parametrize("slope", [False, True])
def test_gaussian_responses_are_mixedlm(slope: bool) -> None:
    """Under the exact conditional law every weight is the same, and the Laplace fit has no error at all."""
    data = data_of("sleepstudy")
    bars = "(1 + Days | Subject)" if slope else "(1 | Subject)"
    model = MCLAMixedGLM.from_formula(f"Reaction ~ Days + {bars}", data=data, family=sm.families.Gaussian())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = MixedLM.from_formula(
            "Reaction ~ Days", data, groups=data["Subject"], re_formula="~Days" if slope else None
        ).fit(reml=False, method=["bfgs", "powell", "bfgs"], gtol=1e-9)
    cov = np.asarray(theirs.cov_re)[np.tril_indices(2 if slope else 1)]
    expected = np.concatenate([theirs.fe_params, cov, [theirs.scale]])
    with no_warnings():
        laplace = model.fit_laplace(gtol=1e-8)
        result = model.fit(rng=1, nsample=4096, sampling=EXACT)
    assert laplace.llf == pytest.approx(theirs.llf, abs=1e-8 if not slope else 1e-6)
    np.testing.assert_allclose(laplace.params, expected, rtol=1e-5 if not slope else 2e-3)
    np.testing.assert_allclose(laplace.bse_fe, theirs.bse_fe, rtol=1e-2)  # theirs leave the covariances out
    np.testing.assert_allclose(result.ess, 4096, rtol=1e-9)
    # conditional moments are those of the draws exactly, so nothing is left to chance
    assert result.llf == pytest.approx(laplace.llf, abs=1e-8)
    np.testing.assert_allclose(result.params, laplace.params, rtol=1e-5)
    np.testing.assert_allclose(result.bse, laplace.bse, rtol=0.03)


def test_gaussian_default_fit_is_mixedlm() -> None:
    data = data_of("sleepstudy")
    model = MCLAMixedGLM.from_formula(
        "Reaction ~ Days + (Days | Subject)", data=data, family=sm.families.Gaussian()
    )
    result = model.fit(rng=1)
    # lme4: 251.405, 10.467; 565.5, 11.06, 32.68; 654.94; log-likelihood -875.97
    assert result.llf == pytest.approx(-875.9697, abs=0.01)
    expected = [251.405, 10.467, 565.52, 11.057, 32.68, 654.94]
    assert_monte_carlo(result.params, result.mcse, expected, small=0.02 * result.bse, error=1e-3 * result.bse)


def test_gaussian_crossed_design_is_the_closed_form() -> None:
    rng = np.random.default_rng(2)
    a, b = np.repeat(np.arange(8), 9), np.tile(np.repeat(np.arange(3), 3), 8)
    x = rng.normal(size=72)
    y = 1 + 0.5 * x + rng.normal(size=8)[a] + 0.7 * rng.normal(size=3)[b] + 0.5 * rng.normal(size=72)
    data = pd.DataFrame({"y": y, "x": x, "a": a, "b": b})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 | a) + (1 | b)", data=data, family=sm.families.Gaussian())
    result = model.fit_laplace(gtol=1e-8)
    with no_warnings():
        sampled = model.fit(rng=1, nsample=2**13, sampling=EXACT)
    assert_monte_carlo(sampled.params, sampled.mcse, result.params, small=0.1 * result.bse, error=1e-6)
    X = np.column_stack([np.ones(72), x])

    def loglike(params: np.ndarray) -> float:
        V = params[2] * np.equal.outer(a, a) + params[3] * np.equal.outer(b, b) + params[4] * np.eye(72)
        return stats.multivariate_normal(X @ params[:2], V).logpdf(y)

    params = np.asarray(result.params)
    assert result.llf == pytest.approx(loglike(params), abs=1e-8)
    for j in range(5):  # nothing nearby is higher
        for sign in (-1, 1):
            moved = params.copy()
            moved[j] += sign * 0.01 * result.bse.iloc[j]
            assert loglike(moved) < result.llf


def test_probit_random_intercepts_have_normal_marginals() -> None:
    """P(y = 1) = Phi(x'beta / sqrt(1 + nu)): pairs from one group have a bivariate normal likelihood."""
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(150), 2)
    x = rng.normal(size=300)
    y = (0.4 + 0.8 * x + 1.2 * rng.normal(size=150)[g] + rng.normal(size=300) > 0).astype(int)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    model = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=data, family=sm.families.Binomial(links.Probit())
    )
    result = model.fit(rng=1)
    beta, nu = result.fe_params.to_numpy(), result.vc_params.iloc[0]
    sign = 2 * y.reshape(-1, 2) - 1
    eta = (beta[0] + beta[1] * x.reshape(-1, 2)) * sign / np.sqrt(1 + nu)
    rho = nu / (1 + nu) * sign.prod(axis=1)
    llf = sum(
        np.log(stats.multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf(e))
        for e, r in zip(eta, rho, strict=True)
    )
    assert_monte_carlo(result.llf, result.llf_mcse, llf, small=0.003)


def test_observation_level_effects() -> None:
    """Overdispersed counts: as many levels as rows."""
    data = data_of("epil").iloc[::2].assign(row=np.arange(118))
    formula = "y ~ lbase + lage + (1 | row)"
    with no_warnings():
        result = MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson()).fit(rng=1)
    X = np.column_stack([np.ones(118), data["lbase"], data["lage"]])
    truth = oracle.quadrature_mle(data["y"].to_numpy(float), X, None, np.arange(118), "poisson", "log")
    assert_monte_carlo(result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-6)
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.01)


@pytest.mark.parametrize(
    "kind", ["gamma-inverse", "gaussian-log", "inversegaussian-log", "binomial-cauchit", "poisson-sqrt"]
)
def test_fit_of_the_other_families_is_quadrature(kind: str) -> None:
    case = small(KIND[kind], "intercept", seed=4, sizes=(8, 9, 10, 10, 8, 9, 10, 8, 9, 10, 9, 8))
    with warnings.catch_warnings():
        # statsmodels' word on links that allow means outside the family
        warnings.filterwarnings("ignore", message=".*does not respect the domain")
        result = case.model().fit(rng=1)
    truth = oracle.quadrature_mle(**case.arguments(), start_params=case.params)
    assert not truth.singular
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)
    assert_monte_carlo(result.llf, result.llf_mcse, truth.llf, small=0.02, error=1e-5)


@pytest.mark.parametrize("family", [sm.families.Binomial, sm.families.Poisson])
def test_fit_with_weights_and_offset_is_quadrature(family: Any) -> None:
    name = "binomial-logit" if family is sm.families.Binomial else "poisson-log"
    case = small(KIND[name], "slope", seed=5, sizes=(9,) * 14)
    result = case.model(freq_weights="w", offset="off").fit(rng=1)
    data = case.data
    arguments = case.arguments(weights=data["w"].to_numpy(), offset=data["off"].to_numpy())
    truth = oracle.quadrature_mle(**arguments)
    assert not truth.singular
    assert_monte_carlo(
        result.params, result.mcse, truth.params, small=0.05 * truth.bse, error=1e-5 * truth.bse
    )
    np.testing.assert_allclose(result.bse, truth.bse, rtol=0.03)


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
        warnings.filterwarnings("ignore", message=".*The `disp`")  # statsmodels passes it on to L-BFGS-B
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


# Warnings ---------------------------------------------------------------------------------------------


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
