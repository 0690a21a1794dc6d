"""A maximum and the draws made there: what everything that is computed after a fit starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from statsmodels_mcla.design import DesignFacts, MixedDesign
from statsmodels_mcla.estimation.boundary import Reduction
from statsmodels_mcla.execution import SERIAL, Executor
from statsmodels_mcla.likelihood.monte_carlo import Evaluation, evaluate
from statsmodels_mcla.likelihood.sampling import DrawRule, Position, Sampler
from statsmodels_mcla.numerics import Array, child, standard_deviations

EXPECTATION_DRAWS = 512, 1024  # for a block of one effect, and at least for one of more
WORK = 2**24  # rows x draws that cost little: blocks of several effects get more draws while that lasts
MOST_DRAWS = 2**13  # so got
EXPECTATION_STREAM = 1_000_001  # key of their base random numbers


@dataclass(frozen=True)
class Fitted:
    """A maximum with its draws, in the parameters that were fitted.

    These are not the parameters of the model, and the standard effects that are drawn are not its effects: `jacobian`,
    `effects` and the methods of ``reduction`` translate.

    Attributes
    ----------
    design : DesignFacts
        Whose parameters are the fitted ones (see `Reduction`); identical rows merged.
    reduction : Reduction
        Between the parameters and effects of ``design`` and those of the model.
    sampler : Sampler
        Makes draws like those of ``position`` at other parameters, from the same base random numbers.
    position : Position
        The maximum and the draws made there.
    executor : Executor
        Does the work over the draws.
    """

    design: DesignFacts
    reduction: Reduction
    sampler: Sampler
    position: Position
    executor: Executor

    @property
    def kept(self) -> tuple[Any, ...]:
        """All that is kept where the rows are: modes, draws, and what the sampler makes them of."""
        position, sampler = self.position, self.sampler
        return position.modes, position.draws, sampler.sizes, sampler.epochs, sampler.made

    @classmethod
    def of_part(
        cls, design: MixedDesign, reduction: Reduction, rule: DrawRule, params: Array, kept: Sequence[Any]
    ) -> Fitted:
        """The maximum as a part of the rows sees it, from what is kept there."""
        modes, draws, sizes, epochs, made = kept
        sampler = Sampler(design, rule, sizes, epochs, made)
        return cls(design, reduction, sampler, Position(params, modes, draws), SERIAL)

    @property
    def params(self) -> Array:
        """Fixed effects, loadings, dispersion."""
        return self.position.params

    @property
    def keep(self) -> np.ndarray:
        """Parameters of the model that are not zero because their term vanished, (P,) bool."""
        return self.reduction.keep

    @cached_property
    def jacobian(self) -> Array:
        """Derivative of the model's parameters in the fitted ones at the maximum, (P, P fitted); see `Reduction`."""
        return self.reduction.jacobian(self.params)

    @cached_property
    def effects(self) -> sp.csr_array:
        """Matrix (Q, Q drawn) from standard effects to the model's: zeros for vanished terms.

        With mean m and covariance V of the standard effects given the data, the model's have ``effects @ m`` and
        ``effects @ V @ effects.T``.
        """
        return self.reduction.effects(self.params)

    def covariance_of_fitted(self, cov: Array) -> Array:
        """Covariance of the fitted parameters (P fitted, P fitted) from that of the model's (P, P).

        None is lost (see `Reduction`): a pseudo-inverse carries back, of standard errors, whatever the units are.
        """
        cov = np.asarray(cov)[np.ix_(self.keep, self.keep)]
        sd = standard_deviations(cov)
        unit = np.where(sd > 0, sd, 1.0)
        slopes = self.jacobian[self.keep] / unit[:, None]
        size = np.linalg.norm(slopes, axis=0)
        back = np.linalg.pinv(slopes / size) / size[:, None]
        return np.asarray(back @ (cov / np.outer(unit, unit)) @ back.T)

    def covariance_of_model(self, cov: Array) -> Array:
        """Covariance of the model's parameters (P, P) from that of the fitted ones; NaN at the boundary."""
        return self.reduction.carry(self.params, cov)

    @cached_property
    def fresh(self) -> Fitted:
        """The same maximum with new draws, independent of those that found it, and at least `EXPECTATION_DRAWS`.

        Expectations over them have an error of their own and one from the estimates, which are independent.
        Estimates average over blocks and can do with fewer draws than what is said of a single block.
        """
        sampler = self.sampler
        seed = child(sampler.seed, EXPECTATION_STREAM)
        rows = sum(self.design.map(partial(_rows_of_several, sampler.rule)))
        sampler = with_expectation_draws(sampler.with_rule(seed=seed), min(WORK // max(rows, 1), MOST_DRAWS))
        return replace(self, sampler=sampler, position=sampler.at(self.params))

    @cached_property
    def evaluation(self) -> Evaluation:
        """Likelihood, derivatives and block statistics over the draws at the maximum."""
        return evaluate(self.design, self.params, self.position.draws, executor=self.executor)


def with_expectation_draws(sampler: Sampler, several: int = 0) -> Sampler:
    """Give every block at least the draws that expectations of its effects want; joint draws stay as they are.

    Blocks of several effects get at least ``several``.
    """
    if sampler.sampling.joint:
        return sampler
    sampler = sampler.with_rule(exact=False, each=True)
    one, more = EXPECTATION_DRAWS[0], max(EXPECTATION_DRAWS[1], several)
    return sampler.grown(sampler.design.keep(partial(_by_effects, sampler.rule, one, more)))


def _rows_of_several(rule: DrawRule, design: MixedDesign) -> int:
    """Rows of blocks of several effects, those that they are filled up with counted too."""
    return sum(b.rows.size for b in rule.buckets(design) if b.n_drawn > 1)


def _by_effects(rule: DrawRule, one: int, more: int, design: MixedDesign) -> tuple[np.ndarray, ...]:
    """Draws of blocks with one effect, and of those with more."""
    return tuple(np.full(b.n_blocks, one if b.n_drawn < 2 else more) for b in rule.buckets(design))
