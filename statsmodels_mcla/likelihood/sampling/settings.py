"""Which importance density: a t a block, the joint mixture of R's glmm, or one of the user's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from statsmodels_mcla.design import Bucket
from statsmodels_mcla.interface import WithoutInternals
from statsmodels_mcla.likelihood.laplace import Gaussian, Modes, gaussian_at_mode, gaussian_fit
from statsmodels_mcla.likelihood.sampling.proposals import MixtureProposal, Proposal

MANY = 20  # effects of a block beyond which it is drawn from a normal


@dataclass(frozen=True)
class BlockSampling(WithoutInternals):
    """Default importance sampling: a t a block.

    Parameters
    ----------
    df : float, optional
        Degrees of freedom.  Tails heavier than the normal's keep the weights bounded: where a block says little
        about a direction, the conditional law there has the tails of the prior.  Default: 4 for each effect of
        a block, 15 at least; a normal beyond 20 effects; 6 of each effect on a grid.
    inflate : float, optional
        Factor on the scale, a guard against curvature that is larger at the centre than elsewhere.  Default:
        1.1 for up to three effects, 1.04 for up to 20, 1 for more; 2 on a grid.
    centre : {"mean", "mode"}
        Location and scale from the conditional mean and the average curvature around it, by steps from
        the mode (Tierney and Kadane, 1986; Ormerod and Wand, 2012), or from the mode and the curvature there.

    Notes
    -----
    Up to three effects with quasi-random numbers are a *grid*: the randomly shifted points are equidistant, and the
    sum over them is a trapezoid rule in the quantiles of the proposal, an independent t in each direction.  It
    converges exponentially if the weighted integrand vanishes smoothly at all ends, which a wide, heavy-tailed
    proposal sees to.

    Effects that are independent given all others (items given persons, mothers given communities) are drawn from the
    law that each of them then has, as one-dimensional quadrature finds it; other coordinates lean by their skewness,
    and those of one level bend each other.  Blocks of two effects whose law is far from normal, and may have several
    modes, are drawn from that law, as two-dimensional quadrature finds it, unless ``df`` or ``inflate`` is given.

    For Gaussian responses with the identity link the effects given the data are normal; by default, so is the
    proposal.  All weights are then equal, and the likelihood is exact.

    Examples
    --------
    >>> from statsmodels_mcla import BlockSampling
    >>> model.fit(rng=1, sampling=BlockSampling(df=10, centre="mode")).fe_params.round(2)
    Intercept         1.84
    trt[T.drug+]      0.52
    trt[T.placebo]    1.32
    week             -0.15
    dtype: float64
    """

    df: float | None = None
    inflate: float | None = None
    centre: str = "mean"

    joint = False
    adapts = True
    _internal: ClassVar = frozenset({"adapts", "gaussian", "joint", "shape"})

    def __post_init__(self) -> None:
        if self.df is not None and not self.df > 2:
            raise ValueError(f"df must be greater than 2, got {self.df}")
        if self.inflate is not None and not self.inflate > 0:
            raise ValueError(f"inflate must be positive, got {self.inflate}")
        if self.centre not in ("mean", "mode"):
            raise ValueError(f"centre must be 'mean' or 'mode', got {self.centre!r}")

    def gaussian(self, bucket: Bucket, modes: Modes, phi: float) -> Gaussian:
        """Location and scale of the proposals of one bucket."""
        return (gaussian_at_mode if self.centre == "mode" else gaussian_fit)(bucket, modes, phi)

    def shape(self, q: int, quadratic: bool, grid: bool) -> tuple[float, float]:
        """Degrees of freedom and inflation: as given, or what suits the conditional law of q effects.

        ``grid``: base numbers are shifted equidistant points.
        """
        df, inflate = max(4.0 * q, 15.0), 1.1 if q < 4 else 1.04
        if q > MANY:  # a t that is heavy enough to matter in one direction is far too heavy in all together
            df, inflate = np.inf, 1.0
        if quadratic:
            df, inflate = np.inf, 1.0
        elif grid:
            df, inflate = 6.0, 2.0
        return df if self.df is None else self.df, inflate if self.inflate is None else self.inflate


@dataclass(frozen=True)
class JointSampling(WithoutInternals):
    """Importance sampling of the R package glmm: all effects at once, from a three-part mixture.

    Parameters
    ----------
    p1, p2, p3 : float
        Probabilities of the t(0, D*), N(u*, D*) and N(u*, curvature^-1) parts.  p1 > 0 bounds the weights.
    zeta : float
        Degrees of freedom of the t part.

    Examples
    --------
    >>> from statsmodels_mcla import JointSampling
    >>> herds = datasets.cbpp.load_pandas().data
    >>> joint = smf.mcla_mixedglm("incidence + I(size - incidence) ~ period + (1 | herd)", data=herds)
    >>> joint.fit(rng=1, sampling=JointSampling(), nsample=20000).fe_params.round(1)
    Intercept     -1.4
    period[T.2]   -1.0
    period[T.3]   -1.1
    period[T.4]   -1.6
    dtype: float64
    """

    p1: float = 1 / 3
    p2: float = 1 / 3
    p3: float = 1 / 3
    zeta: float = 5.0

    joint = True
    adapts = True
    _internal: ClassVar = frozenset({"adapts", "joint", "proposal"})

    def __post_init__(self) -> None:
        p = np.array([self.p1, self.p2, self.p3], float)
        if not np.all(p >= 0) or abs(p.sum() - 1.0) > 1e-8:
            raise ValueError(f"p1, p2, p3 must be probabilities that add up to 1, got {tuple(p.tolist())}")
        if self.p1 == 0:
            raise ValueError("p1 must be positive: without the t part the importance weights are unbounded")
        if not self.zeta > 0:
            raise ValueError(f"zeta must be positive, got {self.zeta}")

    def proposal(self, modes: Modes) -> MixtureProposal:
        """Build the mixture around the conditional modes of the one joint block."""
        p = np.array([self.p1, self.p2, self.p3], float)
        return MixtureProposal(
            p / p.sum(), self.zeta, modes.b[0], modes.root.of(np.eye(modes.b.shape[1])[None])[0]
        )


@dataclass(frozen=True)
class FixedSampling:
    """A user's own importance density, the same wherever the estimate goes.

    Parameters
    ----------
    density : Proposal
        Over all effects jointly, in the order of the columns of Z.
    """

    density: Proposal

    joint = True
    adapts = False

    def proposal(self, modes: Modes) -> Proposal:
        """Return the density itself."""
        del modes
        return self.density


Sampling = BlockSampling | JointSampling | FixedSampling
