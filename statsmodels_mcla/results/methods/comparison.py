"""Methods that compare with other models: likelihood-ratio and score tests."""

from __future__ import annotations

from typing import Any, NoReturn

from statsmodels_mcla.comparison import ScoreTest, added_by_arrays, added_by_formula, mixed_fit_of, score_test
from statsmodels_mcla.formula import environment
from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.results.methods.base import ResultsBase


class ScoreTestResults(ResultsBase):
    """Score tests of a fit."""

    def score_test(
        self,
        term: str | None = None,
        *,
        exog_extra: Any = None,
        exog_vc_extra: Any = None,
        predictor: str | None = None,
        rng: Any = 0,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> ScoreTest:
        """Score (Rao) test of adding terms to the model, without fitting them.

        Parameters
        ----------
        term : str, optional
            Terms of a formula to add: fixed effects, ``"x + C(site)"``, random effects, ``"(1 | site)"``, or both.
        exog_extra : array_like (n,) or (n, k), optional
            Fixed-effects columns to add, a row for each row that the model uses.
        exog_vc_extra : array_like or scipy.sparse (n, Q), optional
            Design of independent random effects of one variance to add.
        predictor : str, optional
            Linear predictor that they are added to, by the name before its effects: ``"zi"``, ``"oi"``, ``"disp"``, a
            category of `Multinomial`, or ``"nominal"`` for all thresholds.  By default that of the formula.
        rng : int or numpy.random.Generator
            Source of randomness.
        eval_env : int or patsy.EvalEnvironment
            Where names in ``term`` that are no columns are looked up; an int counts frames above the caller.

        Returns
        -------
        ScoreTest
            With the p-value of a chi-square or, for variances, a chi-bar-square distribution.

        Raises
        ------
        ValueError
            If nothing is added, or an argument does not fit; the message names it.

        Notes
        -----
        The information is the expected one, as in R's glm, from simulated responses (``comparison.score_tests`` has the
        formulas): the observed one may be nearly singular far from the estimates. The Monte Carlo error is told.

        Examples
        --------
        >>> round(results.score_test("hilo").pvalue, 2)
        0.46
        >>> slopes = results.score_test("(0 + week | ID)")
        >>> round(slopes.pvalue, 2), str(slopes.distribution)
        (0.25, 'chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)')
        """
        refuse_unknown(self.score_test, unknown)
        given = [exog_extra is not None or exog_vc_extra is not None, term is not None]
        if sum(given) != 1:
            raise ValueError("term: give either a term of a formula, or exog_extra and exog_vc_extra")
        if term is not None:
            added = added_by_formula(self.model, term, environment(eval_env, 1), predictor)
        else:
            added = added_by_arrays(self.model, exog_extra, exog_vc_extra, predictor)
        return score_test(mixed_fit_of(self, "the fit"), added, rng)
