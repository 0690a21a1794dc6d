"""Independent units of the data, with their scores and Hessians.

The blocks of the design are independent: a sandwich covariance adds up over them, and influence leaves them out
one by one.  A row without random effects is a unit of its own.  Terms whose variance vanished in the fit still
hold their rows together, as a working correlation of zero does.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.data import MixedModel, ModelInputs
from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.estimation import Estimates, Fitted
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.likelihood.laplace import modes_of_buckets
from statsmodels_mcla.likelihood.monte_carlo import Evaluated, Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import Position
from statsmodels_mcla.numerics import Array, covariance_root, differences

BLOCK_DRAWS = 2048  # a block, where the fit's own draws do not tell blocks apart
STEP = 1e-3  # of differences, in standard errors


@dataclass(frozen=True)
class RowUnits:
    """Independent units of the rows of a model.

    Attributes
    ----------
    labels : tuple of str
    of_row : ndarray of int (N,)
        Unit of each row of the model; -1 for rows of weight zero.
    of_model_block : ndarray of int
        Unit of each block of the model's design; -1 for the rows without random effects.
    """

    labels: tuple[str, ...]
    of_row: np.ndarray
    of_model_block: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of(cls, inputs: ModelInputs, design: MixedDesign) -> RowUnits:
        """Read the units off the rows of a model and its whole design."""
        used = inputs.used
        block = _block_of_row(inputs.Z, design.graph.of_effect)
        of_row = np.full(len(used), -1)
        held, single = used & (block >= 0), np.flatnonzero(used & (block < 0))
        blocks, of_row[held] = np.unique(block[held], return_inverse=True)
        of_row[single] = len(blocks) + np.arange(len(single))
        names = design.block_labels
        labels = [names[b] for b in blocks] + [f"row {i}" for i in inputs.endog.index[single]]
        place = np.full(design.n_blocks, -1)
        place[blocks] = np.arange(len(blocks))
        return cls(tuple(labels), of_row, place)


@dataclass(frozen=True)
class Units(RowUnits):
    """Independent units of a fit.

    Attributes
    ----------
    of_block : ndarray of int (B,)
        Unit of each block of the fitted design; -1 for the rows without random effects.
    rows : ndarray of int
        Rows of the model without random effects in the fitted design.
    y, w, v, offset : ndarray
        Of these rows, as the family takes them.
    X : ndarray (rows, p)
    """

    of_block: np.ndarray
    rows: np.ndarray
    y: Array
    w: Array
    v: Array
    offset: Array
    X: Array


def units_of(model: MixedModel, fitted: Fitted) -> Any:
    """Independent units (`Units`) of the rows of a model, kept where these are.

    Parameters
    ----------
    model : MixedModel
    fitted : Fitted
        Its design may lack terms.
    """
    model.design.refuse_part()
    return fitted.design.keep(partial(_units, fitted.keep), model.kept_inputs, model.design.keep(_itself))


def _itself(design: MixedDesign) -> MixedDesign:
    return design


def _units(keep: np.ndarray, fitted: MixedDesign, inputs: ModelInputs, design: MixedDesign) -> Units:
    """Units of some rows: the fitted design may lack terms, the other one is whole."""
    whole, used = RowUnits.of(inputs, design), inputs.used
    kept = [
        t
        for t, s in zip(inputs.terms, design.covariance.slices, strict=True)
        if keep[design.layout.covariance][s].any()
    ]
    alone = np.ones(len(used), bool)
    if kept:
        alone = np.diff(_stored(sp.csr_array(sp.hstack([t.Z for t in kept]))).indptr) == 0
    rows = np.flatnonzero(used & alone)

    # blocks of the fitted design lie within those of the whole; merged rows are the same in both
    graph = fitted.graph
    _, first = np.unique(graph.of_row, return_index=True)
    of_block = whole.of_model_block[design.graph.of_row[first]]
    empty = np.diff(_stored(fitted.Z).indptr)[first] == 0
    of_block = np.where(empty, -1, of_block)

    data = inputs.row_data(design.family, rows)
    X, offset = inputs.fixed_rows(design.family, rows)
    ways = len(design.family.directions)
    return Units(
        whole.labels,
        whole.of_row,
        whole.of_model_block,
        of_block,
        rows,
        np.repeat(data.y, ways),
        np.repeat(data.w, ways),
        np.repeat(data.v, ways),
        offset,
        X,
    )


def _stored(Z: sp.csr_array) -> sp.csr_array:
    out = Z.copy()
    out.eliminate_zeros()
    return out


def _block_of_row(Z: sp.csr_array, of_effect: np.ndarray) -> np.ndarray:
    """Block of each row, by its first effect; -1 without one."""
    Z = _stored(Z)
    out = np.full(Z.shape[0], -1)
    some = np.flatnonzero(np.diff(Z.indptr))
    out[some] = of_effect[Z.indices[Z.indptr[some]]]
    return out


def block_draws(fitted: Fitted) -> Position:
    """Draws at the maximum, block by block: new ones where the fit drew all effects jointly."""
    if not fitted.sampler.sampling.joint:
        return fitted.position
    return fitted.sampler.by_blocks().with_size(BLOCK_DRAWS).at(fitted.params)


def count_of(units: Any, fitted: Fitted) -> int:
    """Number of units."""
    return sum(fitted.design.map(_count, units))


def _count(design: MixedDesign, units: Units) -> int:
    return len(units)


def unit_scores(units: Any, fitted: Fitted, position: Position, params: Array) -> Any:
    """Monte Carlo score of each unit over frozen draws.

    Parameters
    ----------
    units : Units
        Kept where the rows are.
    fitted : Fitted
    position : Position
        As `block_draws` gives it.
    params : ndarray (k,)
        Fitted parameters to evaluate at.

    Returns
    -------
    ndarray (units, k)
        Kept where the rows are.
    """
    if position is fitted.position and np.array_equal(params, fitted.params):
        found = fitted.evaluation
    else:
        found = evaluate(fitted.design, params, position.draws, executor=fitted.executor)
    return evaluated_scores(units, fitted.design, params, found)


def evaluated_scores(units: Any, design: DesignFacts, params: Array, found: Evaluation) -> Any:
    """Score of each unit (units, k) from an evaluation at given parameters, kept where the rows are."""
    scores = design.keep(partial(_scores, params), units, found.kept)
    design.map(_is_made, scores)  # before the evaluation is forgotten
    return scores


def _scores(params: Array, design: MixedDesign, units: Units, found: Evaluated) -> Array:
    everything = np.ones(len(units.rows), bool)
    return _by_unit(units, design, params, units.of_block, found.blocks.score, everything)


def _is_made(design: MixedDesign, scores: Array) -> bool:
    return len(scores) > 0


def scores_of_fit(units: Any, estimates: Estimates, model: MixedModel) -> Any:
    """Scores of the units at a fit, (units, k), of the likelihood that was maximised, kept where the rows are."""
    fitted = estimates.fitted
    if estimates.drawn:
        return unit_scores(units, fitted, block_draws(fitted), fitted.params)
    scores = partial(_laplace_scores, fitted.reduction, fitted.params, estimates.cov_of_fitted)
    return fitted.design.keep(scores, units, model.design.keep(_itself))


def _laplace_scores(
    reduction: Reduction, at: Array, cov: Array, fitted: MixedDesign, units: Units, design: MixedDesign
) -> Array:
    """Score of each unit of the Laplace approximation, by differences: (units, k).

    Parameters
    ----------
    reduction : Reduction
    at : ndarray (k,)
        Fitted parameters.
    cov : ndarray (k, k)
        Their covariance, which sets the steps.
    fitted : MixedDesign
    units : Units
    design : MixedDesign
        Of the whole model: the approximation holds for singular covariance matrices too.
    """

    def value(params: Array) -> Array:
        beta, theta, phi = design.split(reduction.extend(params))
        matrices = design.covariance.matrices(theta)
        factors = [covariance_root(t.inner(G)) for t, G in zip(design.loadings.terms, matrices, strict=True)]
        found = modes_of_buckets(design.buckets, beta, factors, phi)
        out = np.empty(design.n_blocks)
        for bucket, mode in zip(design.buckets, found, strict=True):
            out[bucket.blocks] = mode.value
        return out

    scores = differences(value, at, STEP * np.linalg.cholesky(cov))
    alone = units.of_row[units.rows] > units.of_model_block.max(initial=-1)
    return _by_unit(units, fitted, at, units.of_model_block, scores, alone)


def _by_unit(
    units: Units, design: DesignFacts, params: Array, of_block: np.ndarray, scores: Array, alone: np.ndarray
) -> Array:
    """Add up the scores of blocks, and those of rows without random effects, over units.

    Parameters
    ----------
    units : Units
    design : MixedDesign
        Fitted.
    params : ndarray (k,)
    of_block : ndarray of int
        Unit of each block, or -1.
    scores : ndarray (blocks, k)
    alone : ndarray of bool (len(units.rows),)
        Which of ``units.rows`` are in none of these blocks.
    """
    out = np.zeros((len(units), scores.shape[1]))
    used = of_block >= 0
    np.add.at(out, of_block[used], scores[used])
    if alone.any():
        beta, _, phi = design.split(params)
        eta = (units.X @ beta + units.offset)[:, None]
        y, w, v = units.y[:, None], units.w[:, None], np.broadcast_to(units.v, units.y.shape)[:, None]
        own = np.zeros((len(units.y), out.shape[1]))
        own[:, design.layout.fixed] = units.X * design.family.rows(y, w, v, eta, phi).d1
        if design.n_family:
            own[:, design.layout.family] = design.family.parameter_rows(y, w, v, eta, phi).dphi[..., 0].T
        own = own.reshape(len(units.rows), -1, own.shape[1]).sum(axis=1)  # the directions of a row
        np.add.at(out, units.of_row[units.rows[alone]], own[alone])
    return out
