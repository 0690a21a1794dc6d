"""Small models drawn at random, for the tests: every family, link and structure, on data that are not kind.

A `Recipe` is what hypothesis draws.  `build` makes from it the data, the package's model and the same model as
`oracle` takes it, where the order of the parameters is the same.  A design with two crossed factors is integrated
by `crossed_loglike_and_score`: dense quadrature over the effects of the smaller factor, and for every node of it
the oracle's one-dimensional quadrature over each effect of the other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import oracle
import pandas as pd
from helpers import KINDS, Kind
from hypothesis import strategies as st
from scipy import special, stats

from statsmodels_mcla import MCLAMixedGLM

# Structures: the formula's random part, and what multiplies the effects of one group ----------------------

Columns = Callable[[pd.DataFrame], np.ndarray]


def one(data: pd.DataFrame) -> np.ndarray:
    return np.ones((len(data), 1))


def column(name: str) -> Columns:
    return lambda data: data[[name]].to_numpy(float)


def levels(name: str) -> Columns:
    """Indicators of every level of a factor."""
    return lambda data: np.equal.outer(data[name].to_numpy(), np.unique(data[name])).astype(float)


def treated(name: str) -> Columns:
    return lambda data: levels(name)(data)[:, 1:]


@dataclass(frozen=True)
class Structure:
    """A random part: how a formula writes it, and its columns within a group as the oracle has them."""

    bars: str
    columns: tuple[Columns, ...]
    group: str = "g"
    shared: tuple[str, ...] | None = None  # names of the variances, a column group each; None: unstructured
    vc: dict[str, Any] | None = None
    mixedlm: dict[str, str] | None = None
    crossed: bool = False


STRUCTURES = {
    "(1 | g)": Structure("(1 | g)", (one,)),
    "(1 + x | g)": Structure("(1 + x | g)", (one, column("x"))),
    "(x || g)": Structure("(x || g)", (one, column("x")), shared=("1", "x")),
    "(0 + x | g)": Structure("(0 + x | g)", (column("x"),)),
    "(1 | g/h)": Structure("(1 | g/h)", (one, levels("h")), shared=("g", "g:h")),
    "(1 | g:h)": Structure("(1 | g:h)", (one,), group="gh"),
    "two terms": Structure("(1 | g) + (0 + z | g)", (one, column("z")), shared=("1", "z")),
    "slope and inner": Structure("(0 + x | g) + (1 | g:h)", (column("x"), levels("h")), shared=("x", "h")),
    "shared": Structure(
        "",
        (one, column("z")),
        shared=("s", "s"),
        vc={"s": ["0 + C(g)", "0 + C(g):z"]},
    ),
    "vc and bars": Structure("(1 | g)", (one, column("z")), shared=("g", "z"), vc={"z": "0 + C(g):z"}),
    "mixedlm": Structure("", (one, column("z")), mixedlm={"groups": "g", "re_formula": "~ z"}),
    "(np.log(p) | g)": Structure("(np.log(p) | g)", (one, lambda data: np.log(column("p")(data)))),
    "(f | g)": Structure("(f | g)", (one, treated("f"))),
    "diagonal": Structure(
        "(0 + I(1.0 * (f == 'f0')) + I(1.0 * (f == 'f1')) || g)", (levels("f"),), shared=("f0", "f1")
    ),
    "(0 + f | g)": Structure("(0 + f | g)", (levels("f"),)),
    "crossed": Structure("(1 | g) + (1 | c)", (one,), crossed=True),
    "row": Structure("(1 | row)", (one,), group="row"),
}
EFFECT_A_ROW = ("binomial", "poisson")  # families that carry one

# Recipes --------------------------------------------------------------------------------------------------

SIZES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "even": lambda rng, groups: rng.integers(6, 11, groups),
    "tiny": lambda rng, groups: rng.integers(1, 4, groups),
    "uneven": lambda rng, groups: np.where(np.arange(groups) < 2, 20, rng.integers(1, 4, groups)),
}
COVARIATES: dict[str, Callable[[np.random.Generator, np.ndarray], np.ndarray]] = {
    "uniform": lambda rng, g: rng.uniform(-1, 1, len(g)),
    "binary": lambda _, g: (np.arange(len(g)) % 2).astype(float),
    "skewed": lambda rng, g: rng.exponential(size=len(g)),
    "shifted": lambda rng, g: 20.0 + rng.uniform(-1, 1, len(g)),
    "of the group": lambda rng, g: rng.normal(size=g.max() + 1)[g],
}
OFFSETS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "small": lambda rng, n: rng.uniform(-0.3, 0.3, n),
    "spread": lambda rng, n: rng.uniform(-2, 2, n),
    "far": lambda _, n: np.full(n, 12.0),
}
WEIGHTS: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "copies": lambda rng, n: rng.integers(1, 4, n).astype(float),
    "fractions": lambda rng, n: rng.choice([0.5, 1.0, 2.0], n),
    "zeros": lambda rng, n: rng.choice([0.0, 1.0, 2.0], n),
}


@dataclass(frozen=True)
class Recipe:
    """What makes a random model; `seed` draws the data."""

    kind: Kind
    structure: str
    groups: int
    sizes: str
    covariate: str
    unit: float
    size_of_effects: float
    rarity: float
    noise: float
    trials: int
    offset: str | None
    weights: str | None
    var_weights: bool
    by_name: bool
    seed: int

    def __repr__(self) -> str:
        rest = ", ".join(f"{k}={v!r}" for k, v in vars(self).items() if k != "kind")
        return f"Recipe({self.kind.name}, {rest})"


def recipes(kinds: list[Kind] = KINDS, structures: tuple[str, ...] = tuple(STRUCTURES)) -> st.SearchStrategy:
    """Every combination of everything."""
    return st.builds(
        Recipe,
        kind=st.sampled_from(kinds),
        structure=st.sampled_from(structures),
        groups=st.integers(4, 14),
        sizes=st.sampled_from(list(SIZES)),
        covariate=st.sampled_from(list(COVARIATES)),
        unit=st.sampled_from([1.0, 1.0, 1e-5, 1e4]),
        size_of_effects=st.sampled_from([1.0, 1.0, 0.2, 2.5]),
        rarity=st.sampled_from([0.0, 0.0, 1.0, 2.5]),
        noise=st.sampled_from([1.0, 0.1, 4.0]),
        trials=st.sampled_from([1, 3, 40]),
        offset=st.sampled_from([None, *OFFSETS]),
        weights=st.sampled_from([None, None, *WEIGHTS]),
        var_weights=st.booleans(),
        by_name=st.booleans(),
        seed=st.integers(0, 2**32 - 1),
    ).map(possible)


def possible(recipe: Recipe) -> Recipe:
    """The nearest recipe whose model exists."""
    kind, inverse = recipe.kind, recipe.kind.oracle_link in ("inverse", "sqrt")
    if recipe.structure == "row" and kind.oracle_family not in EFFECT_A_ROW:
        recipe = replace(recipe, structure="(1 | g)")
    if recipe.structure == "row" and kind.oracle_family == "binomial" and recipe.trials == 1:
        recipe = replace(recipe, trials=40)
    if inverse:  # an offset moves these off the range of their means
        recipe = replace(recipe, rarity=0.0, offset="small" if recipe.offset else None)
    if kind.oracle_family not in ("gamma", "gaussian", "inversegaussian"):
        recipe = replace(recipe, var_weights=False)
    return recipe


# Models ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drawn:
    """A model of the package and the oracle's; `rows` are the oracle's, those of weight zero left out."""

    recipe: Recipe
    formula: str
    call: dict[str, Any]
    data: pd.DataFrame
    arguments: dict[str, Any]
    crossed: np.ndarray | None

    def model(self) -> MCLAMixedGLM:
        return MCLAMixedGLM.from_formula(self.formula, data=self.data, **self.call)


def response(
    rng: np.random.Generator, kind: Kind, mu: np.ndarray, phi: float, scale: np.ndarray, trials: np.ndarray
) -> np.ndarray:
    """Draw a response; positive ones stay above zero also where they underflow."""
    y = {
        "binomial": lambda: rng.binomial(trials, mu),
        "poisson": lambda: rng.poisson(mu),
        "negativebinomial": lambda: rng.negative_binomial(1 / phi, 1 / (1 + phi * mu)),
        "gamma": lambda: rng.gamma(1 / scale, scale * mu),
        "gaussian": lambda: rng.normal(mu, np.sqrt(scale)),
        "inversegaussian": lambda: rng.wald(mu, 1 / scale),
    }[kind.oracle_family]()
    return np.maximum(y, 1e-12) if kind.oracle_family in ("gamma", "inversegaussian") else y


def written(recipe: Recipe, data: pd.DataFrame) -> tuple[str, dict[str, Any]]:
    """Formula and other arguments of the package's model."""
    kind, structure = recipe.kind, STRUCTURES[recipe.structure]
    left = "y + failures" if kind.oracle_family == "binomial" and recipe.trials > 1 else "y"
    formula = f"{left} ~ x" + (f" + {structure.bars}" if structure.bars else "")
    rows = {}
    if recipe.offset:
        rows["offset"] = "off"
    if recipe.weights:
        rows["freq_weights"] = "w"
    if recipe.var_weights:
        rows["var_weights"] = "v"
    if not recipe.by_name:
        rows = {name: data[value].to_numpy() for name, value in rows.items()}
        if kind.oracle_link == "log" and recipe.offset:
            rows["exposure"] = np.exp(rows.pop("offset"))
    return formula, {"family": kind.family, "vc_formulas": structure.vc, **(structure.mixedlm or {}), **rows}


def variances(structure: Structure, data: pd.DataFrame) -> str | list[int]:
    """Which variance each column has, as the oracle takes it."""
    if structure.shared is None:
        return "unstructured"
    widths = [columns(data).shape[1] for columns in structure.columns]
    if len(widths) == 1:  # every column has a variance of its own
        return list(range(widths[0]))
    names = list(dict.fromkeys(structure.shared))
    return [names.index(s) for s, w in zip(structure.shared, widths, strict=True) for _ in range(w)]


def build(recipe: Recipe) -> Drawn:
    """Data, formula and arrays of a recipe."""
    rng = np.random.default_rng(recipe.seed)
    kind, structure = recipe.kind, STRUCTURES[recipe.structure]
    sizes = SIZES[recipe.sizes](rng, recipe.groups)
    if structure.crossed:  # the quadrature over the other factor's levels repeats every row hundreds of times
        sizes = np.minimum(sizes, 6)
    g = np.repeat(np.arange(recipe.groups), sizes)
    n = len(g)
    x = COVARIATES[recipe.covariate](rng, g)
    x[0] += 0.5  # a covariate that is constant where weights are positive is no model
    x[-1] -= 0.5
    h, c, f = (rng.permutation(np.arange(n) % 2) for _ in range(3))
    offset = np.zeros(n) if recipe.offset is None else OFFSETS[recipe.offset](rng, n)
    weights = np.ones(n) if recipe.weights is None else WEIGHTS[recipe.weights](rng, n)
    weights[[0, -1]] = np.maximum(weights[[0, -1]], 1.0)
    var_weights = rng.uniform(0.4, 2.5, n) if recipe.var_weights else np.ones(n)
    trials = rng.integers(1, recipe.trials + 1, n) if kind.oracle_family == "binomial" else np.ones(n, int)
    data = pd.DataFrame(
        {
            "x": x * recipe.unit,
            "z": rng.normal(size=n),
            "p": np.exp(rng.uniform(-1, 1, n)),
            "g": [f"g{k:02d}" for k in g],
            "h": [f"h{k}" for k in h],
            "gh": [f"{a:02d}:{b}" for a, b in zip(g, h, strict=True)],
            "c": [f"c{k}" for k in c],
            "f": [f"f{k}" for k in f],
            "row": np.arange(n),
            "off": offset,
            "w": weights,
            "v": var_weights,
        }
    )
    X = np.column_stack([np.ones(n), data["x"]])
    Z = np.hstack([columns(data) for columns in structure.columns])
    of_group = np.unique(data[structure.group], return_inverse=True)[1]
    sd = kind.sd * recipe.size_of_effects
    length = np.sqrt(np.mean(Z**2, axis=0))
    effects = sd * rng.normal(size=(of_group.max() + 1, Z.shape[1])) / np.maximum(length, 1e-300)
    eta = np.sum(Z * effects[of_group], axis=1)
    if structure.crossed:
        eta += sd * rng.normal(size=2)[c]
    slope = 0.0 if kind.oracle_link == "inverse" else 0.4
    eta += kind.intercept - recipe.rarity + slope * (x - x.mean())
    if recipe.offset != "far":
        eta += offset
    if kind.oracle_link in ("inverse", "sqrt"):
        eta = np.maximum(eta, 0.3)
    mu = oracle.mean(kind.oracle_link, eta)
    phi = (kind.phi or 1.0) * recipe.noise
    scale = phi / var_weights
    data["y"] = response(rng, kind, mu, phi, scale, trials)
    data["failures"] = trials - data["y"] if kind.oracle_family == "binomial" else 0

    formula, call = written(recipe, data)
    used = weights > 0
    arguments = {
        "y": data["y"].to_numpy(float)[used],
        "X": X[used],
        "Zg": Z[used],
        "group": data[structure.group].to_numpy()[used],
        "family": kind.oracle_family,
        "link": kind.oracle_link,
        "offset": offset[used],
        "weights": weights[used],
        "trials": trials[used].astype(float),
        "var_weights": var_weights[used],
        "structure": variances(structure, data),
    }
    return Drawn(recipe, formula, call, data, arguments, c[used] if structure.crossed else None)


# The truth ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Crossed:
    """Quadrature over two effects of a second factor, each node's other effects by the oracle.

    With effects of the second factor as sigma z, sigma multiplies a covariate z in the linear predictor, so that
    the oracle's score in a fixed effect gives the derivative in sigma.
    """

    arguments: dict[str, Any]
    of_row: np.ndarray
    nodes: np.ndarray  # (K, 2), standardised effects
    log_weights: np.ndarray

    @classmethod
    def around(cls, arguments: dict[str, Any], of_row: np.ndarray, params: np.ndarray) -> Crossed:
        """Nodes around the conditional law of the two effects at some parameters."""
        points, log_weights = oracle.grid("hermite", 15, 2)
        centre, root = np.zeros(2), np.eye(2)
        for _ in range(4):  # adaptive: the moments found with one set of nodes place the next
            nodes = centre + points @ root.T
            here = cls(
                arguments,
                of_row,
                nodes,
                log_weights + np.log(np.abs(np.linalg.det(root))) + stats.norm.logpdf(nodes).sum(axis=1),
            )
            v = np.exp(here._by_node(params)[0])
            v = v / v.sum()
            if not np.all(np.isfinite(v)):
                break
            centre = v @ nodes
            root = np.linalg.cholesky(
                (nodes - centre).T @ ((nodes - centre) * v[:, None]) + 1e-12 * np.eye(2)
            )
        return here

    def _by_node(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Log weight, (K,), and score, (K, P), at each node."""
        K, p = len(self.nodes), self.arguments["X"].shape[1]
        sigma = np.sqrt(params[p + 1])
        X = np.column_stack([np.tile(self.arguments["X"], (K, 1)), self.nodes[:, self.of_row].ravel()])
        groups = np.unique(self.arguments["group"], return_inverse=True)[1]
        size = groups.max() + 1
        inner = {
            name: np.tile(value, (K, *[1] * (np.ndim(value) - 1))) if name in ROW_ARGUMENTS else value
            for name, value in self.arguments.items()
        }
        inner |= {
            "X": X,
            "group": (np.arange(K)[:, None] * size + groups).ravel(),
            "rule": "hermite",
            "nodes": 25,
        }
        at = np.concatenate([params[:p], [sigma], [params[p]], params[p + 2 :]])
        loglike, score = oracle.loglike_and_score_by_group(at, **inner)
        score = score.reshape(K, size, -1).sum(axis=1)
        order = [*range(p), p + 1, p, *range(p + 2, len(params))]
        score = score[:, order]
        score[:, p + 1] /= 2.0 * sigma
        return self.log_weights + loglike.reshape(K, size).sum(axis=1), score

    def loglike_and_score(self, params: np.ndarray) -> tuple[float, np.ndarray]:
        log_w, score = self._by_node(params)
        value = special.logsumexp(log_w)
        return float(value), np.exp(log_w - value) @ score


ROW_ARGUMENTS = ("y", "X", "Zg", "group", "offset", "weights", "trials", "var_weights")


@dataclass(frozen=True)
class Truth:
    """The maximum near an estimate or anywhere, by quadrature; NaN standard errors at the boundary."""

    params: np.ndarray
    bse: np.ndarray
    llf: float
    singular: bool


def truth_of(drawn: Drawn, estimate: np.ndarray, anywhere: bool = True) -> Truth | None:
    """Maximum of the quadrature likelihood, near the estimate or the best of two starts; None where there is none.

    Where the search for it fails, and for crossed factors, it is one Newton step from the estimate: a step that
    matters is a difference anyway.
    """
    if drawn.crossed is not None:
        p = drawn.arguments["X"].shape[1]
        if np.any(estimate[p : p + 2] <= 0):
            return None
        quadrature = Crossed.around(drawn.arguments, drawn.crossed, estimate)
        return _newton(quadrature.loglike_and_score, drawn, estimate)
    effects = drawn.arguments["Zg"].shape[1]
    arguments = drawn.arguments | ({"rule": "hermite", "nodes": 15} if effects == 3 else {})
    best = None
    for start in (estimate, None):
        if best is not None and not anywhere:
            break
        try:
            with np.errstate(all="ignore"):
                found = oracle.quadrature_mle(**arguments, start_params=start)
        except (ArithmeticError, ValueError, np.linalg.LinAlgError):
            continue
        if best is None or found.llf > best.llf + 1e-6:
            best = found
    if best is not None:
        return Truth(best.params, best.bse, best.llf, best.singular)

    def evaluate(at: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            loglike, score = oracle.loglike_and_score_by_group(at, **arguments)
        return float(loglike.sum()), score.sum(axis=0)

    try:
        return _newton(evaluate, drawn, estimate)
    except (ValueError, np.linalg.LinAlgError):
        return None


def _newton(
    evaluate: Callable[[np.ndarray], tuple[float, np.ndarray]], drawn: Drawn, estimate: np.ndarray
) -> Truth:
    value, score = evaluate(estimate)
    p = drawn.arguments["X"].shape[1]
    size = np.maximum(np.abs(estimate), 1e-3)
    size[:p] = 1.0 / np.sqrt(np.mean(drawn.arguments["X"] ** 2, axis=0))
    H = np.empty((len(estimate), len(estimate)))
    for j, h in enumerate(1e-3 * size):
        step = np.zeros(len(estimate))
        step[j] = h
        H[j] = (evaluate(estimate + step)[1] - evaluate(estimate - step)[1]) / (2 * h)
    H = 0.5 * (H + H.T)
    cov = np.linalg.inv(-H)
    step = cov @ score
    return Truth(estimate + step, np.sqrt(np.diag(cov)), value + 0.5 * score @ step, singular=False)
