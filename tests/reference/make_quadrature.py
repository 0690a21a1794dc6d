"""Write quadrature.json: maximum-likelihood values of the quadrature entries of mle.json, to ten digits.

Run as `python tests/reference/make_quadrature.py`; it takes a quarter of a minute. `llf_other_rule` is the
log-likelihood at the same parameters by the rule that the fit did not use, as a check of the integrals.
"""

import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import patsy
import scipy

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

import oracle  # noqa: E402

OTHER_RULE = {1: {"rule": "hermite", "nodes": 301}, 2: {"rule": "trapezoid", "nodes": 65}}


def entry(name: str) -> dict[str, Any]:
    problem = oracle.problem(name)
    fit = oracle.quadrature_mle(**problem.arguments)
    other = OTHER_RULE[len(fit.cov_re)]
    rule, nodes = oracle.DEFAULT_RULE[len(fit.cov_re)]
    values = {
        "model": f"{problem.family} {problem.link}",
        "names": problem.names,
        "beta": fit.beta.tolist(),
        "cov_re": fit.cov_re.tolist(),
        "llf": fit.llf,
        "se_beta": fit.se_beta.tolist(),
        "se_cov_re_lower": fit.se_theta.tolist(),
        "max_abs_score": fit.max_abs_score,
        "rule": f"{rule}, {nodes} nodes an effect",
        "llf_other_rule": oracle.quadrature_loglike(fit.params, **problem.arguments, **other),
        "other_rule": f"{other['rule']}, {other['nodes']} nodes an effect",
    }
    if fit.dispersion is not None:
        values |= {"dispersion": fit.dispersion, "se_dispersion": fit.se_dispersion}
    return values


def main() -> None:
    modules = (np, scipy, pd, patsy)
    content = {
        "_about": "Written by make_quadrature.py; conventions as in mle.json.",
        "_versions": {"python": platform.python_version()} | {m.__name__: m.__version__ for m in modules},
    }
    content |= {name: entry(name) for name in oracle.MODELS}
    (HERE / "quadrature.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
