"""Write profiles.json: 95 % profile-likelihood intervals of every parameter, by quadrature.

Run as `python tests/reference/make_profiles.py`; it takes about two minutes. Intervals are in the order of the
parameters (fixed effects, variance, dispersion), from `oracle.profile_interval`.
"""

import json
import platform
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import patsy
import scipy

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import oracle  # noqa: E402

NAMES = ("bacteria", "cbpp", "epil", "epil_nb")


def intervals(name: str) -> list[tuple[float, float]]:
    arguments = oracle.problem(name).arguments
    fit = oracle.quadrature_mle(**arguments)
    return [oracle.profile_interval(j, **arguments, fit=fit) for j in range(len(fit.params))]


def main() -> None:
    modules = (np, scipy, pd, patsy)
    content = {
        "_about": "Written by make_profiles.py.",
        "_versions": {"python": platform.python_version()} | {m.__name__: m.__version__ for m in modules},
    }
    content |= {name: intervals(name) for name in NAMES}
    (HERE / "profiles.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
