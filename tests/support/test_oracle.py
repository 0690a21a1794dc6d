"""The reference of the other tests is itself compared with closed forms and published values."""

import ast
import json
from pathlib import Path

import numpy as np
import oracle
import pytest
import statsmodels.api as sm
from scipy import integrate, special, stats

REFERENCE = Path(__file__).parents[1] / "reference"
MLE = json.loads((REFERENCE / "mle.json").read_text())
QUADRATURE = json.loads((REFERENCE / "quadrature.json").read_text())
SLOW = {"toenail", "toenail_probit", "epil_slopes"}
ENTRIES = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in oracle.MODELS]


def lower(matrix):
    matrix = np.asarray(matrix)
    return matrix[np.tril_indices(len(matrix))]


def flat(entry, prefix=""):
    """Parameters of an entry of a reference file, or their standard errors, as one array."""
    if prefix:
        parts = [entry["se_beta"], entry["se_cov_re_lower"], [entry.get("se_dispersion")]]
    else:
        parts = [entry["beta"], lower(entry["cov_re"]), [entry.get("dispersion")]]
    return np.concatenate(parts if "dispersion" in entry else parts[:2])


def simulated(family, link, q, seed=0, groups=6, rows=5):
    """A small model with q effects a group, and natural parameters at which to look at it."""
    rng = np.random.default_rng(seed)
    n = groups * rows
    group = np.repeat(np.arange(groups), rows)
    x = rng.uniform(-1, 1, n)
    X = np.column_stack([np.ones(n), x])
    Z = np.column_stack([np.ones(n), x, rng.uniform(-1, 1, n)])[:, :q]
    root = np.tril(0.3 * rng.normal(size=(q, q)))
    np.fill_diagonal(root, 0.5)
    if link == "inverse":  # the linear predictor must stay well away from 0
        root /= 8
    cov = root @ root.T
    beta = np.array([3.0 if link in ("sqrt", "inverse") else 0.4, -0.3])
    phi = {"negativebinomial": 0.4, "gamma": 0.2, "gaussian": 0.5, "inversegaussian": 0.15}.get(family)
    eta = X @ beta + np.sum(Z * (rng.normal(size=(groups, q)) @ root.T)[group], axis=1)
    mu = oracle.mean(link, eta)
    trials = rng.integers(1, 4, n).astype(float) if family == "binomial" else np.ones(n)
    y = {
        "binomial": lambda: rng.binomial(trials.astype(int), mu),
        "poisson": lambda: rng.poisson(mu),
        "negativebinomial": lambda: rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)),
        "gamma": lambda: rng.gamma(1 / phi, phi * mu),
        "gaussian": lambda: rng.normal(mu, np.sqrt(phi)),
        "inversegaussian": lambda: rng.wald(mu, 1 / phi),
    }[family]().astype(float)
    model = {
        "y": y, "X": X, "Zg": Z, "group": group, "family": family, "link": link,
        "trials": trials, "offset": rng.uniform(-0.1, 0.1, n),
    }  # fmt: skip
    if family in ("gamma", "gaussian", "inversegaussian"):
        model["var_weights"] = rng.uniform(0.5, 2.0, n)
    return model, np.concatenate([beta, lower(cov), [phi] if phi else []])


def difference(function, x, h):
    """Derivative along each coordinate by a five-point central difference."""
    steps = np.eye(len(x)) * h
    one = [np.asarray(function(x + s)) - np.asarray(function(x - s)) for s in steps]
    two = [np.asarray(function(x + 2 * s)) - np.asarray(function(x - 2 * s)) for s in steps]
    return np.array([(8 * a - b) / (12 * k) for a, b, k in zip(one, two, np.diag(steps), strict=True)])


families = pytest.mark.parametrize(("family", "link"), oracle.SUPPORTED)


def test_imports_nothing_of_the_package():
    places = sorted(Path(oracle.__file__).parent.glob("*.py"))
    assert len(places) > 5
    nodes = [node for place in places for node in ast.walk(ast.parse(place.read_text()))]
    modules = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not any(name.startswith("statsmodels") for name in modules)
    assert all(node.level < 2 for node in nodes if isinstance(node, ast.ImportFrom))


# Densities --------------------------------------------------------------------------------------------------


@families
def test_density_is_that_of_statsmodels(family, link):
    model, params = simulated(family, link, 1)
    phi = params[-1]
    mu = oracle.mean(link, model["X"] @ params[:2])
    ours = oracle.log_density(
        family, link, model["y"], model["X"] @ params[:2], phi, model["trials"], model.get("var_weights", 1.0)
    )
    theirs = {
        "binomial": sm.families.Binomial(),
        "poisson": sm.families.Poisson(),
        "negativebinomial": sm.families.NegativeBinomial(alpha=phi),
        "gamma": sm.families.Gamma(),
        "gaussian": sm.families.Gaussian(),
        "inversegaussian": sm.families.InverseGaussian(),
    }[family]
    if family == "binomial":
        theirs.n = model["trials"]
        expected = theirs.loglike_obs(model["y"] / model["trials"], mu)
    elif family in ("poisson", "negativebinomial"):
        expected = theirs.loglike_obs(model["y"], mu)
    else:
        expected = theirs.loglike_obs(model["y"], mu, var_weights=model["var_weights"], scale=phi)
    np.testing.assert_allclose(ours, expected, rtol=1e-10, atol=1e-12)


@families
def test_derivatives_of_the_density(family, link):
    model, params = simulated(family, link, 1)
    eta, phi = model["X"] @ params[:2], params[-1]

    def density(eta, log_phi):
        extra = model["trials"], model.get("var_weights", 1.0)
        return oracle.log_density(family, link, model["y"], eta, np.exp(log_phi), *extra)

    extra = phi, model["trials"], model.get("var_weights", 1.0)
    slope = difference(lambda shift: density(eta + shift[0], np.log(phi)), np.zeros(1), 1e-3)[0]
    np.testing.assert_allclose(
        oracle.eta_derivative(family, link, model["y"], eta, *extra), slope, rtol=1e-7, atol=1e-9
    )
    if family in oracle.DISPERSION:
        slope = difference(lambda shift: density(eta, np.log(phi) + shift[0]), np.zeros(1), 1e-3)[0]
        np.testing.assert_allclose(
            oracle.log_phi_derivative(family, link, model["y"], eta, *extra), slope, rtol=1e-7, atol=1e-9
        )


def test_binomial_tails_are_finite_and_exact():
    eta = np.array([-60.0, 60.0])
    values = oracle.log_density("binomial", "logit", np.array([1.0, 0.0]), eta, 1.0, np.ones(2), np.ones(2))
    np.testing.assert_allclose(values, [-60.0, -60.0], rtol=1e-14)


def test_links_invert_means():
    for link in {link for _, link in oracle.SUPPORTED}:
        np.testing.assert_allclose(oracle.link_function(link, oracle.mean(link, np.array([0.7]))), 0.7)


# Integrals --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("q", [1, 2, 3])
def test_gaussian_identity_is_multivariate_normal(q):
    model, params = simulated("gaussian", "identity", q)
    _, cov, phi = params[:2], np.zeros((q, q)), params[-1]
    cov[np.tril_indices(q)] = params[2:-1]
    cov = cov + np.tril(cov, -1).T
    Z, group = model["Zg"], model["group"]
    V = (Z @ cov @ Z.T) * (group[:, None] == group) + np.diag(phi / model["var_weights"])
    mean = model["X"] @ params[:2] + model["offset"]
    exact = stats.multivariate_normal.logpdf(model["y"], mean, V)
    assert oracle.quadrature_loglike(params, **model) == pytest.approx(exact, abs=1e-10)

    u = np.linalg.solve(V, model["y"] - mean)
    moments = oracle.posterior_moments(params, **model)
    for k, level in enumerate(moments.levels):
        C = cov @ Z[group == level].T
        W = V[np.ix_(group == level, group == level)]
        np.testing.assert_allclose(moments.mean[k], C @ u[group == level], atol=1e-10)
        np.testing.assert_allclose(moments.mode[k], C @ u[group == level], atol=1e-10)
        np.testing.assert_allclose(moments.cov[k], cov - C @ np.linalg.solve(W, C.T), atol=1e-10)


@pytest.mark.parametrize("sd", [0.8, 3.0])
def test_probit_is_an_orthant_probability(sd):
    y = np.array([1.0, 0.0, 1.0])
    X = np.array([[1.0, 0.3], [1.0, -0.4], [1.0, 1.1]])
    beta = np.array([0.2, 0.5])
    sign = np.diag(2 * y - 1)
    V = sign @ (np.eye(3) + sd**2) @ sign
    model = (y, X, None, np.zeros(3), "binomial", "probit")

    by_scipy = stats.multivariate_normal.cdf(sign @ X @ beta, np.zeros(3), V, maxpts=10**6, abseps=1e-7)
    value = oracle.quadrature_loglike([*beta, sd**2], *model)
    assert value == pytest.approx(np.log(by_scipy), abs=1e-5)  # its integration is randomised

    correlation = lower(V)[[1, 3, 4]] / (1 + sd**2)
    closed = 1 / 8 + np.arcsin(correlation).sum() / (4 * np.pi)
    value = oracle.quadrature_loglike([0, 0, sd**2], *model)
    assert value == pytest.approx(np.log(closed), abs=1e-12)


@families
@pytest.mark.parametrize("q", [1, 2])
def test_two_rules_agree(family, link, q):
    model, params = simulated(family, link, q)
    other = {1: {"rule": "hermite", "nodes": 101}, 2: {"rule": "trapezoid", "nodes": 97}}[q]
    value = oracle.quadrature_loglike(params, **model)
    skewed = q == 2 and (family, link) in (("gaussian", "log"), ("inversegaussian", "log"))
    tolerance = 1e-6 if skewed else 2e-8
    assert oracle.quadrature_loglike(params, **model, **other) == pytest.approx(value, abs=tolerance)


def test_too_few_nodes_do_not_agree():
    model, params = simulated("binomial", "logit", 1)
    params[2] = 25.0
    few = oracle.quadrature_loglike(params, **model, rule="hermite", nodes=5)
    assert abs(few - oracle.quadrature_loglike(params, **model)) > 1e-4


def test_loglike_against_adaptive_quadrature_of_scipy():
    model, params = simulated("binomial", "cauchit", 1)
    total = 0.0
    for level in np.unique(model["group"]):
        at = model["group"] == level
        fixed = (model["X"] @ params[:2] + model["offset"])[at]

        def integrand(u, fixed=fixed, at=at):
            p = 0.5 + np.arctan(fixed + u) / np.pi
            return np.prod(stats.binom.pmf(model["y"][at], model["trials"][at], p)) * stats.norm.pdf(
                u, 0, np.sqrt(params[2])
            )

        total += np.log(integrate.quad(integrand, -6, 6, epsabs=1e-14, epsrel=1e-12)[0])
    assert oracle.quadrature_loglike(params, **model) == pytest.approx(total, abs=1e-10)


def test_crossed_design_as_one_group():
    """Two rows effects and one column effect, independent, against a sum over their own product rule."""
    rng = np.random.default_rng(3)
    Z = np.array([[1, 0, 1], [1, 0, 0], [0, 1, 1], [0, 1, 0]], dtype=float)
    y = np.array([1.0, 0.0, 1.0, 1.0])
    X = rng.normal(size=(4, 1))
    x, w = special.roots_hermitenorm(41)
    u = np.stack(np.meshgrid(x * 0.9, x * 0.9, x * 0.5, indexing="ij"), axis=-1).reshape(-1, 3)
    weight = np.einsum("i,j,k->ijk", w, w, w).ravel() / (2 * np.pi) ** 1.5
    p = special.expit(X @ [0.4] + u @ Z.T)
    exact = np.log(weight @ np.prod(np.where(y == 1, p, 1 - p), axis=1))
    model = (y, X, Z, np.zeros(4), "binomial", "logit")
    assert oracle.quadrature_loglike([0.4, 0.81, 0.25], *model, structure=[5, 5, 7]) == pytest.approx(exact)
    full = [0.4, 0.81, 0, 0.81, 0, 0, 0.25]
    assert oracle.quadrature_loglike(full, *model) == pytest.approx(exact, abs=1e-9)


def test_a_variance_of_zero_leaves_independent_rows():
    model, params = simulated("poisson", "log", 1)
    params[2] = 0.0
    eta = model["X"] @ params[:2] + model["offset"]
    exact = stats.poisson.logpmf(model["y"], np.exp(eta)).sum()
    assert oracle.quadrature_loglike(params, **model) == pytest.approx(exact, abs=1e-11)

    model, params = simulated("poisson", "log", 2)
    params[2:] = [0.0, 0.0, 0.3]
    slope_only = model | {"Zg": model["Zg"][:, 1:]}
    assert oracle.quadrature_loglike(params, **model) == pytest.approx(
        oracle.quadrature_loglike(params[[0, 1, 4]], **slope_only), abs=1e-10
    )


def test_weights_trials_and_row_order():
    model, params = simulated("binomial", "probit", 1)
    value = oracle.quadrature_loglike(params, **model)
    order = np.random.default_rng(1).permutation(len(model["y"]))
    rows = ("y", "X", "Zg", "group", "trials", "offset")
    shuffled = model | {key: model[key][order] for key in rows}
    assert oracle.quadrature_loglike(params, **shuffled) == pytest.approx(value, abs=1e-11)

    twice = model | {key: np.concatenate([model[key], model[key][:7]]) for key in rows}
    weights = np.where(np.arange(len(model["y"])) < 7, 2.0, 1.0)
    assert oracle.quadrature_loglike(params, **twice) == pytest.approx(
        oracle.quadrature_loglike(params, **model, weights=weights), abs=1e-10
    )

    count = model["trials"].astype(int)
    single = {key: np.repeat(model[key], count, axis=0) for key in ("X", "Zg", "group", "offset")}
    single["y"] = np.concatenate([np.arange(n) < y for n, y in zip(count, model["y"], strict=True)])
    ways = np.log(special.comb(count, model["y"])).sum()
    assert oracle.quadrature_loglike(params, **single, family="binomial", link="probit") == pytest.approx(
        value - ways, abs=1e-10
    )


# Derivatives ------------------------------------------------------------------------------------------------


@families
@pytest.mark.parametrize("q", [1, 2])
def test_score_and_hessian_are_derivatives(family, link, q):
    model, params = simulated(family, link, q)
    options = {"rule": "hermite", "nodes": 61} if q == 1 else {"rule": "trapezoid", "nodes": 81}
    h = 1e-3 * np.maximum(np.abs(params), 0.05)
    score = oracle.quadrature_score(params, **model, **options)
    slope = difference(lambda at: oracle.quadrature_loglike(at, **model, **options), params, h)
    np.testing.assert_allclose(score, slope, rtol=1e-6, atol=1e-6)
    by_group = oracle.quadrature_score(params, **model, **options, by_group=True)
    np.testing.assert_allclose(by_group.sum(axis=0), score, rtol=1e-10, atol=1e-10)
    if q == 1:
        curvature = difference(lambda at: oracle.quadrature_score(at, **model, **options), params, h)
        hessian = oracle.quadrature_hessian(params, **model, **options)
        np.testing.assert_allclose(hessian, curvature, rtol=1e-5, atol=1e-5 * np.abs(curvature).max())


def test_score_with_shared_variances():
    model, params = simulated("binomial", "logit", 3)
    params = np.array([*params[:2], 0.5, 0.2])
    options = {"structure": ["a", "b", "a"], "nodes": 15}
    slope = difference(lambda at: oracle.quadrature_loglike(at, **model, **options), params, 1e-3)
    np.testing.assert_allclose(
        oracle.quadrature_score(params, **model, **options), slope, rtol=1e-6, atol=1e-7
    )


# Fits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ENTRIES)
def test_fit_equals_the_reference_values(name):
    problem = oracle.problem(name)
    fit = oracle.quadrature_mle(**problem.arguments)
    assert problem.names == MLE[name]["names"]
    assert not fit.singular
    assert fit.max_abs_score < 1e-7
    assert fit.llf == pytest.approx(MLE[name]["llf"], abs=2e-8)
    np.testing.assert_allclose(fit.params, flat(MLE[name]), rtol=2e-5)
    expected = flat(MLE[name], "se_")
    # One standard error in that file is not good to 1e-4 but to 9e-4: of this variance. Second differences of
    # the log-likelihood give ours (next test).
    tolerance = np.full(len(expected), 2e-4)
    if name == "sleepstudy_gamma":
        tolerance[2] = 1e-3
    assert np.all(np.abs(fit.bse / expected - 1) < tolerance)

    np.testing.assert_allclose(fit.params, flat(QUADRATURE[name]), rtol=1e-9)
    np.testing.assert_allclose(fit.bse, flat(QUADRATURE[name], "se_"), rtol=1e-8)
    assert fit.llf == pytest.approx(QUADRATURE[name]["llf"], abs=1e-9)


@pytest.mark.parametrize("name", ["sleepstudy_gamma", "cbpp"])
def test_standard_errors_by_second_differences_of_the_loglikelihood(name):
    model = oracle.problem(name).arguments
    fit = oracle.quadrature_mle(**model)
    steps = np.diag(fit.bse)

    def second(h):
        def value(i, j, a, b):
            return oracle.quadrature_loglike(fit.params + h * (a * steps[i] + b * steps[j]), **model)

        size = range(len(fit.params))
        mixed = [
            [value(i, j, 1, 1) - value(i, j, 1, -1) - value(i, j, -1, 1) + value(i, j, -1, -1) for j in size]
            for i in size
        ]
        return np.array(mixed) / (4 * h**2 * np.outer(fit.bse, fit.bse))

    hessian = (4 * second(0.05) - second(0.1)) / 3
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(-hessian))), fit.bse, rtol=2e-5)


@pytest.mark.parametrize("name", oracle.MODELS)
def test_reference_files_agree(name):
    new, old = QUADRATURE[name], MLE[name]
    assert new["names"] == old["names"]
    assert new["llf"] == pytest.approx(old["llf"], abs=2e-8)
    assert new["llf"] == pytest.approx(new["llf_other_rule"], abs=1e-10)
    assert new["max_abs_score"] < 1e-7
    np.testing.assert_allclose(flat(new), flat(old), rtol=2e-5)


@pytest.mark.parametrize("name", oracle.MODELS)
def test_score_vanishes_at_the_reference_values(name):
    model = oracle.problem(name).arguments
    assert np.max(np.abs(oracle.quadrature_score(flat(QUADRATURE[name]), **model))) < 1e-7


def test_fit_with_independent_effects():
    model, _ = simulated("poisson", "log", 2, seed=4, groups=30)
    fit = oracle.quadrature_mle(**model, structure=[0, 1])
    assert not fit.singular
    assert fit.max_abs_score < 1e-7
    assert fit.cov_re[0, 1] == 0
    unequal = oracle.quadrature_mle(**model)
    shared = oracle.quadrature_mle(**model, structure=[0, 0])
    assert shared.cov_re[0, 0] == shared.cov_re[1, 1]
    assert shared.llf < fit.llf < unequal.llf


def test_fit_with_a_variance_of_zero_is_the_glm():
    model, _ = simulated("poisson", "log", 1, seed=1, groups=8)
    model["y"] = np.tile([0.0, 3.0, 1.0, 2.0, 1.0], 8)  # less variation between groups than a GLM expects
    fit = oracle.quadrature_mle(**model)
    glm = sm.GLM(model["y"], model["X"], sm.families.Poisson(), offset=model["offset"]).fit(tol=1e-12)
    assert fit.singular
    assert fit.params[2] == 0
    assert np.isnan(fit.bse[2])
    np.testing.assert_allclose(fit.beta, glm.params, rtol=1e-7)
    np.testing.assert_allclose(fit.se_beta, glm.bse, rtol=1e-7)
    assert fit.llf == pytest.approx(glm.llf, abs=1e-9)
    assert oracle.profile_interval(2, **model, fit=fit)[0] == 0


def test_fit_with_a_correlation_of_one():
    rng = np.random.default_rng(0)
    group = np.repeat(np.arange(12), 6)
    x = np.tile(np.linspace(-1, 1, 6), 12)
    u = rng.normal(size=12)[group]
    X = np.column_stack([np.ones(72), x])
    y = np.round(np.exp(1.5 + 0.7 * u + 0.5 * u * x))
    fit = oracle.quadrature_mle(y, X, X, group, "poisson", "log")
    correlation = fit.cov_re[0, 1] / np.sqrt(fit.cov_re[0, 0] * fit.cov_re[1, 1])
    assert fit.singular
    assert correlation == pytest.approx(1, abs=1e-12)
    assert np.all(np.isfinite(fit.bse))
    for inside in (0.9, 0.99, 0.999):
        params = fit.params.copy()
        params[3] *= inside
        assert oracle.quadrature_loglike(params, y, X, X, group, "poisson", "log") < fit.llf


# Profiles, predictions ------------------------------------------------------------------------------------


def test_profile_is_the_maximum_over_the_others():
    model = oracle.problem("cbpp").arguments
    fit = oracle.quadrature_mle(**model)
    for index in (1, 4):
        values = fit.params[index] + fit.bse[index] * np.array([1.0, -1.5, 0.0])
        values = np.maximum(values, 0.05) if index == 4 else values
        found = oracle.profile(index, values, **model, fit=fit)
        np.testing.assert_allclose(found.params[:, index], values, rtol=1e-12)
        assert found.llf[2] == pytest.approx(fit.llf, abs=1e-9)
        for params, llf in zip(found.params, found.llf, strict=True):
            score = oracle.quadrature_score(params, **model)
            assert np.max(np.abs(np.delete(score, index))) < 1e-6
            assert oracle.quadrature_loglike(params, **model) == pytest.approx(llf, abs=1e-10)


def test_profile_interval_has_the_deviance_of_its_level():
    model = oracle.problem("cbpp").arguments
    fit = oracle.quadrature_mle(**model)
    low, high = oracle.profile_interval(4, **model, fit=fit, level=0.9)
    assert 0 < low < fit.params[4] < high
    deviance = 2 * (fit.llf - oracle.profile(4, [low, high], **model, fit=fit).llf)
    np.testing.assert_allclose(deviance, stats.chi2.ppf(0.9, 1), rtol=1e-6)


def test_profile_of_an_unstructured_covariance():
    model, _ = simulated("poisson", "log", 2, seed=4, groups=20, rows=10)
    model |= {"rule": "hermite", "nodes": 15}
    fit = oracle.quadrature_mle(**model)
    for index in (2, 3, 4):
        values = fit.params[index] * np.array([0.8, 1.2])
        found = oracle.profile(index, values, **model, fit=fit)
        np.testing.assert_allclose(found.params[:, index], values, rtol=1e-10)
        for params in found.params:
            score = oracle.quadrature_score(params, **model)
            assert np.max(np.abs(np.delete(score, index))) < 1e-5
    correlation = oracle.profile(("correlation", 0, 1), [0.0], **model, fit=fit)
    covariance = oracle.profile(3, [0.0], **model, fit=fit)
    independent = oracle.quadrature_mle(**model, structure=[0, 1])
    assert correlation.llf[0] == pytest.approx(independent.llf, abs=1e-9)
    assert covariance.llf[0] == pytest.approx(independent.llf, abs=1e-9)


@pytest.mark.slow
def test_profile_interval_of_a_dispersion():
    model = oracle.problem("sleepstudy_gamma").arguments
    fit = oracle.quadrature_mle(**model)
    low, high = oracle.profile_interval(3, **model, fit=fit)
    assert 0 < low < fit.dispersion < high
    deviance = 2 * (fit.llf - oracle.profile(3, [low, high], **model, fit=fit).llf)
    np.testing.assert_allclose(deviance, stats.chi2.ppf(0.95, 1), rtol=1e-6)


def test_posterior_moments_against_adaptive_quadrature_of_scipy():
    model = oracle.problem("bacteria").arguments
    params = flat(QUADRATURE["bacteria"])
    moments = oracle.posterior_moments(params, **model)
    level = moments.levels[7]
    at = model["group"] == level
    fixed = model["X"][at] @ params[:-1]

    def integrand(u, power):
        p = special.expit(fixed + u)
        rows = np.prod(np.where(model["y"][at] == 1, p, 1 - p))
        return u**power * rows * stats.norm.pdf(u, 0, params[-1] ** 0.5)

    zero, one, two = (integrate.quad(integrand, -15, 15, (k,), epsabs=1e-14)[0] for k in range(3))
    assert moments.mean[7, 0] == pytest.approx(one / zero, abs=1e-9)
    assert moments.sd[7, 0] == pytest.approx(np.sqrt(two / zero - (one / zero) ** 2), abs=1e-9)
    assert integrand(moments.mode[7, 0], 0) >= max(
        integrand(moments.mode[7, 0] + h, 0) for h in (-1e-3, 1e-3)
    )


def test_marginal_mean_closed_forms():
    eta, sd = np.array([-1.0, 0.3, 2.0]), np.array([0.5, 1.7, 3.0])
    np.testing.assert_allclose(oracle.marginal_mean(eta, sd, "log"), np.exp(eta + sd**2 / 2), rtol=1e-12)
    np.testing.assert_allclose(
        oracle.marginal_mean(eta, sd, "probit"), stats.norm.cdf(eta / np.sqrt(1 + sd**2)), rtol=1e-12
    )
    np.testing.assert_allclose(oracle.marginal_mean(eta, sd, "sqrt"), eta**2 + sd**2, rtol=1e-12)
    np.testing.assert_allclose(oracle.marginal_mean(eta, 1.0, "identity"), eta, rtol=1e-12)
    np.testing.assert_allclose(oracle.marginal_mean(eta, 0.0, "logit"), special.expit(eta), rtol=1e-12)


# Misuse -----------------------------------------------------------------------------------------------------


def test_misuse_is_refused():
    model, params = simulated("poisson", "log", 2)
    with pytest.raises(ValueError, match="no poisson with probit"):
        oracle.quadrature_loglike(params, **(model | {"link": "probit"}))
    with pytest.raises(ValueError, match="params must hold 5"):
        oracle.quadrature_loglike(params[:-1], **model)
    with pytest.raises(ValueError, match="structure must be"):
        oracle.quadrature_loglike(params, **model, structure="diagonal")
    with pytest.raises(ValueError, match="structure must be"):
        oracle.quadrature_loglike(params, **model, structure=[0])
    with pytest.raises(ValueError, match="rule must be"):
        oracle.quadrature_loglike(params, **model, rule="simpson", nodes=9)
    with pytest.raises(ValueError, match="give nodes"):
        oracle.quadrature_loglike(params, **model, rule="trapezoid")
    with pytest.raises(ValueError, match="not positive semi-definite"):
        oracle.quadrature_loglike([*params[:2], 1.0, 2.0, 1.0], **model)
    with pytest.raises(ValueError, match="does not exist"):
        oracle.marginal_mean(3.0, 0.1, "inverse")
