"""Arguments that a call does not have: what to pass instead, for those of R and of other packages."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

RNG = "pass rng=, an integer or a numpy Generator"
INSTEAD = {
    "weights": "pass freq_weights= where a row stands for so many rows, var_weights= for numbers of trials (of "
    "proportions) and precisions, both to the model",
    "REML": "leave it out: this is maximum likelihood",
    "reml": "leave it out: this is maximum likelihood",
    "nAGQ": "leave it out: the likelihood itself is maximised; mcse_tol= says how exactly, and fit_laplace() is nAGQ=1",
    "approximation": "fit_laplace() fits by Laplace's approximation, and so does all that is refitted after it",
    "control": "pass the options themselves: mcse_tol=, max_draws=, max_seconds=, maxiter=",
    "start": "pass start_params=",
    "verbose": "pass disp=True",
    "seed": RNG,
    "random_state": RNG,
    "cores": "pass n_jobs=",
    "na_action": "pass missing='drop' for na.omit, missing='raise' for na.fail, to the model",
    "linear": "pass which='linear'",
    "type": "pass which='mean' for type='response', which='linear' for type='link'",
    "re_form": "pass random='none', 'conditional' or 'marginal'",
    "newdata": "pass the new rows first, as predict(rows)",
    "se_fit": "use get_prediction(), which has standard errors",
    "link": "pass it in the family: sm.families.Binomial(link=sm.families.links.Probit())",
}


def refuse_unknown(call: Callable[..., Any], given: Mapping[str, Any], options: Sequence[str] = ()) -> None:
    """Refuse arguments that a call does not have.

    Parameters
    ----------
    call : callable
        What was called.
    given : mapping
        Arguments by name that are none of its own.
    options : sequence of str
        Those that it hands on.

    Raises
    ------
    TypeError
        With what to pass instead, where that is known, or a name that was misspelt.
    """
    for name in given:
        if name in options:
            continue
        near = get_close_matches(name, [*inspect.signature(call).parameters, *options], n=1)
        instead = INSTEAD.get(name) or (f"did you mean {near[0]}=?" if near else "see its help")
        raise TypeError(f"{call.__name__} has no argument {name!r}: {instead}")
