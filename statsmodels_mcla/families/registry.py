"""From a statsmodels family instance to the conditional family that computes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from statsmodels.genmod.families import family as sm_families
from statsmodels.genmod.families import links as sm_links

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.binomial import BinomialLogit, BinomialTails
from statsmodels_mcla.families.gamma import GammaInverse, GammaLog
from statsmodels_mcla.families.gaussian import GaussianIdentity, GaussianLog
from statsmodels_mcla.families.inverse_gaussian import InverseGaussianLog
from statsmodels_mcla.families.links import CAUCHY, CLOGLOG, PROBIT
from statsmodels_mcla.families.negative_binomial import NegativeBinomialLog
from statsmodels_mcla.families.poisson import PoissonLog, PoissonSqrt

# (statsmodels family, statsmodels link) -> what makes ours from the family instance.
REGISTRY: dict[tuple[type, type], Callable[[Any], ConditionalFamily]] = {
    (sm_families.Binomial, sm_links.Logit): lambda _: BinomialLogit(),
    (sm_families.Binomial, sm_links.Probit): lambda _: BinomialTails(PROBIT),
    (sm_families.Binomial, sm_links.CLogLog): lambda _: BinomialTails(CLOGLOG),
    (sm_families.Binomial, sm_links.Cauchy): lambda _: BinomialTails(CAUCHY),
    (sm_families.Poisson, sm_links.Log): lambda _: PoissonLog(),
    (sm_families.Poisson, sm_links.Sqrt): lambda _: PoissonSqrt(),
    (sm_families.NegativeBinomial, sm_links.Log): lambda f: NegativeBinomialLog(float(f.alpha)),
    (sm_families.Gamma, sm_links.Log): lambda _: GammaLog(),
    (sm_families.Gamma, sm_links.InversePower): lambda _: GammaInverse(),
    (sm_families.Gaussian, sm_links.Identity): lambda _: GaussianIdentity(),
    (sm_families.Gaussian, sm_links.Log): lambda _: GaussianLog(),
    (sm_families.InverseGaussian, sm_links.Log): lambda _: InverseGaussianLog(),
}

_POWERS: dict[float, type] = {
    1.0: sm_links.Identity,
    0.5: sm_links.Sqrt,
    -1.0: sm_links.InversePower,
}
_DISTRIBUTIONS: dict[str, type] = {"norm": sm_links.Probit, "cauchy": sm_links.Cauchy}
# statsmodels' lower-case names are subclasses, kept there until they are removed.
_ALIASES: dict[str, type] = {
    "logit": sm_links.Logit,
    "probit": sm_links.Probit,
    "cloglog": sm_links.CLogLog,
    "cauchy": sm_links.Cauchy,
    "log": sm_links.Log,
    "sqrt": sm_links.Sqrt,
    "identity": sm_links.Identity,
    "inverse_power": sm_links.InversePower,
}


def supported() -> dict[str, tuple[str, ...]]:
    """Return the links that are known for each statsmodels family.

    Returns
    -------
    dict
        Names of statsmodels link classes by name of the family class.

    Examples
    --------
    >>> supported()["Poisson"]
    ('Log', 'Sqrt')
    """
    known: dict[str, tuple[str, ...]] = {}
    for family, link in REGISTRY:
        known[family.__name__] = (*known.get(family.__name__, ()), link.__name__)
    return known


def family_instance(family: Any) -> Any:
    """Return the instance that a family's name or class stands for, with its default link; others pass through.

    Parameters
    ----------
    family : str, class or instance
        A name in any case, with or without underscores: ``"binomial"``, ``"negative_binomial"``.

    Raises
    ------
    ValueError
        If no family has that name; the message lists those that there are.

    Examples
    --------
    >>> type(family_instance("poisson")).__name__
    'Poisson'
    """
    if isinstance(family, str):
        known = {kind.__name__.lower(): kind for kind, _ in REGISTRY}
        name = family
        family = known.get(name.lower().replace("_", "").replace(" ", ""))
        if family is None:
            raise ValueError(
                f"family {name!r} is not known; there are {', '.join(map(repr, known))}, and the classes of "
                "statsmodels_mcla.families, such as Beta()"
            )
    if family is sm_families.NegativeBinomial:
        return family(alpha=1.0)  # where the search begins: alpha is estimated
    return family() if isinstance(family, type) and issubclass(family, sm_families.Family) else family


def conditional_family(family: Any) -> ConditionalFamily:
    """Return the conditional family for a statsmodels family instance.

    Parameters
    ----------
    family : statsmodels.genmod.families.Family or ConditionalFamily
        Instance with its link, as given to ``sm.GLM``. A `ConditionalFamily` passes through, which
        is how a family or link of one's own is used.

    Returns
    -------
    ConditionalFamily
        Frozen, without data.

    Raises
    ------
    TypeError
        If ``family`` is not an instance of a family.
    ValueError
        If the family or its link is not known; the message lists those that are.

    Examples
    --------
    >>> import statsmodels.api as sm
    >>> conditional_family(sm.families.Binomial()).link
    'logit'
    """
    if isinstance(family, ConditionalFamily):
        return family
    if not isinstance(family, sm_families.Family):
        raise TypeError(
            "family must be the name or an instance of a statsmodels family, such as 'binomial' or"
            f" sm.families.Binomial(); got {family!r}"
        )
    make = REGISTRY.get((type(family), _link_type(family.link)))
    if make is None:
        listed = "; ".join(f"{name}: {', '.join(links)}" for name, links in supported().items())
        raise ValueError(
            f"family {type(family).__name__} with link {type(family.link).__name__} is not"
            f" supported. Supported families and links are {listed}"
        )
    return make(family)


def estimated_family(family: Any, phi: float) -> Any:
    """Return the statsmodels family with the dispersion that was estimated, where that is part of it."""
    conditional = conditional_family(family)
    return type(family)(link=family.link, alpha=phi) if conditional.dispersion == "alpha" else family


def _link_type(link: Any) -> type:
    """Return the class under which a link is registered.

    Base classes are of no use here: statsmodels' LogLog, for one, inherits from Logit.
    """
    kind: type = type(link)
    if kind is sm_links.Power:
        kind = _POWERS.get(float(link.power), kind)
    elif kind is sm_links.CDFLink:
        kind = _DISTRIBUTIONS.get(getattr(link.dbn, "name", ""), kind)
    elif kind.__module__ == sm_links.__name__:
        kind = _ALIASES.get(kind.__name__, kind)
    return kind
