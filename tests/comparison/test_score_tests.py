"""Score tests against quadrature, enumeration, GLMs and closed forms, and their null distribution."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import CBPP, F, data_of, fit_of, model_of
from scipy import stats
from slope_counts import counts, poisson_fit, quietly

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import MCLAWarning, SingularFitWarning
from statsmodels_mcla.execution import SERIAL


def test_score_test_with_the_observed_information_against_quadrature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where responses cannot be simulated."""
    from statsmodels_mcla.comparison.compared_fits import MixedFit

    small = MCLAMixedGLM.from_formula(CBPP.replace("C(period)", "1"), data=data_of("cbpp")).fit(rng=1)
    arguments = oracle.problem("cbpp").arguments
    null = oracle.quadrature_mle(**(arguments | {"X": arguments["X"][:, :1]}))
    at = np.concatenate([[null.params[0]], np.zeros(3), null.params[1:]])
    S, J = oracle.quadrature_score(at, **arguments), -oracle.quadrature_hessian(at, **arguments)
    truth = float(S @ np.linalg.solve(J, S))
    usual = small.score_test("C(period)")
    monkeypatch.setattr(MixedFit, "simulates", False)
    test = small.score_test("C(period)")
    assert test.df == 3
    assert test.statistic == pytest.approx(truth, abs=max(4 * test.mcse, 2e-3 * truth))
    assert test.pvalue == pytest.approx(stats.chi2.sf(test.statistic, 3))
    assert 0 < test.mcse < 0.05
    columns = small.score_test(exog_extra=arguments["X"][:, 1:])
    assert columns.statistic == pytest.approx(test.statistic, rel=1e-6)
    assert "Score test" in test.summary()
    assert abs(usual.statistic - truth) > 4 * usual.mcse  # the expected one is another


def expected_by_enumeration(X: np.ndarray, params: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Information of binary clusters with a random intercept: sum over all responses of p(y) s s'.

    ``X`` (K, n, p) are the designs of K kinds of clusters, ``sizes`` how many there are of each, and ``params`` fixed
    effects and the variance; integrals by Gauss-Hermite quadrature, scores by central differences.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(41)
    outcomes = np.array(list(itertools.product([0, 1], repeat=X.shape[1])))

    def log_chances(at: np.ndarray) -> np.ndarray:
        eta = (X @ at[:-1])[:, None, :, None] + np.sqrt(at[-1]) * z  # kinds, 1, rows, nodes
        chances = np.exp((outcomes[None, :, :, None] * eta - np.logaddexp(0, eta)).sum(axis=2))
        return np.log(chances @ weight / weight.sum())

    steps = 1e-5 * np.eye(len(params))
    s = np.stack([(log_chances(params + h) - log_chances(params - h)) / 2e-5 for h in steps], axis=-1)
    return np.einsum("k,ky,kyi,kyj->ij", sizes, np.exp(log_chances(params)), s, s)


def test_score_test_with_the_expected_information_against_enumeration() -> None:
    rng = np.random.default_rng(6)
    kinds = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 2.0]])
    kind = np.repeat([0, 1], [30, 20])
    x, g = kinds[kind].ravel(), np.repeat(np.arange(50), 3)
    y = rng.random(150) < stats.logistic.cdf(0.3 + 0.5 * x + 1.5 * rng.normal(size=50)[g])
    small = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", pd.DataFrame({"y": y * 1, "x": x, "g": g})).fit(
        rng=1
    )
    test = small.score_test("x")
    arguments = {"y": y * 1.0, "X": np.column_stack([np.ones(150), x]), "Zg": None, "group": g}
    arguments |= {"family": "binomial", "link": "logit"}
    at = np.array([small.params.iloc[0], 0.0, small.params.iloc[1]])
    S = oracle.quadrature_score(at, **arguments)
    X = np.stack([np.ones_like(kinds), kinds], axis=-1)
    J = expected_by_enumeration(X, at, np.bincount(kind))
    observed = -oracle.quadrature_hessian(at, **arguments)
    S[[0, 2]] = 0.0  # at the maximum
    truth = float(S @ np.linalg.solve(J, S))
    assert 0 < test.mcse < 0.02 * truth
    assert abs(test.statistic - truth) < 4 * test.mcse + 2e-3 * truth
    assert abs(float(S @ np.linalg.solve(observed, S)) - truth) > 4 * test.mcse  # premise


def test_score_test_without_a_variance_is_that_of_a_glm() -> None:
    """Groups are more alike than by chance."""
    rng = np.random.default_rng(8)
    x, g = rng.normal(size=120), np.repeat(np.arange(30), 4)
    upper = (0.4 * x + rng.normal(size=120)).reshape(30, 4).argsort(axis=1).argsort(axis=1).ravel()
    families = {"poisson": sm.families.Poisson(), "probit": sm.families.Binomial(sm.families.links.Probit())}
    responses = {"poisson": upper, "probit": (upper > 1) * 1}
    for name, family in families.items():
        data = pd.DataFrame({"y": responses[name], "x": x, "g": g})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)
            small = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family=family).fit(rng=1)
        assert small.params["g Var"] == 0  # premise
        glm = sm.GLM(data["y"], np.ones((120, 1)), family=family)
        fitted = glm.fit()
        theirs = glm.score_test(fitted.params, exog_extra=x[:, None], observed=False)[0].item()
        test = small.score_test("x")
        assert abs(test.statistic - theirs) < 4 * test.mcse + 1e-5 * theirs
        assert test.mcse < 0.02 * theirs + 1e-5


def test_score_test_of_a_gaussian_model_in_closed_form() -> None:
    """S' (X'V^-1 X)^-1 S: the information about fixed effects does not depend on the response."""
    data = data_of("sleepstudy")
    small = MCLAMixedGLM.from_formula("Reaction ~ 1 + (1 | Subject)", data=data, family="gaussian").fit(rng=1)
    intercept, variance, scale = small.params
    Z = pd.get_dummies(data["Subject"]).to_numpy(float)
    V = variance * Z @ Z.T + scale * np.eye(len(data))
    X = np.column_stack([np.ones(len(data)), data["Days"]])
    S = X.T @ np.linalg.solve(V, data["Reaction"] - intercept)
    truth = float(S @ np.linalg.solve(X.T @ np.linalg.solve(V, X), S))
    test = small.score_test("Days")
    assert test.statistic == pytest.approx(truth, abs=4 * test.mcse + 1e-4 * truth)
    assert test.mcse < 0.02 * truth


def test_score_test_far_from_the_estimate_is_on_the_scale_of_its_chi_square() -> None:
    """A covariate of groups whose effect is taken for a variance: observed, the information is nearly singular."""
    from statsmodels_mcla.comparison.compared_fits import MixedFit

    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(20), 8)
    x = g % 2.0
    for beta in (0.3, 1.0):
        y = rng.poisson(np.exp(0.5 + beta * x + rng.normal(0, 0.4, 20)[g]))
        data = pd.DataFrame({"y": y, "x": x, "g": g})
        full, small = (
            MCLAMixedGLM.from_formula(f"y ~ {f} + (1 | g)", data, family="poisson").fit(rng=1) for f in "x1"
        )
        ratio, test = full.compare_lr_test(small), small.score_test("x")
        assert ratio.statistic > 1
        assert 0.6 * ratio.statistic < test.statistic < 1.1 * ratio.statistic
        assert small.add1(["x"], test="score").loc["x", "Chisq"] == pytest.approx(test.statistic)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MixedFit, "simulates", False)
        assert small.score_test("x").statistic > 3 * ratio.statistic  # premise


def test_data_sets_side_by_side_have_their_own_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Information and scores from one pass over all simulated data sets are those from a pass each."""
    from patsy import EvalEnvironment

    from statsmodels_mcla.comparison import restricted_model
    from statsmodels_mcla.comparison.compared_fits import MixedFit
    from statsmodels_mcla.comparison.score_tests import added_by_formula, larger_at

    small = poisson_fit("x + (1 | g)")
    fit = MixedFit(small.model, small.estimates)
    added = added_by_formula(small.model, "(0 + x | g) + (1 | h)", EvalEnvironment.capture())
    found = []
    for rows in (2**16, 1):
        monkeypatch.setattr(restricted_model, "TOGETHER", rows)
        model = larger_at(fit, added, np.random.SeedSequence(1))
        scores = model.simulated_scores(added.beside(*fit.unit_rows()))[:20]
        found.append((model.observed_scores(), model.information(scores)))
    (together, J), (apart, other) = found
    error = np.hypot(together.std(axis=0, ddof=1), apart.std(axis=0, ddof=1)) / np.sqrt(len(apart))
    assert np.all(np.abs(together.mean(axis=0) - apart.mean(axis=0)) < 5 * error + 1e-9)
    np.testing.assert_allclose(J.J, other.J, atol=0.02 * np.diag(other.J).max())
    np.testing.assert_allclose(np.diag(J.J), np.diag(other.J), rtol=0.05)


def test_score_test_of_a_variance_against_quadrature() -> None:
    """The slope of the likelihood in a variance at zero, by quadrature at small variances."""
    from statsmodels_mcla.comparison.compared_fits import fit_of as nested_fit_of
    from statsmodels_mcla.comparison.nesting import nesting_of
    from statsmodels_mcla.comparison.restricted_model import RestrictedModel

    data = counts()
    small = poisson_fit("x + (1 | g)")
    full = MCLAMixedGLM.from_formula("y ~ x + (1 + x || g)", data, family=F.Poisson())
    fit = nested_fit_of(small, "small")
    nesting = nesting_of(full.design, np.asarray(full.exog), full.random_terms, fit.exog, fit.terms)
    params = nesting.embedding @ fit.params
    model = RestrictedModel(full.design, fit.family, params, nesting, np.random.SeedSequence(1), SERIAL)
    scores = model.observed_scores()
    X = np.column_stack([np.ones(len(data)), data["x"]])
    arguments = {
        "y": data["y"].to_numpy(float),
        "X": X,
        "Zg": X,
        "group": data["g"].to_numpy(),
        "family": "poisson",
        "link": "log",
        "structure": [0, 1],
    }

    def height(variance: float) -> float:
        return oracle.quadrature_loglike(np.array([*params[:3], variance]), **arguments)

    h = 1e-3
    slope = (4 * height(h) - height(2 * h) - 3 * height(0.0)) / (2 * h)
    error = scores.std(axis=0, ddof=1) / np.sqrt(len(scores))
    assert scores.mean(axis=0)[3] == pytest.approx(slope, abs=4 * error[3] + 1e-2 * abs(slope))
    assert np.abs(scores.mean(axis=0)[:3]) == pytest.approx(0.0, abs=0.3)  # at the maximum of the others
    with pytest.warns(MCLAWarning, match="Monte Carlo error"):
        test = small.score_test("(0 + x | g)")
    assert test.df == 1
    assert test.pvalue == pytest.approx(0.5 * stats.chi2.sf(test.statistic, 1))
    assert test.pvalue < 0.05
    assert 0 < test.mcse < 0.25 * test.statistic


@pytest.mark.slow
def test_score_test_of_both_kinds() -> None:
    test = poisson_fit("1 + (1 | g)").score_test("x + (0 + x | g)")
    assert test.df == 2
    assert str(test.distribution) == "chi-bar-square, 0.5 chi2(1) + 0.5 chi2(2)"
    arrays = poisson_fit("1 + (1 | g)").score_test(
        exog_extra=counts()["x"], exog_vc_extra=np.eye(20)[counts()["g"]] * counts()["x"].to_numpy()[:, None]
    )
    assert arrays.statistic == pytest.approx(test.statistic, rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:the p-value of the score test:statsmodels_mcla.exceptions.MCLAWarning")
def test_scores_of_variances_have_their_null_distribution() -> None:
    """P-values of a random effect that does not exist, over simulated responses: one half are one, the rest uniform."""
    rng = np.random.default_rng(3)
    data = counts()
    pvalues = []
    for seed in range(40):
        y = rng.poisson(np.exp(1 + rng.normal(0, 0.4, 20)[data["g"]]))
        model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data.assign(y=y), family=F.Poisson())
        pvalues.append(quietly(model, rng=seed).score_test("(1 | h)").pvalue)
    assert 8 <= np.sum(np.array(pvalues) == 1.0) <= 34
    assert np.sum(np.array(pvalues) < 0.05) <= 7
    assert min(pvalues) < 0.4


def test_unknown_names_in_a_score_test_are_named() -> None:
    for term, way in (("height", "no column of the data"), ("log(week)", r"write np.log\(x\)")):
        with pytest.raises(ValueError, match=f"`term: .*{way}"):
            fit_of("bacteria").score_test(term)


def test_score_tests_that_test_nothing_are_refused() -> None:
    result = poisson_fit("x + (1 | g)")
    with pytest.raises(ValueError, match="adds nothing"):
        result.score_test("x")
    with pytest.raises(ValueError, match="either a term"):
        result.score_test()
    with pytest.raises(ValueError, match="either a term"):
        result.score_test("z", exog_extra=counts()["z"])
    with pytest.raises(ValueError, match="exog_extra"):
        result.score_test(exog_extra=np.ones(3))
    model = model_of("cbpp")
    arrays = MCLAMixedGLM(
        np.column_stack([model.endog, model.n_trials - model.endog]),
        model.exog,
        np.eye(56),
        np.zeros(56, int),
    ).fit_laplace()
    with pytest.raises(ValueError, match="exog_extra or exog_vc_extra"):
        arrays.score_test("x")


def test_score_of_an_effect_that_the_observed_information_cannot_judge() -> None:
    """Where a negative binomial takes a large effect for dispersion, the expected information can: by hand.

    Without a variance, that is sum x~ (y - mu) / (1 + alpha mu) squared over sum x~^2 mu / (1 + alpha mu), x~ centred.
    """
    rng = np.random.default_rng(1)
    x, g = np.tile([0.0, 1.0], 60), np.repeat(np.arange(12), 10)
    data = pd.DataFrame({"y": rng.negative_binomial(2, 2 / (2 + np.where(x > 0, 8, 0.2))), "x": x, "g": g})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)
        found = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family="negativebinomial").fit(rng=1)
    assert found.params["g Var"] == 0
    mu, alpha = np.exp(found.params["Intercept"]), found.params["alpha"]
    score = (x - 0.5) @ (data["y"] - mu) / (1 + alpha * mu)
    expected = score**2 / (((x - 0.5) ** 2).sum() * mu / (1 + alpha * mu))
    test = found.score_test("x")
    assert test.mcse > 1e-3  # premise: by simulation
    assert test.mcse < 0.2 * expected
    assert abs(test.statistic - expected) < 4 * test.mcse
    assert (test.df, str(test.distribution)) == (1, "chi2(1)")
