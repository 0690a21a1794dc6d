"""What has vanished at a maximum, and may not have where a quantity is held elsewhere.

That may be the rank of a covariance matrix, a dispersion or the probability of a zero part.  How far from the boundary
the likelihood then is largest is found by Laplace's approximation, the other parameters left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from statsmodels_mcla.estimation.boundary import NO_LOSS, pivots_of, truncated
from statsmodels_mcla.estimation.constrained.constrained_maximum import ConstrainedMaximum, Held, maximise
from statsmodels_mcla.estimation.constrained.submodel import Submodel
from statsmodels_mcla.numerics import Array

SDS = 0.02 * 2.0 ** np.arange(10)  # in units of where a search starts
PARTS = 0.01 * 2.0 ** np.arange(0, 7)  # of the correlations that go
FAR = 2.0  # loss of log-likelihood beyond which nothing better is looked for


def with_what_returns(found: ConstrainedMaximum, held: Held) -> ConstrainedMaximum:
    """Return to larger ranks of covariance matrices, a dispersion and a zero part where that raises the likelihood."""
    if found.objective.submodel.reduction.at_limit:
        found = _with_dispersion(found, held)
    found = _with_zeros(found, held)
    larger = _with_ranks(found, held)
    while larger.value > found.value + NO_LOSS:  # one rank at a time
        found, larger = larger, _with_ranks(larger, held)
    return larger if larger.value > found.value else found


def _with_ranks(found: ConstrainedMaximum, held: Held) -> ConstrainedMaximum:
    """Return to ranks that are higher by one, term by term, where that raises the likelihood."""
    submodel = found.objective.submodel
    height = submodel.laplace_height
    for k in submodel.reduction.singular:
        floor = height(found.point.params) + NO_LOSS
        best, params = floor, found.point.params
        for path in _ways_out(submodel, found.point.params, k):
            value, trial = _best(height, path, floor)
            if value > best:
                best, params = value, trial
        if best > floor:
            current = found.objective.submodel
            pivots = list(current.reduction.pivots)
            pivots[k] = _pivots(submodel, params, k, len(pivots[k]) + 1)
            larger = found.objective.on(current.with_pivots(pivots))
            found = maximise(larger, larger.locate(params), held)
    return found


def _with_dispersion(found: ConstrainedMaximum, held: Held) -> ConstrainedMaximum:
    """Let a dispersion of zero be positive, where that raises the likelihood."""
    submodel = found.objective.submodel
    if held.quantity.at(found.point.params).gradient[submodel.family].any():  # it is what is held
        return found
    free = submodel.with_pivots(submodel.reduction.pivots, at_limit=False)
    path = []
    for sd in SDS:
        out = found.point.params.copy()
        out[submodel.family] = sd * sd
        path.append(out)
    floor = submodel.laplace_height(found.point.params) + NO_LOSS
    value, params = _best(free.laplace_height, path, floor)
    if value <= floor:
        return found
    larger = found.objective.on(free)
    return maximise(larger, larger.locate(params), held)


def _with_zeros(found: ConstrainedMaximum, held: Held) -> ConstrainedMaximum:
    """Let a zero part that has vanished have a probability, where that raises the likelihood."""
    objective, params = found.objective, found.point.params
    zeros = objective.submodel.zeros(params)
    if zeros is None or not zeros.gone(params) or held.quantity.at(params).gradient[zeros.parameters].any():
        return found
    nearer = zeros.nearer(params, objective.submodel.laplace_height)
    if nearer is None:
        return found
    back = maximise(objective, objective.locate(nearer), held)
    return back if back.value > found.value else found


def _ways_out(submodel: Submodel, params: Array, k: int) -> Iterator[list[Array]]:
    """Natural parameters along each direction that a singular covariance matrix lacks, and with weaker correlations.

    The latter leave variances where they are, as where one of them is held.
    """
    shape, at = submodel.model.covariance.terms[k], submodel.parameters(k)
    term, G = submodel.model.loadings.terms[k], shape.matrix(params[at])
    if submodel.reduction.ranks[k]:
        path = []
        for part in PARTS:
            out = params.copy()
            out[at] = shape.pack((1.0 - part) * G + part * np.diag(np.diag(G)))
            path.append(out)
        yield path
    lacking = np.linalg.eigh(term.inner(G))[1][:, : shape.dim - submodel.reduction.ranks[k]]
    for w in (submodel.size * term.axes @ lacking).T:
        path = []
        for sd in SDS:
            out = params.copy()
            out[at] = shape.pack(G + sd * sd * np.outer(w, w))
            path.append(out)
        yield path


def _best(height: Callable[[Array], float], path: list[Array], floor: float) -> tuple[float, Array]:
    best, place = -np.inf, path[0]
    for params in path:
        value = height(params)
        if value > best:
            best, place = value, params
        if value < floor - FAR:
            break
    return best, place


def _pivots(submodel: Submodel, params: Array, k: int, rank: int) -> tuple[int, ...]:
    term = submodel.model.loadings.terms[k]
    G = submodel.model.covariance.terms[k].matrix(params[submodel.parameters(k)])
    return pivots_of(term, truncated(term, G, rank), rank)
