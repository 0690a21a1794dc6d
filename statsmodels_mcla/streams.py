"""Streams of random numbers: every place in a computation has its own, derived from one seed."""

from __future__ import annotations

import numpy as np

__all__ = ["child", "generator"]


def child(seed: np.random.SeedSequence, *place: int) -> np.random.SeedSequence:
    """Seed that belongs to a place; unlike those that `spawn` gives, the same one whenever it is asked for."""
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *place))


def generator(seed: np.random.SeedSequence, *place: int) -> np.random.Generator:
    """Generator that belongs to a place; of the seed itself if none is given."""
    return np.random.Generator(np.random.PCG64(child(seed, *place)))
