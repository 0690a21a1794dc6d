"""Formulas that name what is no column: pickled, copied, and read again."""

from __future__ import annotations

import copy
import importlib
import pickle
import subprocess
import sys
import threading
from functools import partial
from types import FunctionType

import numpy as np
import pandas as pd
import patsy
import pytest
import statsmodels.api as sm

from statsmodels_mcla import MCLAMixedGLM
from statsmodels_mcla.formula import FormulaError, patsy_pickles
from statsmodels_mcla.formula.namespace import Names


def twice(x):
    return 2.0 * x


class FromMean:
    """A stateful transform of one's own."""

    def memorize_chunk(self, x):
        self.mean = np.mean(x)

    def memorize_finish(self):
        pass

    def transform(self, x):
        return x - self.mean


from_mean = patsy.stateful_transform(FromMean)


def fitted(formula):
    days, shifted, lock = 7.0, lambda x: x + 1.0, threading.Lock()  # noqa: F841 - for the formula
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(20), 6), "t": rng.uniform(0, 5, 120)})
    data["kind"] = np.where(np.arange(120) % 2, "lock", "key")
    data["y"] = rng.poisson(np.exp(0.3 + 0.1 * data["t"] + 0.5 * rng.normal(size=20)[data["g"]]))
    return MCLAMixedGLM.from_formula(formula, data=data, family=sm.families.Poisson()).fit_laplace()


def pickled(result):
    return pickle.loads(pickle.dumps(result))


@pytest.mark.parametrize("again", [copy.deepcopy, pickled, lambda result: pickled(pickled(result))])
@pytest.mark.parametrize(
    "formula",
    [
        "y ~ I(t / days) + (1 | g)",
        "y ~ twice(t) + (0 + twice(t) | g)",
        "y ~ from_mean(t) + (1 | g)",
        "np.floor(y) ~ t + (1 | g)",
    ],
)
def test_constants_functions_and_transforms_survive(formula, again) -> None:
    result = fitted(formula)
    copied, new = again(result), result.model.data.frame.head(5)
    expected = result.predict(new, random="conditional")
    np.testing.assert_allclose(copied.predict(new, random="conditional"), expected)
    assert copied.summary().as_text().splitlines()[6:] == result.summary().as_text().splitlines()[6:]


SHIFTED = ["y ~ shifted(t) + (1 | g)", "y ~ t + (0 + shifted(t) | g)"]


@pytest.mark.parametrize("formula", SHIFTED)
def test_functions_within_functions_go_by_value(formula) -> None:
    pytest.importorskip("cloudpickle")
    result = fitted(formula)
    new = result.model.data.frame.head(5)
    expected = result.predict(new, random="conditional")
    np.testing.assert_allclose(pickled(pickled(result)).predict(new, random="conditional"), expected)


@pytest.mark.parametrize("formula", SHIFTED)
def test_without_cloudpickle_they_are_refused_when_pickled(formula, monkeypatch) -> None:
    monkeypatch.setattr(patsy_pickles, "cloudpickle", None)
    result = fitted(formula)
    new = result.model.data.frame.head(5)
    np.testing.assert_allclose(copy.deepcopy(result).predict(new), result.predict(new))
    with pytest.raises(
        pickle.PicklingError, match=r"names 'shifted', which .* not installed.*: define it at"
    ):
        pickle.dumps(result)


def test_what_nothing_can_pickle_is_refused_when_pickled() -> None:
    result = fitted("y ~ I(0 * (lock is None) + t) + (1 | g)")
    with pytest.raises(
        pickle.PicklingError, match=r"names 'lock', which cannot be pickled .*lock.*: define it"
    ):
        pickle.dumps(result)


def test_strings_are_no_names() -> None:
    """A variable that happens to be called like a level of a factor has no part in the formula."""
    result = fitted("y ~ C(kind, Treatment('lock')) + (1 | g)")
    assert not result.model.data.names.values
    np.testing.assert_allclose(pickled(result).predict(result.model.data.frame), result.predict())


def test_functions_of_modules_go_by_reference_and_are_missed_by_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "transforms_of_mine.py").write_text(
        "def half(x):\n    return x / 2\nthird = lambda x: x / 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = importlib.import_module("transforms_of_mine")
    space = {"half": module.half, "third": module.third, "__name__": module.__name__}
    data = fitted("y ~ t + (1 | g)").model.data.frame
    data = data.assign(y=np.arange(len(data)) % 5)
    formula = "y ~ half(t) + np.log(third(t) + 1) + (1 | g)"
    family = sm.families.Poisson()
    model = MCLAMixedGLM.from_formula(formula, data=data, family=family, eval_env={**space, "np": np})
    content = pickle.dumps(model.data.names)
    assert pickle.loads(content).values == {"half": module.half, "np": np, "third": module.third}
    monkeypatch.undo()
    monkeypatch.delitem(sys.modules, module.__name__)
    found = pickle.loads(content)
    assert set(found.values) == {"np"}
    with pytest.raises(FormulaError, match=r"names half, third, .* \(No module named 'transforms_of_mine'\)"):
        pickle.loads(pickle.dumps(found)).environment("y ~ half(t)")


SCRIPT = """
import multiprocessing, pickle, sys
from concurrent.futures import ProcessPoolExecutor
import numpy as np
import pandas as pd
import statsmodels_mcla.formula.api as smf

K = 2.5

def near(x):
    return np.abs(x - K)

class Power:
    def __call__(self, x):
        return x**0.5

root = Power()
data = pd.DataFrame({"g": np.repeat(np.arange(10), 6), "t": np.linspace(0, 5, 60)})
data["y"] = np.random.default_rng(0).poisson(2.0, 60)

def fit(family):
    formula = "y ~ np.log(t + K) + near(t) + root(t) + (1 | g)"
    return smf.mcla_mixedglm(formula, data=data, family=family).fit_laplace()

def predicted(result):
    return result.predict(data.head(3)).tolist()

if __name__ == "__main__":
    result = fit("poisson")
    expected = predicted(result)
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            there = pool.submit(fit, "poisson").result()
            assert pool.submit(predicted, result).result() == expected, method
            assert np.allclose(predicted(there), expected), method
    with open(sys.argv[1], "wb") as file:
        pickle.dump((result, there, data.head(3), expected), file)
"""

READER = """
import pickle, sys
import numpy as np

K = 10.0
near = root = lambda x: 0 * x

def check():
    with open(sys.argv[1], "rb") as file:
        *results, data, expected = pickle.load(file)
    for result in results:
        again = pickle.loads(pickle.dumps(result))
        assert np.allclose(again.predict(data), expected), (again.predict(data), expected)

check()
del K, near, root
check()
"""


@pytest.mark.slow
def test_what_a_script_defines_is_the_same_in_other_processes(tmp_path) -> None:
    """Other scripts have other things of the same names, or none."""
    pytest.importorskip("cloudpickle")
    for name, text in {"writes.py": SCRIPT, "reads.py": READER}.items():
        (tmp_path / name).write_text(text)
        command = [sys.executable, "-W", "ignore", str(tmp_path / name), str(tmp_path / "fit.pickle")]
        found = subprocess.run(command, check=False, capture_output=True, text=True)
        assert found.returncode == 0, found.stderr


@pytest.fixture
def script(monkeypatch):
    """The script, with a constant and a function."""
    main = sys.modules["__main__"]
    near = FunctionType(twice.__code__, {"__name__": "__main__"}, "near")
    near.__qualname__ = "near"
    monkeypatch.setattr(main, "K", 2.5, raising=False)
    monkeypatch.setattr(main, "near", near, raising=False)
    assert pickle.loads(pickle.dumps(near)) is near  # by reference, as pickle does
    return main


def test_what_a_script_defines_goes_by_value(script, monkeypatch) -> None:
    pytest.importorskip("cloudpickle")
    content = pickle.dumps(Names({"K": script.K, "near": script.near}, "__main__"))
    monkeypatch.setattr(script, "K", 10.0)
    monkeypatch.setattr(script, "near", None)
    found = pickle.loads(content)
    assert not found.lost
    assert found.values["K"] == 2.5
    assert found.values["near"](3.0) == 6.0


def test_without_cloudpickle_scripts_keep_constants_and_refuse_functions(script, monkeypatch) -> None:
    monkeypatch.setattr(patsy_pickles, "cloudpickle", None)
    content = pickle.dumps(Names({"K": script.K, "np": np}, "__main__"))
    monkeypatch.setattr(script, "K", 10.0)
    assert pickle.loads(content).values == {"K": 2.5, "np": np}
    for value in (script.near, [script.near, 1.0], partial(script.near, 1.0)):
        with pytest.raises(pickle.PicklingError, match="names 'it'"):
            pickle.dumps(Names({"it": value}, "__main__"))


def test_columns_are_not_kept_as_names() -> None:
    assert set(fitted("y ~ twice(t) + (1 | g)").model.data.names.values) == {"twice"}
