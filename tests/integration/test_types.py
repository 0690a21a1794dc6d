"""What a type checker says of users' scripts: statsmodels has no types, but what fits return has."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import statsmodels_mcla

RIGHT = """
import pandas as pd

from statsmodels_mcla import MCLAMixedGLM

data = pd.DataFrame({"y": [0, 1, 1, 0], "x": [0.1, 0.2, 0.3, 0.4], "g": [1, 1, 2, 2]})
model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=data)
result = model.fit(rng=1)
print(result.summary(), result.params["x"], result.bse["x"], result.pvalues["x"], result.tvalues, result.llf)
print(result.llf_mcse * 2.0, result.mcse["x"], result.ess.min(), result.monte_carlo.precise, result.aic, result.bic)
print(result.conf_int().loc["x", 0], result.conf_int(method="profile"), result.cov_params().loc["x", "x"])
print(result.t_test("x = 0"), result.wald_test("x = 0"), result.wald_test_terms(), result.fittedvalues.mean())
print(result.predict(data), result.get_prediction(data, random="conditional").summary_frame().loc[0, "mean"])
print(result.random_effects["g"].loc[1], result.cov_re["g"], result.var_corr(), result.resid_pearson.std())
print(result.with_cov_type("robust").bse["x"], result.get_margeff().summary_frame(), result.converged, result.nobs)
result.plot_fit("x", by="g").savefig("fit.png")
result.save("fit.pickle")
laplace = model.fit_laplace()
print(laplace.summary(), laplace.params["x"], laplace.compare_lr_test(laplace).pvalue, laplace.singular)
laplace.remove_data()
"""
WRONG = """
import pandas as pd

from statsmodels_mcla import MCLAMixedGLM

model = MCLAMixedGLM.from_formula("y ~ x + (1 | g)", data=pd.DataFrame())
print(model.fit(rng=1).summary())
print(model.fit(rng=1).sumary())
print(model.fit_laplace().mcse)
"""


def test_misspelt_attributes_are_found_and_nothing_else(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    package = Path(statsmodels_mcla.__file__).parent
    assert (package / "py.typed").exists()
    kept = getattr(request.config, "cache", None)  # pytest may run without one
    cache = tmp_path / "cache" if kept is None else kept.mkdir("mypy")
    arguments = ["--strict", "--config-file=", "--follow-imports=silent", f"--cache-dir={cache}"]
    found = subprocess.run(
        [sys.executable, "-m", "mypy", *arguments, "right.py", "wrong.py"],
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(package.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in found.stdout.splitlines() if ": error:" in line]
    assert len(errors) == 2, found.stdout + found.stderr
    assert errors[0].startswith("wrong.py:8: error:")
    assert 'has no attribute "sumary"' in errors[0]
    assert errors[1].startswith("wrong.py:9: error:")
    assert 'has no attribute "mcse"' in errors[1]
