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

from statsmodels_mcla.data import checked_count, refuse_removed
from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.exceptions import is_inside, warn_user
from statsmodels_mcla.execution import available, checked_bytes, ended_by_interrupt
from statsmodels_mcla.families import ResponseError
from statsmodels_mcla.likelihood.laplace import root_bytes
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


def checked_fit(approximation: Any) -> str:
    """Name of the method that fits by an approximation."""
    fits = {"mcla": "fit", "laplace": "fit_laplace"}
    if approximation not in fits:
        raise ValueError(f"approximation must be one of {', '.join(fits)}, got {approximation!r}")
    return fits[approximation]


def check_search(method: Any, maxiter: Any) -> None:
    """Check what statsmodels' optimisers are told."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    checked_count("maxiter", maxiter)


def check_memory(design: DesignFacts, max_memory: Any) -> None:
    """Refuse a design whose dense matrices do not fit into memory.

    Raises
    ------
    ValueError
        With what they need, and what there is.
    """
    limit = 0.5 * available() if max_memory is None else checked_bytes("max_memory", max_memory)
    needed, effects = max(design.map(_largest_roots), key=lambda each: each[0])
    if needed > limit:
        raise ValueError(
            f"max_memory: matrices of {effects} random effects that depend on each other given the data need about "
            f"{needed / 1e9:.2g} GB, more than {limit / 1e9:.2g} GB ("
            f"{'half of what is free' if max_memory is None else 'max_memory'}). Raise it (max_memory='64GB'), or fit "
            "fewer levels: rows of a part of them, or a grouping with fewer as the second of two crossed ones"
        )


def _largest_roots(design: MixedDesign) -> tuple[int, int]:
    """Memory for roots of the blocks, and effects of the largest dense matrix."""
    found = [root_bytes(bucket.Z, bucket.n_blocks) for bucket in design.buckets]
    return sum(size for size, _ in found), max(rest for _, rest in found)


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
        refuse_removed(args[0])
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
