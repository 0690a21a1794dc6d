"""Profile likelihoods with the limits that they give, as lme4's ``xyplot(profile(fit))``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from scipy import stats

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, VERMILION, canvas, shortened

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from statsmodels_mcla.numerics import Array

KINDS = ("zeta", "deviance")


class Profile(Protocol):
    """What is drawn of a profile likelihood: `statsmodels_mcla.profile.ProfileLikelihood` has it."""

    @property
    def name(self) -> str:
        """What is profiled."""

    @property
    def estimate(self) -> float:
        """Its maximum-likelihood estimate."""

    @property
    def table(self) -> pd.DataFrame:
        """Points by value, with ``zeta``, the signed root of twice the fall of the log-likelihood."""

    def conf_int(self, alpha: float = 0.05) -> pd.Series:
        """Limits ``lower`` and ``upper``."""

    def __call__(self, values: Any) -> Array:
        """Zeta between the points."""


def plot_profile(
    profiles: Sequence[Profile],
    se: Sequence[float] | None = None,
    *,
    kind: str = "zeta",
    alpha: float = 0.05,
    ax: Any = None,
) -> Figure:
    """Draw profiles with their cut lines and limits, next to what Wald intervals assume.

    Parameters
    ----------
    profiles : sequence of Profile
    se : sequence of float, optional
        Standard errors, for the quadratic that a Wald interval assumes; NaN where there is none.
    kind : {"zeta", "deviance"}
        Signed root of twice the fall of the log-likelihood, a straight line where the log-likelihood is
        quadratic; or twice the fall itself.
    alpha : float
        One minus the level of the intervals.
    ax : Axes or sequence of Axes, optional
        One a parameter; a new figure by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        If ``kind`` is unknown.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be 'zeta' or 'deviance', got {kind!r}")
    fig, axes = canvas(ax, len(profiles), (3.6, 3.3), columns=3)
    for panel, profile, error in zip(axes, profiles, se or [np.nan] * len(profiles), strict=True):
        _profile(panel, profile, error, kind, alpha)
    label = "ζ, signed root of deviance" if kind == "zeta" else "2 × fall of log-likelihood"
    first = axes[0]
    for panel in axes:
        place = panel.get_subplotspec()
        if place is None or place.is_first_col():
            panel.set_ylabel(label)
    handles, labels = first.get_legend_handles_labels()
    if ax is None:
        fig.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=2 if len(profiles) == 1 else 3,
            frameon=False,
            fontsize=8.5,
        )
    else:
        first.legend(handles, labels, frameon=False, fontsize=8)
    return fig


def _profile(ax: Axes, profile: Profile, se: float, kind: str, alpha: float) -> None:
    """One parameter."""
    cut = float(stats.norm.isf(0.5 * alpha))
    limits = profile.conf_int(alpha)[["lower", "upper"]].to_numpy(float)
    x, zeta = profile.table.index.to_numpy(float), profile.table["zeta"].to_numpy(float)
    fine = np.linspace(x[0], x[-1], 300)
    height = (lambda z: z) if kind == "zeta" else np.square

    ax.plot(fine, height(profile(fine)), color=BLUE, lw=1.8, label="profile", zorder=3)
    ax.plot(x, height(zeta), "o", color=BLUE, ms=3, zorder=4)
    if np.isfinite(se):
        wald = height((fine - profile.estimate) / se)
        ax.plot(fine, wald, color=GREY, lw=1.1, ls=(0, (4, 3)), label="quadratic (Wald)", zorder=2)
    top = 1.35 * cut
    for c in (-cut, cut) if kind == "zeta" else (cut**2,):
        ax.axhline(c, color=VERMILION, lw=0.9, ls=":")
    base = -top if kind == "zeta" else 0.0
    for limit, label in zip(limits, (f"{100 * (1 - alpha):g} % interval", "_again"), strict=True):
        if not x[0] <= limit <= x[-1]:
            continue
        reached = float(height(np.interp(limit, x, zeta) if limit in x else profile(limit)))
        ax.vlines(limit, base, reached, color=VERMILION, lw=1.3, label=label)
        ax.plot(limit, reached, "o", color=VERMILION, ms=4.5, zorder=5)
    if kind == "zeta":
        ax.axhline(0.0, color=LIGHT, lw=0.8)
    ax.set_ylim(base, top if kind == "zeta" else 1.6 * cut**2)
    ax.plot(profile.estimate, 0.0, "D", color=BLUE, ms=5.5, zorder=6, clip_on=False)
    low, high = (f"{limit:.3g}" for limit in limits)
    ax.set_title(f"{shortened(profile.name, 36)}\n{profile.estimate:.3g}  [{low}, {high}]", fontsize=10)
    ax.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    ax.set_xlabel(shortened(profile.name, 44))
