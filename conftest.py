"""What the examples of docstrings start from: the model and the fit of the class `MCLAMixedGLM`."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def example() -> dict[str, Any]:
    """Read the model of the examples once."""
    import statsmodels_mcla.formula.api as smf
    from statsmodels_mcla import MCLAMixedGLM, datasets

    data = datasets.bacteria.load_pandas().data
    model = smf.mcla_mixedglm("(y == 'y') ~ trt + week + (1 | ID)", data=data)
    return {"smf": smf, "datasets": datasets, "MCLAMixedGLM": MCLAMixedGLM, "model": model}


@pytest.fixture(autouse=True)
def _examples_start_here(request: pytest.FixtureRequest) -> Any:
    """Give every example a fresh fit and fresh data, as it may change them."""
    if not isinstance(request.node, pytest.DoctestItem):
        yield
        return
    matplotlib = pytest.importorskip("matplotlib")
    found, names = request.getfixturevalue("example"), request.getfixturevalue("doctest_namespace")
    names |= found | {"data": found["model"].data.frame.copy(), "results": found["model"].fit(rng=1)}
    with matplotlib.rc_context({"backend": "agg"}):
        yield
        import matplotlib.pyplot as plt

        plt.close("all")
