"""Tests of overdispersion and of zero inflation, by fits of the family with and without it."""

from __future__ import annotations

import warnings
from typing import Any

from statsmodels_mcla.comparison import LikelihoodRatioTest, likelihood_ratio_test
from statsmodels_mcla.exceptions import SingularFitWarning
from statsmodels_mcla.families import (
    ConditionalFamily,
    conditional_family,
    not_overdispersed,
    not_zero_inflated,
    overdispersed,
    zero_inflated,
)
from statsmodels_mcla.results.methods.terms import TermMethods


class NestedFamilyMethods(TermMethods):
    """Tests of a fit's family."""

    def test_overdispersion(self, family: Any = None) -> LikelihoodRatioTest:
        """Test of overdispersion: likelihood ratio of the family with and without it.

        The other family is fitted to the same rows and effects, with the settings and random numbers of this fit:
        the Poisson or binomial family, if this one has a dispersion; otherwise the one that has.  Poisson lies in NB2
        (zero-truncated and zero-inflated ones too), NB1 and generalised Poisson families, binomial in beta-binomial.

        Parameters
        ----------
        family : family, optional
            The alternative, if this fit is of Poisson or binomial responses: `NegativeBinomial1`, for instance.
            Default: NB2, or beta-binomial.

        Returns
        -------
        LikelihoodRatioTest
            Its p-value is of the even mixture of chi2(0) and chi2(1), as the dispersion is zero at the end of its
            range (Self and Liang, 1987, J. Am. Stat. Assoc. 82, 605-610).

        Raises
        ------
        ValueError
            If the family neither has a dispersion that can vanish nor lies in one that has, or all responses are 0/1,
            which cannot be overdispersed.

        Examples
        --------
        >>> epil = datasets.epil.load_pandas().data
        >>> counts = smf.mcla_mixedglm("y ~ lbase + trt + (1 | subject)", data=epil, family="poisson").fit(rng=1)
        >>> test = counts.test_overdispersion()
        >>> round(test.statistic, 1), str(test.distribution)
        (88.2, 'chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)')
        """
        own, chosen = self.model.conditional_family, None if family is None else conditional_family(family)
        less, more = not_overdispersed(own), chosen or overdispersed(own)
        if chosen is not None and not (less is None and chosen.has_at_boundary(own)):
            raise ValueError(
                f"family: {chosen.name} with link {chosen.link} does not become this fit's family, {own.name} with "
                f"link {own.link}, as its dispersion goes to zero; leave it out"
            )
        return self._test_of_family("test_overdispersion", less, more)

    def test_zero_inflation(self) -> LikelihoodRatioTest:
        """Test of more zeros than the family has: likelihood ratio with and without a zero part.

        The model without the zero part (``ziformula="~ 1"``), or with one if this has none, is fitted to the same rows
        and effects, with the settings and random numbers of this fit.

        Returns
        -------
        LikelihoodRatioTest
            Its p-value is of the even mixture of chi2(0) and chi2(1), as the probability is zero at the end of its
            range (Self and Liang, 1987, J. Am. Stat. Assoc. 82, 605-610).

        Raises
        ------
        ValueError
            If the family has no zeros of its own, or the zero part more than an intercept.

        Examples
        --------
        >>> epil = datasets.epil.load_pandas().data
        >>> counts = smf.mcla_mixedglm("y ~ lbase + trt + (1 | subject)", data=epil, family="poisson").fit(rng=1)
        >>> test = counts.test_zero_inflation()
        >>> round(test.statistic, 1), str(test.distribution)
        (22.9, 'chi-bar-square, 0.5 chi2(0) + 0.5 chi2(1)')
        """
        own = self.model.conditional_family
        return self._test_of_family("test_zero_inflation", not_zero_inflated(own), zero_inflated(own))

    def _test_of_family(
        self, name: str, less: ConditionalFamily | None, more: ConditionalFamily | None
    ) -> LikelihoodRatioTest:
        family = less or more
        if family is None:
            own = self.model.conditional_family
            raise ValueError(
                f"{name} is not known for family {own.name} with link {own.link}: no family is known that has one "
                "parameter more, at the end of whose range it is"
            )
        model = self.model.with_family(family)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SingularFitWarning)  # what is tested is zero: the test says so
            other = self._fit_like(model)
        full, restricted = (self, other) if less is not None else (other, self)
        return likelihood_ratio_test(full, restricted)
