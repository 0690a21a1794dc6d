"""Families of which others are the end of the range: with more variance, with more zeros."""

from __future__ import annotations

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.beta import BetaBinomial
from statsmodels_mcla.families.binomial import BinomialLogit
from statsmodels_mcla.families.composed import WITH_ZEROS, Composed, compose
from statsmodels_mcla.families.negative_binomial import NegativeBinomialLog
from statsmodels_mcla.families.poisson import PoissonLog
from statsmodels_mcla.families.truncated import TruncatedNegativeBinomial, TruncatedPoisson

OVERDISPERSED: dict[type[ConditionalFamily], type[ConditionalFamily]] = {
    PoissonLog: NegativeBinomialLog,
    TruncatedPoisson: TruncatedNegativeBinomial,
    BinomialLogit: BetaBinomial,
}


def overdispersed(family: ConditionalFamily) -> ConditionalFamily | None:
    """Return the usual family that this one is without overdispersion, None if there is none.

    Parameters
    ----------
    family : ConditionalFamily
        With the zero part that the other is to have.
    """
    base = family.base if isinstance(family, Composed) else family
    wider = OVERDISPERSED.get(type(base))
    if wider is None:
        return None
    return compose(wider(), zi="zi" in family.predictors)


def not_overdispersed(family: ConditionalFamily) -> ConditionalFamily | None:
    """Return the family that this one is without overdispersion, None if it has none."""
    found = [f for f in family.at_boundary() if f.predictors == family.predictors and overdispersed(f)]
    return found[0] if found else None


def zero_inflated(family: ConditionalFamily) -> ConditionalFamily | None:
    """Return the family with a zero part, None if there is none that inflates zeros."""
    base, disp = (family.base, family.disp) if isinstance(family, Composed) else (family, False)
    return compose(base, zi=True, disp=disp) if isinstance(base, WITH_ZEROS) else None


def not_zero_inflated(family: ConditionalFamily) -> ConditionalFamily | None:
    """Return the family without the zero part that inflates its zeros, None if it has none."""
    found = [f for f in family.at_boundary() if f.predictors != family.predictors]
    return found[0] if found else None
