r"""Draws that move along with every parameter: the same likelihood with far less Monte Carlo error.

Standard effects b ~ N(0, I) make the effects of the model, u = Lambda(theta) b, so that every parameter enters the
likelihood through eta = X beta + Z Lambda b alone.  Draws b_k = M + R t_k made at an *anchor* move with the parameters
along an affine path,

    b_k(theta) = M + sum_j (theta - theta_0)_j m_j + R K t_k,      K = I + sum_j (theta - theta_0)_j F_j,

a change of variables with Jacobian |K| that leaves every block's integral as it is, whatever m_j and F_j are.  So

    log w_k(theta) = log f(y | b_k(theta)) + log phi(b_k(theta)) - log g(t_k) + log |R K|

has exact derivatives everywhere, and at the anchor its score is the plain one with a term of mean zero added (Stein,
1972; Assaraf and Caffarel, 1999; Mira, Solgi and Imparato, 2013).  If the conditional law of the effects moves like the
path, the score does not depend on the draw at all, and has no Monte Carlo error.

With C = R R' the conditional covariance, J = Z Lambda and E_j = d eta / d theta_j at b = M, the path follows the mean
and the root of the Gaussian that the density is made from,

    m_j = C (J_j' d1 - J' W E_j),      F_j + F_j' = -R' P_j R,      P_j = J_j' W J + J' W J_j + J' W_j J,

J_j and W_j the derivatives of J and of the curvatures W.  R, F_j and K are triangular, so that |K| and all traces are
products and sums of diagonals.  Fixed effects move the mean alone: that is enough.  For standard errors that need more,
paths have second derivatives too (see `accelerations`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from statsmodels_mcla.design import Bucket, EffectRows, MixedDesign
from statsmodels_mcla.likelihood.laplace import DenseRoot, Gaussian, Map, Modes, Root
from statsmodels_mcla.likelihood.sampling.accelerations import Accelerations, accelerated, accelerations
from statsmodels_mcla.likelihood.sampling.nested_laws import NestedLaws, nested_laws
from statsmodels_mcla.likelihood.sampling.skewing import Bends, Shapes
from statsmodels_mcla.likelihood.sampling.slices import with_own_laws
from statsmodels_mcla.numerics import Array, transpose


class Moved(NamedTuple):
    """Paths of the draws of K blocks at some parameters: b = centre + root t.

    Attributes
    ----------
    centre : ndarray (K, q)
    root : Map
    log_det : ndarray (K,)
        log |root|.
    slopes : ndarray (K, q, P)
        Derivatives of the centre.
    bends : tuple of Map
        Derivatives of the root in the s parameters after the fixed effects.
    traces : ndarray (K, s)
        Derivatives of log |root|.
    crossed : ndarray (K, s, s)
        Minus its second derivatives.
    second : tuple of Accelerations and Root, optional
        Second derivatives of the paths, and of which root the turns are.
    """

    centre: Array
    root: Map
    log_det: Array
    slopes: Array
    bends: tuple[Map, ...]
    traces: Array
    crossed: Array
    second: tuple[Accelerations, Root] | None = None

    def take(self, index: slice) -> Moved:
        """Paths of some of the blocks."""
        return Moved(
            self.centre[index],
            self.root.take(index),
            self.log_det[index],
            self.slopes[index],
            tuple(bend.take(index) for bend in self.bends),
            self.traces[index],
            self.crossed[index],
            None if self.second is None else (self.second[0].take(index), self.second[1].take(index)),
        )


@dataclass(frozen=True)
class Anchor:
    """Where draws were made, and how they move from there.

    Attributes
    ----------
    params : ndarray (P,)
    centre : ndarray (B, q)
        M.
    root : Root
        R.
    slopes : ndarray (B, q, P)
        m_j.
    turns : ndarray (B, s, ...)
        F_j of the parameters after the fixed effects, as the root takes them.
    shapes : Shapes or NestedLaws
        Of the base numbers t.
    accelerations : Accelerations, optional
        Of paths that are not affine.
    """

    params: Array
    centre: Array
    root: Root
    slopes: Array
    turns: Array
    shapes: Shapes | NestedLaws
    accelerations: Accelerations | None = None

    def take(self, index: np.ndarray | slice) -> Anchor:
        """Anchor of some of the blocks."""
        parts: dict[str, Any] = {name: getattr(self, name)[index] for name in ("centre", "slopes", "turns")}
        if self.accelerations is not None:
            parts["accelerations"] = self.accelerations.take(index)
        return replace(self, root=self.root.take(index), shapes=self.shapes.take(index), **parts)

    def at(self, params: Array) -> Moved:
        """Paths at the given parameters.

        Raises
        ------
        FloatingPointError
            If a path has turned inside out on the way there.
        """
        step = params - self.params
        turns, slopes, second = self.turns, self.slopes, self.accelerations
        centre, log_det, root = self.centre, self.root.log_det, self.root
        along: Map = root
        stretched = np.ones((1, 1))
        if np.any(step):
            centre = centre + slopes @ step
            K = np.tensordot(step[len(step) - turns.shape[1] :], turns, axes=(0, 1)) + root.still
            if second is not None:
                more = accelerated(second, step)
                centre, slopes = centre + more.centre, slopes + more.slopes
                K, turns = K + more.change, turns + more.turns
            stretched = root.diagonal(K)
            if not np.all(stretched > 0):
                raise FloatingPointError("the draws cannot move that far")
            along = root.composed(K)
            log_det = log_det + np.log(stretched).sum(axis=1)
        diagonal = root.diagonal(turns) / stretched[:, None]
        bends = tuple(root.composed(turns[:, j]) for j in range(turns.shape[1]))
        crossed = diagonal @ transpose(diagonal)
        if second is not None and second.turns is not None:
            twice = second.turns.reshape(len(second.turns), -1, *second.turns.shape[3:])
            crossed = crossed - (root.diagonal(twice) / stretched[:, None]).sum(axis=-1).reshape(
                crossed.shape
            )
        beyond = None if second is None else (second, root)
        return Moved(centre, along, log_det, slopes, bends, diagonal.sum(axis=2), crossed, beyond)


def anchored(
    design: MixedDesign,
    bucket: Bucket,
    modes: Modes,
    gaussian: Gaussian,
    params: Array,
    inflate: float,
    lean: bool,
    exact: bool,
    accelerate: bool,
) -> Anchor:
    """Let draws of a bucket follow the Gaussian close to their conditional law.

    Parameters
    ----------
    gaussian : Gaussian
    params : ndarray (P,)
        Fixed effects, loadings, dispersion.
    inflate : float
        Factor on the root.
    lean : bool
        Whether the base numbers have the shapes that the effects have given the data.
    exact : bool
        Whether they may have the whole law, where that is known.
    accelerate : bool
        Whether paths have second derivatives.
    """
    layout, family, phi = design.layout, bucket.family, design.split(params)[2]
    y, w, v = bucket.y[..., None], bucket.w[..., None], bucket.v[..., None]
    if accelerate:
        gaussian = gaussian._replace(root=gaussian.root.filled())
    M, root, d1, W, third = gaussian
    blocks, q = M.shape
    J = modes.J
    factors = design.loadings.factors(params[layout.covariance])
    slopes = np.empty((blocks, q, layout.size))
    slopes[..., layout.fixed] = -root.of(root.back(J.back(W[..., None] * bucket.X)))
    turns = []
    for j, entry in enumerate(design.loadings.entries, layout.covariance.start):
        J_j = bucket.derivative(factors, entry)
        E = J_j.times(M)
        slopes[..., j] = root.of(root.back(J_j.back(d1) - J.back(W * E)))
        turns.append(root.turn(J, -third * (E + J.times(slopes[..., j])), J_j, W))
    if family.parameters:
        eta = (bucket.offset + bucket.X @ params[layout.fixed] + J.times(M))[..., None]
        crosses = family.parameter_rows(y, w, v, eta, phi).d1phi[..., 0]
        bends = family.d2_parameters(y, w, v, eta, phi)[..., 0]
        # what is in the place of the intercept moves the draws as fixed effects do: by W, and none turn with it
        one = family.intercept_in_parameters
        share = one / max(one @ one, 1.0)
        crosses = crosses + np.multiply.outer(share, W - np.tensordot(one, crosses, axes=1))
        slopes[..., layout.family] = m = root.of(root.back(J.back(np.moveaxis(crosses, 0, -1))))
        changes = [np.where(W > 0, -bend - third * J.times(m[..., k]), 0.0) for k, bend in enumerate(bends)]
        follow = np.tensordot(one, changes, axes=1)
        turns += [root.turn(J, dW - part * follow) for dW, part in zip(changes, share, strict=True)]
    turn = np.stack(turns, axis=1) if turns else np.zeros((blocks, 0, *root.still.shape[1:]))
    finite = np.isfinite(slopes).all(axis=(1, 2)) & np.isfinite(turn).reshape(blocks, -1).all(axis=1)
    slopes[~finite], turn[~finite] = 0.0, 0.0
    own = lean and not family.quadratic and len(family.directions) == 1
    nested = nested_laws(bucket, modes, gaussian, phi) if exact else None
    plain = _shapes(bucket, J, root, third) if lean else Shapes.plain(blocks, q)
    shapes = nested or (with_own_laws(plain, bucket, modes, gaussian, phi) if own else plain)
    inflate = 1.0 if shapes.exact else inflate
    second = accelerations(design, bucket, J, gaussian, params, slopes, turn) if accelerate else None
    return Anchor(np.array(params, float), M, root.inflated(inflate), slopes, turn, shapes, second)


def _shapes(bucket: Bucket, J: EffectRows, root: Root, third: Array) -> Shapes:
    """From third derivatives of the log density of the effects, along single columns and those of each level."""

    def along(*columns: np.ndarray) -> Array:
        return root.thirds(J, third, *columns)

    coordinates = np.arange(bucket.n_drawn)
    bends = [
        Bends.of(np.stack([coordinates[bucket.drawn_of(t, k)] for k in range(rank)]), along)
        for t, rank in enumerate(bucket.ranks)
        if rank > 1
    ]
    return Shapes.leaning(along(*[coordinates] * 3), tuple(bends))


def standing(design: MixedDesign, bucket: Bucket, factors: Sequence[Array], params: Array) -> Anchor:
    """Draws of standard effects that move so that the effects u stay, to first order, where these are all drawn.

    That is how the R package glmm differentiates: u = Lambda b stays if b_j = -Lambda^-1 Lambda_j b.
    """
    dim, curved = bucket.n_drawn, design.layout.n_curved
    turns = np.zeros((1, curved, dim, dim))
    for j, (t, i, k) in enumerate(design.loadings.entries):
        D = factors[t]
        if D.shape[0] == D.shape[1]:
            for row, value in enumerate(np.linalg.inv(D)[:, i]):
                turns[0, j, bucket.drawn_of(t, row), bucket.drawn_of(t, k)] = -value * np.eye(
                    bucket.levels[t]
                )
    return Anchor(
        params,
        np.zeros((1, dim)),
        DenseRoot(np.eye(dim)[None]),
        np.zeros((1, dim, len(params))),
        turns,
        Shapes.plain(1, dim),
    )
