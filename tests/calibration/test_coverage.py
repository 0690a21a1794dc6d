"""A short form of the coverage and size simulations, whose full table is tests/calibration/coverage.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import oracle
import pandas as pd
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from tests.calibration import coverage

SETS = 12


def _never(seed: int) -> dict[str, Any]:
    raise AssertionError(f"set {seed} was done already")


def test_the_committed_table_meets_its_targets() -> None:
    """Profile intervals of fixed effects cover 93 to 97 %; the boundary test rejects 5 +- 2 % in large samples."""
    lines = coverage.TABLE.read_text().splitlines()
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    profiles = [float(row[2]) for row in cells if row[0].startswith("Cross")]
    assert len(profiles) == 4
    assert all(93.0 <= p <= 97.0 for p in profiles)
    sizes = {row[0]: float(row[1]) for row in cells if row[0].isdigit()}
    assert 3.0 <= sizes["100"] <= 7.0
    assert 3.0 <= sizes["300"] <= 7.0


def test_parts_of_the_simulations_run_and_are_kept(tmp_path: Path) -> None:
    raw = tmp_path / "size.jsonl"
    first = coverage.collect(lambda seed: coverage.size_set(seed, 20), 2, raw)
    again = coverage.collect(_never, 2, raw)
    assert first == again
    assert [r["seed"] for r in first] == [0, 1]
    assert all(0 <= r["pvalue"] <= 1 for r in first)


def test_statistics_of_the_size_simulation_are_those_of_quadrature() -> None:
    """What the test rejects is a matter of the likelihood, not of how it is computed."""
    groups = 20
    for seed in range(4):
        rng = np.random.default_rng([2, seed])
        g, x = np.repeat(np.arange(groups), 4), np.tile(np.linspace(-1.0, 1.0, 4), groups)
        y = rng.poisson(np.exp(0.5 + 0.5 * x)).astype(float)
        arguments = {
            "X": np.column_stack([np.ones(len(x)), x]),
            "Zg": None,
            "group": g,
            "family": "poisson",
            "link": "log",
        }
        full = oracle.quadrature_mle(y=y, **arguments).llf
        null = sm.GLM(y, arguments["X"], family=sm.families.Poisson()).fit().llf
        found = coverage.size_set(seed, groups)["statistic"]
        assert found == pytest.approx(max(2 * (full - null), 0.0), abs=5e-3)


@pytest.mark.slow
def test_intervals_cover() -> None:
    records = [coverage.coverage_set(seed) for seed in range(SETS)]
    assert all(r["converged"] for r in records)
    table = coverage.coverage_table(records)
    assert list(table.index[:4]) == [f"Cross[{c}]" for c in ("R/R", "R/W", "W/R", "W/W")]
    assert (table.iloc[:4] >= 0.6).all(axis=None)


@pytest.mark.slow
def test_size_of_the_boundary_test() -> None:
    records = [coverage.size_set(seed) for seed in range(60)]
    assert coverage.rejected(records, 0.05) <= 0.15
    assert 0.3 <= np.mean([r["statistic"] < 1e-6 for r in records]) <= 0.75
    # a variance that is there is found: the test can reject
    rng = np.random.default_rng(0)
    g = np.repeat(np.arange(50), 4)
    data = pd.DataFrame({"y": rng.poisson(np.exp(0.5 + rng.normal(0, 0.6, 50)[g])), "g": g})
    full = MCLAMixedGLM.from_formula("y ~ 1 + (1 | g)", data, family=sm.families.Poisson()).fit(
        rng=1, mcse_tol=0.05
    )
    null = sm.GLM.from_formula("y ~ 1", data, family=sm.families.Poisson()).fit()
    assert full.compare_lr_test(null).pvalue < 1e-3
