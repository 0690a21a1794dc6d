"""Profile likelihoods with the limits that they give, as lme4's ``xyplot(profile(fit))``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats
from scipy.interpolate import PchipInterpolator

from statsmodels_mcla.plots.style import BLUE, GREY, LIGHT, VERMILION, canvas

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("zeta", "deviance")

__all__ = ["ProfileCurve", "plot_profile"]


@dataclass(frozen=True)
class ProfileCurve:
    """A profile as it is drawn.

    Attributes
    ----------
    name : str
    table : DataFrame
        Columns ``value`` and ``zeta``, the signed root of twice the fall of the log-likelihood; ``mcse``, the Monte
        Carlo error of the log-likelihood, where there is one.
    estimate : float
    se : float
        Standard error; NaN where there is none.
    limits : tuple of float
        Of the profile interval.
    """

    name: str
    table: pd.DataFrame
    estimate: float
    se: float
    limits: tuple[float, float]


def plot_profile(
    curves: Sequence[ProfileCurve], *, kind: str = "zeta", alpha: float = 0.05, ax: Any = None
) -> Figure:
    """Draw profiles with their cut lines and limits, next to what Wald intervals assume.

    Parameters
    ----------
    curves : sequence of ProfileCurve
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
    fig, axes = canvas(ax, len(curves), (3.6, 3.3), columns=3)
    for panel, curve in zip(axes, curves, strict=True):
        _profile(panel, curve, kind, float(stats.norm.isf(0.5 * alpha)))
    level = f"{100 * (1 - alpha):g} %"
    label = "ζ, signed root of deviance" if kind == "zeta" else "2 × fall of log-likelihood"
    first = axes[0]
    for panel in axes:
        place = panel.get_subplotspec()
        if place is None or place.is_first_col():
            panel.set_ylabel(label)
    handles, labels = first.get_legend_handles_labels()
    labels = [text.replace("interval", f"{level} interval") for text in labels]
    if ax is None:
        fig.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=2 if len(curves) == 1 else 3,
            frameon=False,
            fontsize=8.5,
        )
    else:
        first.legend(handles, labels, frameon=False, fontsize=8)
    return fig


def _profile(ax: Axes, curve: ProfileCurve, kind: str, cut: float) -> None:
    """One parameter."""
    table = curve.table.sort_values("value").drop_duplicates("value")
    x, zeta = table["value"].to_numpy(float), table["zeta"].to_numpy(float)
    inside = np.isfinite(x) & np.isfinite(zeta)
    x, zeta = x[inside], zeta[inside]
    fine = np.linspace(x[0], x[-1], 300)
    smooth = PchipInterpolator(x, zeta)(fine)
    height = (lambda z: z) if kind == "zeta" else np.square

    ax.plot(fine, height(smooth), color=BLUE, lw=1.8, label="profile", zorder=3)
    ax.plot(x, height(zeta), "o", color=BLUE, ms=3, zorder=4)
    if np.isfinite(curve.se):
        ax.plot(
            fine,
            height((fine - curve.estimate) / curve.se),
            color=GREY,
            lw=1.1,
            ls=(0, (4, 3)),
            label="quadratic (Wald)",
            zorder=2,
        )
    top = 1.35 * cut
    cuts = (-cut, cut) if kind == "zeta" else (cut**2,)
    for c in cuts:
        ax.axhline(c, color=VERMILION, lw=0.9, ls=":")
    base = -top if kind == "zeta" else 0.0
    for k, limit in enumerate(curve.limits):
        if np.isfinite(limit) and x[0] - 1e-9 <= limit <= x[-1] + 1e-9:
            reached = float(height(np.interp(limit, fine, smooth)))
            ax.vlines(limit, base, reached, color=VERMILION, lw=1.3, label="interval" if k == 0 else "_again")
            ax.plot(limit, reached, "o", color=VERMILION, ms=4.5, zorder=5)
    if kind == "zeta":
        ax.axhline(0.0, color=LIGHT, lw=0.8)
        ax.set_ylim(-top, top)
    else:
        ax.set_ylim(0.0, 1.6 * cut**2)
    ax.plot(curve.estimate, 0.0, "D", color=BLUE, ms=5.5, zorder=6, clip_on=False)
    low, high = (f"{limit:.3g}" for limit in curve.limits)
    ax.set_title(f"{curve.name}\n{curve.estimate:.3g}  [{low}, {high}]", fontsize=9)
    ax.grid(axis="x", color=LIGHT, lw=0.5, alpha=0.6)
    ax.set_xlabel("value")
