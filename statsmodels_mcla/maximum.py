"""From a design to its maximum-likelihood fit, terms at the boundary included.

The steps that every fit takes, whatever is done with the result: a GLM to start from, a check for separation,
the Laplace fit, and the Monte Carlo fit of the terms that have not vanished.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from statsmodels_mcla.boundary import kept_parameters, vanished_terms, without_terms
from statsmodels_mcla.design import MixedDesign
from statsmodels_mcla.fitting import MonteCarloFit, fit_monte_carlo
from statsmodels_mcla.laplace_fit import LaplaceFit, fit_laplace
from statsmodels_mcla.linalg import Array
from statsmodels_mcla.proposals import Sampling
from statsmodels_mcla.sampler import Sampler
from statsmodels_mcla.separation import separated_columns
from statsmodels_mcla.settings import FitSettings
from statsmodels_mcla.starting import GLMStart, fit_without_random_effects, search_scale

__all__ = ["Draws", "LaplaceMaximum", "MonteCarloMaximum", "laplace_maximum", "monte_carlo_maximum"]

FAR_OUT = 12.0  # linear predictors of the GLM beyond this suggest separation


@dataclass(frozen=True)
class LaplaceMaximum:
    """Laplace fit with what was found on the way.

    Attributes
    ----------
    params : ndarray (P,)
        Natural parameters, zero for vanished terms.
    keep : ndarray of bool (P,)
        Parameters that are not at the boundary.
    vanished : tuple of int
        Terms whose variance is zero.
    separated : tuple of int
        Fixed effects without a finite maximum.
    start : GLMStart
    fit : LaplaceFit
    """

    params: Array
    keep: np.ndarray
    vanished: tuple[int, ...]
    separated: tuple[int, ...]
    start: GLMStart
    fit: LaplaceFit


@dataclass(frozen=True)
class MonteCarloMaximum:
    """Monte Carlo fit of the terms that have not vanished.

    Attributes
    ----------
    params : ndarray (P,)
        Natural parameters of the whole model, zero for vanished terms.
    keep : ndarray of bool (P,)
        Parameters that were fitted.
    vanished : tuple of int
    design : MixedDesign
        Without the vanished terms.
    fit : MonteCarloFit
        In the parameters that were fitted.
    """

    params: Array
    keep: np.ndarray
    vanished: tuple[int, ...]
    design: MixedDesign
    fit: MonteCarloFit


@dataclass(frozen=True)
class Draws:
    """How a fit draws.

    Attributes
    ----------
    sampling : Sampling
    seed : numpy.random.SeedSequence
    quasi : bool
    nsample : int or None
    """

    sampling: Sampling
    seed: np.random.SeedSequence
    quasi: bool
    nsample: int | None

    def sampler(self, design: MixedDesign) -> Sampler:
        """Sampler with the draws that a fit of the design starts with: few, to find the way."""
        return Sampler.start(design, self.sampling, self.seed, self.quasi, self.nsample)


def laplace_maximum(
    design: MixedDesign, gtol: float = 1e-4, maxiter: int = 200, disp: bool = False
) -> LaplaceMaximum:
    """Maximise the Laplace approximation from the GLM without random effects."""
    start = fit_without_random_effects(design)
    suspicious = not start.converged or np.abs(start.eta).max() > FAR_OUT
    separated = tuple(separated_columns(design)) if suspicious else ()
    scale = search_scale(design, start)
    fit = fit_laplace(design, scale, np.zeros(design.n_params), gtol=gtol, maxiter=maxiter, disp=disp)
    vanished = tuple(vanished_terms(design, fit.semi_natural, scale.origin))
    keep = kept_parameters(design, vanished)
    return LaplaceMaximum(np.where(keep, fit.params, 0.0), keep, vanished, separated, start, fit)


def monte_carlo_maximum(
    design: MixedDesign,
    draws: Draws,
    settings: FitSettings,
    start: GLMStart,
    params: Array,
    vanished: tuple[int, ...] = (),
) -> MonteCarloMaximum:
    """Maximise the Monte Carlo likelihood; a term whose variance runs to zero is left out and the rest refitted.

    Parameters
    ----------
    design : MixedDesign
    draws : Draws
    settings : FitSettings
    start : GLMStart
        Sets the scale of the search.
    params : ndarray (P,)
        Where to start; entries of vanished terms are ignored.
    vanished : tuple of int
        Terms to leave out from the beginning.
    """
    while True:
        keep = kept_parameters(design, vanished)
        reduced = without_terms(design, vanished) if vanished else design
        scale = search_scale(reduced, start)
        fit = fit_monte_carlo(scale, draws.sampler(reduced), params[keep], settings)
        params = np.zeros(len(keep))
        params[keep] = fit.position.params
        more = vanished_terms(
            reduced, scale.semi_natural(scale.from_natural(fit.position.params)), scale.origin
        )
        if not more:
            return MonteCarloMaximum(params, keep, vanished, reduced, fit)
        remaining = [k for k in range(len(design.terms)) if k not in vanished]
        vanished = tuple(sorted([*vanished, *(remaining[k] for k in more)]))
