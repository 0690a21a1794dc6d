"""The shape of the package, read off its syntax trees: levels, doors, edges, circles, sizes, habits.

Levels: imports point to lower levels.  Doors: another package's names come from its ``__init__``.  Edges: pandas,
statsmodels and patsy appear where users' data and results pass.  ARCHITECTURE.md says what the levels are for.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

import statsmodels_mcla

ROOT = "statsmodels_mcla"
PACKAGE = Path(statsmodels_mcla.__file__).parent
LONGEST, MEDIAN = 450, 200
HEAD = "Examples\n--------\n"

# Lowest first.  A package may import packages of lower levels only, never one of its own level.
LEVELS = [
    {"numerics", "execution", "datasets", "exceptions", "interface"},
    {"families", "covariance"},
    {"design"},
    {"likelihood", "data", "formula"},
    {"estimation", "partitions", "plots"},
    {"inference", "prediction", "profile", "comparison"},
    {"results"},
    {"model"},
    {"formula.api"},
    {"__init__"},
    {"__main__"},
]

# Parts of the packages that have packages inside, lowest first; "" stands for the modules beside them.
PARTS = {
    "likelihood": [{"laplace"}, {"sampling"}, {"monte_carlo"}],
    "prediction": [{""}, {"population"}],
}

# pandas, statsmodels and patsy: where users' data and results pass, and two bridges
EDGES = {
    "data",
    "formula",
    "inference",
    "prediction",
    "profile",
    "comparison",
    "partitions",
    "plots",
    "results",
    "model",
    "datasets",
    "exceptions",
    "__main__",
    "families.registry",
    "estimation.search.optimizers",
}
CORE = {
    "numerics",
    "execution",
    "covariance",
    "design",
    "likelihood",
    "families",
    "estimation",
}  # of numpy and scipy otherwise
WORLD = {"statsmodels", "pandas", "patsy"}


class Import(NamedTuple):
    """One name that a module imports."""

    importer: str
    target: str
    name: str
    line: int
    runtime: bool


class House(NamedTuple):
    """Modules by dotted name, as syntax trees, and which names are packages."""

    trees: Mapping[str, ast.Module]
    packages: frozenset[str]

    @classmethod
    def of(cls, sources: Mapping[str, str]) -> House:
        """House of texts; packages end in ``.__init__``."""
        packages = {name.removesuffix(".__init__") for name in sources if name.endswith(".__init__")}
        trees = {name.removesuffix(".__init__"): ast.parse(text) for name, text in sources.items()}
        return cls(trees, frozenset(packages))

    def with_line(self, name: str, line: str) -> House:
        """House in which a module ends in one more line."""
        tree = self.trees[name]
        longer = ast.Module([*tree.body, *ast.parse(line).body], tree.type_ignores)
        return self._replace(trees={**self.trees, name: longer})

    def room(self, name: str) -> str:
        """Innermost package that a module lies in; itself for a package, "" at the top."""
        while name and name not in self.packages:
            name = name.rpartition(".")[0]
        return name

    def imports(self, name: str) -> tuple[Import, ...]:
        """Names of this package that a module imports."""
        return imports_of(name, self.trees[name], frozenset(self.trees))


@functools.cache
def imports_of(name: str, tree: ast.Module, modules: frozenset[str]) -> tuple[Import, ...]:
    """Names of this package that a syntax tree imports, read once."""
    lazy = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    out = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == ROOT:
            module = (node.module or "").removeprefix(ROOT).removeprefix(".")
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix(".")
                target = inner if inner in modules or not module else module
                out.append(Import(name, target, alias.name, node.lineno, id(node) not in lazy))
        if isinstance(node, ast.Import):
            out.extend(
                Import(name, alias.name.removeprefix(f"{ROOT}."), "", node.lineno, True)
                for alias in node.names
                if alias.name.split(".")[0] == ROOT
            )
    return tuple(out)


def level_of(name: str) -> int:
    """Level of a module: that of its package, or its own where it has one."""
    for level, packages in enumerate(LEVELS):
        if name in packages:
            return level
    if "." not in name:
        raise LookupError(f"{name} has no level: enter its package in LEVELS")
    return level_of(name.split(".")[0])


def part_of(name: str) -> str:
    """Part of its package that a module lies in, "" for the modules beside the parts."""
    top, _, rest = name.partition(".")
    part = rest.partition(".")[0]
    return part if any(part in parts for parts in PARTS[top]) else ""


def upward(house: House) -> Iterator[str]:
    """Imports that do not point to a lower level."""
    for name in house.trees:
        for found in house.imports(name):
            top, target = name.split(".")[0], found.target.split(".")[0]
            if found.target == "formula.api" or name == "formula.api" or top != target:
                if level_of(found.target) >= level_of(name):
                    yield f"{name}:{found.line} imports {found.target}, which is not of a lower level"
            elif top in PARTS and name not in house.packages:
                order = {part: k for k, parts in enumerate(PARTS[top]) for part in parts}
                mine, theirs = part_of(name), part_of(found.target)
                if mine != theirs and order[theirs] >= order[mine]:
                    yield f"{name}:{found.line} imports {found.target}, a later part of {top}"


def round_the_door(house: House) -> Iterator[str]:
    """Imports of another package's module, not of what the package shows at its door."""
    for name in house.trees:
        for found in house.imports(name):
            target = found.target
            if target in house.packages or house.room(target) == "" or target == "formula.api":
                continue
            room, theirs = house.room(name), house.room(target)
            inside = room == theirs or room.startswith(f"{theirs}.")
            if not inside:
                yield f"{name}:{found.line} imports {target}, not the door of {theirs}"


def not_shown(house: House) -> Iterator[str]:
    """Private names of other modules."""
    for name in house.trees:
        for found in house.imports(name):
            if found.name.startswith("_") and found.name != "__version__":
                yield f"{name}:{found.line} imports the private name {found.name}"


def circles(house: House) -> Iterator[str]:
    """Modules that need each other when they are imported; doors need what they show."""
    graph = {
        name: {f.target for f in house.imports(name) if f.runtime and f.target in house.trees} - {name}
        for name in house.trees
        if name not in house.packages
    }
    shown = {name: {f.target for f in house.imports(name)} for name in house.packages}

    def modules(targets: set[str]) -> set[str]:
        out: set[str] = set()
        for target in targets:
            out |= {target} if target in graph else modules(shown.get(target, set()) - {target})
        return out

    full = {name: modules(targets) & graph.keys() for name, targets in graph.items()}
    done: set[str] = set()
    while len(done) < len(full):
        free = {name for name, needed in full.items() if name not in done and needed <= done}
        if not free:
            yield f"a circle among {sorted(set(full) - done)}"
            return
        done |= free


def over_the_edge(house: House) -> Iterator[str]:
    """Imports of pandas, statsmodels or patsy outside the edges."""
    for name, tree in house.trees.items():
        if any(name == edge or name.startswith(f"{edge}.") for edge in EDGES):
            continue
        lazy = {id(i) for n in ast.walk(tree) if isinstance(n, ast.If) for i in ast.walk(n)}
        for node in ast.walk(tree):
            if isinstance(node, (ast.Import, ast.ImportFrom)) and id(node) not in lazy:
                used = foreign(node) & WORLD
                if used:
                    yield f"{name}:{node.lineno} imports {sorted(used)}"


def foreign(node: ast.Import | ast.ImportFrom) -> set[str]:
    """Top-level packages of an import."""
    if isinstance(node, ast.ImportFrom):
        return {(node.module or "").split(".")[0]}
    return {alias.name.split(".")[0] for alias in node.names}


def sources() -> dict[str, str]:
    """Every module of the package but the data sets, by dotted name."""
    out = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if "datasets" not in parts:
            out[".".join(parts)] = path.read_text()
    return out


TEXTS = sources()
HOUSE = House.of(TEXTS)
NAMES = sorted(TEXTS)
TREES = {name: HOUSE.trees[name.removesuffix(".__init__")] for name in NAMES}
RULES = [upward, round_the_door, not_shown, circles, over_the_edge]


def test_premise_modules_are_found() -> None:
    assert {"model", "likelihood.monte_carlo.evaluation", "formula.model_reader"} <= HOUSE.trees.keys()
    assert {"model", "estimation.search"} <= HOUSE.packages
    assert sum(1 for name in HOUSE.trees for _ in HOUSE.imports(name)) > 500


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(rule) -> None:
    assert list(rule(HOUSE)) == []


VIOLATIONS = {
    upward: ("design.blocks", "from statsmodels_mcla.model import MCLAMixedGLM"),
    round_the_door: ("model.cloning", "from statsmodels_mcla.design.buckets import Bucket"),
    not_shown: ("design.blocks", "from statsmodels_mcla.design.buckets import _secret"),
    circles: ("design.random_terms", "from statsmodels_mcla.design.mixed_design import MixedDesign"),
    over_the_edge: ("design.blocks", "import pandas as pd"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_violation_is_found(rule) -> None:
    name, line = VIOLATIONS[rule]
    assert len(list(rule(HOUSE.with_line(name, line)))) == 1


def test_parts_keep_their_order() -> None:
    line = "from statsmodels_mcla.likelihood.monte_carlo import evaluate"
    found = list(upward(HOUSE.with_line("likelihood.laplace.modes", line)))
    assert len(found) == 1
    assert "later part" in found[0]


@pytest.mark.parametrize("name", sorted(HOUSE.packages - {"__init__"}))
def test_doors_say_what_is_behind_them(name: str) -> None:
    tree = HOUSE.trees[name]
    assert len((ast.get_docstring(tree) or "").splitlines()) >= 3
    shown = [n for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
    imported = [alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names]
    imported = [x for x in imported if x != "annotations"]
    assert bool(shown) == bool(imported)
    if shown:
        assert sorted(ast.literal_eval(shown[0].value)) == sorted(imported)


def test_every_package_has_a_level() -> None:
    tops = {name.split(".")[0] for name in NAMES} | {"datasets", "formula.api"}
    assert tops == set().union(*LEVELS)


@pytest.mark.parametrize("name", NAMES)
def test_only_runtime_dependencies(name: str) -> None:
    known = {"statsmodels", "numpy", "scipy", "patsy", "pandas", ROOT}
    if name == "execution.blas":
        known |= {"threadpoolctl"}
    if name == "execution.progress":  # progress lines go above a progress bar
        known |= {"tqdm"}
    if name == "execution.engines":  # what it is made for
        known |= {"distributed"}
    if name == "formula.patsy_pickles":  # functions that are defined anywhere, where it is installed
        known |= {"cloudpickle"}
    if name == "prediction.population.marginaleffects_bridge":  # what it is made for
        known |= {"marginaleffects", "polars"}
    if name.startswith("plots") or name == "results.methods.plots":
        known |= {"matplotlib"}
    for node in ast.walk(TREES[name]):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            assert not (isinstance(node, ast.ImportFrom) and node.level), "relative import"
            assert foreign(node) <= known | sys.stdlib_module_names, ast.unparse(node)


@pytest.mark.parametrize("name", NAMES)
def test_no_global_random_state(name: str) -> None:
    """Generators only, and every one from a seed that was passed in."""
    allowed = {"Generator", "SeedSequence", "PCG64"}
    for node in ast.walk(TREES[name]):
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


@pytest.mark.parametrize("name", NAMES)
def test_families_and_structures_are_not_told_apart_by_name(name: str) -> None:
    """What differs between families lives in the families, what differs between structures in the covariance."""
    if name.startswith(("families", "covariance")):
        return
    words = {"Binomial", "Poisson", "NegativeBinomial", "Gamma", "Gaussian", "InverseGaussian"}
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Compare):
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
            both = all(isinstance(s, ast.Attribute) and s.attr == "family" for s in sides)  # with each other
            assert (
                both
                or not attributes & {"family", "structure"}
                or isinstance(node.ops[0], (ast.Is, ast.IsNot))
            ), f"line {node.lineno}: {ast.unparse(node)}"
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(called, ast.Name) and called.id == "isinstance":
            text = ast.unparse(node.args[1])
            assert not any(w in text for w in ("Binomial", "Poisson", "Gamma", "Gaussian"))


def lines_of_examples(text: str) -> int:
    """Lines of docstrings from "Examples" on, which make no module harder to read."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)
    docs = [ast.get_docstring(node) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, kinds)]
    return sum(len(doc[doc.index(HEAD) :].strip().splitlines()) for doc in docs if HEAD in doc)


@pytest.mark.parametrize("name", NAMES)
def test_modules_are_short(name: str) -> None:
    lines = len(TEXTS[name].splitlines()) - lines_of_examples(TEXTS[name])
    assert lines <= LONGEST, f"{lines} lines"


def test_examples_are_not_counted_and_code_is() -> None:
    code = 'def f():\n    """One.\n\n    Examples\n    --------\n    >>> 1\n    1\n    """\n    return 1\n'
    assert lines_of_examples(code) == 4
    assert lines_of_examples("x = 1\n") == 0


def test_median_module_is_short() -> None:
    lengths = sorted(len(text.splitlines()) for text in TEXTS.values())
    assert lengths[len(lengths) // 2] < MEDIAN


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_to_do(name: str) -> None:
    for word in ("TODO", "FIXME", "XXX", "HACK"):
        assert word not in TEXTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_failures_are_not_swallowed(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: bare except"
            assert ast.unparse(node.type) not in ("Exception", "BaseException"), f"line {node.lineno}"


@pytest.mark.parametrize("name", NAMES)
def test_dataclasses_are_frozen(name: str) -> None:
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ClassDef):
            for decorator in node.decorator_list:
                text = ast.unparse(decorator)
                if text.startswith("dataclass"):
                    assert "frozen=True" in text, node.name
