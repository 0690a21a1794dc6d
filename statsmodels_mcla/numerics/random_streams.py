"""Streams of random numbers: every place in a computation has its own, derived from one seed."""

from __future__ import annotations

from typing import Any

import numpy as np


def child(seed: np.random.SeedSequence, *place: int) -> np.random.SeedSequence:
    """Seed that belongs to a place; unlike those that `spawn` gives, the same one whenever it is asked for."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *place))


def generator(seed: np.random.SeedSequence, *place: int) -> np.random.Generator:
    """Generator that belongs to a place; of the seed itself if none is given."""
    return np.random.Generator(np.random.PCG64(child(seed, *place)))


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
