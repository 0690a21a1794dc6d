"""What the tests of pictures draw."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from statsmodels_mcla import plots


def effects(levels: int, coordinates: tuple[str, ...] = ("Intercept",), term: str = "g") -> pd.DataFrame:
    rng = np.random.default_rng(levels)
    rows = [
        (term, f"level {k}", c, mean, mean - 1.5, mean + 1.5)
        for c in coordinates
        for k, mean in enumerate(rng.normal(size=levels))
    ]
    return pd.DataFrame(rows, columns=["term", "level", "effect", "mean", "lower", "upper"])


def diagnostics(blocks: int) -> pd.DataFrame:
    share = np.arange(blocks, 0, -1.0)
    return pd.DataFrame(
        {
            "draws": 100,
            "ess": np.linspace(20, 90, blocks),
            "ess_ratio": np.linspace(0.2, 0.9, blocks),
            "k_hat": np.linspace(1.1, -0.4, blocks),
            "share": share / share.sum(),
        },
        index=[f"group: {k}, group: {k + 1}, ... (20 levels)" for k in range(blocks)],
    )


def weights(m: int = 200) -> np.ndarray:
    w = np.random.default_rng(1).exponential(size=m)
    return w / w.sum()


def history() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "stage": ["rough", "rough", "exact"],
            "total_draws": [1024, 65536, 65536],
            "mcse_over_se": [0.064, 0.008, 0.0079],
        }
    )


@dataclass(frozen=True)
class RootProfile:
    """A profile that is a parabola in the square root of the parameter."""

    name: str = "g Var"
    estimate: float = 1.4
    se: float = 0.5
    lowest: float = 0.2

    def __call__(self, values: Any) -> np.ndarray:
        root = np.sqrt(self.estimate)
        return 2.0 * (np.sqrt(values) - root) * root / self.se

    @property
    def table(self) -> pd.DataFrame:
        values = np.linspace(self.lowest, 4.0, 25)
        return pd.DataFrame({"zeta": self(values), "llf": -0.5 * self(values) ** 2}, index=values)

    def conf_int(self, alpha: float = 0.05) -> pd.Series:
        half = stats.norm.isf(0.5 * alpha) * self.se / (2.0 * np.sqrt(self.estimate))
        lower = np.maximum(np.sqrt(self.estimate) - half, 0.0)
        return pd.Series({"lower": lower**2, "upper": (np.sqrt(self.estimate) + half) ** 2})


def curve(label: str = "a", **kwargs: Any) -> plots.Curve:
    x = np.linspace(0, 9, 10)
    return plots.Curve(label, x, 3 + x, 2 + x, 4 + x, **kwargs)


TIDY = pd.DataFrame(
    {
        "term": [f"treatment[T.terbinafine]:{k}" for k in range(7)],
        "estimate": np.arange(7.0),
        "conf_low": np.arange(7.0) - 2,
        "conf_high": np.arange(7.0) + 1,
    }
)
NORMAL = np.random.default_rng(2).normal(size=300)

PICTURES = {
    "random effects": (1, lambda ax: plots.plot_random_effects(effects(12), ax=ax)),
    "random effects, two coordinates": (
        2,
        lambda ax: plots.plot_random_effects(effects(12, ("Intercept", "x")), ax=ax),
    ),
    "coefficients": (1, lambda ax: plots.plot_coefficients({"one": TIDY, "other": TIDY.iloc[:3]}, ax=ax)),
    "importance": (4, lambda ax: plots.plot_importance(diagnostics(7), weights(), ax=ax)),
    "history": (1, lambda ax: plots.plot_mc_history(history(), tolerance=0.01, ax=ax)),
    "profile": (
        2,
        lambda ax: plots.plot_profile([RootProfile(), RootProfile("h Var")], [0.5, np.nan], ax=ax),
    ),
    "deviance": (1, lambda ax: plots.plot_profile([RootProfile()], [0.5], kind="deviance", ax=ax)),
    "residuals": (2, lambda ax: plots.plot_residuals(NORMAL, np.arange(300.0), ax=ax)),
    "checks": (
        3,
        lambda ax: plots.plot_checks(
            NORMAL,
            np.arange(300.0),
            np.random.default_rng(3).normal(size=(300, 60)),
            pd.DataFrame(
                {
                    "statistic": [0.0, 9.0, 1.5],
                    "lower": 0.0,
                    "upper": [1.0, 2.0, 0.0],
                    "pvalue": [0.1, 0.002, 1.0],
                },
                index=["uniformity", "spread within a factor of a long name", "zeros"],
            ),
            ax=ax,
        ),
    ),
    "panels": (
        3,
        lambda ax: plots.plot_panels(
            {f"species = {k}": ([curve(), curve("b", colour=1)], []) for k in range(3)},
            xlabel="x",
            ylabel="mean of y",
            note="at z = 1",
            ax=ax,
        ),
    ),
    "fit": (
        1,
        lambda ax: plots.plot_fit([curve(), curve("b", colour=1)], xlabel="x", ylabel="mean of y", ax=ax),
    ),
}
LARGE = {
    "300 levels": lambda: plots.plot_random_effects(effects(300)),
    "60 levels, two coordinates": lambda: plots.plot_random_effects(effects(60, ("Intercept", "x"))),
    "300 blocks": lambda: plots.plot_importance(diagnostics(300), weights()),
    "five profiles": lambda: plots.plot_profile(
        [RootProfile(f"treatment[T.terbinafine]:{k}") for k in range(5)], [0.5] * 5
    ),
    "30 groups": lambda: plots.plot_fit(
        [curve(str(k), of_group=True) for k in range(30)] + [curve("all", colour=1)], xlabel="x", ylabel="y"
    ),
}
