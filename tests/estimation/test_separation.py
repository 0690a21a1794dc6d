"""Separation: found whatever the link, told by name, and quickly done with."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from helpers import model_of
from scipy import optimize
from statsmodels.genmod.families import links

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.estimation.search.glm_start import fit_without_random_effects
from statsmodels_mcla.estimation.separation import Recession, overlapping, recession_of
from statsmodels_mcla.exceptions import SeparationWarning, SingularFitWarning

F = sm.families
BINOMIAL = [F.Binomial(link) for link in (links.Logit(), links.Probit(), links.CLogLog(), links.Cauchy())]
LINKS = ["logit", "probit", "cloglog", "cauchit"]
COUNTS = [F.Poisson(), F.NegativeBinomial(alpha=0.5)]


def table(seed: int = 0, n: int = 240) -> pd.DataFrame:
    """Overlapping responses: binary ``y``, counts ``k``, successes ``s`` of 4."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {
            "g": np.repeat(np.arange(n // 8), 8),
            "x": rng.normal(size=n),
            "c": rng.choice(list("abc"), n),
            "e": rng.choice(list("uv"), n),
        }
    )
    eta = 0.2 + 0.5 * data["x"] + rng.normal(size=n // 8)[data["g"]]
    p = 1 / (1 + np.exp(-eta))
    data["y"], data["s"], data["k"] = rng.binomial(1, p), rng.binomial(4, p), rng.poisson(np.exp(eta))
    data["f"] = 4 - data["s"]
    return data


def columns(recession: Recession | None) -> list[int]:
    return [] if recession is None else recession.columns


def found(model: MCLAMixedGLM) -> list[str]:
    """Names of separated columns, the quick way and by the linear program alone."""
    start = fit_without_random_effects(model.design)
    quick = columns(recession_of(model.design, start.beta, start.phi))
    assert quick == columns(recession_of(model.design))
    return [model.exog_names[k] for k in quick]


def model_for(data: pd.DataFrame, response: str, family: Any, right: str = "x + c") -> MCLAMixedGLM:
    return MCLAMixedGLM.from_formula(f"{response} ~ {right} + (1 | g)", data=data, family=family)


@pytest.mark.parametrize("family", BINOMIAL, ids=LINKS)
def test_quasi_complete_separation_of_binary_responses(family: Any) -> None:
    data = table()
    assert found(model_for(data, "y", family)) == []
    some = data.assign(y=np.where(data["c"] == "c", 1, data["y"]))
    assert found(model_for(some, "y", family)) == ["c[T.c]"]
    one = data.assign(y=np.where((data["c"] == "b") & (data["e"] == "v"), 0, data["y"]))
    assert found(model_for(one, "y", family, "x + c * e")) == ["c[T.b]:e[T.v]"]
    reference = data.assign(y=np.where(data["c"] == "a", 0, data["y"]))
    assert found(model_for(reference, "y", family)) == ["Intercept", "c[T.b]", "c[T.c]"]
    x = np.where(np.arange(len(data)) < 6, 0.0, data["x"])
    touching = data.assign(x=x, y=np.where(x == 0, np.arange(len(data)) % 2, x > 0))
    assert "x" in found(model_for(touching, "y", family, "x"))


@pytest.mark.parametrize("family", BINOMIAL, ids=LINKS)
def test_complete_separation_ends_and_is_told(family: Any) -> None:
    data = table()
    data["y"] = (data["x"] > 0.1).astype(int)
    model = model_for(data, "y", family)
    assert "x" in found(model)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit = model.fit(rng=1)
    assert any(issubclass(w.category, SeparationWarning) and "x" in str(w.message) for w in told)
    assert not fit.converged
    assert np.all(np.isfinite(fit.params))


@pytest.mark.parametrize("family", BINOMIAL, ids=LINKS)
def test_counts_out_of_trials(family: Any) -> None:
    data = table()
    assert found(model_for(data, "s + f", family)) == []
    full = data["c"] == "c"
    some = data.assign(s=np.where(full, 4, data["s"]), f=np.where(full, 0, data["f"]))
    assert found(model_for(some, "s + f", family)) == ["c[T.c]"]
    first = np.flatnonzero(full)[0]
    some.loc[first, ["s", "f"]] = 3, 1  # one failure of many
    assert found(model_for(some, "s + f", family)) == []


@pytest.mark.parametrize("family", COUNTS, ids=["poisson", "nb"])
def test_cells_of_zero_counts(family: Any) -> None:
    data = table()
    assert found(model_for(data, "k", family)) == []
    zero = data.assign(k=np.where(data["c"] == "b", 0, data["k"]))
    model = model_for(zero, "k", family)
    assert found(model) == ["c[T.b]"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SingularFitWarning)  # the counts are Poisson: alpha is zero
        with pytest.warns(SeparationWarning, match=r"^c\[T.b\] separate"):
            model.fit_laplace()


def test_families_without_open_directions() -> None:
    data = table().assign(z=lambda d: np.exp(d["x"] + 0.1 * np.cos(d.index)))
    assert found(model_for(data, "z", F.Gamma(links.Log()))) == []
    assert found(model_for(data, "x", F.Gaussian(), "c")) == []


def test_offsets_and_large_coefficients_are_no_separation() -> None:
    data = table()
    steep = data.assign(y=(data["x"] > 0).astype(int))
    nearest = data["x"].abs().nsmallest(6).index
    steep.loc[nearest, "y"] = 1 - steep.loc[nearest, "y"]
    model = model_for(steep, "y", F.Binomial(), "x")
    start = fit_without_random_effects(model.design)
    assert np.abs(model.design.X @ start.beta).max() > 30
    assert found(model) == []
    far = MCLAMixedGLM.from_formula(
        "y ~ x + (1 | g)", data=data.assign(o=30.0), family=F.Binomial(), offset="o"
    )
    assert found(far) == []


@pytest.mark.parametrize(
    "name", ["bacteria", "cbpp_cloglog", "epil", "epil_nb", "toenail_probit", "salamander"]
)
def test_overlap_of_real_data_is_proved_without_a_search(name: str) -> None:
    model = model_of(name)
    start = fit_without_random_effects(model.design)
    assert overlapping(model.design, start.beta, start.phi)


def test_overlap_is_never_proved_of_separated_responses() -> None:
    for seed in range(20):
        data = table(seed, 80)
        data["y"] = np.where(data["c"] == "c", 1, data["y"])
        model = model_for(data, "y", BINOMIAL[seed % 4])
        for steps in (3, 10, 30):
            start = fit_without_random_effects(model.design, steps)
            assert not overlapping(model.design, start.beta, start.phi)


def test_many_rows() -> None:
    rng = np.random.default_rng(3)
    n = 60_000
    data = pd.DataFrame({"g": np.arange(n) // 100, "x": rng.normal(size=n), "z": rng.random(n) < 0.01})
    data["y"] = rng.random(n) < 1 / (1 + np.exp(-data["x"]))
    assert found(model_for(data, "y", F.Binomial(), "x + z")) == []
    data["y"] = data["y"] | data["z"]
    assert found(model_for(data, "y", F.Binomial(), "x + z")) == ["z[T.True]"]


@pytest.mark.parametrize("family", BINOMIAL[:3], ids=LINKS[:3])
@pytest.mark.parametrize("method", ["fit", "fit_laplace"])
def test_levels_that_are_all_alike_have_no_largest_variance(family: Any, method: str) -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 3), "x": rng.normal(size=60)})
    data["y"] = data["g"] % 2
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        fit = getattr(model_for(data, "y", family, "x"), method)(**({"rng": 1} if method == "fit" else {}))
    messages = [str(w.message) for w in told if issubclass(w.category, SeparationWarning)]
    assert messages
    assert messages[0].startswith("the random effects of 'g' predict every response perfectly")
    assert not fit.converged
    mixed = data.assign(y=np.where(np.arange(60) % 9 == 0, 1 - data["y"], data["y"]))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        model_for(mixed, "y", family, "x").fit_laplace()
    assert not [w for w in told if issubclass(w.category, SeparationWarning)]


@pytest.mark.parametrize("response", ["y", "s + f", "k"])
def test_the_rest_of_a_separated_model_is_that_of_its_limit(response: str) -> None:
    """Rows that are certain in the limit tell nothing: what the others tell is the fit without them (Geyer, 2009)."""
    data = table(240)
    certain = data["c"] == "c"
    low = data.assign(
        y=np.where(certain, 1, data["y"]),
        s=np.where(certain, 4, data["s"]),
        f=np.where(certain, 0, data["f"]),
        k=np.where(certain, 0, data["k"]),
    )
    family = sm.families.Poisson() if response == "k" else sm.families.Binomial()
    right = "x * C(c, Treatment('a'))"
    for call in (lambda m: m.fit_laplace(), lambda m: m.fit(rng=1)):
        with pytest.warns(SeparationWarning) as told:
            whole = call(model_for(low, response, family, right))
        messages = [str(w.message) for w in told if issubclass(w.category, SeparationWarning)]
        assert all("all others are those of the limit" in message for message in messages)
        assert all("[T.c]" in message and "x," not in message.replace("x:", "") for message in messages)
        rest = call(model_for(low[~certain], response, family, right))
        shared = [name for name in rest.params.index if "[T.c]" not in name]
        assert whole.llf == pytest.approx(rest.llf, abs=0.02)
        np.testing.assert_allclose(
            whole.params[shared], rest.params[shared], atol=0.03 * rest.bse[shared].min()
        )
        np.testing.assert_allclose(whole.bse[shared], rest.bse[shared], rtol=0.03)
        assert np.isfinite(whole.params).all()
        assert np.isfinite(whole.bse).all()
        printed = str(whole.summary())
        assert "No finite maximum: C(c" in printed
        assert "do not rely" not in printed
        if hasattr(whole, "mcse"):
            assert (whole.mcse / whole.bse).max() <= 0.011


def rare(subjects: int, items: int, cells: list[int]) -> Any:
    """A table of zeros with ones in some cells."""
    y = np.zeros(subjects * items, int)
    y[cells] = 1
    data = pd.DataFrame(
        {"y": y, "s": np.repeat(np.arange(subjects), items), "i": np.tile(np.arange(items), subjects)}
    )
    return MCLAMixedGLM.from_formula("y ~ 1 + (1 | s) + (1 | i)", data=data, family="binomial")


@pytest.mark.parametrize("seed", [1, 2])
def test_rare_responses_of_a_crossed_table_are_no_separation(seed: int) -> None:
    """Laplace's approximation rises for ever; by symmetry no likelihood of one cell of 200 is above 1/200."""
    model = rare(20, 10, [73])
    with pytest.warns(SeparationWarning, match="predict every response perfectly"):
        assert model.fit_laplace().llf > -np.log(200)
    with pytest.warns(SingularFitWarning) as told:
        fit = model.fit(rng=seed)
    assert not [w for w in told if w.category is SeparationWarning]
    assert fit.converged
    none = sm.GLM(model.endog, model.exog, family=sm.families.Binomial()).fit()
    assert fit.llf == pytest.approx(none.llf, abs=1e-6)
    assert fit.params.iloc[0] == pytest.approx(none.params[0], abs=1e-3)
    np.testing.assert_allclose(fit.bse.iloc[0], none.bse[0], rtol=1e-3)


@pytest.mark.parametrize("seed", [1, 2])
def test_two_responses_of_one_item_have_a_maximum(seed: int) -> None:
    """Of 1000: both are of one item, the subjects' variance is zero, and the items' by quadrature."""
    model = rare(40, 25, [10 * 25 + 11, 33 * 25 + 11])
    with pytest.warns(SingularFitWarning, match="'s' is zero"):
        fit = model.fit(rng=seed)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)

    def loglike(x: np.ndarray) -> float:
        eta = x[0] + np.exp(x[1]) * nodes
        p, q = 1 / (1 + np.exp(-eta)), 1 / (1 + np.exp(eta))
        of = [np.log(np.sum(weights * p**k * q ** (40 - k)) / np.sqrt(2 * np.pi)) for k in (0, 2)]
        return 24 * of[0] + of[1]

    found = optimize.minimize(
        lambda x: -loglike(x), [-8.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-6}
    )
    assert fit.llf == pytest.approx(-found.fun, abs=0.02)
    assert fit.params["i Var"] == pytest.approx(np.exp(2 * found.x[1]), rel=0.05)
