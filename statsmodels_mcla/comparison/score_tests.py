r"""Score (Rao) tests of terms that a fit does not have, without fitting them.

With S the score of the larger model at the fitted one and J its information, the part of S that the fitted
parameters cannot explain is S_e - J_en J_nn^-1 S_n.  J is the expected information, as in R's glm: the observed one may
be anything where the fitted model is far from the data.  For fixed effects it is the mean Hessian over
simulated responses.  Where responses cannot be simulated (frequency weights that are no whole numbers, thresholds
that cross) it is the observed one.  For variances, whose scores are one-sided (Lin, 1997, Biometrika 84(2)), it is the
covariance of the scores over simulated responses, and the statistic the squared length of the projection onto the
cone (Silvapulle and Silvapulle, 1995, J. Am. Stat. Assoc. 90(429)).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import patsy

from statsmodels_mcla.comparison.chi_bar_square import jackknife, project
from statsmodels_mcla.comparison.compared_fits import MixedFit
from statsmodels_mcla.comparison.likelihood_ratio import RestrictionTest, null_distribution
from statsmodels_mcla.comparison.nesting import coordinates, fingerprints, nesting_of
from statsmodels_mcla.comparison.restricted_model import Information, RestrictedModel, efficient, schur
from statsmodels_mcla.data import MixedModel, ModelInputs, effect_rows, finite_matrix, terms_of_arrays
from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.exceptions import warn_user
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.formula import read_random_effects, reading, refuse_infinite, split_formula
from statsmodels_mcla.numerics import Array, independent_columns, is_positive_definite, seed_of

DRAWS = 1024  # a block, for the score of fixed effects
FEWEST_PARTS = 4  # of an information that is a mean of Hessians
SMALL_ERROR, LARGE_ERROR = (
    0.01,
    0.04,
)  # of its statistic, as a part: enough; so large that scores have a smaller one
LARGE_MCSE, SMALL_MCSE = 0.1, 1e-3  # of a p-value: told, as a part of it; of none that matters


class ScoreTest(RestrictionTest):
    """Score test of terms that the fit does not have.

    Examples
    --------
    >>> test = results.score_test("(0 + week | ID)")
    >>> round(test.pvalue, 2), str(test.distribution)
    (0.25, 'chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)')
    """

    title: ClassVar[str] = "Score test"


class Added(NamedTuple):
    """Effects that a model does not have: columns of fixed ones, the linear predictor of each, and random ones."""

    exog: pd.DataFrame
    of_column: np.ndarray
    terms: Sequence[RandomTerm] = ()

    @classmethod
    def to(cls, predictors: Mapping[int, str], exog: pd.DataFrame, terms: Sequence[RandomTerm] = ()) -> Added:
        """Columns that are added to each of some linear predictors."""
        parts = [exog.add_prefix(f"{name}: ") if name else exog for name in predictors.values()]
        return cls(pd.concat(parts, axis=1), np.repeat(list(predictors), exog.shape[1]), terms)

    def beside(self, inputs: ModelInputs, rows: np.ndarray) -> ModelInputs:
        """Inputs of the larger model, of which each row is one of those here."""
        return replace(
            inputs,
            exog=pd.concat([inputs.exog, self.exog.iloc[rows].set_axis(inputs.exog.index)], axis=1),
            of_column=np.concatenate([inputs.predictor_of_column, self.of_column]),
            terms=(*inputs.terms, *(replace(t, Z=t.Z[rows]) for t in self.terms)),
        )

    def not_of(self, fit: MixedFit) -> Added:
        """Return these without columns that the fixed effects of a fit make up.

        Raises
        ------
        ValueError
            If nothing is left, or the fit has some of the random effects.
        """
        X, terms = effect_rows(self.beside(fit.inputs, np.arange(len(self.exog))), fit.family)
        known_X, known_terms = fit.effects()
        keep = independent_columns(known_X, X[:, known_X.shape[1] :])
        if not len(keep) and not self.terms:
            raise ValueError("term: it adds nothing to the fixed and random effects that the model has")
        for term in terms[len(known_terms) :]:
            _refuse_known(term, known_terms)
        return self._replace(exog=self.exog.iloc[:, keep], of_column=self.of_column[keep])


def predictors_named(family: ConditionalFamily, name: str | None) -> dict[int, str]:
    """Numbers and names of the linear predictors that terms are added to.

    Raises
    ------
    ValueError
        If the family has no such predictor; the message lists those that it has.
    """
    known = dict(enumerate(family.predictors))
    if name is None:  # those that the formula is for: every category has one, where they have names
        return known if known[0] else {0: ""}
    chosen = {k: own for k, own in known.items() if own and own == name}
    if name == "nominal" and family.categorical and not known[0]:
        chosen = {k: own for k, own in known.items() if k}
    if not chosen:
        names = ", ".join(repr(own) for own in known.values() if own)
        has = f"has {names} beside that of the formula" if names else "has none but that of the formula"
        raise ValueError(f"predictor: family {family.name} has no linear predictor {name!r}; it {has}")
    return chosen


def added_by_formula(
    model: MixedModel, term: str, env: patsy.EvalEnvironment, predictor: str | None = None
) -> Added:
    """Effects of the terms of a formula, on the rows of a model.

    Raises
    ------
    ValueError
        If the model was not made from a formula, or has no such predictor.
    """
    frame = getattr(model.data, "frame", None)
    if frame is None:
        raise ValueError("term: the model was not made from a formula; give exog_extra or exog_vc_extra")
    if not isinstance(term, str):
        raise TypeError(
            f"term must be a formula such as 'x + (1 | site)', got {term!r}; arrays go to exog_extra"
        )
    fixed, bars = split_formula("0 ~ " + term.strip().lstrip("+~"))
    right = fixed.partition("~")[2].strip()
    with reading(f"term: {right}", frame.dtypes):
        X = patsy.dmatrix(right or "1", frame, env, NA_action="raise", return_type="dataframe")
    refuse_infinite(list(X.columns), X.to_numpy(), "term", X.index)
    predictors = predictors_named(model.conditional_family, predictor)
    terms = tuple(read_random_effects(bars, frame, env, predictors))
    return Added.to(predictors, X.drop(columns="Intercept", errors="ignore"), terms)


def added_by_arrays(
    model: MixedModel, exog_extra: Any, exog_vc_extra: Any, predictor: str | None = None
) -> Added:
    """Fixed-effects columns and a variance component given as arrays with the rows of a model."""
    n, predictors = len(model.endog), predictors_named(model.conditional_family, predictor)
    X = pd.DataFrame(np.zeros((n, 0)))
    if exog_extra is not None:
        values = finite_matrix(
            exog_extra if np.ndim(exog_extra) == 2 else np.reshape(exog_extra, (-1, 1)), "exog_extra"
        )
        if len(values) != n or not np.all(np.isfinite(values)):
            raise ValueError(f"exog_extra must have {n} complete rows, as the model has, got {len(values)}")
        X = pd.DataFrame(values, columns=[f"extra {j + 1}" for j in range(values.shape[1])])
    terms: list[RandomTerm] = []
    if exog_vc_extra is not None:
        own = terms_of_arrays(exog_vc_extra, np.zeros(np.shape(exog_vc_extra)[1], int), ["extra"], None, n)
        terms = [replace(term, predictors=(k,)) for k in predictors for term in own]
    return Added.to(predictors, X, tuple(terms))


def _refuse_known(term: RandomTerm, known: Sequence[RandomTerm]) -> None:
    """Refuse a random term with effects that the model has already: their variances are not told apart."""
    of_model = {column for t in known for Z in coordinates(t) for column in fingerprints(Z)}
    new = zip(term.columns, coordinates(term), strict=True)
    twice = [name for name, Z in new if of_model.issuperset(fingerprints(Z))]
    if twice:
        raise ValueError(
            f"term: the model has the effect {twice[0]} of {term.name!r} already; give the new effects alone, "
            "(0 + x | g) for a slope"
        )


def larger_at(fit: MixedFit, added: Added, seed: np.random.SeedSequence) -> RestrictedModel:
    """Model with more terms, at a fit without them."""
    inputs = added.beside(fit.inputs, np.arange(len(fit.exog)))
    design = inputs.design(fit.family)
    nesting = nesting_of(design, *effect_rows(inputs, fit.family), *fit.effects())
    params, executor = nesting.embedding @ fit.params, fit.estimates.fitted.executor
    return RestrictedModel(design, fit.family, params, nesting, seed, executor)


def score_test(fit: MixedFit, added: Added, rng: Any = 0) -> ScoreTest:
    """Test terms that a fit does not have.

    Parameters
    ----------
    fit : MixedFit
    added : Added
        Fixed effects that the model has already are left out.
    rng : int or numpy.random.Generator

    Raises
    ------
    ValueError
        If nothing is added, or it is known already.
    """
    seed = seed_of(rng)
    added = added.not_of(fit)
    model = larger_at(fit, added, seed)
    nesting = model.nesting
    if not nesting.cones:
        of_fixed = _of_fixed_effects(model, added.beside(*fit.unit_rows()) if fit.simulates else None)
        if of_fixed is not None:
            return _told(ScoreTest.of(*of_fixed, null_distribution(nesting, _no_information, seed)))
    found = model.information(model.simulated_scores(added.beside(*fit.unit_rows())))
    observed = model.observed_scores() @ found.axes
    sizes = tuple(len(cone.columns) for cone in nesting.cones)
    mean = observed.mean(axis=0)
    statistic = _projected(mean, found, sizes)
    # errors of the score, from its repeats, and of the information, from its groups of simulations
    without = [np.delete(observed, k, axis=0).mean(axis=0) for k in range(len(observed))]
    scores = [_projected(S, found, sizes) for S in without]
    informations = [_projected(mean, replace(found, J=J), sizes) for J in found.replicates]
    mcse = float(np.sqrt(jackknife(np.array(scores)) + jackknife(np.array(informations))))
    return _told(ScoreTest.of(statistic, mcse, null_distribution(nesting, lambda: found, seed)))


def _told(test: ScoreTest) -> ScoreTest:
    """Return a test; if its p-value is not precise, with a warning."""
    if test.pvalue_mcse > max(LARGE_MCSE * test.pvalue, SMALL_MCSE):
        warn_user(
            f"the p-value of the score test, {test.pvalue:.2g}, has a Monte Carlo error of {test.pvalue_mcse:.1g}, "
            "mostly of simulated responses: compare several rng=, or fit the larger model and use "
            "compare_lr_test()"
        )
    return test


def _no_information() -> Information:
    raise ValueError("a test of fixed effects needs no simulated information")


def _of_fixed_effects(model: RestrictedModel, inputs: ModelInputs | None) -> tuple[float, float] | None:
    """Statistic and its Monte Carlo error; None where Hessians vary too much: scores have a better information.

    Parameters
    ----------
    model : RestrictedModel
    inputs : ModelInputs or None
        Rows of unit weight, for the expected information; the observed one without them.
    """
    _, position, found = model.evaluated(model.design, model.seed, draws=DRAWS)
    p, p0 = model.design.n_fixed, model.nesting.embedding[: model.design.n_fixed].any(axis=0).sum()
    P = len(position.params)
    fixed = np.zeros((P, P))  # restricted fixed effects, other parameters, free directions
    fixed[:p, :p0] = model.nesting.embedding[:p, :p0]
    fixed[p:, p0 : p0 + P - p] = np.eye(P - p)
    fixed[:p, p0 + P - p :] = model.nesting.free[:p]
    k, S, V = p - p0, fixed.T @ found.score, fixed.T @ found.score_var @ fixed

    def statistic(J: Array) -> float:
        left = efficient(J, k) @ S
        return float(left @ np.linalg.solve(schur(J, k), left))

    J, variance = -fixed.T @ found.hessian @ fixed, 0.0
    if inputs is not None:
        with suppress(
            FloatingPointError
        ):  # thresholds that cross in some rows: a response there has no density
            J, variance = _expected(
                (-fixed.T @ hessian @ fixed for hessian in model.simulated_hessians(inputs)), statistic
            )
    if not is_positive_definite(J) or variance > (LARGE_ERROR * statistic(J)) ** 2:
        return None
    slope = 2.0 * efficient(J, k).T @ np.linalg.solve(schur(J, k), efficient(J, k) @ S)
    return statistic(J), float(np.sqrt(max(float(slope @ V @ slope), 0.0) + variance))


def _expected(parts: Iterator[Array], statistic: Callable[[Array], float]) -> tuple[Array, float]:
    """Mean of as many parts of an information as a statistic of it needs, and the variance of that."""
    known: list[Array] = []
    J, variance = np.zeros(0), np.inf
    for part in parts:
        known.append(part)
        if len(known) < FEWEST_PARTS:
            continue
        J = np.mean(known, axis=0)
        without = [statistic(J + (J - one) / (len(known) - 1)) for one in known]
        variance = float(jackknife(np.array(without)))
        if variance <= (SMALL_ERROR * statistic(J)) ** 2:
            break
    return J, variance


def _projected(S: Array, found: Information, sizes: tuple[int, ...]) -> float:
    """Statistic of a score in the coordinates of the information."""
    k, f = found.n_cone, found.n_free
    statistic = 0.0
    J, n = found.J, len(found.J)
    if f:
        inner = n - k
        left = efficient(J[:inner, :inner], f) @ S[:inner]
        statistic += float(left @ np.linalg.solve(schur(J[:inner, :inner], f), left))
    if not k:
        return statistic
    cone = found.cone
    left = efficient(J, k) @ S
    c = project(np.linalg.solve(cone, left)[None], cone, sizes)[0]
    return statistic + max(float(2.0 * c @ left - c @ cone @ c), 0.0)
