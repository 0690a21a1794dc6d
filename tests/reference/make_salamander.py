"""Write salamander.json: maximum-likelihood values of the salamander model, from fits with many draws.

Run as `python -m tests.reference.make_salamander` from the root of the repository; it takes some six minutes. Each
fit has 2^20 draws a block (16 randomisations of 65536 scrambled Sobol' points). Values are means over fits with seeds
that no test fits with, so that the errors of a test's fit have nothing in common with those of the truth. `mcse` is
the Monte Carlo error of the mean, from the errors that the fits report; `sd` is how the fits scatter, in units of the
errors that they report, and should be about 1.
"""

from __future__ import annotations

import json
import platform
from pathlib import Path

import numpy as np
import scipy
import statsmodels

from tests.benchmarks.problems import model

SEEDS = range(2001, 2017)
PATH = Path(__file__).parent / "salamander.json"


def main() -> None:
    fits = []
    for seed in SEEDS:
        fits.append(model("salamander").fit(nsample=2**20, rng=seed, n_jobs=1))
        assert fits[-1].converged
        print(seed, np.asarray(fits[-1].params), np.asarray(fits[-1].mcse), fits[-1].llf, flush=True)
    params, mcse, bse = (np.array([getattr(fit, name) for fit in fits]) for name in ("params", "mcse", "bse"))
    llf, llf_mcse = (np.array([getattr(fit, name) for fit in fits]) for name in ("llf", "llf_mcse"))
    # errors are means too, since that of a single fit is uncertain: weights that follow it would favour fits by chance
    error, llf_error = (np.sqrt((each**2).mean(axis=0)) for each in (mcse, llf_mcse))
    content = {
        "_about": "Written by make_salamander.py.",
        "_versions": {"python": platform.python_version()}
        | {module.__name__: module.__version__ for module in (np, scipy, statsmodels)},
        "seeds": list(SEEDS),
        "names": list(fits[0].params.index),
        "params": np.round(params.mean(axis=0), 9).tolist(),
        "mcse": [float(f"{e:.2g}") for e in error / np.sqrt(len(fits))],
        "sd": np.round(params.std(axis=0, ddof=1) / error, 2).tolist(),
        "bse": np.round(bse.mean(axis=0), 8).tolist(),
        "llf": round(float(llf.mean()), 8),
        "llf_mcse": float(f"{llf_error / np.sqrt(len(fits)):.2g}"),
    }
    PATH.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
