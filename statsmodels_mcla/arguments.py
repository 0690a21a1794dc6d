"""Arguments of a fit: from what users pass to what the core takes."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import numpy as np

from statsmodels_mcla.linalg import Array
from statsmodels_mcla.proposals import BlockSampling, FixedSampling, Proposal, Sampling
from statsmodels_mcla.streams import generator

__all__ = [
    "check_alpha",
    "check_positive",
    "check_search",
    "checked_count",
    "checked_n_jobs",
    "checked_nsample",
    "checked_numbers",
    "generator_of",
    "sampling_of",
    "seed_of",
]

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


def seed_of(rng: Any) -> np.random.SeedSequence:
    """Seed sequence of an int, a Generator or nothing."""
    if rng is None:
        return np.random.SeedSequence()
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence(int(rng.integers(2**63)))
    if isinstance(rng, (int, np.integer)) and not isinstance(rng, bool) and rng >= 0:
        return np.random.SeedSequence(int(rng))
    raise ValueError(f"rng must be a non-negative int or a numpy Generator, got {rng!r}")


def generator_of(rng: Any) -> np.random.Generator:
    """Generator of its own, from what `seed_of` takes."""
    return generator(seed_of(rng))


def sampling_of(sampling: Any) -> Sampling:
    """Sampling setting of None, a setting, or a density of the user's own."""
    if sampling is None:
        return BlockSampling()
    if isinstance(sampling, Proposal) and not isinstance(sampling, type):
        return FixedSampling(sampling)
    if hasattr(sampling, "proposal") and not isinstance(sampling, type):
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


def checked_count(name: str, value: Any, least: int = 1, why: str = "") -> int:
    """Check a whole number of at least ``least``; ``why`` follows in the message."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least:
        wanted = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise ValueError(f"{name} must be {wanted}{why}, got {value!r}")
    return int(value)


def checked_n_jobs(n_jobs: Any) -> int:
    """Check a number of threads; None and -1 are all cores."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if n_jobs is None or n_jobs == -1:
        return cores
    if not isinstance(n_jobs, (int, np.integer)) or n_jobs < 1:
        raise ValueError(f"n_jobs must be a positive integer, or -1 for all cores, got {n_jobs!r}")
    return int(n_jobs)


def check_alpha(alpha: Any) -> None:
    """Refuse an alpha that is no probability strictly between 0 and 1."""
    if isinstance(alpha, bool) or not isinstance(alpha, (int, float, np.number)) or not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, such as 0.05 for 95 % intervals; got {alpha!r}")


def checked_numbers(values: Any, name: str) -> Array:
    """Check a sequence of numbers, one at least, and return it as an array."""
    try:
        found = np.atleast_1d(np.asarray(values, dtype=float))
    except (TypeError, ValueError):
        found = np.zeros(0)
    if found.ndim != 1 or not len(found):
        raise ValueError(f"{name} must be a sequence of numbers, one at least; got {values!r}")
    return found


def check_positive(**values: Any) -> None:
    """Refuse arguments that are not positive numbers."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not value > 0:
            raise ValueError(f"{name} must be a positive number, got {value!r}")


def check_search(method: Any, maxiter: Any, options: Iterable[str]) -> None:
    """Check what statsmodels' optimisers are told."""
    for name in options:
        if name not in OPTIONS:
            raise ValueError(f"fit has no argument {name!r}, and no optimiser takes it as an option")
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    checked_count("maxiter", maxiter)
