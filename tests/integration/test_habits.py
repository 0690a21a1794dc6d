"""What users of R and of other packages write out of habit: each is refused with what to write instead."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import fit_of, laplace_of, no_warnings

from statsmodels_mcla import JointSampling, MCLAMixedGLM
from statsmodels_mcla.exceptions import ImportanceWeightWarning
from statsmodels_mcla.model.messages import warn_monte_carlo
from statsmodels_mcla.results.names_of_r import HERE

RNG = np.random.default_rng(0)
DATA = pd.DataFrame(
    {
        "y": RNG.integers(0, 2, 60),
        "count": RNG.poisson(3.0, 60),
        "x": RNG.integers(1, 9, 60),
        "g": RNG.integers(0, 10, 60),
        "s": RNG.integers(1, 5, 60),
        "f": RNG.integers(1, 5, 60),
    }
)

FORMULAS = {
    "cbind(s, f) ~ x + (1 | g)": r"successes \+ failures ~",
    "s / (s + f) ~ x + (1 | g)": r"I\(successes / trials\)",
    "y ~ factor(x) + (1 | g)": r"C\(x\)",
    "y ~ x + (1 | factor(g))": r"C\(x\)",
    "y ~ as.factor(x) + (1 | g)": r"C\(x\)",
    "y ~ x + (1 | as.factor(g))": r"C\(x\)",
    "y ~ as.numeric(x) + (1 | g)": "to_numeric",
    "y ~ poly(x, 2) + (1 | g)": r"x \+ I\(x\*\*2\)",
    "y ~ ns(x, 3) + (1 | g)": r"cr\(x, df=4, constraints",
    "y ~ s(x) + (1 | g)": r"bs\(x, df=5\)",  # s is a column too
    "y ~ log(x) + (1 | g)": r"np.log\(x\)",
    "y ~ x + (log(x) | g)": r"np.log\(x\)",
    "y ~ x + offset(s) + (1 | g)": "offset=.*exposure=",
    "y ~ x + ifelse(x, 1, 0) + (1 | g)": "np.where",
    "y ~ x + TRUE + (1 | g)": "True",
    "y ~ x^2 + (1 | g)": r"I\(x\*\*2\)",
    "y ~ I(x^2) + (1 | g)": r"I\(x\*\*2\)",
    "y ~ x + (1 + I(x^2) | g)": r"I\(x\*\*2\)",
    "y ~ (x + s)^2 + (1 | g)": r"\(a \+ b\)\*\*2",
    "y ~ .": "name them",
    "y ~ . + (1 | g)": "name them",
    "y ~ x %in% s + (1 | g)": r"a \+ a:b",
    "y ~ `x` + (1 | g)": r"Q\('...'\)",
}


@pytest.mark.parametrize("formula", FORMULAS)
def test_formulas_of_r(formula: str) -> None:
    with pytest.raises(ValueError, match=FORMULAS[formula]):
        MCLAMixedGLM.from_formula(formula, data=DATA)


MEANT = [
    "y ~ I(x**2) + (1 | g)",
    "y ~ I(x * .5) + I(s * 2.) + (1 | g)",
    "y ~ np.log(x) + (1 | g)",
    "y ~ I(s % 2) + (1 | g)",
    "y ~ Q('x.1^2') + (1 | g)",
    "y ~ scale(x) + cr(s, df=3, constraints='center') + (1 | g)",
    "I(y.astype(float)) ~ x + (1 | g)",
]


@pytest.mark.parametrize("formula", MEANT)
def test_what_only_looks_like_it_is_read(formula: str) -> None:
    """Negative control."""
    MCLAMixedGLM.from_formula(formula, data=DATA.assign(**{"x.1^2": DATA["x"]}))


def test_a_function_of_the_users_own_is_not_rs() -> None:
    def log(x: Any) -> Any:
        return np.log10(x)

    model = MCLAMixedGLM.from_formula("y ~ log(x) + (1 | g)", data=DATA)
    np.testing.assert_allclose(model.exog[:, 1], log(DATA["x"]))


def model() -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=DATA)


ARGUMENTS: dict[str, tuple[Callable[[], Any], str]] = {
    "weights": (
        lambda: MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=DATA, weights="s"),  # type: ignore[arg-type]
        "freq_weights=.*var_weights=",
    ),
    "REML": (
        lambda: MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=DATA, REML=True),  # type: ignore[arg-type]
        "maximum likelihood",
    ),
    "misspelt": (
        lambda: MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=DATA, familly=1),  # type: ignore[arg-type]
        "did you mean family=",
    ),
    "fit-REML": (lambda: model().fit(REML=False), "maximum likelihood"),
    "fit-reml": (lambda: model().fit(reml=False), "maximum likelihood"),
    "na-action": (
        lambda: MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=DATA, na_action="omit"),  # type: ignore[arg-type]
        "missing='drop'",
    ),
    "predict-linear": (lambda: laplace_of("cbpp").predict(linear=True), "which='linear'"),
    "fit-nAGQ": (lambda: model().fit(nAGQ=7), "mcse_tol="),
    "fit-seed": (lambda: model().fit(seed=7), "rng="),
    "fit-random-state": (lambda: model().fit(random_state=7), "rng="),
    "fit-misspelt": (lambda: model().fit(nsampl=7), "did you mean nsample="),
    "fit-unlike-anything": (lambda: model().fit(qqqq=7), "see its help"),
    "laplace-nAGQ": (lambda: model().fit_laplace(nAGQ=1), "leave it out"),  # type: ignore[arg-type]
    "predict-type": (lambda: laplace_of("cbpp").predict(type="response"), "which='mean'"),
    "predict-new": (lambda: laplace_of("cbpp").predict(newdata=DATA), r"predict\(rows\)"),
    "prediction-type": (lambda: laplace_of("cbpp").get_prediction(type="link"), "which='linear'"),
    "simulate-seed": (lambda: laplace_of("cbpp").simulate(seed=1), "rng="),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_of_other_packages(name: str) -> None:
    ask, instead = ARGUMENTS[name]
    with pytest.raises(TypeError, match=f"has no argument .*{instead}"):
        ask()


@pytest.mark.parametrize(
    ("family", "kind"),
    [
        ("binomial", sm.families.Binomial),
        ("Poisson", sm.families.Poisson),
        ("negative_binomial", sm.families.NegativeBinomial),
        ("gaussian", sm.families.Gaussian),
        (sm.families.Poisson, sm.families.Poisson),
        (sm.families.NegativeBinomial, sm.families.NegativeBinomial),
    ],
)
def test_names_and_classes_of_families(family: Any, kind: type) -> None:
    """Statsmodels' warning that alpha is "set to 1.0" is not for users: it is estimated."""
    response = "y" if kind is sm.families.Binomial else "count"
    with no_warnings():
        made = MCLAMixedGLM.from_formula(f"{response} ~ x + (1 | g)", data=DATA, family=family)
    assert type(made.family) is kind
    assert type(made.family.link) is type(
        kind(**({"alpha": 1.0} if "alpha" in dir(made.family) else {})).link
    )


def test_a_name_that_no_family_has() -> None:
    with pytest.raises(ValueError, match=r"'poison'.*'poisson'.*statsmodels_mcla\.families"):
        MCLAMixedGLM.from_formula("count ~ x + (1 | g)", data=DATA, family="poison")


def test_the_default_family_is_told_where_the_response_does_not_suit_it() -> None:
    with pytest.raises(ValueError, match=r"No family was given, so that it is Binomial.*'poisson'"):
        MCLAMixedGLM.from_formula("count ~ x + (1 | g)", data=DATA)
    with pytest.raises(ValueError, match="endog") as error:
        MCLAMixedGLM.from_formula("count ~ x + (1 | g)", data=DATA, family="binomial")
    assert "No family" not in str(error.value)


@pytest.mark.parametrize("test", ["t_test", "wald_test", "f_test"])
def test_unknown_names_in_hypotheses_list_those_that_exist(test: str) -> None:
    result = laplace_of("cbpp")
    with pytest.raises(ValueError, match=r"'perod = 0'.*Intercept, C\(period\)\[T\.2\].*herd Var"):
        getattr(result, test)("perod = 0")


@pytest.mark.parametrize(("on_grid", "wider"), [(True, r"df=4, inflate=3"), (False, r"df=10, inflate=1.2")])
@pytest.mark.parametrize(("default", "expected"), [(True, "Use a density"), (False, "Use the default block")])
def test_heavy_weights_blame_no_setting_that_was_not_used(
    default: bool, expected: str, on_grid: bool, wider: str
) -> None:
    monte_carlo = SimpleNamespace(
        ess=np.array([50.0]),
        draws=np.array([100]),
        k_hat=np.array([0.9]),
        block_labels=["g: 1"],
        default_sampling=default,
        history=pd.DataFrame({"mcse_over_se": [0.01]}),
        precise=True,
    )
    fitted = SimpleNamespace(sampler=SimpleNamespace(converges_fast=on_grid))
    result: Any = SimpleNamespace(monte_carlo=monte_carlo, converged=False, fitted=fitted)
    with pytest.warns(ImportanceWeightWarning, match=rf"{expected}.*{wider}"):
        warn_monte_carlo(result, None)


@pytest.mark.filterwarnings("ignore::statsmodels_mcla.exceptions.MCLAWarning")
def test_which_setting_was_used() -> None:
    made = MCLAMixedGLM.from_formula("count ~ 1 + (1 | g)", data=DATA, family="poisson")
    assert made.fit(rng=1, nsample=64).monte_carlo.default_sampling
    assert not made.fit(rng=1, nsample=64, sampling=JointSampling()).monte_carlo.default_sampling


@pytest.mark.parametrize("name", HERE)
def test_names_of_r_on_results(name: str) -> None:
    """They are told and nothing more: no attribute, no completion; what they name exists."""
    for result in (laplace_of("cbpp"), fit_of("cbpp")):
        with pytest.raises(AttributeError, match=rf"no '{name}': use {re.escape(HERE[name])}"):
            getattr(result, name)
        assert not hasattr(result, name)
        assert name not in dir(result)
        named = re.findall(r"\b[a-z]+_\w+|\b\w+(?=\()|^\w+", HERE[name].replace("np.sqrt(", ""))
        assert named
        assert all(hasattr(result, instead) for instead in named), named


def test_other_missing_attributes_say_what_python_says() -> None:
    for result in (laplace_of("cbpp"), copy.deepcopy(pickle.loads(pickle.dumps(fit_of("cbpp"))))):
        with pytest.raises(AttributeError, match="has no attribute 'sumary'"):
            result.sumary  # noqa: B018
    with pytest.raises(AttributeError, match="rests on no draws"):  # of a property that fails
        laplace_of("cbpp").pvalues_mcse  # noqa: B018


@pytest.mark.parametrize("fitted", [laplace_of, fit_of])
@pytest.mark.parametrize("door", ["update", "power", "bootstrap"])
def test_unknown_arguments_of_what_hands_them_on(door: str, fitted: Callable[[str], Any]) -> None:
    """The message is that of the call that people made."""
    result = fitted("cbpp")
    call = {
        "update": {"formula": ". ~ ."},
        "power": {"test": "C(period)", "n": {"herd": [10]}},
        "bootstrap": {},
    }
    nearly = {"update": "subst", "power": "alhpa", "bootstrap": "nrpe"}[door]
    for name, way_out in (
        ("approximation", r"fit_laplace\(\)"),
        ("seed", "leave it out" if door == "update" and fitted is laplace_of else "rng="),
        (nearly, "did you mean"),
        ("nosuch", "see its help"),
    ):
        with pytest.raises(TypeError, match=f"^{door} has no argument '{name}': .*{way_out}"):
            getattr(result, door)(**call[door], **{name: 1})


@pytest.mark.parametrize(
    ("formula", "way_out"),
    [
        ("y ~ x + (1 / g)", r"with a bar, \(1 \| group\)"),
        ("y ~ x + txet + (1 | g)", "did you mean 'text'"),
        ("y ~ x + (1 | txet)", "did you mean 'text'"),
        ("y ~ x + (1 | G)", "did you mean 'g'"),
        ("y ~ x (1 | g)", r"a \+ may be missing"),
        ("y ~ x + [1 | text]", "round parentheses"),
        ("y ~ x + (1 g)", r"joined by \+.*a bar"),
        ("y ~ x + (1 | g)(1 | s)", r"joined by \+"),
        ("y ~ x + (1 | g::s)", "a term is missing"),
        (r"y ~ x + (1 | g\s)", "for random effects"),
        ("y ~ x.y + (1 | g)", r"Q\('a\.b'\)"),
    ],
)
def test_what_patsy_says_is_followed_by_what_to_do(formula: str, way_out: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){way_out}"):
        MCLAMixedGLM.from_formula(formula, data=DATA.assign(text="a"))


@pytest.mark.parametrize("column", ["numbers", "text"])
@pytest.mark.parametrize(
    "slip", ["s//f", "s%f", "s&f", "s==f", "s, f", "s;f", "s f", "s=f", "s if f else g", "s+f", "s*f", "'s'"]
)
def test_slips_in_groupings(slip: str, column: str) -> None:
    """Of numbers, (1 | a//b) would be a grouping by a quotient; the term is named, and what may have been meant."""
    data = DATA if column == "numbers" else DATA.assign(s=DATA["s"].astype(str), f=DATA["f"].astype(str))
    for term in (f"(1 | {slip})", f"(1 + x | {slip})", f"(x || {slip})"):
        with pytest.raises(ValueError, match=rf"`{re.escape(term)}`: .* cannot stand right.*\(1 \| a/b\)"):
            MCLAMixedGLM.from_formula(f"y ~ x + {term}", data=data)


@pytest.mark.parametrize(
    "group", ["g // 2", "I(10 * s + f)", "C(g)", "Q('g')", "g.astype(str)", "g > 4", "(s / f)", "s:f"]
)
def test_groupings_that_are_computed(group: str) -> None:
    """Negative control."""
    MCLAMixedGLM.from_formula(f"y ~ x + (1 | {group})", data=DATA)


def test_new_rows_of_other_categories() -> None:
    data = pd.DataFrame({"y": RNG.integers(0, 2, 40), "f": list("ab") * 20, "g": np.arange(40) // 4})
    result = MCLAMixedGLM.from_formula("y ~ f + (1 | g)", data=data).fit_laplace()
    with pytest.raises(ValueError, match=r"(?s)'c' does not match.*leave the others out"):
        result.predict(data.assign(f="c"))


def test_power_lists_the_columns() -> None:
    with pytest.raises(ValueError, match=r"n: the data have no column 'hrd'; they have .*herd"):
        laplace_of("cbpp").power("C(period)", {"hrd": [10]})


AFTER_A_FIT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "emmeans-level": (lambda r: r.emmeans("period", level=0.9), r"conf_int\(alpha=\)"),
    "emmeans-infer": (lambda r: r.emmeans("period", infer=True), "limits and tests"),
    "emmeans-misspelt": (lambda r: r.emmeans("period", tpye="response"), "did you mean type="),
    "emmeans-transform": (lambda r: r.emmeans("period", regrid="response"), "type='response'"),
    "emmeans-adjust": (
        lambda r: r.emmeans("period", adjust="holm"),
        r"contrasts\('pairwise', adjust='holm'\)",
    ),
    "means-level": (lambda r: r.emmeans("period").summary_frame(level=0.9), "alpha=0.1 for 90 %"),
    "contrasts-infer": (lambda r: r.emmeans("period").contrasts("pairwise", infer=True), "leave it out"),
    "emtrends-infer": (lambda r: r.emtrends("period", "size", infer=True), "leave it out"),
    "conf-int-level": (lambda r: r.conf_int(level=0.9), "alpha=0.1 for 90 %"),
    "tidy-level": (lambda r: r.tidy(conf_level=0.9), "alpha=0.1 for 90 %"),
    "summary-digits": (lambda r: r.summary(digits=3), "round"),
    "anova-test": (lambda r: r.anova(test_statistic="LR"), "'Wald', 'LR' or 'score'"),
    "anova-ddf": (lambda r: r.anova(ddf="Satterthwaite"), "leave it out"),
    "drop1-misspelt": (lambda r: r.drop1(scop="C(period)"), "did you mean scope="),
    "add1-seed": (lambda r: r.add1("size", seed=1), "rng="),
    "score-test-seed": (lambda r: r.score_test("size", seed=1), "rng="),
    "model-update-family": (lambda r: r.model.update(family="poisson"), r"from_formula\(\.\.\., family=\)"),
    "check-n": (lambda r: r.check(n=100), "nsim="),
    "check-seed": (lambda r: r.check(seed=1), "rng="),
    "checks-plot": (lambda r: r.check(nsim=50, rng=1).plot(axes=1), "did you mean ax="),
    "influence-level": (lambda r: r.get_influence().summary_frame(lvl=1), "see its help"),
    "prediction-interval": (lambda r: r.get_prediction(interval="prediction"), r"obs_conf_int\(\)"),
    "prediction-level": (lambda r: r.get_prediction().summary_frame(level=0.9), "alpha=0.1 for 90 %"),
    "effects-condvar": (lambda r: r.random_effects_frame(condVar=True), "standard errors"),
    "pairwise-adjust": (lambda r: r.t_test_pairwise("C(period)", adjust="holm"), "method="),
    "profile-misspelt": (lambda r: r.profile_likelihood("Intercept", nam=1), "did you mean name="),
    "plot-title": (lambda r: r.plot_residuals(main="x"), r"figure\.axes\[0\]\.set"),
    "resid-type": (lambda r: r.plot_added_variable("size", type="pearson"), "resid_type="),
    "bootstrap-nsim": (lambda r: r.bootstrap(nsim=9), "nrep="),
}


@pytest.mark.parametrize("case", AFTER_A_FIT)
def test_arguments_of_r_after_a_fit(case: str) -> None:
    call, way_out = AFTER_A_FIT[case]
    for result in (laplace_of("cbpp"), fit_of("cbpp")):
        with pytest.raises(TypeError, match=rf"has no argument .*: .*{way_out}"):
            call(result)


def calls_of(held: Any) -> dict[str, Callable[..., Any]]:
    """Methods of this package that people see."""
    members = {name: getattr(type(held), name, None) for name in dir(held) if not name.startswith("_")}
    return {
        name: member
        for name, member in members.items()
        if inspect.isroutine(member) and str(member.__module__).startswith("statsmodels_mcla")
    }


HANDED_ON = {"cov_params", "f_test", "wald_test_terms"}  # to statsmodels, which says what they are
HELD: dict[str, Callable[[], Any]] = {
    "model": model,
    "fit": lambda: getattr(fit_of("cbpp"), "_results"),  # noqa: B009
    "Laplace fit": lambda: getattr(laplace_of("cbpp"), "_results"),  # noqa: B009
    "means": lambda: laplace_of("cbpp").emmeans("period"),
    "contrasts": lambda: laplace_of("cbpp").emmeans("period").contrasts("pairwise"),
    "prediction": lambda: laplace_of("cbpp").get_prediction(),
    "influence": lambda: laplace_of("cbpp").get_influence(),
    "checks": lambda: laplace_of("cbpp").check(nsim=50, rng=1),
    "test": lambda: laplace_of("cbpp").score_test("size"),
    "profile": lambda: laplace_of("cbpp").profile_likelihood("Intercept"),
}


@pytest.mark.parametrize("kind", HELD)
def test_every_call_says_which_argument_it_lacks(kind: str) -> None:
    held = HELD[kind]()
    calls = calls_of(held)
    assert calls.keys() - HANDED_ON
    for name in calls.keys() - HANDED_ON:
        call = getattr(held, name)
        own = inspect.signature(call).parameters.values()
        required = [
            None for each in own if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        with pytest.raises(TypeError, match=f"^{name} has no argument 'nosuch': see its help"):
            call(*required, nosuch=1)


def test_names_where_a_formula_is_written_are_found_through_such_calls() -> None:
    """No frame lies between a call that reads a formula and whoever wrote it."""

    def squared(x: Any) -> Any:
        return x**2

    result = model().fit_laplace()
    assert result.score_test("squared(x)").df == 1
    assert "squared(x)" in result.add1("squared(x)").index
    assert result.model.update(". ~ . + squared(x)").exog_names[-1] == "squared(x)"
    assert squared(2) == 4


def test_arithmetic_stands_inside_its_own_parentheses() -> None:
    with pytest.raises(ValueError, match=r"arithmetic is written inside I\(\.\.\.\), as in I\(w / 100\)"):
        MCLAMixedGLM.from_formula("count / 100 ~ x + (1 | g)", data=DATA, family="gaussian")
