"""Where Laplace's approximation rises without bounds: the law of some effects given the data has a mode that fades.

The approximation adds -log|A| / 2 a block, with A the curvature at the mode of effects of unit prior variance.  Where
the log density of a response is concave, A is at least the identity.  Where it is not, as of a zero that is of the
counts or of the zero part, a block may have two modes; one of them vanishes as its curvature goes to zero, and the
approximation goes to infinity there.  The likelihood itself does nothing of the kind.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.search import LaplaceFit
from statsmodels_mcla.likelihood.laplace import Modes

WIDE = 3.0  # conditional standard deviation of an effect, in those of its prior, that no sound mode has
MOST = 500  # effects of a block that are looked at


def fading_mode(fit: LaplaceFit) -> str | None:
    """Name of the block whose mode fades where a search for the maximum ended; None if there is none."""
    if fit.converged or fit.design.family.log_concave:
        return None
    found = [one for one in fit.design.map(_widest, fit.evaluation.modes) if one is not None]
    return max(found)[1] if found else None


def _widest(design: MixedDesign, modes: Sequence[Modes]) -> tuple[float, str] | None:
    """Largest conditional standard deviation, and whose it is, if it is too large."""
    best: tuple[float, int] = (WIDE, -1)
    for bucket, mode in zip(design.buckets, modes, strict=True):
        B, q = mode.b.shape
        if 0 < q <= MOST:
            root = mode.root.apply(np.broadcast_to(np.eye(q), (B, q, q)).copy())
            sizes = np.linalg.norm(root, 2, axis=(-2, -1))
            k = int(np.argmax(sizes))
            best = max(best, (float(sizes[k]), int(bucket.blocks[k])))
    return None if best[1] < 0 else (best[0], design.labels_of_blocks(np.array(best[1:]))[0])
