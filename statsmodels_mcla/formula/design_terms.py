"""Terms of a design: which contain which, and at what values of other factors a term's coefficients hold."""

from __future__ import annotations

from typing import Any

import numpy as np
from patsy import DesignInfo, Term


def relatives_of(info: DesignInfo, term: Term) -> list[Term]:
    """Terms that contain all factors of a term, and more."""
    own = set(term.factors)
    return [other for other in info.terms if own < set(other.factors)]


def term_named(info: DesignInfo, name: str) -> Term | None:
    """Term by its name, with its factors in any order; None if there is none."""
    wanted = {part.strip() for part in name.split(":")}
    for term in info.terms:
        if term.name() == name or {factor.name() for factor in term.factors} == wanted:
            return term
    return None


def conditions_of(info: DesignInfo, term: Term) -> dict[str, str | None]:
    """Where the coefficients of a term hold, factor by factor of the terms that contain it.

    Returns
    -------
    dict
        By the name of the factor: where it is, such as ``"mined = 'no'"`` or ``"x = 0"``; None where the coefficients
        are averages over its levels (sum-to-zero codings).
    """
    out: dict[str, str | None] = {}
    for other in relatives_of(info, term):
        for factor in other.factors:
            if factor not in term.factors:
                out[factor.name()] = _place(info, other, factor)
    return out


def _place(info: DesignInfo, term: Term, factor: Any) -> str | None:
    name, facts = factor.name(), info.factor_infos[factor]
    if facts.type == "numerical":
        return f"{name} = 0"
    coding = np.asarray(info.term_codings[term][0].contrast_matrices[factor].matrix)
    zero = np.flatnonzero(~coding.any(axis=1))
    if len(zero) == 1:
        return f"{name} = {facts.categories[int(zero[0])]!r}"
    return None if np.allclose(coding.sum(axis=0), 0.0) else f"the coding of {name} is zero"
