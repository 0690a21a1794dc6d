"""The Monte Carlo likelihood: its derivatives, its value, and what must not change it."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import (
    KIND,
    KIND_IDS,
    KINDS,
    STRUCTURES,
    Kind,
    Small,
    assert_monte_carlo,
    differences_of_both,
    model_of,
    small,
    truth_of,
)
from scipy import stats

from statsmodels_mcla import BlockSampling, JointSampling, MCLAMixedGLM
from statsmodels_mcla.design.row_merging import merge_identical_rows
from statsmodels_mcla.execution import Threads
from statsmodels_mcla.likelihood.monte_carlo.evaluation import evaluate
from statsmodels_mcla.likelihood.sampling import NumbersMade
from statsmodels_mcla.likelihood.sampling.sampler import Sampler


class WideNormal:
    """A user's own importance density over all effects."""

    def __init__(self, sd: np.ndarray) -> None:
        self.sd = sd

    def sample(self, rng: np.random.Generator, n: int) -> np.ndarray:
        return 0.1 * self.sd[:, None] + self.sd[:, None] * rng.standard_normal((len(self.sd), n))

    def logpdf(self, u: np.ndarray) -> np.ndarray:
        return stats.norm.logpdf(u, 0.1 * self.sd[:, None], self.sd[:, None]).sum(axis=0)


SAMPLERS = ["blocks-quasi", "blocks", "joint", "own"]
WEIGHTS: dict[str, dict[str, str]] = {
    "plain": {},
    "weights": {"freq_weights": "w"},
    "offset": {"offset": "off"},
}


def draw(model: MCLAMixedGLM, params: np.ndarray, sampler: str, nsample: int = 64, rng: int = 3) -> None:
    options: dict[str, Any] = {"quasi": sampler == "blocks-quasi"}
    if sampler == "joint":
        options["sampling"] = JointSampling()
    if sampler == "own":
        effects = model.design.Z.shape[1]
        options["sampling"] = WideNormal(np.full(effects, 1.2 * np.sqrt(params[2])))
    model.draw(params, nsample=nsample, rng=rng, **options)


@functools.lru_cache(maxsize=200)
def model_small(name: str, structure: str, weights: str) -> tuple[Small, MCLAMixedGLM]:
    case = small(KIND[name], structure)
    return case, case.model(**WEIGHTS[weights])


def away(case: Small) -> np.ndarray:
    """Parameters some way from those where the draws are made, with covariances still valid."""
    shift = np.array([0.1, -0.07, *np.full(len(case.params) - 2, 0.0)])
    if case.kind.oracle_link == "inverse":
        shift *= 0.3
    return case.params * np.where(np.arange(len(case.params)) < 2, 1.0, 1.15) + shift


def combinations() -> list[Any]:
    """Every kind, structure and sampler, each with one of the ways to weight rows; with the other two, slow.

    A Latin square of three: any two of the four that are named meet.
    """
    numbered = itertools.product(*map(enumerate, (KIND_IDS, STRUCTURES, WEIGHTS, SAMPLERS)))
    return [
        pytest.param(
            kind, structure, weights, sampler, marks=[] if (k + s + m) % 3 == w else pytest.mark.slow
        )
        for (k, kind), (s, structure), (w, weights), (m, sampler) in numbered
    ]


@pytest.mark.parametrize(("kind", "structure", "weights", "sampler"), combinations())
def test_score_and_hessian_are_those_of_loglike(
    kind: str, structure: str, weights: str, sampler: str
) -> None:
    case, model = model_small(kind, structure, weights)
    draw(model, case.params, sampler)
    at = away(case)
    value, score, hessian = model.loglike(at), model.score(at), model.hessian(at)
    assert np.isfinite(value)
    assert np.array_equal(hessian, hessian.T) or np.allclose(hessian, hessian.T, rtol=1e-12)
    # premise: the weights do vary, so the second moments of the scores matter
    assert not np.allclose(hessian, 0)
    scale = 1.0 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1.0))
    step = 2e-3 * np.minimum(scale, np.where(np.arange(len(at)) < 2, np.inf, np.abs(at)))
    by_loglike, by_score = differences_of_both(lambda x: (model.loglike(x), model.score(x)), at, step)
    size = np.maximum(np.abs(score * scale), 1.0)
    assert np.all(np.abs(by_loglike - score) * scale <= 1e-6 * size)
    assert np.all(np.abs(by_score - hessian) * np.outer(scale, scale) <= 1e-6 * np.maximum(1.0, size.max()))


def test_derivatives_are_of_the_same_evaluation() -> None:
    _, model = model_small("binomial-logit", "slope", "plain")
    at = np.array([0.2, -0.1, 0.5, 0.05, 0.3])
    draw(model, at, "blocks-quasi")
    calls = []
    original = evaluate

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return original(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("statsmodels_mcla.model.drawn_likelihood.evaluate", counted)
        model.loglike(at)
        model.score(at)
        model.hessian(at)
        assert len(calls) == 1
        model.score(at + 0.01)
        assert len(calls) == 2


# The value --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("kind", KIND_IDS)
def test_loglike_of_random_intercepts_is_that_of_quadrature(kind: str, weights: str) -> None:
    """Groups of unequal size: blocks that are filled up count no more than their rows."""
    case, model = model_small(kind, "intercept", weights)
    assert len({b.n_rows for b in model.design.buckets}) < 3  # premise: some blocks are filled up
    model.draw(case.params, nsample=2048, rng=1)
    rows = {}
    if weights == "weights":
        rows["weights"] = case.data["w"].to_numpy()
    if weights == "offset":
        rows["offset"] = case.data["off"].to_numpy()
    expected = oracle.quadrature_loglike(case.params, **case.arguments(**rows))
    assert model.loglike(case.params) == pytest.approx(expected, abs=2e-5)
    np.testing.assert_allclose(
        model.score(case.params),
        oracle.quadrature_score(case.params, **case.arguments(**rows)),
        atol=2e-3,
        rtol=1e-3,
    )


@pytest.mark.parametrize("structure", ["slope", "crossed"])
@pytest.mark.parametrize("kind", ["binomial-probit", "poisson-log", "negativebinomial-log", "gamma-inverse"])
def test_loglike_of_several_effects_is_that_of_quadrature(kind: str, structure: str) -> None:
    case, model = model_small(kind, structure, "plain")
    model.draw(case.params, nsample=2**14, rng=1)
    options = {"nodes": 9, "rule": "hermite"} if structure == "crossed" else {}
    expected = oracle.quadrature_loglike(case.params, **case.arguments(), **options)
    found, _ = model._evaluate(case.params)
    # 9^5 points carry the truth to about 1e-5
    assert_monte_carlo(found.value, np.sqrt(found.value_var), expected, small=0.01, error=2e-5)


def test_var_weights_divide_the_scale() -> None:
    case = small(KIND["gamma-log"], "intercept")
    v = case.data["w"].to_numpy()
    model = case.model(var_weights="w")
    model.draw(case.params, nsample=2048, rng=1)
    expected = oracle.quadrature_loglike(case.params, **case.arguments(var_weights=v))
    assert model.loglike(case.params) == pytest.approx(expected, abs=2e-5)


def test_exposure_adds_its_logarithm_to_the_offset() -> None:
    case = small(KIND["poisson-log"], "intercept")
    time = np.exp(case.data["off"].to_numpy())
    models = [case.model(exposure=time), case.model(offset="off"), case.model(exposure=time, offset="off")]
    values = []
    for model in models:
        model.draw(case.params, nsample=256, rng=1)
        values.append(model.loglike(case.params))
    assert values[0] == pytest.approx(values[1], abs=1e-10)
    twice = oracle.quadrature_loglike(case.params, **case.arguments(offset=2 * case.data["off"].to_numpy()))
    assert values[2] == pytest.approx(twice, abs=1e-3)


@pytest.mark.parametrize("df", [np.inf])
def test_gaussian_responses_make_constant_weights_under_a_gaussian_proposal(df: float) -> None:
    """With the exact conditional law as importance density, one draw gives the closed-form likelihood."""
    for structure in STRUCTURES:
        case = small(KIND["gaussian-identity"], structure)
        model = case.model(freq_weights=np.ones(len(case.data)))
        model.draw(case.params, nsample=32, rng=1, sampling=BlockSampling(df=df, inflate=1.0, centre="mode"))
        found, _ = model._evaluate(case.params)
        np.testing.assert_allclose(found.blocks.ess, found.blocks.draws, rtol=1e-9)
        data = case.data
        X = np.column_stack([np.ones(len(data)), data["x"]])
        beta, theta, phi = case.params[:2], case.params[2:-1], case.params[-1]
        V = phi * np.eye(len(data))
        if structure == "crossed":
            for column, variance in zip("ab", theta, strict=True):
                V += variance * np.equal.outer(data[column].to_numpy(), data[column].to_numpy())
        else:
            d = 2 if structure == "slope" else 1
            G = np.zeros((d, d))
            G[np.tril_indices(d)] = theta
            G = G + np.tril(G, -1).T
            V += np.equal.outer(data["g"].to_numpy(), data["g"].to_numpy()) * (X[:, :d] @ G @ X[:, :d].T)
        expected = stats.multivariate_normal(X @ beta, V).logpdf(data["y"].to_numpy())
        assert model.loglike(case.params) == pytest.approx(expected, abs=1e-9)


@pytest.mark.filterwarnings("ignore:The Sqrt link function does not respect the domain")
@pytest.mark.parametrize("kind", [k for k in KINDS if k.oracle_link != "inverse"], ids=lambda k: k.name)
def test_no_variance_is_the_glm(kind: Kind) -> None:
    """As the variance vanishes, value and score tend to those of statsmodels' GLM."""
    case = small(kind, "intercept")
    model = case.model()
    params = case.params.copy()
    params[2] = 1e-10
    model.draw(params, nsample=4096, rng=1)
    family = kind.family
    if kind.oracle_family == "negativebinomial":
        family = sm.families.NegativeBinomial(alpha=kind.phi)
    endog = case.data[["y", "failures"]].to_numpy() if case.counts else case.data["y"].to_numpy()
    glm = sm.GLM(endog, np.column_stack([np.ones(len(case.data)), case.data["x"]]), family=family)
    scale = 1.0 if kind.phi is None or kind.oracle_family == "negativebinomial" else kind.phi
    mu = glm.family.link.inverse(glm.exog @ params[:2])
    llf = glm.family.loglike(glm.endog, mu, var_weights=glm.var_weights, scale=scale)
    if case.counts:  # statsmodels' binomial keeps the trials aside
        llf = stats.binom.logpmf(case.data["y"], case.trials, mu).sum()
    if kind.oracle_family in ("gaussian", "inversegaussian"):
        llf = oracle.log_density(
            kind.oracle_family, kind.oracle_link, glm.endog, glm.exog @ params[:2], kind.phi, 1.0, 1.0
        ).sum()
    assert model.loglike(params) == pytest.approx(llf, abs=1e-6)
    expected = glm.score(params[:2], scale=scale)
    np.testing.assert_allclose(model.score(params)[:2], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_joint_and_block_samplers_agree_on_one_block(structure: str) -> None:
    case = small(KIND["binomial-logit"], structure, sizes=(12,) if structure != "crossed" else (5, 5, 5))
    data = case.data
    if structure != "crossed":  # two groups joined by a second factor make one block
        data = data.assign(g=["g1", "g2"] * 6)
    formula = f"y + failures ~ x + {STRUCTURES[structure]}" + (
        "" if structure == "crossed" else " + (1 | one)"
    )
    data = data.assign(one=["p", "p", "q", "q"] * 3) if structure != "crossed" else data
    params = case.params if structure == "crossed" else np.append(case.params, 0.4)
    model = MCLAMixedGLM.from_formula(formula, data=data, family=case.kind.family)
    assert model.design.n_blocks == 1
    found = []
    for options in ({"nsample": 2**14}, {"nsample": 2**16, "sampling": JointSampling()}):
        model.draw(params, rng=1, **options)
        found.append(model._evaluate(params)[0])
    blocks, joint = found
    variance = blocks.value_var + joint.value_var
    assert_monte_carlo(joint.value, np.sqrt(variance), blocks.value, small=0.02)
    score_var = np.diag(blocks.score_var + joint.score_var)
    assert_monte_carlo(joint.score, np.sqrt(score_var), blocks.score, small=0.1)


def test_an_own_density_gives_the_same_likelihood() -> None:
    case, model = model_small("poisson-log", "intercept", "plain")
    draw(model, case.params, "own", nsample=2**17)
    found, _ = model._evaluate(case.params)
    expected = oracle.quadrature_loglike(case.params, **case.arguments())
    assert_monte_carlo(found.value, np.sqrt(found.value_var), expected, small=0.1)


# What must not matter ---------------------------------------------------------------------------------


def at_own_draws(model: MCLAMixedGLM, params: np.ndarray, nsample: int = 2048) -> float:
    model.draw(params, nsample=nsample, rng=1)
    return model.loglike(params)


def test_rows_of_zeros_and_ones_are_counts() -> None:
    case = small(KIND["binomial-logit"], "intercept")
    data = case.data
    rows = []
    for row in data.itertuples():
        rows += [row._replace(y=1)] * int(row.y) + [row._replace(y=0)] * int(row.failures)
    long = pd.DataFrame(rows)
    bernoulli = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=long, family=sm.families.Binomial())
    assert at_own_draws(bernoulli, case.params) == pytest.approx(
        at_own_draws(case.model(), case.params)
        - (stats.binom.logpmf(data["y"], case.trials, 0.5) + case.trials * np.log(2)).sum(),
        abs=1e-6,
    )


@pytest.mark.parametrize("kind", KIND_IDS)
def test_weight_two_is_the_row_twice_and_zero_is_no_row(kind: str) -> None:
    case = small(KIND[kind], "intercept")
    w = np.tile([2, 1, 0, 1, 3], len(case.data))[: len(case.data)]
    repeated = case.data.loc[np.repeat(case.data.index, w)]
    weighted = case.model(freq_weights=w)
    long = case.model(repeated)
    first, second = at_own_draws(weighted, case.params), at_own_draws(long, case.params)
    assert first == pytest.approx(second, abs=2e-5)
    np.testing.assert_allclose(weighted.score(case.params), long.score(case.params), rtol=1e-3, atol=2e-3)
    kept = case.data[w > 0]
    dropped = case.model(kept, freq_weights=w[w > 0])
    assert at_own_draws(dropped, case.params) == pytest.approx(first, abs=2e-5)


def test_row_order_and_labels_do_not_matter() -> None:
    case = small(KIND["poisson-log"], "intercept")
    value = at_own_draws(case.model(), case.params)
    other = case.data.sample(frac=1.0, random_state=1)
    other["g"] = other["g"].map({"g0": "z", "g1": "y", "g2": "x", "g3": "w", "g4": "v"})
    assert at_own_draws(case.model(other), case.params) == pytest.approx(value, abs=1e-7)
    numbers = case.data.assign(g=case.data["g"].str[1:].astype(int) * 10)
    assert at_own_draws(case.model(numbers), case.params) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("kind", ["binomial-logit", "binomial-probit", "binomial-cauchit"])
def test_swapping_success_and_failure_flips_beta(kind: str) -> None:
    case = small(KIND[kind], "intercept")
    swapped = case.model(case.data.assign(y=case.data["failures"], failures=case.data["y"]))
    flipped = case.params * np.array([-1, -1, 1])
    value = at_own_draws(case.model(), case.params)
    assert at_own_draws(swapped, flipped) == pytest.approx(value, abs=1e-7)


@pytest.mark.parametrize("kind", ["binomial-logit", "binomial-cloglog", "poisson-log", "poisson-sqrt"])
def test_merged_rows_count_as_they_are(kind: str) -> None:
    case = small(KIND[kind], "intercept")
    parts = [
        case.data.assign(y=(case.data["y"] + k) % 2, failures=(case.data["y"] + k + 1) % 2) for k in (0, 1, 1)
    ]
    model = case.model(pd.concat(parts))
    family = model.conditional_family
    data = family.row_data(np.asarray(model.endog), model.n_trials, model.freq_weights, model.var_weights)
    plain = replace(
        model.design,
        y=data.y,
        w=data.w,
        v=data.v,
        offset=model.offset,
        X=model.exog,
        terms=model.random_terms,
    )
    assert model.design.n_rows == len(case.data) < plain.n_rows
    assert merge_identical_rows(plain).n_rows == model.design.n_rows
    found = []
    for design in (plain, model.design):
        sampler = Sampler.start(design, BlockSampling(), np.random.SeedSequence(1), True, None).with_size(
            4096
        )
        found.append(evaluate(design, case.params, sampler.at(case.params).draws))
    assert found[0].value == pytest.approx(found[1].value, abs=1e-6)
    np.testing.assert_allclose(found[0].score, found[1].score, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[0].hessian, found[1].hessian, rtol=1e-4, atol=1e-4)


def test_threads_give_the_same_numbers() -> None:
    model = model_of("salamander")
    at = truth_of("salamander").params
    for sampling in (None, JointSampling()):
        model.draw(at, nsample=2**12, rng=1, sampling=sampling)
        draws = model._current.position.draws
        assert sum(part.size * part.bucket.y.size for part in draws) > 2**18  # premise: threads are used
        one, two, three = (evaluate(model.design, at, draws, executor=Threads(n)) for n in (1, 2, 3))
        for other in (two, three):
            assert one.value == other.value
            assert np.array_equal(one.score, other.score)
            assert np.array_equal(one.hessian, other.hessian)
            assert np.array_equal(one.score_var, other.score_var)
            assert np.array_equal(one.blocks.ess, other.blocks.ess)


def test_sections_and_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    case, model = model_small("negativebinomial-log", "slope", "weights")
    model.draw(case.params, nsample=1024, rng=1)
    draws = model._current.position.draws
    whole = evaluate(model.design, away(case), draws)
    monkeypatch.setattr("statsmodels_mcla.likelihood.monte_carlo.kernel.STEP", 300)
    monkeypatch.setattr("statsmodels_mcla.likelihood.monte_carlo.kernel.SECTION", 100)
    draws = tuple(replace(part, made=NumbersMade()) for part in draws)
    pieces = evaluate(model.design, away(case), draws)
    assert pieces.value == pytest.approx(whole.value, abs=1e-11)
    np.testing.assert_allclose(pieces.score, whole.score, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(pieces.hessian, whole.hessian, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(pieces.score_var, whole.score_var, rtol=1e-8)
    np.testing.assert_allclose(pieces.score_bias, whole.score_bias, rtol=1e-6, atol=1e-10)


# Monte Carlo errors -----------------------------------------------------------------------------------


@pytest.mark.parametrize("quasi", [True, False])
def test_variances_of_value_and_score_are_those_over_repeats(quasi: bool) -> None:
    """V and the variance of the log-likelihood, against the spread over independent seeds."""
    case, model = model_small("binomial-logit", "slope", "plain")
    values, scores, stated, V, bias = [], [], [], [], []
    for seed in range(120):
        model.draw(case.params, nsample=128, rng=seed, quasi=quasi)
        found, _ = model._evaluate(case.params)
        values.append(found.value)
        scores.append(found.score)
        stated.append(found.value_var)
        V.append(np.diag(found.score_var))
        bias.append(found.value_bias)
    ratio = np.var(values, ddof=1) / np.mean(stated)
    # 120 repeats carry a variance to about 13 %
    assert 0.55 < ratio < 1.6
    assert np.all(np.abs(np.log(np.var(scores, axis=0, ddof=1) / np.mean(V, axis=0))) < np.log(1.7))
    model.draw(case.params, nsample=2**15, rng=0)
    truth = model.loglike(case.params)
    error = np.mean(values) - np.mean(bias) - truth
    assert abs(error) < 4 * np.std(values) / np.sqrt(len(values))


def test_plain_variance_is_the_textbook_one() -> None:
    """V = m/(m-1) sum v^2 (s - score)(s - score)' for independent draws (Knudson et al., 2021)."""
    data = pd.DataFrame({"y": [1, 0, 1, 1], "g": list("aabb"), "h": list("abab")})
    model = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g) + (1 | h)", data=data, family=sm.families.Binomial())
    at, m = np.array([0.4, 0.7, 0.3]), 500
    model.draw(at, nsample=m, rng=1, sampling=JointSampling())
    found, current = model._evaluate(at)
    (part,) = current.position.draws
    b = np.hstack([part.draw(slice(0, 1), s)[0][0] for s in part.sections(10**9)])
    log_g = part.proposal.logpdf(b)
    Z = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    sd = np.sqrt(np.repeat(at[1:], 2))[:, None]
    u = sd * b
    log_g -= np.log(sd).sum()  # a density of u from one of b
    eta = 0.4 + Z @ u
    y = data["y"].to_numpy()[:, None]
    log_w = stats.bernoulli.logpmf(y, 1 / (1 + np.exp(-eta))).sum(axis=0)
    log_w += stats.norm.logpdf(u, 0, sd).sum(axis=0) - log_g
    w = np.exp(log_w - log_w.max())
    v = w / w.sum()
    s = np.vstack(
        [
            (y - 1 / (1 + np.exp(-eta))).sum(axis=0),
            -1 / at[1] + (u[:2] ** 2).sum(axis=0) / (2 * at[1] ** 2),
            -1 / at[2] + (u[2:] ** 2).sum(axis=0) / (2 * at[2] ** 2),
        ]
    )
    centred = s - (s @ v)[:, None]
    assert found.value == pytest.approx(np.log(w.mean()) + log_w.max(), abs=1e-12)
    np.testing.assert_allclose(model.score(at), s @ v, rtol=1e-10)
    # joint draws move so that u stays: their scores in the fitted parameters are J' times these
    J = current.reduction.jacobian(current.position.params)
    np.testing.assert_allclose(found.score, J.T @ s @ v, rtol=1e-10)
    V = m / (m - 1) * (v**2 * centred) @ centred.T
    np.testing.assert_allclose(found.score_var, J.T @ V @ J, rtol=1e-10)
    assert found.blocks.ess[0] == pytest.approx(1 / (v**2).sum())
    assert found.value_var == pytest.approx(m / (m - 1) * ((v - 1 / m) ** 2).sum(), rel=1e-10)
