"""Blocks of unlike shapes share buckets, filled up with rows and levels that change nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from responses import ONE_PREDICTOR, SEVERAL_PREDICTORS, ResponseModel

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.design import blocks
from statsmodels_mcla.estimation.search import fit_without_random_effects, search_scale
from statsmodels_mcla.likelihood.laplace import evaluate_laplace


@pytest.fixture(scope="module")
def nested() -> pd.DataFrame:
    """Groups of 2 to 6 families of 1 to 4 rows, with an effect a row: every group has a shape of its own."""
    rng = np.random.default_rng(3)
    sizes = [(g, f, rng.integers(1, 5)) for g in range(12) for f in range(rng.integers(2, 7))]
    d = pd.DataFrame([(g, 10 * g + f) for g, f, n in sizes for _ in range(n)], columns=["g", "f"])
    u, v, s = rng.normal(size=12), rng.normal(size=200), 0.6 * rng.normal(size=12)
    d["x"] = rng.normal(size=len(d))
    d["row"] = np.arange(len(d))
    d["y"] = rng.poisson(
        np.exp(1.0 + (0.5 + s[d.g]) * d.x + 0.7 * u[d.g] + 0.5 * v[d.f] + 0.4 * rng.normal(size=len(d)))
    )
    return d


def model(data: pd.DataFrame) -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula("y ~ x + (x | g) + (1 | f) + (1 | row)", data=data, family="poisson")


def test_every_effect_has_one_place_and_padding_has_no_rows(nested: pd.DataFrame) -> None:
    design = model(nested).design
    assert len(design.buckets) < len(design.shapes[0]) / 2
    Z, starts = design._along_axes().toarray(), np.cumsum([0, *(t.Z.shape[1] for t in design.terms)])
    assert starts[-1] == design.loadings.ranks @ np.array(
        [t.n_levels for t in design.terms]
    )  # one effect each
    seen = []
    for bucket in design.buckets:
        for k in range(bucket.n_blocks):
            r, own = bucket.rows[k] >= 0, bucket.drawn[k] >= 0
            here = bucket.Z.array[k]
            np.testing.assert_array_equal(
                here[np.ix_(r, own)], Z[np.ix_(bucket.rows[k][r], bucket.drawn[k][own])]
            )
            assert not here[~r].any()
            assert not here[:, ~own].any()
            seen += bucket.drawn[k][own].tolist()
    assert sorted(seen) == list(range(starts[-1]))
    assert any((bucket.drawn < 0).any() for bucket in design.buckets)


def test_padding_changes_no_likelihood(nested: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    padded, fit = model(nested).fit_laplace(), model(nested).fit(rng=1, mcse_tol=0.002)
    monkeypatch.setattr(blocks, "PADDING", 1.0)
    monkeypatch.setattr(blocks, "SPARE_ENTRIES", 0)
    monkeypatch.setattr(blocks, "SPARE", 0)
    plain = model(nested)
    assert len(plain.design.buckets) == len(plain.design.shapes[0])
    found = plain.fit_laplace()
    assert padded.llf == pytest.approx(found.llf, abs=1e-9)
    np.testing.assert_allclose(padded.params, found.params, atol=1e-5)
    other = plain.fit(rng=2, mcse_tol=0.002)
    assert np.all(np.abs(fit.params - other.params) < 5 * np.hypot(fit.mcse, other.mcse))
    assert abs(fit.llf - other.llf) < 5 * np.hypot(fit.llf_mcse, other.llf_mcse)
    one, two = (r.random_effects_frame().iloc[:, -2:].to_numpy() for r in (fit, other))
    np.testing.assert_allclose(one, two, atol=0.02)  # of effects with standard deviations from .2 to .6


@pytest.mark.parametrize("one", ONE_PREDICTOR + SEVERAL_PREDICTORS, ids=lambda one: one.name)
def test_rows_that_fill_up_blocks_tell_nothing(one: ResponseModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """In every family: blocks of unequal size."""
    made = one.model(one.data().drop(index=[3, 17, 18, 19]))
    start = fit_without_random_effects(made.design)
    at = search_scale(made.design, start).fitted(np.full(made.design.n_params, 0.1))
    padded = evaluate_laplace(made.design, at)
    assert any((bucket.rows < 0).any() for bucket in made.design.buckets)
    for name, value in {"PADDING": 1.0, "SPARE_ENTRIES": 0, "SPARE": 0}.items():
        monkeypatch.setattr(blocks, name, value)
    plain = one.model(one.data().drop(index=[3, 17, 18, 19]))
    assert not any((bucket.rows < 0).any() for bucket in plain.design.buckets)
    found = evaluate_laplace(plain.design, at)
    assert padded.value == pytest.approx(found.value, abs=1e-7)  # but for where the modes are
    np.testing.assert_allclose(padded.gradient, found.gradient, rtol=1e-4, atol=1e-4)
