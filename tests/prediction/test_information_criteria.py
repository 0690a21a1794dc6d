"""Information criteria: against the derivatives that effective degrees of freedom are, by refits of another method."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import KIND, F, Small, assert_monte_carlo, fit_of, laplace_of, small
from responses import FURTHER, ONE_PREDICTOR, SEVERAL_PREDICTORS
from scipy import stats

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.families.poisson import PoissonLog


def eta_given_data(case: Small, y: np.ndarray) -> tuple[np.ndarray, Any]:
    """Conditional means of the linear predictors at the quadrature maximum for a response."""
    arguments = {**case.arguments(), "y": y}
    fit = oracle.quadrature_mle(**arguments)
    moments = oracle.posterior_moments(fit.params, **arguments)
    place = np.searchsorted(moments.levels, arguments["group"])
    return arguments["X"] @ fit.beta + moments.mean[place, 0], fit


@pytest.mark.parametrize("name", ["gaussian-identity", "poisson-log"])
def test_effective_degrees_of_freedom_are_what_fitted_values_follow_the_data_by(name: str) -> None:
    kind = KIND[name]
    if name == "poisson-log":  # counts of about 30, for which a change by one is small
        kind = replace(kind, intercept=3.5)
    case = small(kind, "intercept", seed=1, sizes=(3, 2, 3, 3))
    y = case.data["y"].to_numpy(float)
    eta, fit = eta_given_data(case, y)
    assert not fit.singular
    h = 1.0 if kind.oracle_family == "poisson" else 1e-3
    own = []
    for i in range(len(y)):
        step = h * (np.arange(len(y)) == i)
        up, down = (eta_given_data(case, y + sign * step)[0][i] for sign in (1, -1))
        own.append((up - down) / (2 * h))
    truth = float((np.exp(eta) if kind.oracle_family == "poisson" else np.ones(len(y))) @ np.array(own))
    result = case.model().fit(rng=1, mcse_tol=0.005)
    assert_monte_carlo(result.effective_df, result.effective_df_mcse, truth, small=0.02, error=2e-3 * truth)
    assert 2.5 < truth < 7  # two fixed effects, four levels, estimated variances


def test_caic_of_epil() -> None:
    problem, fit = oracle.problem("epil"), fit_of("epil")
    truth = oracle.quadrature_mle(**problem.arguments)
    moments = oracle.posterior_moments(truth.params, **problem.arguments)
    place = np.searchsorted(moments.levels, problem.group)
    eta = problem.X @ truth.beta + moments.mean[place, 0]
    llf = stats.poisson.logpmf(problem.y, np.exp(eta)).sum()
    known = (
        np.exp(eta) @ moments.sd[place, 0] ** 2
    )  # effective degrees of freedom if the parameters were known
    assert fit._conditional_aic.llf == pytest.approx(llf, abs=0.05)
    assert known < fit.effective_df < known + 7.5
    assert fit.caic == pytest.approx(-2 * fit._conditional_aic.llf + 2 * fit.effective_df)
    assert 0 < fit.caic_mcse < 0.05
    assert fit.caic < fit.aic
    assert laplace_of("epil").caic == pytest.approx(fit.caic, abs=0.1)


@dataclass(frozen=True)
class PlainPoisson(PoissonLog):
    """Poisson counts of which the package does not know that they have a natural parameter."""

    exponential: ClassVar[bool] = False


def test_caic_of_other_families_is_the_same_where_both_are_known() -> None:
    """Observed and expected information of a Poisson row are one."""
    case = small(KIND["poisson-log"], "intercept", seed=1)
    fits = [
        MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=case.data, family=family).fit_laplace()
        for family in (PlainPoisson(), PoissonLog())
    ]
    assert fits[0].effective_df == pytest.approx(fits[1].effective_df, rel=1e-9)
    assert fits[0].caic == pytest.approx(fits[1].caic, rel=1e-9)


@pytest.mark.slow  # 60 fits and as many conditional AICs
@pytest.mark.parametrize("name", ["zero-inflated poisson", "cumulative logit"])
def test_penalty_is_the_optimism_of_the_conditional_likelihood(name: str) -> None:
    """By simulation from the same effects: how much better the data at hand are fitted than others would be."""
    model = next(m for m in [*SEVERAL_PREDICTORS, *ONE_PREDICTOR] if m.name == name)
    data, rng = model.data(groups=20, size=12), np.random.default_rng(3)
    g, x = np.unique(data["g"], return_inverse=True)[1], data["x"].to_numpy()
    eta = model.intercept - 0.4 * x + rng.normal(0, model.sd, 20)[g]
    if model.formulas:
        eta = np.stack([eta, FURTHER[0][0] + FURTHER[0][1] * x])
    rho, optimism = [], []
    for _ in range(60):
        y, *others = (np.asarray(model.sample(rng, eta, model.psi, None)) for _ in range(21))
        fit = model.model(data.assign(y=y)).fit_laplace()
        found = np.asarray(fit.predict(which="linear", random="conditional"))
        if model.formulas:
            found = np.stack([found, fit.params.iloc[2] + fit.params.iloc[3] * x])
        psi = tuple(fit.params.iloc[len(fit.params) - len(model.psi) :])

        def gain(z: np.ndarray, found: np.ndarray = found, psi: tuple = psi) -> float:
            return float(
                np.sum(model.log_density(z, found, psi, None) - model.log_density(z, eta, model.psi, None))
            )

        optimism.append(gain(y) - np.mean([gain(z) for z in others]))
        rho.append(fit.effective_df + len(model.psi))
    error = np.std(optimism) / np.sqrt(60)
    assert error < 0.08 * np.mean(optimism)
    assert abs(np.mean(rho) - np.mean(optimism)) < 4.0 * error


def test_monte_carlo_errors() -> None:
    fit = fit_of("epil")
    assert fit.aic_mcse == 2 * fit.llf_mcse == fit.bic_mcse
    assert fit.aic == -2 * fit.llf + 2 * len(fit.params)
    assert fit.bic == pytest.approx(-2 * fit.llf + np.log(236) * len(fit.params))
    laplace = laplace_of("epil")
    assert laplace.aic_mcse is None
    again = pickle.loads(pickle.dumps(fit))
    assert again.caic == pytest.approx(fit.caic, abs=1e-8)


@pytest.mark.slow
def test_monte_carlo_errors_are_calibrated() -> None:
    """Over seeds the conditional AIC varies as much as it says."""
    from helpers import model_of

    fits = [model_of("epil_slopes").fit(rng=k, nsample=256) for k in range(24)]
    values = np.array([[f.caic, f.effective_df] for f in fits])
    claimed = np.array([[f.caic_mcse, f.effective_df_mcse] for f in fits])
    ratio = values.std(axis=0, ddof=1) / np.sqrt((claimed**2).mean(axis=0))
    assert np.all((ratio > 0.6) & (ratio < 1.5)), ratio


def test_parameters_at_the_boundary_are_counted() -> None:
    """As in lme4: AIC exceeds that of the model without the random effects by 2."""
    data = pd.DataFrame({"y": np.tile([0, 1], 40), "g": np.repeat(np.arange(8), 10)})
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data=data, family=F.Binomial())
    with pytest.warns(SingularFitWarning):
        fit = model.fit_laplace()
    plain = sm.GLM.from_formula("y ~ 1", data, family=F.Binomial()).fit()
    assert fit.aic == pytest.approx(plain.aic + 2.0, abs=1e-6)
    assert fit.bic == pytest.approx(plain.bic_llf + np.log(80.0), abs=1e-6)
