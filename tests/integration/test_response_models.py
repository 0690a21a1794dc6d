"""Fits of every response model against quadrature, glmmTMB and ordinal; and whatever results offer, for all of them."""

from __future__ import annotations

import functools
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import statsmodels.api as sm
from helpers import assert_monte_carlo
from responses import ONE_PREDICTOR, SEVERAL_PREDICTORS, ResponseModel, newton
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SeparationWarning

MODELS = ONE_PREDICTOR + SEVERAL_PREDICTORS
every = pytest.mark.parametrize("model", MODELS, ids=[m.name for m in MODELS])


@functools.cache
def fit_of(model: ResponseModel) -> Any:
    return model.model(model.data()).fit(rng=1)


@functools.cache
def small_fit_of(model: ResponseModel) -> Any:
    """Fit with few draws: what it offers does not depend on its quality; a profile with two maxima needs this many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.model(model.data(groups=7, size=7)).fit(rng=1, nsample=128)


@every
def test_fit_is_that_of_quadrature(model: ResponseModel) -> None:
    fit, data = fit_of(model), model.data()
    assert fit.converged
    params, bse = fit.params.to_numpy(), fit.bse.to_numpy()
    score, hessian = newton(lambda p: model.loglike(data, p), params, 0.02 * bse)
    assert np.linalg.eigvalsh(hessian)[-1] < 0
    truth = params - np.linalg.solve(hessian, score)
    assert_monte_carlo(params, fit.mcse, truth, small=0.05 * bse, within=5.0, error=1e-4 * bse)
    np.testing.assert_allclose(bse, np.sqrt(np.diag(np.linalg.inv(-hessian))), rtol=0.02)
    assert_monte_carlo(fit.llf, fit.llf_mcse, model.loglike(data, params), small=0.05, within=5.0, error=1e-6)


# What results offer -----------------------------------------------------------------------------------

Ask = Callable[[Any, ResponseModel], Any]


def prediction(result: Any, **options: Any) -> Any:
    return result.get_prediction(**options).summary_frame(mcse=False)


def closed(figure: Any) -> int:
    """Number of axes of a figure, which is closed."""
    plt.close(figure)
    return len(figure.axes)


OFFERED: dict[str, Ask] = {
    "summary": lambda r, _: [len(str(r.summary()))],
    "prediction": lambda r, m: prediction(r, exog=m.data().iloc[::20], which=m.which, random="conditional"),
    "prediction of new rows": lambda r, m: prediction(
        r, exog=m.data(1).iloc[:3], which=m.which, random="marginal"
    ),
    "linear prediction": lambda r, m: prediction(r, which=m.linear, random="conditional"),
    "get_margeff": lambda r, _: r.get_margeff(random="marginal").summary_frame(),
    "population_averaged": lambda r, _: r.population_averaged().params,
    "residuals": lambda r, _: np.column_stack([r.fittedvalues, r.resid_response, r.resid_pearson]),
    "resid_quantile": lambda r, _: r.resid_quantile(nsim=20, rng=1, scale="normal"),
    "simulate": lambda r, _: r.simulate(2, rng=1),
    "simulate conditional": lambda r, _: r.simulate(2, rng=1, random="conditional"),
    "check": lambda r, _: r.check(nsim=40, rng=1).table["pvalue"].dropna(),
    "plot_fit": lambda r, m: [closed(r.plot_fit("x", which=m.which))],
    "plot_residuals": lambda r, _: [closed(r.plot_residuals(nsim=40, rng=1))],
    "clone_with": lambda r, _: r.model.clone_with(r.simulate(rng=2)[0]).fit_laplace().params,
    "robust": lambda r, _: r.with_cov_type("robust").bse[~r.boundary],
    "get_influence": lambda r, _: r.get_influence().d_params.dropna(axis=0),
    "score test": lambda r, _: list(r.score_test("I(x**2)")),
    # degrees of freedom of t may have no upper limit
    "profile interval": lambda r, _: r.conf_int(method="profile", parm=r.params.index[-1]).clip(upper=1e6),
}


def offered(model: ResponseModel, name: str) -> bool:
    """Whether results offer it: not all of it where categories have a predictor each."""
    without_mean = model.which != "mean" and name in ("residuals", "get_margeff")
    without_average = model.name.startswith(("multinomial", "partial")) and name == "population_averaged"
    return not (without_mean or without_average)


@functools.cache
def pickled_fit_of(model: ResponseModel) -> Any:
    return pickle.loads(pickle.dumps(small_fit_of(model)))


def compared(model: ResponseModel, name: str) -> bool:
    """Whether results that were pickled are asked, too: a quarter of the pairs, with every model and every question."""
    return (MODELS.index(model) + list(OFFERED).index(name)) % 4 == 0


def test_every_model_and_every_question_is_compared() -> None:
    pairs = [(m, name) for m in MODELS for name in OFFERED if compared(m, name) and offered(m, name)]
    assert {m.name for m, _ in pairs} == {m.name for m in MODELS}
    assert {name for _, name in pairs} == OFFERED.keys()


@every
@pytest.mark.parametrize("name", OFFERED)
def test_offered_also_after_pickling(model: ResponseModel, name: str) -> None:
    fit = small_fit_of(model)
    if not offered(model, name):
        with pytest.raises(ValueError, match=r"is not known|which must be one of 'prob: 1'"):
            OFFERED[name](fit, model)
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answer = np.asarray(OFFERED[name](fit, model), float)
        assert np.isfinite(answer).all()
        if compared(model, name):
            again = np.asarray(OFFERED[name](pickled_fit_of(model), model), float)
            np.testing.assert_array_equal(answer, again)


def test_family_parameters_have_their_own_table() -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    text = str(fit_of(model).summary())
    assert "Parameters of the family" in text
    assert text.index("Parameters of the family") < text.index("2|3")


def test_mean_counts_the_error_of_family_parameters() -> None:
    model = next(m for m in MODELS if m.name == "lognormal")
    fit, row = fit_of(model), model.data().iloc[:1]
    found = fit.get_prediction(row)
    beta, phi = fit.params.to_numpy()[:2], fit.params.iloc[-1]
    mean = np.exp(beta @ [1.0, row["x"].iloc[0]] + 0.5 * phi)
    assert found.predicted_mean[0] == pytest.approx(mean, rel=1e-9)
    slope = mean * np.array([1.0, row["x"].iloc[0], 0.0, 0.5])
    assert found.se[0] == pytest.approx(np.sqrt(slope @ fit.cov_params().to_numpy() @ slope), rel=1e-6)
    with pytest.raises(ValueError, match="depends on all 4 parameters"):
        fit.model.predict(beta)
    np.testing.assert_allclose(fit.model.predict(fit.params)[:1], mean, rtol=1e-9)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda r: r.resid_deviance, "has no deviance"),
        (
            lambda r: r.r2(method="delta"),
            "method='delta' is not known for family Cumulative; use 'theoretical'",
        ),
    ],
)
def test_what_is_not_known_is_refused(call: Any, message: str) -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    with pytest.raises(ValueError, match=message):
        call(fit_of(model))


def test_thresholds_take_the_place_of_an_intercept() -> None:
    model = next(m for m in MODELS if m.name == "cumulative logit")
    data = model.data(groups=8)
    data["two"] = np.where(data["x"] > 0, "a", "b")
    with pytest.raises(
        ValueError, match="make up a constant, whose place the thresholds of family Cumulative take"
    ):
        MCLAMixedGLM.from_formula("y ~ 0 + two + (1 | g)", data=data, family=model.family)
    alone = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=model.family).fit(rng=1)
    assert alone.params.index.tolist() == ["g Var", "1|2", "2|3", "3|4"]
    assert "Fixed effects" not in str(alone.summary())


# Several predictors -----------------------------------------------------------------------------------


def model_named(name: str) -> ResponseModel:
    return next(m for m in MODELS if m.name == name)


def test_predictions_of_each_predictor() -> None:
    model = model_named("zero-inflated nb, dispersed")
    fit, row = fit_of(model), model.data().iloc[[3]]
    beta = fit.params.to_numpy()
    x = np.array([1.0, row["x"].iloc[0]])
    location, zero, alpha = np.exp(x @ beta[:2]), 1 / (1 + np.exp(-x @ beta[2:4])), np.exp(x @ beta[4:6])
    wanted = {
        "linear": x @ beta[:2],
        "conditional": location,
        "zprob": zero,
        "dispersion": alpha,
        "mean": (1 - zero) * location,
    }
    cov = fit.cov_params().to_numpy()
    for which, value in wanted.items():
        found = fit.get_prediction(row, which=which)
        assert found.predicted_mean[0] == pytest.approx(value, rel=1e-9)
        low, high = found.conf_int()[0]
        assert low < value < high
    slope = np.zeros(len(beta))
    slope[:2], slope[2:4] = wanted["mean"] * x, -zero * wanted["mean"] * x
    assert fit.get_prediction(row).se[0] == pytest.approx(np.sqrt(slope @ cov @ slope), rel=1e-6)
    assert fit.model.predict(fit.params)[3] == pytest.approx(wanted["mean"], rel=1e-9)
    names = "'mean', 'linear', 'conditional', 'zprob', 'dispersion'"
    with pytest.raises(
        ValueError, match=f"which must be one of {names} for family ZeroInflatedNeg.*got 'prob'"
    ):
        fit.get_prediction(which="prob")
    with pytest.raises(ValueError, match="obs_conf_int is not known"):
        fit.get_prediction(row, which="linear").obs_conf_int()


@pytest.mark.parametrize(
    "name",
    [
        "zero-inflated nb, dispersed",
        "hurdle poisson, both random",
        "hurdle gamma",
        "one-inflated beta, correlated",
    ],
)
def test_marginal_effects_are_differences_of_predictions(name: str) -> None:
    """Of the mean of all responses: a covariate moves the zero part too, and errors are those of both."""
    model = model_named(name)
    fit, data, h = fit_of(model), model.data(), 1e-4
    ends = [data.assign(x=data["x"] + sign * h) for sign in (1.0, -1.0)]
    for random in ("none", "marginal"):
        found = fit.get_margeff(random=random)
        up, down = (fit.predict(end, random=random).to_numpy() for end in ends)
        assert found.names == ["x"]
        assert found.margeff[0] == pytest.approx(np.mean(up - down) / (2 * h), rel=1e-5)

    def effect(params: Any) -> float:
        designs = (
            np.tile(np.column_stack([np.ones(len(data)), end["x"]]), 1 + len(model.formulas)) for end in ends
        )
        up, down = (fit.model.predict(params, X) for X in designs)
        return float(np.mean(np.asarray(up) - np.asarray(down)) / (2 * h))

    params, cov = fit.params.to_numpy(), fit.cov_params().to_numpy()
    slope = np.array([(effect(params + e) - effect(params - e)) / 2e-4 for e in 1e-4 * np.eye(len(params))])
    assert fit.get_margeff().margeff_se[0] == pytest.approx(np.sqrt(slope @ cov @ slope), rel=1e-3)


def test_marginal_effects_need_a_mean_that_one_predictor_knows() -> None:
    model = model_named("hurdle nb")
    mixed = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=model.data(), family=model.family, ziformula="~ x", dispformula="~ x"
    )
    with pytest.raises(
        ValueError, match="get_margeff is not known for family HurdleNegativeBinomial, whose mean"
    ):
        mixed.fit_laplace().get_margeff()


@pytest.mark.parametrize("random", ["none", "marginal"])
@pytest.mark.parametrize(
    "name", ["zero-inflated poisson", "zero-inflated nb, dispersed", "hurdle gamma", "gaussian, dispersed"]
)
def test_intervals_of_new_observations_are_those_of_draws(name: str, random: str) -> None:
    """Estimates from their normal law, effects from theirs, responses from scipy: the limits are their quantiles."""
    model = model_named(name)
    fit, row = fit_of(model), model.data().iloc[[3, 40]]
    limits = fit.get_prediction(row, random=random).obs_conf_int(0.2)
    rng, size = np.random.default_rng(7), 200_000
    K, m = 1 + len(model.formulas), len(model.psi)
    params, cov = fit.params.to_numpy().copy(), np.nan_to_num(fit.cov_params().to_numpy())
    first = len(params) - m  # parameters of the family are normal on the scale of their logarithm
    scale = np.ones(len(params))
    scale[first:], params[first:] = params[first:], np.log(params[first:])
    draws = rng.multivariate_normal(params, cov / np.outer(scale, scale), size).T
    u = np.sqrt(fit.params["g Var"]) * rng.normal(size=size) * (random == "marginal")
    for x, (low, high) in zip(row["x"], limits, strict=True):
        eta = np.stack([draws[2 * k] + draws[2 * k + 1] * x for k in range(K)])
        eta[0] += u
        y = np.asarray(model.sample(rng, eta, tuple(np.exp(draws[first:])), np.ones(size)))
        if model.discrete:
            for limit, p in ((low, 0.1), (high, 0.9)):
                assert np.mean(y < limit) < p + 0.004
                assert np.mean(y <= limit) > p - 0.004
        else:
            wanted = np.quantile(y, [0.1, 0.9])
            np.testing.assert_allclose([low, high], wanted, atol=0.015 * np.ptp(wanted))


def test_population_mean_is_that_of_simulations() -> None:
    model = model_named("hurdle poisson, both random")
    fit, data = fit_of(model), model.data()
    mean = fit.predict(random="marginal").to_numpy()
    simulated = fit.simulate(4000, rng=3).to_numpy()
    spread = simulated.std(axis=1) / np.sqrt(simulated.shape[1])
    assert np.all(np.abs(simulated.mean(axis=1) - mean) < 5.0 * spread)
    zero = fit.predict(which="zprob", random="marginal").to_numpy()
    assert np.all(np.abs((simulated == 0).mean(axis=1) - zero) < 5.0 * np.sqrt(zero * (1 - zero) / 4000))
    assert len(data) == len(mean)


def test_probabilities_of_categories() -> None:
    model = model_named("cumulative logit")
    fit = fit_of(model)
    table = fit.predict(model.data().iloc[:5], which="prob", random="marginal")
    assert list(table.columns) == ["1", "2", "3", "4"]
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-9)
    np.testing.assert_allclose(
        table @ np.arange(1, 5), fit.predict(model.data().iloc[:5], random="marginal"), rtol=1e-9
    )
    one = fit.get_prediction(model.data().iloc[:5], which="prob: 2")
    low, high = one.conf_int().T
    assert np.all((low > 0) & (low < one.predicted_mean) & (one.predicted_mean < high) & (high < 1))
    with pytest.raises(ValueError, match="which='prob' is for categories"):
        fit_of(model_named("beta")).predict(which="prob")


def test_a_table_a_predictor() -> None:
    text = str(fit_of(model_named("zero-inflated nb, dispersed")).summary())
    places = [
        text.index(t)
        for t in ("Fixed effects  ", "of the zero part", "zi: x", "of the dispersion", "disp: x")
    ]
    assert places == sorted(places)


def test_nested_zero_parts() -> None:
    model = model_named("zero-inflated poisson")
    data = model.data()
    small = MCLAMixedGLM.from_formula(model.formula(), data=data, family=model.family, ziformula="~ 1").fit(
        rng=1
    )
    test = fit_of(model).compare_lr_test(small)
    assert test.df == 1
    assert test.statistic == pytest.approx(2 * (fit_of(model).llf - small.llf), abs=0.02)


def test_a_zero_part_that_runs_off_is_told() -> None:
    model = model_named("zero-inflated poisson")
    data = model.data()
    data["never"] = np.where((data["y"] == 0) | (np.arange(len(data)) % 2 == 0), "a", "b")
    with pytest.warns(SeparationWarning, match=r"zi: never\[T.b\] separate the responses perfectly"):
        MCLAMixedGLM.from_formula(
            model.formula(), data=data, family=model.family, ziformula="~ never"
        ).fit_laplace()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ziformula": "x"}, "ziformula must be a one-sided formula such as '~ x', got 'x'"),
        ({"dispformula": None}, "dispformula must be a one-sided formula"),
        ({"ziformula": "~ nothing"}, "nothing"),
        (
            {"ziformula": "~ x", "family": sm.families.Binomial()},
            "ziformula is not known for family Binomial",
        ),
        ({"dispformula": "~ x"}, "dispformula is not known for family Poisson .*it is for NegativeBinomial"),
        ({"ziformula": "~ x", "formula": "I(y + 1) ~ x + (1 | g)"}, "endog has no zeros"),
    ],
)
def test_bad_formulas(options: dict[str, Any], message: str) -> None:
    model = model_named("zero-inflated poisson")
    call = {"formula": model.formula(), "data": model.data(), "family": model.family, **options}
    with pytest.raises(ValueError, match=message):
        MCLAMixedGLM.from_formula(**call)


def test_formulas_that_say_nothing() -> None:
    model = model_named("zero-inflated poisson")
    plain = MCLAMixedGLM.from_formula(model.formula(), data=model.data(), family=model.family)
    same = MCLAMixedGLM.from_formula(
        model.formula(), data=model.data(), family=model.family, ziformula="~0", dispformula="~1"
    )
    assert same.data.param_names == plain.data.param_names
    assert same.conditional_family == plain.conditional_family


def test_arrays_say_which_predictor_a_column_is_of() -> None:
    model = model_named("zero-inflated poisson")
    data, fit = model.data(), fit_of(model)
    groups = (data["g"].to_numpy()[:, None] == np.unique(data["g"])).astype(float)
    X = np.column_stack([np.ones(len(data)), data["x"], np.ones(len(data)), data["x"]])
    call = {"ident": np.zeros(groups.shape[1], int), "family": fit.model.family}
    found = MCLAMixedGLM(data["y"], X, groups, of_column=[0, 0, 1, 1], **call).fit_laplace()
    np.testing.assert_allclose(found.params, fit.model.fit_laplace().params, rtol=1e-5)
    with pytest.raises(ValueError, match="of_column must say for each of the 4 columns"):
        MCLAMixedGLM(data["y"], X, groups, of_column=[0, 0, 0, 2], **call)


def test_conditional_mean_counts_that_both_parts_depend_on_the_data() -> None:
    model = model_named("zero-inflated poisson, both random")
    fit, data = fit_of(model), model.data()
    params = fit.params.to_numpy()
    x, z = data["x"].to_numpy()[:, None], np.linspace(-7.0, 7.0, 57)
    u, v = (axis.ravel() for axis in np.meshgrid(z, z))
    eta = np.stack(
        np.broadcast_arrays(
            params[0] + params[1] * x + np.sqrt(params[4]) * u,
            params[2] + params[3] * x + np.sqrt(params[5]) * v,
        )
    )
    logf = model.log_density(data["y"].to_numpy()[:, None], eta, (), None)
    _, first, of_row = np.unique(data["g"], return_index=True, return_inverse=True)
    weight = np.add.reduceat(logf, first, axis=0) - 0.5 * (u**2 + v**2)
    weight = np.exp(weight - weight.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    zero = 1 / (1 + np.exp(-eta[1]))
    truth = (np.exp(eta[0]) * (1 - zero) * weight[of_row]).sum(axis=1)
    apart = (np.exp(eta[0]) * weight[of_row]).sum(axis=1) * ((1 - zero) * weight[of_row]).sum(axis=1)
    error = np.sqrt(fit.fittedvalues_mcse.to_numpy() ** 2)
    assert_monte_carlo(fit.fittedvalues, error, truth, small=0.01 * truth, within=5.0, error=1e-4 * truth)
    assert np.max(np.abs(apart - truth) / error) > 20.0  # the premise: a product of means is another number


def test_families_at_the_boundary_of_one_another() -> None:
    model = model_named("zero-inflated nb")
    data, nb = model.data(), sm.families.NegativeBinomial(alpha=1.0)
    F = {"formula": model.formula(), "data": data}
    fits = {
        "poisson": MCLAMixedGLM.from_formula(**F, family=sm.families.Poisson()).fit(rng=1),
        "nb": MCLAMixedGLM.from_formula(**F, family=nb).fit(rng=1),
        "zip": MCLAMixedGLM.from_formula(**F, family=sm.families.Poisson(), ziformula="~ 1").fit(rng=1),
        "zinb": MCLAMixedGLM.from_formula(**F, family=nb, ziformula="~ 1").fit(rng=1),
    }
    for small, large in (("poisson", "nb"), ("poisson", "zip"), ("nb", "zinb"), ("zip", "zinb")):
        test = fits[large].compare_lr_test(fits[small])
        assert test.statistic == pytest.approx(2 * (fits[large].llf - fits[small].llf))
        assert test.df == 1
        assert test.pvalue == pytest.approx(0.5 * stats.chi2.sf(test.statistic, 1), rel=1e-9)
    with pytest.raises(ValueError, match="they may differ in one parameter only"):
        fit_of(model).compare_lr_test(fits["nb"])
    with pytest.raises(ValueError, match="restricted has another family"):
        fits["zinb"].compare_lr_test(fits["poisson"])
    other = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=sm.families.Poisson()).fit(rng=1)
    with pytest.raises(ValueError, match="one parameter only"):
        fits["nb"].compare_lr_test(other)
