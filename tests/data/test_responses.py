"""Responses that are nearly right: counts with round-off, rows without trials, proportions."""

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM, datasets

COUNTS = "incidence + I(size - incidence) ~ period + (1 | herd)"


@pytest.fixture(scope="module")
def cbpp():
    return datasets.cbpp.load_pandas().data


@pytest.fixture(scope="module")
def right(cbpp):
    return MCLAMixedGLM.from_formula(COUNTS, data=cbpp).fit_laplace()


def test_counts_an_ulp_from_integers_are_integers():
    rng = np.random.default_rng(0)
    area = rng.choice([0.1, 0.3, 0.7], size=240)
    count = rng.poisson(5, 240)
    data = pd.DataFrame({"density": count / area, "area": area, "g": np.repeat(np.arange(30), 8)})
    products = data["density"] * data["area"]
    assert np.any(products != count)
    family = sm.families.Poisson()
    model = MCLAMixedGLM.from_formula("I(density * area) ~ 1 + (1 | g)", data=data, family=family)
    np.testing.assert_array_equal(model.endog, count)
    share = np.column_stack([0.1 * 3 * np.ones(12) / 0.1, 0.7 * np.ones(12) / 0.1])
    model = MCLAMixedGLM(share, np.ones(12), np.repeat(np.eye(3), 4, axis=0), np.zeros(3, int))
    np.testing.assert_array_equal(model.n_trials, 10)


@pytest.mark.parametrize("value", [11.00001, 2.5, 1e8 + 0.5, 7 + 1e-6])
def test_the_offender_does_not_look_like_an_integer(value):
    y = np.ones(12)
    y[3] = value
    with pytest.raises(
        ValueError, match=rf"non-negative integers; got {value!r} at row 3".replace("+", "[+]")
    ):
        MCLAMixedGLM(
            y, np.ones(12), np.repeat(np.eye(3), 4, axis=0), np.zeros(3, int), family=sm.families.Poisson()
        )


@pytest.mark.parametrize(
    "weights", [{}, {"freq_weights": 1.0}, {"freq_weights": 0.0}, {"var_weights": 0.0}], ids=str
)
def test_rows_without_trials_tell_nothing(cbpp, right, weights):
    extra = cbpp.iloc[[0, 9]].assign(incidence=0, size=0)
    more = pd.concat([cbpp, extra, cbpp.iloc[[0]].assign(herd="new", incidence=0, size=0)], ignore_index=True)
    given = {name: np.where(more["size"] > 0, 1.0, value) for name, value in weights.items()}
    model = MCLAMixedGLM.from_formula(COUNTS, data=more, **given)
    fit = model.fit_laplace()
    np.testing.assert_allclose(fit.params, right.params, atol=2e-4)
    assert fit.llf == pytest.approx(right.llf)
    assert (fit.nobs, fit.bic, model.facts.n_rows) == (56, pytest.approx(right.bic), 56)
    assert model.facts.terms[0].levels == 15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        own = fit.get_prediction(random="conditional").summary_frame()
        assert np.isfinite(own.to_numpy(float)).all()
        np.testing.assert_allclose(fit.predict()[:56], right.predict(), rtol=1e-4)
        for kind in ("response", "pearson", "deviance"):
            found = getattr(fit, f"resid_{kind}")
            np.testing.assert_allclose(found[:56], getattr(right, f"resid_{kind}"), rtol=1e-3, atol=1e-4)
            assert np.isnan(found[56:]).all()
        assert len(fit.simulate(rng=1)[0]) == 59
    with pytest.raises(ValueError, match="at least one trial in some row"):
        MCLAMixedGLM.from_formula(COUNTS, data=cbpp.assign(incidence=0, size=0))


@pytest.mark.parametrize("name", ["column", "array"])
def test_proportions_with_trials_as_weights(cbpp, right, name):
    data = cbpp.assign(p=cbpp["incidence"] / cbpp["size"])
    weights = "size" if name == "column" else data["size"].to_numpy()
    fit = MCLAMixedGLM.from_formula("p ~ period + (1 | herd)", data=data, var_weights=weights).fit_laplace()
    np.testing.assert_allclose(fit.params, right.params)
    assert fit.llf == pytest.approx(right.llf)
    np.testing.assert_allclose(fit.resid_pearson, right.resid_pearson)


def test_responses_simulated_of_proportions_are_proportions(cbpp, right):
    """As R has it; refits, of the user's or of a bootstrap, are those of the counts."""
    data = cbpp.assign(p=cbpp["incidence"] / cbpp["size"])
    model = MCLAMixedGLM.from_formula("p ~ period + (1 | herd)", data=data, var_weights="size")
    fit = model.fit_laplace()
    shares, counts = fit.simulate(3, rng=1), right.simulate(3, rng=1)
    np.testing.assert_allclose(shares.mul(cbpp["size"], axis=0), counts)
    assert (counts.max() > 1).all()
    one, other = model.clone_with(shares[0]), right.model.clone_with(counts[0])
    for given in (shares[0].to_numpy(), np.column_stack([counts[0], cbpp["size"] - counts[0]])):
        np.testing.assert_array_equal(model.clone_with(given).inputs.endog, one.inputs.endog)
    np.testing.assert_array_equal(one.inputs.endog, other.inputs.endog)
    refit = one.fit_laplace()
    np.testing.assert_allclose(refit.params, other.fit_laplace().params)
    np.testing.assert_allclose(refit.simulate(2, rng=3), one.fit_laplace().simulate(2, rng=3))
    assert refit.simulate(2, rng=3).to_numpy().max() <= 1.0
    np.testing.assert_array_equal(one.update("~ .").inputs.endog, one.inputs.endog)
    np.testing.assert_array_equal(fit.bootstrap(2, rng=1).estimates, right.bootstrap(2, rng=1).estimates)
    np.testing.assert_array_equal(
        fit.simulated_residuals(39, rng=1).simulated, right.simulated_residuals(39, rng=1).simulated
    )
    with pytest.raises(ValueError, match="proportions need their numbers of trials"):
        model.clone_with(shares[0] + 0.01)


@pytest.mark.parametrize("kind", [float, int, bool])
def test_proportions_that_happen_to_be_zero_or_one_have_trials(kind):
    """Whether a fraction occurs is chance: a plan without responses, a few groups, rare events have none."""
    data = pd.DataFrame({"h": np.repeat(np.arange(8), 5), "x": np.tile([0.0, 1, 2, 3, 4], 8)})
    data["t"] = 2 + data["x"].astype(int) % 3
    data["p"] = np.random.default_rng(1).binomial(1, 0.4, 40)
    data["good"], data["bad"] = data["p"] * data["t"], (1 - data["p"]) * data["t"]
    counts = MCLAMixedGLM.from_formula("good + bad ~ x + (1 | h)", data).fit_laplace()
    shares = MCLAMixedGLM.from_formula(
        "p ~ x + (1 | h)", data.assign(p=data["p"].astype(kind)), var_weights="t"
    ).fit_laplace()
    np.testing.assert_array_equal(shares.model.n_trials, data["t"])
    assert shares.llf == counts.llf
    drawn = shares.simulate(2, rng=1)
    np.testing.assert_allclose(drawn * data["t"].to_numpy()[:, None], counts.simulate(2, rng=1))
    np.testing.assert_array_equal(shares.update(subset=data["h"] < 6).model.n_trials, data["t"][:30])


def test_proportions_without_trials_show_the_way(cbpp):
    data = cbpp.assign(p=cbpp["incidence"] / cbpp["size"], half=0.5)
    for weights in ({}, {"freq_weights": "size"}, {"var_weights": "half"}):
        with pytest.raises(ValueError, match=r"`s \+ f ~` in a formula; .* var_weights"):
            MCLAMixedGLM.from_formula("p ~ period + (1 | herd)", data=data, **weights)
