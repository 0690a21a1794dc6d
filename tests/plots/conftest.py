"""Pictures are drawn without a screen, and closed."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt

mpl.use("Agg")


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    plt.close("all")  # other tests may have left some
    yield
    plt.close("all")
