"""Which model is nested in which, and how: the directions that a restricted model leaves out.

Everything is in the parameters of the larger model, (beta, variances and covariances, dispersion): the *embedding*
puts the restricted estimate there, with zeros for the effects that it lacks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import MixedDesign, ParameterLayout, RandomTerm
from statsmodels_mcla.numerics import Array

TOLERANCE = 1e-6  # of the largest entry, for designs to be the same


@dataclass(frozen=True)
class Cone:
    """Covariance matrix of effects of one term that the restricted model lacks.

    Attributes
    ----------
    term : int
    columns : tuple of int
    index : tuple of int
        Entries of ``params``: its lower triangle.
    """

    term: int
    columns: tuple[int, ...]
    index: tuple[int, ...]


@dataclass(frozen=True)
class Nesting:
    """How a restricted model lies in a larger one.

    Attributes
    ----------
    embedding : ndarray (P, P restricted)
        Parameters of the larger model of those of the restricted one.
    free : ndarray (P, f)
        Directions that the restriction closes and that lead both ways.
    cones : tuple of Cone
        Covariance matrices that it sets to zero.
    zero : tuple of int
        Parameters that are zero with them.
    origin : ndarray (P,)
        Known fixed effects, which the restricted model has as an offset.
    """

    embedding: Array
    free: Array
    cones: tuple[Cone, ...]
    zero: tuple[int, ...]
    origin: Array

    def whole(self, params: Array) -> Array:
        """Parameters of the larger model of those of the restricted one."""
        return np.asarray(self.embedding @ params + self.origin)

    @property
    def df(self) -> int:
        """Number of restrictions."""
        return self.free.shape[1] + sum(len(cone.index) for cone in self.cones)


def nesting_of(
    design: MixedDesign,
    X: Array,
    terms: Sequence[RandomTerm],
    restricted_X: Array,
    restricted_terms: Sequence[RandomTerm],
    known: Array | None = None,
) -> Nesting:
    """Find how a restricted model lies in a larger one of the same rows and family.

    Parameters
    ----------
    design : MixedDesign
        Of the larger model: the layout of its parameters.
    X, restricted_X : ndarray (n, p)
    terms, restricted_terms : sequence of RandomTerm
    known : ndarray (p,), optional
        Fixed effects of the larger model that are an offset of the restricted one.

    Raises
    ------
    ValueError
        If it is not nested; the message says what is not.
    """
    A = np.linalg.lstsq(X, restricted_X, rcond=None)[0]
    if np.abs(restricted_X - X @ A).max(initial=0.0) > TOLERANCE * np.abs(restricted_X).max(initial=1.0):
        raise ValueError(
            "restricted is not nested: its fixed effects are no linear combinations of those here"
        )
    layout, P = design.layout, design.n_params
    places = _places(terms, restricted_terms)
    E, free = _embed_terms(design, places)
    small = ParameterLayout((A.shape[1],), E.shape[1], layout.n_family)
    embedding = np.zeros((P, small.size))
    embedding[layout.fixed, small.fixed] = A
    embedding[layout.covariance, small.covariance] = E
    embedding[layout.family, small.family] = np.eye(layout.n_family)
    # fixed effects that are left out: orthogonal to those that stay
    outside = np.linalg.svd(A, full_matrices=True)[0][:, A.shape[1] :]
    directions = np.zeros((P, outside.shape[1] + free.shape[1]))
    directions[layout.fixed, : outside.shape[1]] = outside
    directions[layout.covariance, outside.shape[1] :] = free
    cones = tuple(_cones(design, places))
    zero = sorted({j for cone in cones for j in _zeros(design, cone)})
    origin = np.zeros(P)
    if known is not None:
        origin[layout.fixed] = known
    return Nesting(embedding, directions, cones, tuple(zero), origin)


Place = tuple[int, int]  # term and coordinate of the larger model


def coordinates(term: RandomTerm) -> list[sp.csc_array]:
    """Designs of the coordinates of a term, a column a level."""
    return [sp.csc_array(term.Z[:, c :: term.dim]) for c in range(term.dim)]


def fingerprints(Z: sp.csc_array) -> list[tuple[bytes, bytes]]:
    """What tells the columns of a design apart."""
    Z.sort_indices()
    Z.eliminate_zeros()
    cuts = zip(Z.indptr[:-1], Z.indptr[1:], strict=True)
    scale = max(float(np.abs(Z.data).max(initial=0.0)), 1e-300)
    rounded = np.round(Z.data / scale / TOLERANCE) * TOLERANCE * scale + 0.0
    return [(Z.indices[a:b].astype(np.int64).tobytes(), rounded[a:b].tobytes()) for a, b in cuts]


def _places(terms: Sequence[RandomTerm], restricted: Sequence[RandomTerm]) -> list[list[list[Place]]]:
    """Coordinates of the larger model that each coordinate of each restricted term stands for.

    More than one where independent terms share a variance in the restricted model.
    """
    known = {
        (k, c): set(fingerprints(Z)) for k, term in enumerate(terms) for c, Z in enumerate(coordinates(term))
    }
    taken: set[Place] = set()
    out = []
    for term in restricted:
        found = []
        for Z in coordinates(term):
            wanted = set(fingerprints(Z))
            same = [p for p, prints in known.items() if prints == wanted and p not in taken][:1]
            parts = same or _pooled(terms, known, wanted, taken)
            if not parts:
                raise ValueError(
                    f"restricted is not nested: its random effects {term.text or term.name!r} are none of those here"
                )
            taken.update(parts)
            found.append(parts)
        if len({k for parts in found for k, _ in parts}) > 1 and len(found) > 1:
            raise ValueError(
                f"restricted is not nested: the effects of {term.text or term.name!r} are correlated there, but "
                "independent here"
            )
        out.append(found)
    return out


def _pooled(
    terms: Sequence[RandomTerm],
    known: dict[Place, set[tuple[bytes, bytes]]],
    wanted: set[tuple[bytes, bytes]],
    taken: set[Place],
) -> list[Place]:
    """Independent terms whose levels together are those of one restricted term."""
    inside = [
        p for p, prints in known.items() if terms[p[0]].dim == 1 and p not in taken and prints <= wanted
    ]
    union = set().union(*(known[p] for p in inside)) if inside else set()
    return inside if union == wanted else []


def _entry(design: MixedDesign, term: int, i: int, j: int) -> int:
    """Place of a covariance among the variances and covariances."""
    i, j = max(i, j), min(i, j)
    return design.covariance.slices[term].start + i * (i + 1) // 2 + j


def _embed_terms(design: MixedDesign, places: list[list[list[Place]]]) -> tuple[Array, Array]:
    """Embedding of the restricted variances and covariances, and the free directions among those here."""
    size = design.covariance.size
    columns, free = [], []
    used = np.zeros(size, bool)
    for term in places:
        for i in range(len(term)):
            for j in range(i + 1):
                column = np.zeros(size)
                parts = [_entry(design, a[0], a[1], b[1]) for a, b in zip(term[i], term[j], strict=True)]
                column[parts] = 1.0
                used[parts] = True
                columns.append(column)
                for one, other in pairwise(parts):  # variances that are equal there
                    contrast = np.zeros(size)
                    contrast[one], contrast[other] = 1.0, -1.0
                    free.append(contrast)
    kept = {place for term in places for parts in term for place in parts}
    for k, shape in enumerate(design.covariance.terms):
        for i, j in zip(*shape.lower, strict=True):
            entry = _entry(design, k, int(i), int(j))
            # covariances of effects of which at least one is there
            if not used[entry] and ((k, int(i)) in kept or (k, int(j)) in kept):
                unit = np.zeros(size)
                unit[entry] = 1.0
                free.append(unit)
    return np.array(columns).reshape(-1, size).T, np.array(free).reshape(-1, size).T


def _cones(design: MixedDesign, places: list[list[list[Place]]]) -> list[Cone]:
    kept = {place for term in places for parts in term for place in parts}
    out = []
    for k, shape in enumerate(design.covariance.terms):
        columns = tuple(c for c in range(shape.dim) if (k, c) not in kept)
        if columns:
            rows, cols = np.tril_indices(len(columns))
            index = [
                design.layout.covariance.start + _entry(design, k, columns[i], columns[j])
                for i, j in zip(rows, cols, strict=True)
            ]
            out.append(Cone(k, columns, tuple(index)))
    return out


def _zeros(design: MixedDesign, cone: Cone) -> list[int]:
    dim, first = design.covariance.terms[cone.term].dim, design.layout.covariance.start
    return [first + _entry(design, cone.term, c, other) for c in cone.columns for other in range(dim)]
