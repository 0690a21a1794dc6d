"""Profile likelihoods against quadrature, invariance, and what happens at the boundary."""

from __future__ import annotations

import functools
import json
import pickle
import warnings
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, REFERENCE, data_of, fit_of, laplace_of, model_of, small
from scipy import optimize, stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.families import Cumulative

INTERVALS = {
    name: np.array(rows)
    for name, rows in json.loads((REFERENCE / "profiles.json").read_text()).items()
    if not name.startswith("_")
}


@functools.lru_cache(maxsize=8)
def limits_of(name: str) -> pd.DataFrame:
    return fit_of(name).conf_int(method="profile")


def assert_limits(limits: pd.DataFrame, truth: np.ndarray, se: Any) -> None:
    """Within 0.02 standard errors and four Monte Carlo errors, which are small."""
    se, mcse = np.asarray(se)[:, None], np.array(limits.attrs["mcse"])
    error = np.abs(limits.to_numpy() - truth)
    assert np.all(mcse < 0.01 * se)
    assert np.all(error < 0.02 * se)
    assert np.all(error < 4 * mcse + 1e-3 * se)


@pytest.mark.parametrize("name", ["bacteria", "cbpp", "epil", "epil_nb"])
def test_limits_are_those_of_quadrature(name: str) -> None:
    limits = limits_of(name)
    assert list(limits.index) == list(fit_of(name).params.index)
    assert_limits(limits, INTERVALS[name], fit_of(name).bse)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bacteria", "cbpp"])
def test_reference_limits_are_what_the_oracle_says(name: str) -> None:
    arguments = oracle.problem(name).arguments
    fit = oracle.quadrature_mle(**arguments)
    for j in range(len(fit.params)):
        again = oracle.profile_interval(j, **arguments, fit=fit)
        np.testing.assert_allclose(again, INTERVALS[name][j], rtol=1e-6)


def test_wald_is_the_default_and_some_parameters_will_do() -> None:
    result = fit_of("cbpp")
    wald = result.conf_int()
    np.testing.assert_allclose(
        wald.iloc[:4, 1] - result.params.iloc[:4], stats.norm.isf(0.025) * result.bse.iloc[:4]
    )
    for which in ([1, 4], ["C(period)[T.2]", "herd Var"], [1, -1]):
        some = result.conf_int(cols=which)
        pd.testing.assert_frame_equal(some, wald.iloc[[1, 4]])
    one = result.conf_int(method="profile", parm="herd Var")
    pd.testing.assert_frame_equal(one, limits_of("cbpp").loc[["herd Var"]])
    narrow = result.conf_int(0.5, method="profile", parm="herd Var").iloc[0]
    assert one.iloc[0, 0] < narrow[0] < result.params["herd Var"] < narrow[1] < one.iloc[0, 1]


def test_profiles_do_not_depend_on_the_scale() -> None:
    result = fit_of("cbpp")
    low, high = limits_of("cbpp").loc["herd Var"]
    deviation = result.profile_likelihood("SD(Intercept)").conf_int()
    np.testing.assert_allclose(deviation[["lower", "upper"]], np.sqrt([low, high]), rtol=1e-3)
    share = result.profile_likelihood(lambda p: p["herd Var"] / (p["herd Var"] + np.pi**2 / 3)).conf_int()
    np.testing.assert_allclose(
        share[["lower", "upper"]], [v / (v + np.pi**2 / 3) for v in (low, high)], rtol=1e-3
    )
    ratio = result.profile_likelihood(lambda p: np.exp(p["C(period)[T.2]"]))
    np.testing.assert_allclose(
        ratio.conf_int()[["lower", "upper"]], np.exp(limits_of("cbpp").loc["C(period)[T.2]"]), rtol=1e-3
    )
    assert ratio.estimate == pytest.approx(np.exp(result.params["C(period)[T.2]"]))


def test_table_is_the_likelihood_maximised_over_the_rest() -> None:
    result = fit_of("cbpp")
    grid = [0.0, 0.2, 1.0]
    found = result.profile_likelihood("herd Var", grid=grid)
    assert list(found.table.index.round(12)) == sorted([*grid, round(found.estimate, 12)])
    held = oracle.profile(4, grid, **oracle.problem("cbpp").arguments)
    error = found.table["llf"].loc[[0.2, 1.0]].to_numpy() - held.llf[1:]
    assert np.abs(error).max() < 5e-3
    frame = data_of("cbpp")
    glm = sm.GLM.from_formula(
        "incidence + I(size - incidence) ~ C(period)", frame, family=sm.families.Binomial()
    ).fit()
    assert found.table["llf"].loc[0.0] == pytest.approx(glm.llf, abs=1e-4)
    np.testing.assert_allclose(
        found.table["zeta"],
        np.sign(found.table.index - found.estimate) * np.sqrt(2 * (found.llf - found.table["llf"])),
    )
    assert (found.table["mcse"] < 0.01).all()
    np.testing.assert_allclose(found(found.table.index), found.table["zeta"], atol=1e-12)


def test_common_random_numbers_cancel_most_of_the_error() -> None:
    """Over seeds, differences of log-likelihoods vary as their errors say: less than the two by themselves."""
    model = model_of("bacteria")
    differences, errors, single = [], [], []
    for seed in range(12):
        result = model.fit(rng=seed, nsample=128)
        found = result.profile_likelihood("late", grid=[-2.5])
        differences.append(found.table["llf"].iloc[0] - found.llf)
        errors.append(found.table["mcse"].iloc[0])
        single.append(result.llf_mcse)
    spread = np.std(differences, ddof=1)
    assert 0.4 < spread / np.mean(errors) < 2.0
    assert np.mean(errors) < 0.5 * np.mean(single)


def test_limits_of_interpolated_profiles() -> None:
    profile = fit_of("bacteria").profile_likelihood("ID Var")
    found = profile.conf_int()
    np.testing.assert_allclose(found[["lower", "upper"]], INTERVALS["bacteria"][4], rtol=3e-3)
    wide = profile.conf_int(0.01)
    assert 0 < wide["lower"] < found["lower"]
    assert wide["upper"] > found["upper"]
    assert found["upper mcse"] > 0
    with pytest.raises(ValueError, match="alpha"):
        fit_of("bacteria").profile_likelihood("ID Var", grid=[2.0]).conf_int()
    with pytest.raises(ValueError, match="alpha"):
        profile.conf_int(5)


# The boundary -----------------------------------------------------------------------------------------------


def counts(seed: int, sd: float) -> tuple[pd.DataFrame, dict[str, Any]]:
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(8), 4), np.tile(np.linspace(-1, 1, 4), 8)
    u = rng.normal(0, sd, 8)[g] if sd else 0.0
    data = pd.DataFrame({"y": rng.poisson(np.exp(0.5 + 0.3 * x + u)), "x": x, "g": g})
    arguments = {
        "y": data["y"].to_numpy(float),
        "X": np.column_stack([np.ones(32), x]),
        "Zg": None,
        "group": g,
        "family": "poisson",
        "link": "log",
    }
    return data, arguments


@pytest.mark.parametrize(("seed", "sd"), [(5, 0.3), (3, 0.2)], ids=["singular fit", "insignificant variance"])
def test_lower_limit_of_an_insignificant_variance_is_zero(seed: int, sd: float) -> None:
    data, arguments = counts(seed, sd)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data, family=sm.families.Poisson()).fit(rng=1)
    assert (result.params["g Var"] == 0) == (sd == 0.3)
    limits = result.conf_int(method="profile")
    fit = oracle.quadrature_mle(**arguments)
    truth = np.array([oracle.profile_interval(j, **arguments, fit=fit) for j in (0, 2)])
    assert truth[1, 0] == limits.loc["g Var", 0] == 0
    # the intercept's interval needs the variance that returns away from the maximum
    np.testing.assert_allclose(limits.to_numpy()[[0, 2]], truth, atol=2e-3, rtol=2e-3)
    profile = result.profile_likelihood("g Var")
    assert profile.table.index[0] == 0
    assert profile.conf_int()["lower"] == 0
    assert result.profile_likelihood(lambda p: p["g Var"] / (1 + p["g Var"])).conf_int()["lower"] == 0


@pytest.mark.parametrize("how", ["fit", "fit_laplace"])
def test_a_dispersion_of_zero_is_the_end_of_its_profile(how: str) -> None:
    rng = np.random.default_rng(3)
    g = np.repeat(np.arange(12), 5)
    y = rng.poisson(np.exp(1 + rng.normal(0, 0.5, 12)[g]))
    data = pd.DataFrame({"y": y, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family=sm.families.NegativeBinomial(alpha=1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = getattr(model, how)()
    assert result.params["alpha"] == 0
    low, high = result.conf_int(method="profile", parm="alpha").iloc[0]
    assert low == 0
    arguments = {"y": y.astype(float), "X": np.ones((60, 1)), "Zg": None, "group": g, "link": "log"}
    top = oracle.quadrature_mle(family="poisson", **arguments)
    start = np.array([*top.params, high])
    held = optimize.minimize(
        lambda p: -oracle.quadrature_loglike(np.array([*p, high]), family="negativebinomial", **arguments),
        start[:2],
        method="Nelder-Mead",
    )
    assert 2 * (top.llf + held.fun) == pytest.approx(stats.chi2.isf(0.05, 1), abs=0.05)


def test_negative_control_a_clear_variance_stays_away_from_zero() -> None:
    assert limits_of("bacteria").loc["ID Var", 0] > 0.2


@pytest.mark.parametrize(("turn", "sd", "estimate_is_one"), [(0.4, 0.2, True), (0.0, 0.4, False)])
def test_correlations_stay_between_minus_one_and_one(turn: float, sd: float, estimate_is_one: bool) -> None:
    rng = np.random.default_rng(2)
    g, x = np.repeat(np.arange(12), 5), np.tile(np.linspace(-1, 1, 5), 12)
    u = rng.normal(size=(12, 2)) @ np.array([[0.6, turn], [0.0, sd]])
    data = pd.DataFrame({"y": rng.poisson(np.exp(1 + u[g, 0] + u[g, 1] * x)), "x": x, "g": g})
    model = MCLAMixedGLM.from_formula("y ~ x + (1 + x | g)", data, family=sm.families.Poisson())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, laplace = model.fit(rng=1, mcse_tol=0.03), model.fit_laplace()
    found = result.profile_likelihood("Corr(Intercept, x)")
    limits = found.conf_int()
    assert (found.estimate == 1.0) == estimate_is_one
    assert limits["upper"] == 1.0
    Z = np.column_stack([np.ones(60), x])
    truth = oracle.profile_interval(
        ("correlation", 0, 1),
        y=data["y"].to_numpy(float),
        X=Z,
        Zg=Z,
        group=g,
        family="poisson",
        link="log",
        nodes=15,
    )
    assert truth[1] == 1.0
    assert limits["lower"] == pytest.approx(truth[0], abs=0.01)
    smooth = laplace.profile_likelihood("Corr(Intercept, x)").conf_int()
    assert smooth["upper"] == 1.0
    assert smooth["lower"] == pytest.approx(truth[0], abs=0.05)


# Other fits, other quantities -------------------------------------------------------------------------------


def test_laplace_fits_are_profiled_too() -> None:
    """The Laplace likelihood of cbpp is close to the exact one, and without Monte Carlo error."""
    limits = laplace_of("cbpp").conf_int(method="profile")
    assert np.all(np.array(limits.attrs["mcse"]) == 0)
    np.testing.assert_allclose(limits, INTERVALS["cbpp"], atol=0.03)
    # lme4's confint(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial))
    low, high = laplace_of("cbpp").profile_likelihood("SD(Intercept)").conf_int().iloc[:2]
    assert low == pytest.approx(0.346, abs=2e-3)
    assert high == pytest.approx(1.100, abs=2e-3)


def test_names_that_mean_nothing_are_refused() -> None:
    result = fit_of("cbpp")
    for name, message in [
        ("nothing", "there is no 'nothing'"),
        (lambda p: p["nothing"], "cannot be evaluated"),
        (len, "does not depend"),
        (lambda p: np.nan * p.iloc[0], "is nan"),
    ]:
        with pytest.raises(ValueError, match=message):
            result.profile_likelihood(name)
    with pytest.raises(ValueError, match="grid"):
        result.profile_likelihood("herd Var", grid=[-1.0])
    with pytest.raises(ValueError, match="method"):
        result.conf_int(method="bootstrap")
    with pytest.raises(ValueError, match="cols"):
        result.conf_int(cols=["nothing"])


def test_profiles_pickle() -> None:
    profile = fit_of("cbpp").profile_likelihood(lambda p: np.exp(p["C(period)[T.2]"]), grid=[0.2, 0.6])
    again = pickle.loads(pickle.dumps(profile))
    pd.testing.assert_frame_equal(again.table, profile.table)
    assert again(0.3) == profile(0.3)


def test_names_of_standard_deviations_that_need_their_group() -> None:
    model = small(KIND["poisson-log"], "crossed").model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = model.fit_laplace()
    with pytest.raises(ValueError, match=r"a: SD.Intercept., b: SD.Intercept."):
        result.profile_likelihood("SD(Intercept)")
    for group in "ab":
        found = result.profile_likelihood(f"{group}: SD(Intercept)", grid=[0.0])
        assert found.estimate == pytest.approx(np.sqrt(result.params[f"{group} Var"]))


def test_results_pickle_after_profiling_and_refuse_without_data() -> None:
    result = model_of("cbpp").fit(rng=1, mcse_tol=0.05)
    before = result.conf_int(method="profile", parm="herd Var")
    again = pickle.loads(pickle.dumps(result))
    pd.testing.assert_frame_equal(again.conf_int(method="profile", parm="herd Var"), before)
    again.remove_data()
    with pytest.raises(ValueError, match="remove_data"):
        again.conf_int(method="profile")


def test_profiles_are_printed() -> None:
    profile = fit_of("cbpp").profile_likelihood("herd Var", grid=[0.3])
    assert str(profile).startswith("Profile likelihood of herd Var: estimate 0.41")
    assert "_inner" not in repr(profile)


def test_profile_of_a_correlation_of_one() -> None:
    """Between near one and one the likelihood is all but flat; its profile falls away from one all the same."""
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"x": rng.normal(size=300), "g": np.repeat(np.arange(30), 10)})
    uniform = rng.random(300)
    eta = 0.3 + 0.3 * data["x"] + np.repeat(rng.normal(size=30), 10) * (1 + 0.8 * data["x"])
    data["y"] = (uniform < 1 / (1 + np.exp(-eta))).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = MCLAMixedGLM.from_formula("y ~ x + (x | g)", data=data, family=sm.families.Binomial()).fit(
            rng=1
        )
    assert fit.cov_re["g"].iloc[0, 1] ** 2 == pytest.approx(np.prod(np.diag(fit.cov_re["g"])))
    found = fit.profile_likelihood("Corr(Intercept, x)")
    assert found.llf == pytest.approx(fit.llf, rel=1e-14)  # the same draws, summed in another order
    assert (found.table["llf"] <= found.llf + 4 * found.table["mcse"]).all()
    assert found.table["llf"].is_monotonic_increasing
    by_hand = fit.profile_likelihood("Corr(Intercept, x)", grid=[0.5, 0.7, 0.75, 0.8, 0.85, 0.9])
    assert found.conf_int()["lower"] == pytest.approx(by_hand.conf_int()["lower"], abs=0.01)


# Plateaus ---------------------------------------------------------------------------------------------------


def test_profile_of_a_zero_part_that_may_be_nothing_ends_at_the_family_without_it() -> None:
    """As its intercept goes to minus infinity, the likelihood goes to that of the fit without a zero part."""
    salamanders = pd.read_csv(REFERENCE / "salamanders.csv")
    few = salamanders[salamanders["spp"].isin(["DM", "PR"])]
    model = MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)",
        few,
        family=sm.families.NegativeBinomial(alpha=1.0),
        ziformula="~ 1",
    )
    full = model.fit(rng=1)
    smaller = MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)", few, family=sm.families.NegativeBinomial(alpha=1.0)
    ).fit(rng=1)
    loss = full.llf - smaller.llf
    assert 0.02 < loss < 0.5 * stats.chi2.isf(0.05, 1)
    with pytest.warns(UserWarning, match="limit of zi: Intercept is -inf.*falls by .* at most"):
        lower, upper = full.conf_int(method="profile", parm="zi: Intercept").iloc[0]
    assert lower == -np.inf
    assert full.params["zi: Intercept"] < upper < 5
    found = full.profile_likelihood("zi: Intercept")
    assert found.table["llf"].iloc[0] == pytest.approx(smaller.llf, abs=2e-3)
    assert found.conf_int()["lower"] == -np.inf
    narrow = stats.chi2.sf(loss, 1)  # an interval whose limit the profile has halfway down
    assert np.isfinite(full.conf_int(narrow, method="profile", parm="zi: Intercept").iloc[0, 0])


def test_profile_of_a_zero_part_that_some_rows_may_not_have() -> None:
    """Two coefficients go to infinity together; the plateau is the likelihood of those rows without zeros of it."""
    salamanders = pd.read_csv(REFERENCE / "salamanders.csv")
    full = MCLAMixedGLM.from_formula(
        "count ~ mined + (1 | site)",
        salamanders,
        family=sm.families.NegativeBinomial(alpha=1.0),
        ziformula="~ mined",
    ).fit(rng=1)
    with pytest.warns(UserWarning, match="profile limit of zi"):
        limits = full.conf_int(method="profile", parm=["zi: Intercept", "zi: mined[T.yes]"]).to_numpy()
    assert limits[0, 0] == -np.inf
    assert limits[1, 1] == np.inf
    assert np.isfinite(limits[[0, 1], [1, 0]]).all()
    held = full.profile_likelihood("zi: Intercept", grid=[-9.0, -30.0]).table["llf"]
    assert held.iloc[0] == pytest.approx(held.iloc[1], abs=1e-3)
    assert full.llf - held.iloc[0] == pytest.approx(0.524, abs=0.01)  # glmmTMB by Laplace: 0.52


@pytest.mark.parametrize("seed", [25, 37])
def test_limits_beyond_where_thresholds_cross_on_the_way(seed: int) -> None:
    """A slope of the first threshold: the way of other thresholds to the limit is not straight; by quadrature."""
    rng = np.random.default_rng(seed)
    g, x = np.repeat(np.arange(20), 6), 3 * rng.normal(size=120)
    latent = 0.15 * x + 0.7 * rng.normal(size=20)[g] + rng.logistic(size=120)
    y = np.digitize(latent, [-1.5, -1.3, 1.2])
    data = pd.DataFrame({"g": g, "x": x, "y": pd.Categorical.from_codes(y, list("abcd"), ordered=True)})
    model = MCLAMixedGLM.from_formula(
        "y ~ 1 + (1 | g)", data=data, family=Cumulative("cloglog"), nominal="~ x"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = model.fit(rng=1)
        low = float(np.asarray(fit.conf_int(method="profile", cols=["a|b: x"]))[0, 0])
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)

    def loglike(p: np.ndarray) -> float:
        at = p[:3] + np.outer(x, p[3:6])  # (n, 3)
        ends = np.column_stack([np.full(120, -np.inf), at, np.full(120, np.inf)])[..., None] - p[6] * nodes
        with np.errstate(over="ignore"):
            up = 1.0 - np.exp(-np.exp(ends))
        rows = np.arange(120)
        row = np.maximum(up[rows, y + 1] - up[rows, y], 1e-300)
        block = np.log(row).reshape(20, 6, -1).sum(axis=1)
        return float(np.log(np.exp(block) @ weights / np.sqrt(2 * np.pi)).sum())

    top = np.array([*fit.params.filter(regex="Intercept|^[abc][|][bcd]$"), *fit.params.filter(regex=": x")])
    at = np.r_[top, np.sqrt(fit.params["g Var"])]
    assert loglike(at) == pytest.approx(fit.llf, abs=0.02)  # premise: the same model

    free, q = np.r_[0:3, 4:7], at[np.r_[0:3, 4:7]]
    for value in np.linspace(at[3], low, 9)[1:]:  # thresholds must not cross

        def lost(q: np.ndarray, value: float = value) -> float:
            p = np.empty(7)
            p[free], p[3] = q, value
            return -loglike(p)

        found = optimize.minimize(lost, q, method="Nelder-Mead", options={"maxiter": 3000, "fatol": 1e-7})
        q = found.x
    assert 2 * (fit.llf + found.fun) == pytest.approx(3.841, abs=0.06)
