"""Arguments of a fit: from what users pass to what the core takes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from statsmodels_mcla.data import checked_count
from statsmodels_mcla.families import ResponseError
from statsmodels_mcla.likelihood.sampling import (
    BlockSampling,
    FixedSampling,
    JointSampling,
    Proposal,
    Sampling,
)

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
