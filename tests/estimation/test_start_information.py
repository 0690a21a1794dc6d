"""Searches are scaled by the information of the likelihood at the modes, fixed effects and family jointly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from responses import ONE_PREDICTOR, ResponseModel

from statsmodels_mcla.estimation.search.glm_start import fit_without_random_effects, search_scale
from statsmodels_mcla.estimation.search.laplace_fit import PRIOR, informed
from statsmodels_mcla.likelihood.laplace import evaluate_laplace
from statsmodels_mcla.numerics import Array

NAMES = "beta", "ordered beta", "nb1", "cumulative logit", "cumulative probit, symmetric"
MODELS = [m for m in ONE_PREDICTOR if m.name in NAMES]


@pytest.mark.parametrize("model", MODELS, ids=[m.name for m in MODELS])
def test_information_of_fixed_effects_and_family(model: ResponseModel) -> None:
    design = model.model(model.data()).design
    start = replace(fit_without_random_effects(design), size=1.5)
    scale = search_scale(design, start)
    at = scale.fitted(np.zeros(design.n_params))
    layout, psi = design.layout, design.family.parameter_scale
    known = np.r_[layout.fixed, layout.family]
    free = psi.free(at[layout.family])

    def height(step: Array) -> float:
        moved = at.copy()
        moved[layout.fixed] += step[: layout.n_fixed]
        moved[layout.family] = psi.psi(free + step[layout.n_fixed :])
        modes = evaluate_laplace(design, moved).modes
        return sum(float((m.value - m.root.log_det).sum()) for m in modes)

    # second differences along pairs, less what the free coordinates bend
    h, unit = 1e-3, np.eye(len(known))
    hessian = np.array(
        [
            [
                sum(s * t * height(h * (s * i + t * j)) for s in (1, -1) for t in (1, -1)) / (4 * h * h)
                for j in unit
            ]
            for i in unit
        ]
    )
    slope = np.array([(height(h * i) - height(-h * i)) / (2 * h) for i in unit])[layout.n_fixed :]
    bend = psi.bend(free, np.linalg.solve(psi.jacobian(free).T, slope))
    wanted = -hessian
    wanted[layout.n_fixed :, layout.n_fixed :] += bend
    axes = design.known_axes
    wanted = axes.T @ wanted @ axes
    wanted[layout.n_fixed :, layout.n_fixed :] += PRIOR * np.eye(layout.n_family)
    np.testing.assert_allclose(informed(design, start, at).information, wanted, rtol=1e-4, atol=1e-4)
