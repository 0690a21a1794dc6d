"""Responses simulated from a fitted model, with new random effects or those of the data given the responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from statsmodels_mcla.arguments import checked_count, generator_of
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.inputs import ModelInputs, inputs_of
from statsmodels_mcla.linalg import Array, covariance_root
from statsmodels_mcla.weighted import WeightedDraws, over_draws

if TYPE_CHECKING:
    from statsmodels_mcla.fitted import Fitted

__all__ = ["SimulationResults", "conditional_effects", "draw_effects", "simulate_responses"]

MAX_TRIES = 200  # of random effects for which the family has no mean


def draw_effects(design: MixedDesign, matrices: Sequence[Array], rng: np.random.Generator, n: int) -> Array:
    """Random effects from N(0, Sigma), (Q, n), in the order of the columns of Z.

    Parameters
    ----------
    design : MixedDesign
    matrices : sequence of ndarray (d, d)
        Covariance matrix of each term, possibly singular.
    rng : numpy.random.Generator
    n : int
    """
    parts = []
    for term, G in zip(design.terms, matrices, strict=True):
        z = rng.standard_normal((len(term.levels), len(G), n))
        parts.append((covariance_root(G) @ z).reshape(-1, n))
    return np.concatenate(parts)


def simulate_responses(
    inputs: ModelInputs,
    design: MixedDesign,
    family: ConditionalFamily,
    params: Array,
    rng: np.random.Generator,
    nsim: int,
    effects: Array | None = None,
) -> Array:
    """Simulate responses of every row, (N, nsim); binomial: successes.

    Parameters
    ----------
    inputs : ModelInputs
    design : MixedDesign
        Of the whole model.
    family : ConditionalFamily
    params : ndarray (P,)
        Natural parameters; variances may be zero.
    rng : numpy.random.Generator
    nsim : int
    effects : ndarray (Q, nsim), optional
        Random effects; fresh ones from their distribution by default.  Those of a block for which the family has
        no mean (inverse link, eta <= 0) are drawn again: the model gives them no likelihood.

    Raises
    ------
    ValueError
        If the fixed effects leave hardly any random effects for which the family has a mean.
    """
    beta, _, phi = design.split(params)
    fixed = (np.asarray(inputs.exog) @ beta + inputs.offset)[:, None]
    if effects is None:
        effects = _allowed_effects(inputs, design, family, params, fixed, rng, nsim)
    mu = family.mean(fixed + inputs.Z @ effects)
    trials, v = inputs.n_trials[:, None], inputs.var_weights[:, None]
    return family.sample(rng, mu, phi, np.broadcast_to(trials, mu.shape), v)


def _allowed_effects(
    inputs: ModelInputs,
    design: MixedDesign,
    family: ConditionalFamily,
    params: Array,
    fixed: Array,
    rng: np.random.Generator,
    nsim: int,
) -> Array:
    _, theta, phi = design.split(params)
    matrices = design.covariance.matrices(theta)
    u = draw_effects(design, matrices, rng, nsim)
    # a row's density at its own response is zero exactly where the family has no mean
    used = inputs.used
    data = family.row_data(
        inputs.endog.to_numpy()[used],
        inputs.n_trials[used],
        inputs.freq_weights[used],
        inputs.var_weights[used],
    )
    y, w, v = data.y[:, None], data.w[:, None], np.broadcast_to(data.v, data.y.shape)[:, None]
    of_effect = design.graph.of_effect
    Z = inputs.Z[np.flatnonzero(used)]
    touches = abs(Z)
    touches.data[:] = 1.0
    for _ in range(MAX_TRIES):
        with np.errstate(all="ignore"):
            lost = family.rows(y, w, v, fixed[used] + Z @ u, phi).logf == -np.inf
        if not lost.any():
            return u
        hit = (touches.T @ lost.astype(float)) > 0  # (Q, nsim): effects of rows that are lost
        blocks = np.zeros((design.n_blocks + 1, nsim), bool)
        np.logical_or.at(blocks, of_effect, hit)
        again = np.where((of_effect >= 0)[:, None], blocks[of_effect], False)
        u = np.where(again, draw_effects(design, matrices, rng, nsim), u)
    raise ValueError(
        "simulate: the fitted linear predictor is too often where the family has no mean (inverse link, eta <= 0); "
        "use a log link"
    )


def conditional_effects(
    design: MixedDesign,
    fitted: Fitted,
    params: Array,
    rng: np.random.Generator,
    nsim: int,
) -> Array:
    """Random effects drawn from their law given the data, (Q, nsim): the weighted draws, resampled.

    Effects that the data say nothing of come from their prior law.
    """
    u = draw_effects(design, design.covariance.matrices(design.split(params)[1]), rng, nsim)
    level = rng.random((max(fitted.design.n_blocks, 1), nsim))

    def of_chunk(draws: WeightedDraws) -> tuple[np.ndarray, Array]:
        below = np.cumsum(draws.v, axis=1)
        below /= below[:, -1:]
        wanted = level[draws.bucket.blocks]
        pick = np.stack([np.searchsorted(c, t, side="right") for c, t in zip(below, wanted, strict=True)])
        return draws.bucket.effects, np.take_along_axis(draws.u, pick[:, None], axis=2)

    drawn = np.full((fitted.design.Z.shape[1], nsim), np.nan)
    for effects, values in over_draws(
        fitted.design, fitted.params, fitted.position.draws, of_chunk, n_jobs=fitted.n_jobs
    ):
        drawn[effects] = values
    unknown = np.isnan(drawn[:, 0])
    prior = (abs(fitted.effects) @ unknown.astype(float)) > 0
    return np.where(prior[:, None], u, fitted.effects @ np.where(unknown[:, None], 0.0, drawn))


class SimulationResults:
    """Responses simulated from the fit."""

    model: Any
    params: Any

    if TYPE_CHECKING:

        @property
        def fitted(self) -> Fitted: ...  # noqa: D102

    def simulate(self, nsim: int = 1, rng: Any = None, random: str = "new") -> pd.DataFrame:
        """Simulate responses from the fitted model.

        Parameters
        ----------
        nsim : int
            Number of simulated responses of every row.
        rng : int or numpy.random.Generator, optional
            Source of randomness.
        random : {"new", "conditional"}
            Fresh random effects, or those of these data: drawn given the responses that were observed.

        Returns
        -------
        DataFrame (N, nsim)
            In the response's own form; binomial counts: successes.  `model.clone_with` takes a column.  A row gets one
            response whatever its frequency weight.

        Raises
        ------
        ValueError
            If an argument is out of range, or the family has no mean at most random effects (inverse link).
        """
        nsim = checked_count("nsim", nsim)
        if random not in ("new", "conditional"):
            raise ValueError(f"random must be 'new' or 'conditional', got {random!r}")
        model, inputs = self.model, inputs_of(self.model)
        generator = generator_of(rng)
        params, effects = np.asarray(self.params, float), None
        if random == "conditional":
            effects = conditional_effects(model.design, self.fitted, params, generator, nsim)
        y = simulate_responses(
            inputs, model.design, model.conditional_family, params, generator, nsim, effects
        )
        return pd.DataFrame(y, index=inputs.endog.index, columns=range(nsim))
