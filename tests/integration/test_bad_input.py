"""Bad input: one clear error that names the argument, before anything is sampled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import statsmodels.api as sm
from helpers import EPIL, data_of, laplace_of, model_of
from statsmodels.genmod.families import links
from statsmodels.tools.sm_exceptions import ValueWarning

from statsmodels_mcla import BlockSampling, JointSampling, MCLAMixedGLM

N = 12


@pytest.fixture(autouse=True)
def nothing_is_sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("sampled before the input was checked")

    monkeypatch.setattr("statsmodels_mcla.likelihood.sampling.sampler.Sampler.at", refuse)


def arrays(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    call = {
        "endog": np.tile([0, 1, 1], 4),
        "exog": np.column_stack([np.ones(N), rng.normal(size=N)]),
        "exog_vc": np.kron(np.eye(4), np.ones((3, 1))),
        "ident": np.zeros(4, int),
    }
    return call | changes


def changed(name: str, index: Any, value: Any) -> dict[str, Any]:
    array = np.array(arrays()[name], dtype=float if not isinstance(value, str) else object)
    array[index] = value
    return {name: array}


def test_premise_the_calls_are_good_otherwise() -> None:
    MCLAMixedGLM(**arrays())
    MCLAMixedGLM(**arrays(exog_vc=sp.csr_array(arrays()["exog_vc"])))


POISSON, GAMMA = sm.families.Poisson(), sm.families.Gamma(links.Log())
RESPONSES = {
    "fraction": (changed("endog", 3, 0.5), None),
    "negative": (changed("endog", 3, -1), None),
    "two": (changed("endog", 3, 2), None),
    "strings": ({"endog": np.tile(["no", "yes", "yes"], 4)}, None),
    "one-string": (changed("endog", 3, "x"), None),
    "nan": (changed("endog", 3, np.nan), None),
    "inf": (changed("endog", 3, np.inf), None),
    "none": ({"endog": [0, 1, None] * 4}, None),
    "negative-failures": ({"endog": np.column_stack([np.ones(N), -np.ones(N)])}, None),
    "fractional-counts": ({"endog": np.column_stack([np.ones(N), np.full(N, 0.5)])}, None),
    "no-trials": ({"endog": np.zeros((N, 2))}, None),
    "three-columns": ({"endog": np.ones((N, 3))}, None),
    "three-dimensions": ({"endog": np.ones((N, 1, 1))}, None),
    "poisson-negative": (changed("endog", 3, -1), POISSON),
    "poisson-fraction": (changed("endog", 3, 1.5), POISSON),
    "poisson-two-columns": ({"endog": np.ones((N, 2))}, POISSON),
    "gamma-zero": ({}, GAMMA),
    "gamma-nan": ({"endog": np.array([np.nan, *np.ones(N - 1)])}, GAMMA),
    "empty": ({"endog": []}, None),
    "scalar": ({"endog": 1}, None),
    "missing": ({"endog": None}, None),
}


@pytest.mark.parametrize("name", RESPONSES)
def test_response(name: str) -> None:
    changes, family = RESPONSES[name]
    with pytest.raises(ValueError, match="endog"):
        MCLAMixedGLM(**arrays(**changes), family=family)


ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "exog-nan": (changed("exog", (2, 1), np.nan), "exog"),
    "exog-inf": (changed("exog", (2, 1), np.inf), "exog"),
    "exog-strings": ({"exog": np.full((N, 2), "a")}, "exog"),
    "exog-length": ({"exog": np.ones((N - 1, 1))}, "exog"),
    "exog-3d": ({"exog": np.ones((N, 1, 1))}, "exog"),
    "exog-no-columns": ({"exog": np.ones((N, 0))}, "exog"),
    "exog-missing": ({"exog": None}, "exog"),
    "vc-nan": (changed("exog_vc", (2, 1), np.nan), "exog_vc"),
    "vc-inf": (changed("exog_vc", (2, 1), np.inf), "exog_vc"),
    "vc-sparse-nan": ({"exog_vc": sp.csr_array(changed("exog_vc", (2, 1), np.nan)["exog_vc"])}, "exog_vc"),
    "vc-length": ({"exog_vc": np.ones((N + 1, 4))}, "exog_vc"),
    "vc-missing": ({"exog_vc": None}, "exog_vc"),
    "vc-no-columns": ({"exog_vc": np.ones((N, 0)), "ident": np.zeros(0, int)}, "exog_vc"),
    "vc-zero-column": (
        {"exog_vc": np.column_stack([np.ones(N), np.zeros(N)]), "ident": [0, 1]},
        "exog_vc|VC_2",
    ),
    "ident-missing": ({"ident": None}, "ident"),
    "ident-float": ({"ident": np.array([0.0, 0.5, 1.0, 1.0])}, "ident"),
    "ident-whole-float": ({"ident": np.zeros(4)}, "ident"),
    "ident-strings": ({"ident": list("abab")}, "ident"),
    "ident-length": ({"ident": np.zeros(3, int)}, "ident"),
    "ident-2d": ({"ident": np.zeros((4, 1), int)}, "ident"),
    "offset-length": ({"offset": np.zeros(N - 1)}, "offset"),
    "offset-nan": ({"offset": np.array([np.nan, *np.zeros(N - 1)])}, "offset"),
    "offset-inf": ({"offset": np.array([np.inf, *np.zeros(N - 1)])}, "offset"),
    "offset-strings": ({"offset": ["a"] * N}, "offset"),
    "weights-negative": ({"freq_weights": np.array([-1.0, *np.ones(N - 1)])}, "freq_weights"),
    "weights-zero": ({"freq_weights": np.zeros(N)}, "freq_weights"),
    "weights-nan": ({"freq_weights": np.array([np.nan, *np.ones(N - 1)])}, "freq_weights"),
    "weights-length": ({"freq_weights": np.ones(N + 1)}, "freq_weights"),
    "var-weights-negative": ({"var_weights": np.array([-1.0, *np.ones(N - 1)])}, "var_weights"),
    "exposure-logit": ({"exposure": np.ones(N)}, "exposure"),
    "exposure-zero": ({"exposure": np.zeros(N), "family": POISSON}, "exposure"),
    "fep-names": ({"fep_names": ["a"]}, "fep_names"),
    "fep-names-repeated": ({"fep_names": ["a", "a"]}, "fep_names"),
    "vcp-names": ({"vcp_names": ["a", "b"]}, "vcp_names"),
    "vcp-names-repeated": ({"vcp_names": ["a", "a"], "ident": [0, 0, 1, 1]}, "vcp_names"),
    "vc-names": ({"vc_names": ["a"]}, "vc_names"),
    "missing-word": ({"missing": "ignore"}, "missing"),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_argument(name: str) -> None:
    changes, argument = ARGUMENTS[name]
    with pytest.raises(ValueError, match=argument):
        MCLAMixedGLM(**arrays(**changes))


@pytest.mark.parametrize("column", [0, 1, 3])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_every_variance_component_is_looked_at(column: int, value: float) -> None:
    bad = changed("exog_vc", (2, column), value)
    with pytest.raises(ValueError, match="exog_vc"):
        MCLAMixedGLM(**arrays(ident=[0, 1, 1, 2], **bad))


def test_unknown_argument_is_told_as_statsmodels_does() -> None:
    with pytest.warns(ValueWarning, match="wieghts"):
        MCLAMixedGLM(**arrays(), wieghts=np.ones(N))


def test_response_of_one_value_has_no_maximum() -> None:
    """All successes: separation, said as a warning by fit; the constructor takes it."""
    MCLAMixedGLM(**arrays(endog=np.ones(N)))


def test_rank_deficient_design_names_the_columns() -> None:
    x = np.arange(N, dtype=float)
    exog = pd.DataFrame({"one": 1.0, "x": x, "z": x**2, "twice": 2 * x + 1})
    with pytest.raises(ValueError, match="rank") as error:
        MCLAMixedGLM(**arrays(exog=exog))
    assert any(name in str(error.value) for name in ("'x'", "'twice'", "'one'"))
    assert "'z'" not in str(error.value).split("drop")[0]
    zero = exog[["one", "x"]].assign(nothing=0.0)
    with pytest.raises(ValueError, match="nothing"):
        MCLAMixedGLM(**arrays(exog=zero))
    with pytest.raises(ValueError, match="exog"):
        MCLAMixedGLM(**arrays(exog=np.random.default_rng(0).normal(size=(N, N + 1))))


def test_badly_scaled_columns_are_not_rank_deficient() -> None:
    """Negative control: full rank whatever the units."""
    x = np.random.default_rng(0).normal(size=N)
    MCLAMixedGLM(**arrays(exog=np.column_stack([np.ones(N), 1e-9 * x, 1e9 * x**2])))


def test_rank_deficient_through_zero_weights() -> None:
    """A column that only rows of weight zero carry."""
    exog = np.column_stack([np.ones(N), np.arange(N) == 0])
    weights = np.array([0.0, *np.ones(N - 1)])
    with pytest.raises(ValueError, match="exog"):
        MCLAMixedGLM(**arrays(exog=exog, freq_weights=weights))


# Families ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "family",
    [
        sm.families.Tweedie(),
        sm.families.Binomial(links.LogLog()),
        sm.families.Poisson(links.Identity()),
        sm.families.Gamma(links.Identity()),
    ],
    ids=["tweedie", "loglog", "poisson-identity", "gamma-identity"],
)
@pytest.mark.filterwarnings("ignore:.*does not respect the domain")
def test_family_that_is_not_supported_is_told_which_are(family: Any) -> None:
    with pytest.raises(ValueError, match="supported") as error:
        MCLAMixedGLM(**arrays(), family=family)
    for known in ("Binomial", "Poisson", "Logit", "Log"):
        assert known in str(error.value)


@pytest.mark.parametrize("family", [3, sm.GLM, links.Logit()])
def test_family_is_an_instance(family: Any) -> None:
    with pytest.raises(TypeError, match="family"):
        MCLAMixedGLM(**arrays(), family=family)


# Formulas ---------------------------------------------------------------------------------------------

CALL = {"data": data_of("cbpp").assign(one="a", y=1, const=1.0, w=1.0), "family": None}
FORMULAS: dict[str, tuple[dict[str, Any], str]] = {
    "unknown-fixed": ({"formula": "y ~ nothere + (1 | herd)"}, "nothere"),
    "unknown-response": ({"formula": "nothere ~ 1 + (1 | herd)"}, "nothere"),
    "unknown-group": ({"formula": "y ~ 1 + (1 | nothere)"}, "nothere"),
    "unknown-slope": ({"formula": "y ~ 1 + (nothere | herd)"}, "nothere"),
    "unknown-vc": ({"formula": "y ~ 1", "vc_formulas": {"a": "0 + C(nothere)"}}, "nothere"),
    "unknown-weights": (
        {"formula": "y ~ 1 + (1 | herd)", "freq_weights": "nothere"},
        "freq_weights.*nothere",
    ),
    "unknown-offset": ({"formula": "y ~ 1 + (1 | herd)", "offset": "nothere"}, "offset.*nothere"),
    "unknown-groups": ({"formula": "y ~ 1", "groups": "nothere"}, "nothere"),
    "one-level-factor": ({"formula": "y ~ one + (1 | herd)"}, "one.*one level|level.*one"),
    "one-level-group": ({"formula": "y ~ 1 + (1 | one)"}, "one"),
    "constant-column": ({"formula": "y ~ const + (1 | herd)"}, "const"),
    "no-random-effects": ({"formula": "y ~ 1"}, "random effects"),
    "no-response": ({"formula": "~ 1 + (1 | herd)"}, "response"),
    "no-data": ({"formula": "y ~ 1 + (1 | herd)", "data": None}, "data"),
    "empty-data": ({"formula": "y ~ 1 + (1 | herd)", "data": CALL["data"].iloc[:0]}, "data|row"),
    "weights-negative": ({"formula": "y ~ 1 + (1 | herd)", "freq_weights": -np.ones(56)}, "freq_weights"),
    "weights-length": ({"formula": "y ~ 1 + (1 | herd)", "freq_weights": np.ones(55)}, "freq_weights"),
    "text-response": ({"formula": "herd ~ 1 + (1 | period)"}, "herd"),
    "re-formula-alone": ({"formula": "y ~ 1", "re_formula": "~w"}, "groups"),
    "subset": ({"formula": "y ~ 1 + (1 | herd)", "subset": ["nowhere"]}, "subset"),
    "subset-length": ({"formula": "y ~ 1 + (1 | herd)", "subset": [True, False]}, "subset"),
    "subset-label": ({"formula": "y ~ 1 + (1 | herd)", "subset": 3}, "subset"),
    "missing": ({"formula": "y ~ 1 + (1 | herd)", "missing": "dropp"}, "missing must be 'none', 'drop' or"),
    "column-intercept": (
        {"formula": "y ~ Intercept + (1 | herd)", "data": CALL["data"].assign(Intercept=2.0)},
        "rename it",
    ),
    "complex": (
        {"formula": "y ~ c + (1 | herd)", "data": CALL["data"].assign(c=CALL["data"]["size"] + 1j)},
        "numbers are real",
    ),
    "intercept-twice": ({"formula": "y ~ 1 + C(period) + I(1.0 * (size > 0)) + (1 | herd)"}, "rank|zero"),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formula(name: str) -> None:
    changes, message = FORMULAS[name]
    with pytest.raises(ValueError, match=message):
        MCLAMixedGLM.from_formula(**(CALL | changes))


def test_one_variance_for_intercepts_and_slopes_of_many_groups_is_no_residual() -> None:
    """As many effects as rows, but not one a row."""
    data = pd.DataFrame({"y": np.arange(6) % 5.0, "x": [0.1, 1, 0.3, 0.8, 0.2, 2], "g": list("aabbcc")})
    vc = {"s": ["0 + C(g)", "0 + C(g):x"]}
    MCLAMixedGLM.from_formula("y ~ 1", vc, data, family=sm.families.Gaussian())


def test_as_many_levels_as_rows_in_a_gaussian_model() -> None:
    """The variance of the groups and the scale cannot be told apart."""
    data = data_of("sleepstudy").assign(row=lambda d: np.arange(len(d)))
    with pytest.raises(ValueError, match="row"):
        MCLAMixedGLM.from_formula("Reaction ~ Days + (1 | row)", data=data, family=sm.families.Gaussian())


# Fits -------------------------------------------------------------------------------------------------

START = [-1.4, -1.0, -1.1, -1.6, 0.4]
FITS: dict[str, tuple[dict[str, Any], str]] = {
    "nsample-one": ({"nsample": 1}, "nsample"),
    "nsample-zero": ({"nsample": 0}, "nsample"),
    "nsample-negative": ({"nsample": -5}, "nsample"),
    "nsample-float": ({"nsample": 100.5}, "nsample"),
    "nsample-bool": ({"nsample": True}, "nsample"),
    "nsample-text": ({"nsample": "many"}, "nsample"),
    "start-short": ({"start_params": START[:4]}, "start_params"),
    "start-long": ({"start_params": [*START, 1.0]}, "start_params"),
    "start-negative": ({"start_params": [*START[:4], -0.4]}, "start_params.*herd Var"),
    "start-nan": ({"start_params": [np.nan, *START[1:]]}, "start_params"),
    "start-text": ({"start_params": ["a"] * 5}, "start_params"),
    "rng-text": ({"rng": "seed"}, "rng"),
    "rng-negative": ({"rng": -1}, "rng"),
    "rng-float": ({"rng": 1.5}, "rng"),
    "rng-legacy": ({"rng": np.random.RandomState(0)}, "rng"),
    "sampling": ({"sampling": "joint"}, "sampling"),
    "sampling-class": ({"sampling": JointSampling}, "sampling"),
    "tolerance": ({"mcse_tol": 0.0}, "mcse_tol"),
    "tolerance-negative": ({"mcse_tol": -1.0}, "mcse_tol"),
    "tolerance-nan": ({"mcse_tol": np.nan}, "mcse_tol"),
    "jobs": ({"n_jobs": 0}, "n_jobs"),
    "jobs-float": ({"n_jobs": 1.5}, "n_jobs"),
    "method": ({"method": "steepest"}, "method"),
    "maxiter": ({"maxiter": 0}, "maxiter"),
    "max-draws": ({"max_draws": 0}, "max_draws"),
    "quasi": ({"quasi": "no"}, "quasi"),
    "max-seconds": ({"max_seconds": -1.0}, "max_seconds"),
}


@pytest.mark.parametrize("name", FITS)
def test_fit(name: str) -> None:
    changes, argument = FITS[name]
    with pytest.raises(ValueError, match=argument):
        model_of("cbpp").fit(**changes)


def test_covariances_to_start_from_must_be_positive_definite() -> None:
    model = model_of("epil_slopes")
    start = np.array([1.8, -0.3, 0.9, 0.3, 0.5, -0.3, 0.25, 0.9, 0.5])
    with pytest.raises(ValueError, match="start_params"):
        model.fit(start_params=start, rng=1)
    with pytest.raises(ValueError, match="params"):
        model.draw(start, rng=1)


@pytest.mark.parametrize("method", ["loglike", "score", "hessian"])
def test_parameters_of_the_wrong_length(method: str) -> None:
    model = model_of("cbpp")
    model._current = object()  # draws that are never looked at
    with pytest.raises(ValueError, match="params"):
        getattr(model, method)(START[:3])


BLOCKS: dict[str, tuple[Callable[..., Any], dict[str, Any], str]] = {
    "probabilities": (JointSampling, {"p1": 0.5, "p2": 0.3, "p3": 0.3}, "p1"),
    "negative": (JointSampling, {"p1": 1.2, "p2": -0.2, "p3": 0.0}, "p1"),
    "no-t": (JointSampling, {"p1": 0.0, "p2": 0.5, "p3": 0.5}, "p1"),
    "zeta": (JointSampling, {"zeta": 0.0}, "zeta"),
    "df": (BlockSampling, {"df": 1.0}, "df"),
    "inflate": (BlockSampling, {"inflate": 0.0}, "inflate"),
    "centre": (BlockSampling, {"centre": "median"}, "centre"),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_sampling_settings(name: str) -> None:
    make, options, argument = BLOCKS[name]
    with pytest.raises(ValueError, match=argument):
        make(**options)


@pytest.mark.parametrize(
    "p", [(1 / 3, 1 / 3, 1 / 3), (0.1, 0.2, 0.7), (0.333333333333, 0.333333333333, 0.333333333334)]
)
def test_probabilities_are_judged_with_tolerance(p: tuple[float, float, float]) -> None:
    """0.1 + 0.2 + 0.7 is not 1 in floating point."""
    JointSampling(*p)


def test_laplace_settings() -> None:
    for options in ({"maxiter": 0}, {"gtol": 0.0}):
        with pytest.raises(ValueError, match=next(iter(options))):
            model_of("cbpp").fit_laplace(**options)


def test_errors_of_formulas_show_the_term() -> None:
    with pytest.raises(ValueError, match=r"\(nothere \| subject\)"):
        MCLAMixedGLM.from_formula(f"{EPIL} + (nothere | subject)", data=data_of("epil"), family=POISSON)


# Results ----------------------------------------------------------------------------------------------

NEW = {"period": ["1"], "herd": ["1"]}
AFTER: dict[str, tuple[Callable[[Any], Any], str]] = {
    "score-known": (lambda r: r.score_test("(1 | herd)"), "has the effect Intercept of 'herd' already"),
    "score-known-too": (lambda r: r.score_test("(1 + size | herd)"), r"\(0 \+ x \| g\)"),
    "score-number": (lambda r: r.score_test(3), "term must be a formula"),
    "pairs-factor": (lambda r: r.t_test_pairwise("nowhere"), "term_name.*'nowhere'.*there are: "),
    "pairs-number": (lambda r: r.t_test_pairwise("Intercept"), "term_name"),
    "pairs-method": (lambda r: r.t_test_pairwise("C(period)", method="best"), "method must be one of"),
    "grid-text": (lambda r: r.profile_likelihood("herd Var", grid="a"), "grid must be a sequence of numbers"),
    "grid-empty": (lambda r: r.profile_likelihood("herd Var", grid=[]), "grid must be a sequence of numbers"),
    "drop-margin": (
        lambda r: r.model.update(". ~ . + period:size + size").fit_laplace().drop1("size"),
        "scope: the model without 'size' has no fewer",
    ),
    "add-twice": (lambda r: r.add1("C(period)"), "scope: 'C\\(period\\)' adds nothing"),
    "power-number": (
        lambda r: r.power(lambda _: 5.0, {"herd": [10]}, nsim=2, rng=1),
        "test must return a p-value of results, a number from 0 to 1, got 5.0",
    ),
    "power-text": (lambda r: r.power(lambda _: "a", {"herd": [10]}, nsim=2, rng=1), "got 'a'"),
    "params-length": (lambda r: r.model.predict([1.0, 2.0]), "params has shape"),
}


@pytest.mark.parametrize("name", AFTER)
def test_what_results_are_asked(name: str) -> None:
    ask, message = AFTER[name]
    with pytest.raises((ValueError, TypeError), match=message):
        ask(laplace_of("cbpp"))
