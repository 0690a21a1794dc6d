"""Marginal effects and population averages against statsmodels, closed forms, quadrature and differences."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import F, data_of, differences, fit_of, laplace_of

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.exceptions import SingularFitWarning


@functools.lru_cache
def without_effects() -> tuple[Any, Any]:
    """A fit whose variance is zero, and the same model without random effects by statsmodels."""
    rng = np.random.default_rng(5)
    n = 300
    data = pd.DataFrame(
        {"x": rng.normal(size=n), "d": rng.integers(0, 2, n), "k": rng.poisson(2, n), "g": np.arange(n) % 30}
    )
    data["y"] = rng.binomial(
        1, 1 / (1 + np.exp(-(0.2 + 0.7 * data["x"] - 0.5 * data["d"] + 0.2 * data["k"])))
    )
    with pytest.warns(SingularFitWarning):
        mixed = MCLAMixedGLM.from_formula("y ~ x + d + k + (1 | g)", data=data, family=F.Binomial()).fit(
            rng=1
        )
    return mixed, sm.Logit.from_formula("y ~ x + d + k", data).fit(disp=0)


@pytest.mark.parametrize("random", ["none", "marginal"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"method": "eyex"},
        {"method": "dyex", "at": "mean"},
        {"method": "eydx", "at": "median"},
        {"at": "zero"},
        {"dummy": True, "count": True},
        {"dummy": True, "count": True, "method": "eydx"},
        {"dummy": True, "at": "mean"},
        {"atexog": {1: 0.5, 2: 1.0}},
    ],
    ids=str,
)
def test_without_random_effects_they_are_those_of_logit(options: dict[str, Any], random: str) -> None:
    mixed, logit = without_effects()
    found, truth = mixed.get_margeff(random=random, **options), logit.get_margeff(**options)
    np.testing.assert_allclose(found.margeff, truth.margeff, rtol=1e-4)
    np.testing.assert_allclose(found.margeff_se, truth.margeff_se, rtol=1e-4)
    np.testing.assert_allclose(found.conf_int(0.1), truth.conf_int(0.1), rtol=1e-3)
    frame, wanted = found.summary_frame(), truth.summary_frame()
    assert list(frame.columns[: len(wanted.columns)]) == list(wanted.columns)
    assert list(frame.index) == list(wanted.index)


def test_effects_of_every_row() -> None:
    mixed, logit = without_effects()
    found, truth = mixed.get_margeff(at="all"), logit.get_margeff(at="all")
    np.testing.assert_allclose(found.margeff, truth.margeff, rtol=1e-4)
    with pytest.raises(ValueError, match="without standard errors"):
        found.summary_frame()
    fit = fit_of("bacteria")
    rows, average = fit.get_margeff(at="all"), fit.get_margeff()
    assert rows.mcse.shape == rows.margeff.shape
    assert np.all(rows.mcse > 0)
    weights = np.full(len(rows.mcse), 1 / len(rows.mcse))  # errors of rows come from the same estimates
    np.testing.assert_allclose(rows.margeff.T @ weights, average.margeff, rtol=1e-8)
    assert np.all(average.mcse <= rows.mcse.T @ weights + 1e-12)


def shifted(result: Any, params: np.ndarray, column: int, step: float) -> np.ndarray:
    """Population average by quadrature where one column of the design, and its random slope, has moved."""
    p = result.k_fe
    X = result.model.inputs.exog.to_numpy().copy()
    X[:, column] += step
    (G,) = result.model.design.covariance.matrices(np.asarray(params)[p:])
    (term,) = result.model.random_terms
    Z = np.ones((len(X), 1)) if term.dim == 1 else X[:, [0, list(result.fe_params.index).index("visit")]]
    sd = np.sqrt(np.einsum("ni,ij,nj->n", Z, G, Z))
    return oracle.marginal_mean(X @ np.asarray(params)[:p], sd, result.facts.link, nodes=201)


@pytest.mark.parametrize("name", ["bacteria", "epil_slopes"])
def test_average_effects_on_the_population(name: str) -> None:
    """Against differences of quadrature means; a random slope moves with its covariate."""
    result = fit_of(name)
    found = result.get_margeff(random="marginal")
    columns = [list(result.fe_params.index).index(n) for n in found.names]

    def average(params: np.ndarray) -> np.ndarray:
        h = 1e-4
        up, down = (np.array([shifted(result, params, j, s).mean() for j in columns]) for s in (h, -h))
        return (up - down) / (2 * h)

    params = np.asarray(result.params)
    np.testing.assert_allclose(found.margeff, average(params), rtol=1e-6)
    slope = differences(average, params, 1e-2 * np.asarray(result.bse))
    cov = slope @ np.asarray(result.cov_params()) @ slope.T
    np.testing.assert_allclose(found.margeff_cov, cov, rtol=1e-3, atol=1e-5 * np.diag(cov).max())
    mc = slope @ np.asarray(result.cov_mcse()) @ slope.T
    np.testing.assert_allclose(found.mcse, np.sqrt(np.diag(mc)), rtol=1e-2)


def test_population_averaged_probit_has_closed_form() -> None:
    """beta / sqrt(1 + nu), and its delta method (Zeger, Liang and Albert, 1988, Biometrics 44(4))."""
    result = fit_of("toenail_probit")
    found = result.population_averaged()
    beta, nu = np.asarray(result.fe_params), result.vc_params.iloc[0]
    np.testing.assert_allclose(found.params, beta / np.sqrt(1 + nu), rtol=1e-8)
    slope = np.column_stack([np.eye(len(beta)) / np.sqrt(1 + nu), -0.5 * beta * (1 + nu) ** -1.5])
    np.testing.assert_allclose(
        found.cov_params(), slope @ np.asarray(result.cov_params()) @ slope.T, rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(
        found.mcse, np.sqrt(np.diag(slope @ np.asarray(result.cov_mcse()) @ slope.T)), rtol=1e-6
    )
    assert list(found.params.index) == list(result.fe_params.index)


def test_population_averaged_log_link_moves_the_intercept() -> None:
    result = laplace_of("epil")
    moved = np.asarray(result.fe_params).copy()
    moved[0] += 0.5 * result.vc_params.iloc[0]
    found = result.population_averaged()
    np.testing.assert_allclose(found.params, moved, rtol=1e-8)
    assert np.all(found.mcse == 0)  # Laplace's estimates rest on no draws


def test_population_averaged_logit_is_the_nearest_line() -> None:
    """Least squares of the logits of quadrature means (Hedeker et al., 2018); weaker than a subject's effects."""
    result = fit_of("toenail")
    X = result.model.inputs.exog.to_numpy()
    eta = X @ np.asarray(result.fe_params)
    mean = oracle.marginal_mean(eta, np.sqrt(result.vc_params.iloc[0]), "logit")
    truth = np.linalg.lstsq(X, np.log(mean / (1 - mean)), rcond=None)[0]
    found = result.population_averaged()
    np.testing.assert_allclose(found.params, truth, rtol=1e-8)
    time = list(found.params.index).index("time")
    assert 0.3 < found.params.iloc[time] / result.fe_params.iloc[time] < 0.6


def test_tables() -> None:
    result = fit_of("bacteria")
    for found in (result.get_margeff(random="marginal"), result.population_averaged()):
        text = found.summary().as_text()
        assert "mcse" in text
        assert "late" in text
        assert found.summary().as_html()
        again = pickle.loads(pickle.dumps(found))
        pd.testing.assert_frame_equal(again.summary_frame(), found.summary_frame())


def test_errors() -> None:
    result = fit_of("bacteria")
    for arguments, message in [
        ({"at": "median", "dummy": True}, "dummy and count"),
        ({"at": "middle"}, "at must be"),
        ({"method": "dxdy"}, "method must be"),
        ({"random": "conditional"}, "random must be"),
        ({"atexog": np.ones(2)}, "atexog has 2 columns"),
    ]:
        with pytest.raises(ValueError, match=message):
            result.get_margeff(**arguments)


def test_weights_count_as_rows() -> None:
    data = data_of("bacteria")
    weight = 1.0 + np.arange(len(data)) % 3
    model = MCLAMixedGLM.from_formula(
        'I(y == "y") ~ late + (1 | ID)', data=data, family=F.Binomial(), freq_weights=weight
    )
    result = model.fit_laplace()
    every = result.get_margeff(at="all").margeff
    np.testing.assert_allclose(result.get_margeff().margeff, np.average(every, axis=0, weights=weight))


def test_population_averages_are_printed_as_their_table() -> None:
    averaged = laplace_of("bacteria").population_averaged()
    assert str(averaged) == str(averaged.summary())
