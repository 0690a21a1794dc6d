"""Continuous responses that effects reproduce exactly have a likelihood without a maximum."""

import numpy as np
import oracle
import pandas as pd
import pytest
from helpers import KIND, F
from scipy.stats import multivariate_normal

from statsmodels_mcla import MCLAMixedGLM, families

CONTINUOUS = ["gaussian-identity", "gaussian-log", "gamma-log", "gamma-inverse", "inversegaussian-log"]
G = np.repeat(np.arange(12), 8)


@pytest.fixture
def data():
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(
        {"x": rng.normal(size=96), "g": G, "a": np.tile(np.arange(8), 12), "o": rng.normal(size=96)}
    )
    frame["u"], frame["v"] = 0.3 * rng.normal(size=12)[G], 0.3 * rng.normal(size=8)[frame["a"]]
    return frame


def model_of(data, name, eta, formula="x + (1 | g)", **rows):
    y = oracle.mean(KIND[name].oracle_link, np.asarray(eta))
    return MCLAMixedGLM.from_formula(
        f"y ~ {formula}", data=data.assign(y=y), family=KIND[name].family, **rows
    )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_exact_responses_are_refused(data, name):
    within = 2 + data["u"]
    exact = {
        "1 + (1 | g)": 2 + 0 * data["u"],
        "x + (1 | g)": within + 0.1 * data["x"],
        "1 + (1 | g) + (1 | a)": within + data["v"],
        "x + (1 + x | g)": within + data["u"] * data["x"] / 5,
    }
    for formula, eta in exact.items():
        with pytest.raises(
            ValueError, match="endog: fixed and random effects reproduce every response exactly"
        ):
            model_of(data, name, eta, formula)
    with pytest.raises(ValueError, match="reproduce every response"):
        model_of(data, name, within + data["o"] / 9, offset=data["o"] / 9)
    rest = np.where(G == 5, data["x"], 0)
    with pytest.raises(ValueError, match="reproduce every response"):
        model_of(data, name, within + rest / 9, "1 + (1 | g)", freq_weights=(G != 5) * 1.0)


@pytest.mark.parametrize(
    ("family", "mean", "options"),
    [
        (families.LogNormal(), np.exp, {}),
        (families.StudentT(), np.asarray, {}),
        (F.Gaussian(), np.asarray, {"dispformula": "~ x"}),
        (F.Gamma(F.links.Log()), np.exp, {"dispformula": "~ x"}),
        (F.Gamma(F.links.Log()), lambda eta: np.where(G % 3 == 0, 0.0, np.exp(eta)), {"ziformula": "~ x"}),
    ],
)
def test_exact_responses_of_further_families_and_predictors(data, family, mean, options):
    def model(eta):
        frame = data.assign(y=mean(np.asarray(eta)))
        return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=frame, family=family, **options)

    exact = 2 + data["u"] + 0.1 * data["x"]
    with pytest.raises(ValueError, match="reproduce every response exactly"):
        model(exact)
    model(exact + 1e-4 * data["o"])


def test_exact_responses_where_only_the_zero_part_has_random_effects(data):
    frame = data.assign(y=np.where(data.index % 2 == G % 3, 0.0, np.exp(1 + data["x"])))
    with pytest.raises(ValueError, match="reproduce every response exactly"):
        MCLAMixedGLM.from_formula(
            "y ~ x", data=frame, family=F.Gamma(F.links.Log()), ziformula="~ 1 + (1 | g)"
        )


@pytest.mark.parametrize("name", CONTINUOUS)
def test_others_are_not(data, name):
    within = 2 + data["u"]
    model_of(data, name, within + data["o"] * 3e-5)
    model_of(data, name, within + data["v"])
    model_of(data, name, within + data["o"] / 9)
    far = 1e6 if name == "gaussian-identity" else 0  # whose variation is small beside its size
    model_of(data, name, far + within + 1e-3 * data["o"])
    model_of(data, name, within.where(data.index != 7, 3))


def test_hardly_any_noise_is_fitted_where_the_likelihood_is_closed(data):
    result = model_of(data, "gaussian-identity", 2 + data["u"] + 1e-6 * data["o"]).fit(rng=1)
    within = data["o"] - data["o"].groupby(data["g"]).transform("mean")
    assert result.converged
    np.testing.assert_allclose(result.params["scale"], 1e-12 * (within**2).sum() / (96 - 12), rtol=0.05)


@pytest.mark.parametrize("name", CONTINUOUS[1:])
@pytest.mark.parametrize("noise", [1e-6, 1e-8])
def test_hardly_any_noise_is_told_elsewhere(data, name, noise):
    eta = 2 + data["u"] + noise * data["o"]
    with pytest.raises(ValueError, match=r"endog: .*practically no noise.*np\.log\(y\).*family='gaussian'"):
        model_of(data, name, eta)


def test_likelihoods_that_are_bounded_are_fitted(data):
    each = data.assign(row=np.arange(96), y=np.repeat([2, 3, 5], 32))
    assert MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=each, family=F.Poisson()).fit_laplace().converged
    MCLAMixedGLM.from_formula("y ~ 1 + (1 | row)", data=each, family=KIND["gamma-log"].family)


def test_the_likelihood_of_exact_responses_has_no_bound():
    y = np.exp(np.repeat([0.1, 0.5, 0.9], 4))
    arguments = (y, np.ones((12, 1)), None, np.repeat(np.arange(3), 4), "gamma", "log")
    heights = [
        oracle.quadrature_loglike(np.array([0.5, 0.1, phi]), *arguments) for phi in 10.0 ** -np.arange(2, 7)
    ]
    np.testing.assert_allclose(np.diff(heights), 0.5 * (12 - 3) * np.log(10), rtol=0.01)


@pytest.mark.parametrize("family", ["gaussian", "negativebinomial", families.Beta()])
def test_a_dispersion_for_every_second_row_is_refused(data, family):
    rng = np.random.default_rng(1)
    y = rng.beta(2, 3, 96) if isinstance(family, families.Beta) else rng.poisson(3, 96)
    frame = data.assign(y=y, row=np.arange(96) // 2)

    def model(dispformula):
        return MCLAMixedGLM.from_formula(
            "y ~ x + (1 | g)", data=frame, family=family, dispformula=dispformula
        )

    with pytest.raises(ValueError, match=r"dispformula has 48 effects for 96 rows.*'~ \(1 \| category\)'"):
        model("~ C(row)")
    model("~ (1 | row)")


@pytest.mark.parametrize("family", [F.Gaussian(), F.Gamma(F.links.Log())])
def test_few_rows_with_a_dispersion_of_their_own_are_refused(data, family):
    """Two rows of a group, which its effect and a slope reproduce: every second dispersion goes to no variance."""
    frame = data.assign(y=np.exp(data["u"] + 0.3 * data["o"]), index=data.index)

    def model(dispformula, formula="y ~ x + (1 | g)", **changes):
        changed = frame.assign(**changes)
        return MCLAMixedGLM.from_formula(formula, data=changed, family=family, dispformula=dispformula)

    with pytest.raises(ValueError, match=r"dispformula: the 2 rows .* of their own.*Merge categories"):
        model("~ C(np.minimum(index // 2, 9))")
    with pytest.raises(
        ValueError, match="dispformula: the 2 rows"
    ):  # of two groups, whose variance may vanish
        model("~ C(np.minimum(index % 48, 9))")
    with pytest.raises(ValueError, match="dispformula: the 3 rows"):
        model("~ C(np.minimum(index // 3, 9))", formula="y ~ x + a + (1 | g)")
    with pytest.raises(ValueError, match="dispformula: the 8 rows"):  # of a group without variation
        model("~ C(g)", y=frame["y"].where(frame["g"] != 3, 2.0))
    with pytest.raises(ValueError, match="dispformula: the 1 rows"):  # no random effect of the mean is there
        MCLAMixedGLM.from_formula(
            "y ~ x", data=frame, family=family, dispformula="~ I(1 * (index == 7)) + (1 | g)"
        )
    # negative controls: rows of more groups than effects reproduce, of one effect each, of no constant dispersion
    model("~ C(index // 4)")
    model("~ C(index % 24)")
    model("~ C(g)")
    model("~ x")
    model("~ (1 | g)")


def test_the_likelihood_of_a_pair_with_a_dispersion_of_its_own_has_no_bound(data):
    """By its closed form: a slope that reproduces the difference of the two, and their dispersion falling to zero."""
    y, x = (data["u"] + 0.3 * data["o"]).to_numpy(), data["x"].to_numpy()
    b = (y[0] - y[1]) / (x[0] - x[1])
    same = data["g"].to_numpy()[:, None] == data["g"].to_numpy()

    def height(sd):
        variances = np.where(np.arange(96) < 2, sd**2, 1.0)
        return multivariate_normal(b * x, 0.25 * same + np.diag(variances)).logpdf(y)

    heights = [height(sd) for sd in 10.0 ** -np.arange(2.0, 5.0)]
    np.testing.assert_allclose(np.diff(heights), np.log(10), rtol=0.01)
