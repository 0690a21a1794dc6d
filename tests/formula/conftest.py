"""A table with columns of every kind."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    n = 60
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.uniform(1.0, 3.0, n),
            "z": rng.normal(size=n),
            "g": rng.choice(["g3", "g1", "g2"], n),
            "a": rng.choice(["a2", "a1"], n),
            "b": rng.choice(["b1", "b2", "b3"], n),
            "f": rng.choice(["u", "v", "w"], n),
            "i": rng.choice([10, 9, 100], n),
            "flag": rng.random(n) < 0.5,
            "cat": pd.Categorical(rng.choice(["lo", "hi"], n), categories=["unused", "lo", "hi"]),
            "my group": rng.choice(["p", "q"], n),
            "day": pd.to_datetime(rng.choice(["2020-01-02", "2020-01-01"], n)),
            "pair": [("b", 0), ("a", 1)] * (n // 2),
        },
        index=np.arange(n) * 7 + 3,
    )
