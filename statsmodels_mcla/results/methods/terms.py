"""Methods about the terms of the formula: other formulas, joint tests, terms dropped and added one by one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NoReturn

import pandas as pd

from statsmodels_mcla.comparison import RestrictionTest, single_term_table, table_of_tests, term_test
from statsmodels_mcla.data import MixedModel
from statsmodels_mcla.exceptions import told_of, warn_user
from statsmodels_mcla.formula import conditions_of, environment, relatives_of
from statsmodels_mcla.inference import columns_of, places_of, tested_terms, wald_term_tests
from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.results.methods.comparison import ScoreTestResults

TESTS = ("LR", "score")


class TermMethods(ScoreTestResults):
    """Terms of a fit's formula."""

    def update(
        self,
        formula: str = ". ~ .",
        *,
        data: Any = None,
        subset: Any = None,
        eval_env: Any = 0,
        **options: Any,
    ) -> Any:
        """Fit another formula, or other data, as this fit was made: with the same settings and random numbers.

        Parameters
        ----------
        formula : str
            A dot stands for that side of the model's formula, as in R: ``". ~ . - x + (1 | h)"``, or ``"- x"``.
        data : DataFrame, optional
            By default the rows that this fit used, so that likelihoods compare.
        subset : array_like, optional
            Rows to use: booleans or index labels.
        eval_env : int
            Where names in the formula that are no columns are looked up; frames above the caller.
        **options
            Arguments of the model's ``fit`` (or ``fit_laplace``) that are to be others than here.

        Returns
        -------
        results
            Of the same kind.

        Raises
        ------
        ValueError
            If the model was not made by a formula, or the new one cannot be read.

        Examples
        --------
        >>> smaller = results.update(". ~ . - week")
        >>> round(results.compare_lr_test(smaller).pvalue, 4)
        0.0032
        """
        env = environment(eval_env, 1)
        self.model.refuse_options(self.update, self.estimates.fit_method, options)
        return self._fit_like(self.model.update(formula, data=data, subset=subset, eval_env=env), **options)

    def _fit_like(self, model: MixedModel, **options: Any) -> Any:
        """Fit of another model with the settings and random numbers of this one."""
        self.refuse_constrained("another fit like this one")
        estimates = self.estimates
        fit = getattr(model, estimates.fit_method)
        kept = {n: v for n, v in estimates.cov.options.items() if n in ("groups", "use_correction")}
        return fit(**{**estimates.request, "cov_type": estimates.cov.kind, "cov_kwds": kept, **options})

    def anova(self, type: int = 2, test: str = "Wald", *, mcse: bool = False, rng: Any = 0) -> pd.DataFrame:  # noqa: A002 - R's name
        """Test every term of the fixed effects, as R's car does.

        Parameters
        ----------
        type : {2, 3}
            Each term after all others but those that contain it, which are taken to be zero; or after all others, as it
            is coded.
        test : {"Wald", "LR", "score"}
            From this fit alone; or by likelihood ratios or scores, which fit a smaller model (and for type 2 a larger
            one) for each term, with the random numbers of this fit.
        mcse : bool
            Whether to show the Monte Carlo errors of statistics and p-values; those of Wald tests take a pass over the
            draws for each parameter.
        rng : int or numpy.random.Generator
            Source of randomness of score tests.

        Returns
        -------
        DataFrame
            By term: ``Chisq``, ``Df``, ``Pr(>Chisq)`` and, if wanted, their Monte Carlo errors ``MCSE`` and
            ``MCSE Pr``.

        Raises
        ------
        ValueError
            If an argument is none of these, or the model was not made by a formula.

        Warns
        -----
        MCLAWarning
            If tests of type 3 are of effects at one place of other covariates, because these are not coded with sums of
            zero.

        Examples
        --------
        >>> results.anova(type=2).round(3)
              Chisq  Df  Pr(>Chisq)
        term
        trt   4.121   2       0.127
        week  8.030   1       0.005
        """
        if type not in (2, 3):
            raise ValueError(
                f"type must be 2 or 3, got {type!r}; statsmodels_mcla.anova(fit, other) compares fits with each other"
            )
        if test not in ("Wald", *TESTS):
            raise ValueError(f"test must be one of 'Wald', 'LR', 'score', got {test!r}")
        info = self._design_info()
        terms = tested_terms(info, type)
        if not terms:
            raise ValueError("anova: the fixed effects have no term to test")
        if type == 3:
            _warn_of_codings(info, terms)
        if test == "Wald":
            places = places_of(info, self.model.conditional_family)
            return wald_term_tests(self.estimates, info, type, places, mcse=mcse)
        columns, tests = list(info.column_names), {}
        models: dict[tuple[str, ...], Any] = {tuple(columns): self}

        def fitted(left_out: Sequence[int]) -> Any:
            kept = tuple(name for j, name in enumerate(columns) if j not in left_out)
            if kept not in models:
                less = f"the model without {', '.join(columns[j] for j in left_out)}"
                models[kept] = told_of(less, partial(self._fit_like, self.model.with_fixed(kept)))
            return models[kept]

        for term in terms:
            relatives = columns_of(info, relatives_of(info, term)) if type == 2 else []
            own = columns_of(info, [term])
            if len(own) + len(relatives) == len(columns):
                raise ValueError(
                    f"test={test!r}: without {term.name()} no fixed effect is left, and there is no smaller model; use "
                    "test='Wald'"
                )
            full = (
                fitted(relatives)
                if test == "LR"
                else self.model.with_fixed([name for j, name in enumerate(columns) if j not in relatives])
            )
            tests[term.name()] = term_test(full, fitted([*own, *relatives]), test, rng)
        return table_of_tests(tests, mcse and self.estimates.drawn)

    def drop1(
        self,
        scope: str | Sequence[str] | None = None,
        *,
        rng: Any = 0,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> pd.DataFrame:
        """Drop terms one by one: likelihood-ratio tests against the smaller models, and their AIC.

        Parameters
        ----------
        scope : str or list of str, optional
            Terms, fixed (``"x"``, ``"a:b"``) or random (``"(1 | g)"``); by default all fixed ones that no other
            contains, as in R.
        rng : int or numpy.random.Generator
            Source of randomness of null distributions that are simulated.
        eval_env : int
            As in `update`.

        Returns
        -------
        DataFrame
            A row for the model itself and one a term: ``AIC``, ``Chisq``, ``Df``, ``Pr(>Chisq)`` and, for Monte Carlo
            fits, Monte Carlo errors.

        Raises
        ------
        ValueError
            If there is no such term.

        Examples
        --------
        >>> results.drop1().round(2)
                   AIC  Chisq    Df  Pr(>Chisq)  MCSE  MCSE Pr
        term
        <none>  207.42    NaN  <NA>         NaN   NaN      NaN
        trt     207.64   4.22     2        0.12   0.0      0.0
        week    214.08   8.67     1        0.00   0.0      0.0
        """
        refuse_unknown(self.drop1, unknown)
        info = self._design_info()
        droppable = [t.name() for t in info.terms if t.factors and not relatives_of(info, t)]
        names = _listed(droppable if scope is None else scope)
        if not names:
            raise ValueError("scope: the fixed effects have no term to drop")
        env = environment(eval_env, 1)
        others = self._updated(names, "-", "without", env)
        for name in (name for name, other in others.items() if not len(other.params) < len(self.params)):
            raise ValueError(
                f"scope: the model without {name!r} has no fewer parameters, as where interactions with it stay, or it "
                "is none of the terms; wald_test and anova test coefficients of such terms"
            )
        tests = {name: term_test(self, other, "LR", rng) for name, other in others.items()}
        return single_term_table(self, others, tests, drawn=self.estimates.drawn)

    def add1(
        self,
        scope: str | Sequence[str],
        test: str = "LR",
        *,
        rng: Any = 0,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> pd.DataFrame:
        """Add terms one by one: tests of each, and the AIC of the larger models.

        Parameters
        ----------
        scope : str or list of str
            Terms of a formula, fixed or random.
        test : {"LR", "score"}
            By likelihood ratios, or by scores, which fit no other model.
        rng : int or numpy.random.Generator
            Source of randomness of score tests and of null distributions that are simulated.
        eval_env : int
            As in `update`.

        Returns
        -------
        DataFrame
            As `drop1`; without AIC for scores.

        Raises
        ------
        ValueError
            If a term adds nothing, or cannot be read.

        Examples
        --------
        >>> results.add1("hilo").round(2)
                   AIC  Chisq    Df  Pr(>Chisq)  MCSE  MCSE Pr
        term
        <none>  207.42    NaN  <NA>         NaN   NaN      NaN
        hilo    208.88   0.53     1        0.47   0.0      0.0
        """
        refuse_unknown(self.add1, unknown)
        if test not in TESTS:
            raise ValueError(f"test must be one of {', '.join(map(repr, TESTS))}, got {test!r}")
        self._design_info()
        names, env = _listed(scope), environment(eval_env, 1)
        tests: dict[str, RestrictionTest]
        others: dict[str, Any] = {}
        if test == "score":
            tests = {name: self.score_test(name, rng=rng, eval_env=env) for name in names}
        else:
            others = self._updated(names, "+", "with", env)
            for name in (name for name, other in others.items() if not len(other.params) > len(self.params)):
                raise ValueError(f"scope: {name!r} adds nothing to the model")
            tests = {name: term_test(other, self, "LR", rng) for name, other in others.items()}
        return single_term_table(self, others, tests, drawn=self.estimates.drawn)

    def _updated(self, names: Sequence[str], sign: str, word: str, env: Any) -> dict[str, Any]:
        """Fits with one term less, or more, each."""
        return {
            name: told_of(
                f"the model {word} {name}", partial(self.update, f". ~ . {sign} {name}", eval_env=env)
            )
            for name in names
        }

    def _design_info(self) -> Any:
        info = getattr(self.model.data, "model_spec", None)
        if info is None:
            raise ValueError(
                "the model was not made from a formula, and has no terms; use wald_test with contrasts"
            )
        return info


def _listed(names: str | Sequence[str]) -> list[str]:
    return [names] if isinstance(names, str) else list(names)


def _warn_of_codings(info: Any, terms: Sequence[Any]) -> None:
    """Say which tests of type III are of effects at one place, and not of averages."""
    found = {
        t.name(): [p for p in conditions_of(info, t).values() if p is not None] for t in terms if t.factors
    }
    shown = "; ".join(f"{name} where {' and '.join(places)}" for name, places in found.items() if places)
    if shown:
        warn_user(
            f"type=3 tests terms as they are coded: {shown}. Tests of averages need codings with sums of zero, "
            "C(x, Sum), and numbers from which their mean is subtracted; type=2 depends on neither"
        )
