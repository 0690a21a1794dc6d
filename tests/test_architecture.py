"""The shape of the package, read off its syntax trees: order, edges, no global random state, sizes."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import statsmodels_mcla

PACKAGE = Path(statsmodels_mcla.__file__).parent
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "datasets" not in path.parts)
LONGEST = 450


def order_of_the_package_docstring() -> list[str]:
    """Modules and subpackages as `statsmodels_mcla.__doc__` lists them, line by line."""
    text = (statsmodels_mcla.__doc__ or "").split("Modules, each using")[1].split("---\n")[1].split("\n\n")[0]
    lines = [line for line in text.splitlines() if not line.startswith(" ")]
    return [name for line in lines for name in line.split(", ")]


# A module may import what is listed before it, and a subpackage its own parts.
ORDER = [*order_of_the_package_docstring(), "formula.api", "__init__", "__main__"]

# statsmodels and pandas only where users' data and results pass
EDGES = {
    "exceptions",
    "inputs",
    "validation",
    "search",
    "model",
    "results",
    "monte_carlo",
    "wald",
    "robust",
    "influence",
    "simulation",
    "bootstrap",
    "cloning",
    "effect_sizes",
    "random_effects",
    "new_rows",
    "prediction",
    "margins",
    "parameter_functions",
    "profile",
    "quantity_names",
    "contrasts",
    "nested_fits",
    "anova",
    "score_test",
    "summary",
    "var_corr",
    "__main__",
}
EDGE_PACKAGES = {"formula", "datasets", "families", "plots"}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def place_of(name: str) -> int:
    """Place in the order of a module, or of the subpackage that it is in."""
    return ORDER.index(name if name in ORDER else name.split(".")[0])


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            if node.module == "statsmodels_mcla":
                yield from (f"statsmodels_mcla.{alias.name}" for alias in node.names)
            else:
                yield node.module or ""


IDS = [name_of(path) for path in MODULES]


def test_premise_modules_are_found() -> None:
    assert {"model", "likelihood", "formula.reading", "families.binomial"} <= set(IDS)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_imports_point_downward(path: Path) -> None:
    name = name_of(path)
    if name == "__init__":
        return
    for imported in imports_of(tree_of(path)):
        if not imported.startswith("statsmodels_mcla."):
            continue
        target = imported.removeprefix("statsmodels_mcla.")
        same = target.split(".")[0] == name.split(".")[0] and "formula.api" not in (name, target)
        assert same or place_of(target) < place_of(name), (
            f"{name} imports {target}, which the package docstring lists after it"
        )


def test_the_package_docstring_lists_every_module_once() -> None:
    found = {name.split(".")[0] for name in IDS} | {"datasets"}
    assert sorted(ORDER) == sorted(found | {"formula.api", "__init__", "__main__"})


def test_no_circles_within_subpackages() -> None:
    for package in ("formula", "families", "plots"):
        graph = {
            name_of(p): {
                i.removeprefix("statsmodels_mcla.")
                for i in imports_of(tree_of(p))
                if i.startswith(f"statsmodels_mcla.{package}.")
            }
            for p in MODULES
            if name_of(p).startswith(f"{package}.") and p.name not in ("__init__.py", "api.py")
        }
        done: set[str] = set()
        while len(done) < len(graph):
            free = {
                name for name, needed in graph.items() if name not in done and needed & graph.keys() <= done
            }
            assert free, f"a circle among {sorted(set(graph) - done)}"
            done |= free


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_statsmodels_and_pandas_stay_at_the_edges(path: Path) -> None:
    name = name_of(path)
    used = {i.split(".")[0] for i in imports_of(tree_of(path))} & {"statsmodels", "pandas", "patsy"}
    if used:
        assert name in EDGES or name.split(".")[0] in EDGE_PACKAGES, f"{name} imports {sorted(used)}"


def test_core_is_numpy_and_scipy() -> None:
    core = [
        "covariance",
        "laplace",
        "proposals",
        "likelihood",
        "mcse",
        "points",
        "draws",
        "sampler",
        "scale",
        "linalg",
        "weighted",
        "linear_rows",
        "conditional",
    ]
    for name in core:
        foreign = {i.split(".")[0] for i in imports_of(tree_of(PACKAGE / f"{name}.py"))}
        standard = {
            "__future__",
            "dataclasses",
            "typing",
            "functools",
            "collections",
            "concurrent",
            "itertools",
            "threading",
            "math",
            "time",
        }
        assert foreign - standard <= {"numpy", "scipy", "statsmodels_mcla"}, name


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_only_runtime_dependencies(path: Path) -> None:
    import sys

    known = {"statsmodels", "numpy", "scipy", "patsy", "pandas", "statsmodels_mcla"}
    if name_of(path) in ("notices", "progress"):  # progress lines go above a progress bar, where there is one
        known |= {"tqdm"}
    if name_of(path).split(".")[0] == "plots":
        known |= {"matplotlib"}
    for imported in imports_of(tree_of(path)):
        top = imported.split(".")[0]
        assert top in known or top in sys.stdlib_module_names, imported


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_no_global_random_state(path: Path) -> None:
    """Generators only, and every one from a seed that was passed in."""
    tree = tree_of(path)
    allowed = {"Generator", "SeedSequence", "PCG64"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute):
            inner = node.value
            if (
                inner.attr == "random"
                and isinstance(inner.value, ast.Name)
                and inner.value.id in ("np", "numpy")
            ):
                assert node.attr in allowed, f"np.random.{node.attr}"
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not any(n in ("random", "numpy.random") for n in names)
        # scipy's distributions draw from the global state unless told otherwise
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "rvs":
            assert any(k.arg == "random_state" for k in node.keywords)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_families_and_structures_are_not_told_apart_by_name(path: Path) -> None:
    """What differs between families lives in the families, what differs between structures in the covariance."""
    name = name_of(path)
    if name.startswith("families") or name == "covariance":
        return
    words = {"Binomial", "Poisson", "NegativeBinomial", "Gamma", "Gaussian", "InverseGaussian"}
    for node in ast.walk(tree_of(path)):
        if not isinstance(node, ast.Compare):
            continue
        sides = [node.left, *node.comparators]
        texts = {
            c.value
            for s in sides
            for c in ast.walk(s)
            if isinstance(c, ast.Constant) and isinstance(c.value, str)
        }
        assert not texts & words, f"line {node.lineno}: {ast.unparse(node)}"
        attributes = {s.attr for s in sides if isinstance(s, ast.Attribute)} | {
            s.id for s in sides if isinstance(s, ast.Name)
        }
        assert not attributes & {"family", "structure"} or isinstance(node.ops[0], (ast.Is, ast.IsNot)), (
            f"line {node.lineno}: {ast.unparse(node)}"
        )


def test_families_are_not_told_apart_by_class() -> None:
    for path in MODULES:
        if name_of(path).startswith("families"):
            continue
        for node in ast.walk(tree_of(path)):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "isinstance"
            ):
                text = ast.unparse(node.args[1])
                assert not any(w in text for w in ("Binomial", "Poisson", "Gamma", "Gaussian")), name_of(path)


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_modules_are_short(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{lines} lines"


def test_median_module_is_short() -> None:
    lengths = sorted(len(path.read_text().splitlines()) for path in MODULES)
    assert lengths[len(lengths) // 2] < 200


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_nothing_is_left_to_do(path: Path) -> None:
    text = path.read_text()
    for word in ("TODO", "FIXME", "XXX", "HACK"):
        assert word not in text


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_failures_are_not_swallowed(path: Path) -> None:
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            assert ast.unparse(node.type) not in ("Exception", "BaseException"), f"line {node.lineno}"


def test_dataclasses_of_the_core_are_frozen() -> None:
    for path in MODULES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef):
                for decorator in node.decorator_list:
                    text = ast.unparse(decorator)
                    if text.startswith("dataclass"):
                        assert "frozen=True" in text, f"{name_of(path)}.{node.name}"
