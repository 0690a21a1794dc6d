"""All blocks cut into chunks, each with what is known of it at the given parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.likelihood.monte_carlo.kernel import STEP, WORTH_THREADS, Curve, Task, longest_section
from statsmodels_mcla.likelihood.monte_carlo.nested_kernel import NestedTask, rows_of_scores
from statsmodels_mcla.likelihood.sampling import DrawPart, NestedNodes
from statsmodels_mcla.numerics import Array


def tasks_of(design: MixedDesign, params: Array, draws: Sequence[DrawPart]) -> list[Task | NestedTask]:
    """Chunks of the blocks of some draws."""
    out: list[Task | NestedTask] = []
    shared = work_of(draws) > WORTH_THREADS
    for part in draws:
        out += (_nested if isinstance(part.anchor, NestedNodes) else _moved)(design, params, part, shared)
    return out


def moved_tasks(design: MixedDesign, params: Array, draws: Sequence[DrawPart]) -> list[Task]:
    """Chunks of the blocks, whose effects are all drawn together."""
    parts = [part.together for part in draws]
    shared = work_of(parts) > WORTH_THREADS
    return [task for part in parts for task in _moved(design, params, part, shared)]


def work_of(draws: Sequence[DrawPart]) -> int:
    """Rows x draws."""
    return sum(part.size * part.inner * part.bucket.y.size for part in draws)


def _moved(design: MixedDesign, params: Array, part: DrawPart, shared: bool) -> list[Task]:
    """With the paths of their draws."""
    beta, loadings, phi = design.split(params)
    factors, layout, out = tuple(design.loadings.factors(loadings)), design.layout, []
    curves = [
        Curve(part.bucket.effects_of(t, i), part.bucket.drawn_of(t, k)) for t, i, k in design.loadings.entries
    ]
    curves += [Curve(None, None)] * layout.n_family
    for blocks, bucket in part.bucket.pieces(_blocks_at_a_time(part, design.n_params, shared)):
        moved = part.anchor.take(blocks).at(params)
        slopes = bucket.effects_from(factors, moved.slopes[..., layout.fixed])
        X = bucket.X + bucket.Z.predictors(slopes, np.empty_like(bucket.X))
        fixed = bucket.offset + bucket.X @ beta
        out.append(Task(layout, part, blocks, bucket, moved, factors, tuple(curves), fixed, slopes, X, phi))
    return out


def _nested(design: MixedDesign, params: Array, part: DrawPart, shared: bool) -> list[NestedTask]:
    """With the points of their effects, which stand still."""
    beta, loadings, phi = design.split(params)
    factors, layout, out = design.loadings.factors(loadings), design.layout, []
    place = {entry[0]: j for j, entry in enumerate(design.loadings.entries, layout.covariance.start)}
    nest = part.bucket.nesting
    assert nest is not None  # noqa: S101 - for type checkers
    outer, inner = ((float(factors[t][0, 0]), place[t]) for t in (nest.outer_term, nest.inner_term))
    each = max(layout.size**2, part.bucket.n_rows * rows_of_scores(part, layout))
    for blocks, bucket in part.bucket.pieces(_blocks_at_a_time(part, each, shared)):
        fixed = bucket.offset + bucket.X @ beta
        nodes = part.anchor.take(blocks)
        out.append(NestedTask(layout, part, blocks, bucket, nodes, outer, inner, fixed, phi))
    return out


def _blocks_at_a_time(part: DrawPart, numbers: int, shared: bool) -> int:
    """Blocks of a task: half of them if threads share them, unless they have more than a step's numbers a draw."""
    most = STEP // max(1, min(part.size, longest_section(part)) * numbers)
    return max(1, min(most, -(-part.bucket.n_blocks // (2 if shared else 1))))
