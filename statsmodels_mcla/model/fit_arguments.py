"""Arguments of a fit: from what users pass to what the core takes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from statsmodels.tools.sm_exceptions import ConvergenceWarning

from statsmodels_mcla.data import checked_count
from statsmodels_mcla.exceptions import is_inside, warn_user
from statsmodels_mcla.execution import ended_by_interrupt
from statsmodels_mcla.families import ResponseError
from statsmodels_mcla.likelihood.sampling import (
    BlockSampling,
    FixedSampling,
    JointSampling,
    Proposal,
    Sampling,
)
from statsmodels_mcla.numerics import seed_of

P = ParamSpec("P")
T = TypeVar("T")

OPTIONS = [
    "bounds",
    "callback",
    "epsilon",
    "eta",
    "factr",
    "fargs",
    "ftol",
    "gtol",
    "initial_trust_radius",
    "inexact",
    "m",
    "max_trust_radius",
    "maxfev",
    "maxfun",
    "min_method",
    "niter",
    "norm",
    "pgtol",
    "retall",
    "start_direc",
    "stepsize",
    "T",
    "tol",
    "xtol",
    "xatol",
    "fatol",
    "xrtol",
    "avextol",
    "return_all",
    "minimizer",
]
FORGOTTEN = {"self", "start_params", "disp", "full_output", "cov_type", "cov_kwds", "options"}
METHODS = ("newton", "bfgs", "lbfgs", "nm", "powell", "cg", "ncg", "basinhopping", "minimize")


def sampling_of(sampling: Any) -> Sampling:
    """Sampling setting of None, a setting, or a density of the user's own."""
    if sampling is None:
        return BlockSampling()
    if isinstance(sampling, Proposal) and not isinstance(sampling, type):
        return FixedSampling(sampling)
    if isinstance(sampling, (BlockSampling, JointSampling)):
        return sampling
    raise ValueError(
        "sampling must be BlockSampling(), JointSampling() or an object with sample(rng, n) and logpdf(u), "
        f"got {sampling!r}"
    )


def checked_nsample(nsample: Any) -> int | None:
    """Check a number of draws."""
    if nsample is None:
        return None
    return checked_count("nsample", nsample, least=2)


def check_search(method: Any, maxiter: Any) -> None:
    """Check what statsmodels' optimisers are told."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    checked_count("maxiter", maxiter)


@contextmanager
def default_family_told(family: Any) -> Iterator[None]:
    """Let errors of the response say which family it was held against where none was given."""
    try:
        yield
    except ResponseError as error:
        if family is not None:
            raise
        raise ResponseError(
            f"{error}. No family was given, so that it is Binomial: for another response pass family=, such as "
            "'poisson', 'negativebinomial' or 'gaussian'"
        ) from error


def remembered(fit: Callable[P, T]) -> Callable[P, T]:
    """Fit whose estimates know the arguments of the search, the seed among them, so that others can be made like it.

    Where the search started is not among them, nor the covariance of the estimates, which they know themselves.
    """
    signature = inspect.signature(fit)

    @wraps(fit)
    def remembering(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            bound = signature.bind(*args, **kwargs)
        except TypeError:
            return fit(*args, **kwargs)  # which says whose arguments they are
        given = bound.arguments
        if "rng" in signature.parameters:
            given["rng"] = seed_of(given.get("rng"))
        # fits that are a part of something else must not end with less, as if nothing had been
        with ended_by_interrupt(wanted=not is_inside(sys._getframe(1))) as stop:  # noqa: SLF001
            found: Any = fit(*bound.args, **bound.kwargs)
        if stop.asked:
            warn_user(
                "interrupted: these are the best estimates so far, and fits go on from there (start_params=); a second "
                "Ctrl-C raises KeyboardInterrupt",
                ConvergenceWarning,
            )
        request = {name: value for name, value in given.items() if name not in FORGOTTEN}
        request |= {name: value for name, value in given.get("options", {}).items() if not callable(value)}
        results = found._results  # noqa: SLF001 - what a wrapper of statsmodels wraps
        return type(found)(results.with_estimates(replace(results.estimates, request=request)))

    return remembering
