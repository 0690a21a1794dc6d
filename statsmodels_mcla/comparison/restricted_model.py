"""A restricted model at its maximum, inside a larger one: likelihood, scores and information in all parameters.

Scores in variances that are zero are limits,

    dl / dG_ij = (1 - [i = j] / 2) sum over levels of E[g_i g_j + sum over rows of z_i z_j d2 | y],

with g_i the score of an effect (see `variance_scores`; the heat equation makes this hold at any G).  The expected
information is the covariance of these scores over responses simulated from the restricted model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.comparison.nesting import Nesting
from statsmodels_mcla.data import ModelInputs, simulate_responses
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.estimation.boundary import Reduction, curvatures_by_level, pivots_of
from statsmodels_mcla.estimation.constrained import Submodel
from statsmodels_mcla.execution import Executor
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import BlockSampling, Position, Sampler
from statsmodels_mcla.numerics import Array, child, generator

CONTRIBUTIONS = 3000  # of blocks, that an expected information is an average over
FEWEST, MOST = 20, 200  # simulated responses
GROUPS = 20  # of simulations: leaving out one at a time shows the error of the information
SINGULAR = 1e-10  # smallest eigenvalue of a correlation matrix of full rank
TOGETHER = 2**16  # rows of simulated data sets that are evaluated at once
FEW_DRAWS = 32  # a block, for Hessians that are averaged over many
ROWS_OF_PART = 2**14  # of data sets in one of the GROUPS of Hessians, which large ones need few of
REPEATS = 12  # independent sets of draws that the error of a score comes from


@dataclass(frozen=True)
class Information:
    """Expected information, in the coordinates (restricted parameters, free directions, entries of the cones).

    Attributes
    ----------
    J : ndarray (P, P)
    replicates : ndarray (N, P, P)
        The same from all but one of N groups of simulations.
    axes : ndarray (P, P)
        Columns: the coordinates in the parameters of the larger model.
    n_free, n_cone : int
    """

    J: Array
    replicates: Array
    axes: Array
    n_free: int
    n_cone: int

    @property
    def cone(self) -> Array:
        """Information about the entries of the cones, all else projected out."""
        return schur(self.J, self.n_cone)

    @property
    def cone_replicates(self) -> Array:
        """Return the same from all but one group of simulations."""
        return np.array([schur(J, self.n_cone) for J in self.replicates])


@dataclass(frozen=True)
class RestrictedModel:
    """A restricted maximum in the parameters of a larger model.

    Attributes
    ----------
    design : MixedDesign
        Of the larger model.
    family : ConditionalFamily
    params : ndarray (P,)
        The restricted maximum.
    nesting : Nesting
    seed : numpy.random.SeedSequence
    executor : Executor
    """

    design: MixedDesign
    family: ConditionalFamily
    params: Array
    nesting: Nesting
    seed: np.random.SeedSequence
    executor: Executor

    def submodel(self, design: MixedDesign) -> Submodel:
        """Restricted random effects on the rows of a design like that of the larger model."""
        P = design.n_params
        whole = Submodel(design, np.ones(P, bool), Reduction.of(design))
        reduced = whole.without(self.nesting.zero)
        return at_its_ranks(reduced, self.params)

    def evaluated(
        self, design: MixedDesign, seed: np.random.SeedSequence, *, most: int | None = None, draws: int = 0
    ) -> tuple[Submodel, Position, Evaluation]:
        """Restricted model on the rows of a design, where its draws are, and a pass over them.

        A block has as many draws as a fit starts with, but at most ``most``; or ``draws``.
        """
        submodel = self.submodel(design)
        sampler = Sampler.start(submodel.design, BlockSampling(), seed, True, most)
        sampler = sampler.with_size(draws) if draws else sampler
        position = sampler.at(submodel.restrict(self.params))
        found = evaluate(submodel.design, position.params, position.draws, executor=self.executor)
        return submodel, position, found

    def block_scores(
        self, designs: Sequence[MixedDesign], seed: np.random.SeedSequence
    ) -> tuple[Array, np.ndarray]:
        """Scores (B, P) of the blocks of some designs at the restricted maximum over a few draws, and whose each is."""
        design, of_row = side_by_side(designs)
        submodel, position, found = self.evaluated(design, seed)
        graph, own, drawn = design.graph, design.layout, submodel.design.layout
        out = np.zeros((graph.n_blocks, design.n_params))
        block = np.zeros(submodel.design.n_blocks, int)
        block[submodel.design.graph.of_row] = graph.of_row
        parts = found.blocks.score
        np.add.at(out[:, own.fixed], block, parts[:, drawn.fixed])
        if drawn.n_family:
            np.add.at(out[:, own.family], block, parts[:, drawn.family])
        start = 0
        curvatures = curvatures_by_level(design.terms, submodel.design, position)
        for term, M, shape, s in zip(
            design.terms, curvatures, design.covariance.terms, design.covariance.slices, strict=True
        ):
            half = np.where(shape.lower[0] == shape.lower[1], 0.5, 1.0)
            of_level = graph.of_effect[start : start + term.Z.shape[1] : term.dim]
            seen = of_level >= 0
            np.add.at(
                out[:, own.covariance][:, s],
                of_level[seen],
                half * M[seen][:, shape.lower[0], shape.lower[1]],
            )
            start += term.Z.shape[1]
        of_block = np.zeros(graph.n_blocks, int)
        of_block[graph.of_row] = of_row
        return out, of_block

    def observed_scores(self) -> Array:
        """Scores at the responses that were observed, over independent sets of draws, (REPEATS, P)."""
        out = np.zeros((REPEATS, self.design.n_params))
        for places in np.array_split(np.arange(REPEATS), self._stacks(REPEATS)):
            scores, of_block = self.block_scores(
                [self.design] * len(places), child(self.seed, 0, int(places[0]))
            )
            np.add.at(out, places[of_block], scores)
        return out

    def _stacks(self, count: int) -> int:
        """Passes for a number of data sets; one each where rows without effects would become one block of all."""
        if not abs(self.submodel(self.design).design.Z).sum(axis=1).all():
            return count
        return int(np.clip(-(-count * self.design.n_rows // TOGETHER), 1, count))

    def simulated_scores(self, inputs: ModelInputs) -> list[Array]:
        """Scores of the blocks, (B, P), at responses simulated from the restricted maximum.

        Parameters
        ----------
        inputs : ModelInputs
            Rows of unit weight.
        """
        count = int(np.clip(CONTRIBUTIONS // self.design.n_blocks, FEWEST, MOST))
        rng = generator(self.seed, 1, 0)
        responses = simulate_responses(inputs, self.design, self.family, self.params, rng, count)
        out = []
        for k, some in enumerate(np.array_split(responses.T, self._stacks(count))):
            designs = [inputs.with_response(y, self.family).design(self.family) for y in some]
            scores, of_block = self.block_scores(designs, child(self.seed, 2, k))
            out += [scores[of_block == j] for j in range(len(designs))]
        return out

    def simulated_hessians(self, inputs: ModelInputs) -> Iterator[Array]:
        """Hessians at responses simulated from the restricted maximum: means over a few data sets, GROUPS of them.

        Parameters
        ----------
        inputs : ModelInputs
            Rows of unit weight.

        Yields
        ------
        ndarray (P', P')
            Of the restricted model's random effects and the larger one's fixed effects.  They vary less than products
            of scores, and not at all where the information does not depend on the responses.
        """
        design = self.design
        most = min(MOST // GROUPS, ROWS_OF_PART // len(inputs.exog))
        count = int(np.clip(CONTRIBUTIONS // (GROUPS * design.n_blocks), 1, max(most, 1)))
        rng = generator(self.seed, 1, 0)
        for k in range(GROUPS):
            responses = simulate_responses(inputs, design, self.family, self.params, rng, count)
            designs = [inputs.with_response(y, self.family).design(self.family) for y in responses.T]
            found = self.evaluated(side_by_side(designs)[0], child(self.seed, 2, k), most=FEW_DRAWS)[-1]
            yield found.hessian / count

    def information(self, scores: list[Array]) -> Information:
        """Information from simulated scores of blocks, which are independent with mean zero."""
        nesting = self.nesting
        index = [j for c in nesting.cones for j in c.index]
        cones = np.zeros((len(self.params), len(index)))
        cones[index, range(len(index))] = 1.0
        axes = np.column_stack([nesting.embedding, nesting.free, cones])
        each = np.array([(s @ axes).T @ (s @ axes) for s in scores])
        groups = np.array([part.sum(axis=0) for part in np.array_split(each, min(GROUPS, len(each)))])
        counts = np.array([len(part) for part in np.array_split(each, min(GROUPS, len(each)))])
        total = each.sum(axis=0)
        left = np.array([(total - g) / (len(each) - n) for g, n in zip(groups, counts, strict=True)])
        return Information(total / len(each), left, axes, nesting.free.shape[1], len(index))


def side_by_side(designs: Sequence[MixedDesign]) -> tuple[MixedDesign, np.ndarray]:
    """Design of the rows of several alike, each with effects of its own, and the number of the design of each row.

    One pass over many small blocks takes little more time than a pass over few.
    """
    first, count = designs[0], len(designs)
    terms = []
    for j, t in enumerate(first.terms):
        Z = sp.csr_array(sp.block_diag([d.terms[j].Z for d in designs]))
        terms.append(replace(t, levels=t.levels * count, Z=Z))
    y, w, v, offset, X = (
        np.concatenate([getattr(d, name) for d in designs]) for name in ("y", "w", "v", "offset", "X")
    )
    constant = sum(d.constant for d in designs)
    whole = replace(first, y=y, w=w, v=v, offset=offset, X=X, terms=tuple(terms), constant=constant)
    return whole, np.repeat(np.arange(count), [d.n_rows for d in designs])


def at_its_ranks(submodel: Submodel, params: Array) -> Submodel:
    """Submodel with the ranks that the covariance matrices have at given parameters of the whole model."""
    model, pivots = submodel.model, []
    theta = params[submodel.keep][model.layout.covariance]
    for term, G in zip(model.loadings.terms, model.covariance.matrices(theta), strict=True):
        inner = term.inner(G)
        sd = np.sqrt(np.where(np.diag(inner) > 0, np.diag(inner), 1.0))
        rank = int((np.linalg.eigvalsh(inner / np.outer(sd, sd)) > SINGULAR).sum())
        pivots.append(pivots_of(term, G, rank))
    return submodel.with_pivots(pivots, bool(np.any(params[submodel.keep][model.layout.family] == 0)))


def efficient(J: Array, k: int) -> Array:
    """Matrix (k, P) that turns a score into that of the last k parameters, the others projected out."""
    if k == len(J):
        return np.eye(k)
    return np.hstack([-np.linalg.lstsq(J[:-k, :-k], J[:-k, -k:], rcond=None)[0].T, np.eye(k)])


def schur(J: Array, k: int) -> Array:
    """Information about the last k parameters, the others projected out."""
    return np.asarray(efficient(J, k) @ J[:, -k:])
