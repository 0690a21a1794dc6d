"""Responses that a model reproduces: a dispersion of zero explains them, with a likelihood beyond all bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsqr

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array

# of what random effects reproduce: where a likelihood is so steep that rounding hides its maximum
NOISELESS = 3e-5
TOLERANCES = 1e-6, 1e-13  # of the search for effects that reproduce the responses: at first a short one


def refuse_exact_fit(
    y: Array, X: Array, terms: Sequence[RandomTerm], offset: Array, family: ConditionalFamily
) -> None:
    r"""Refuse continuous responses that fixed and random effects reproduce exactly.

    Parameters
    ----------
    y, offset : ndarray (n,)
    X : ndarray (n, p)
        Fixed effects of the mean.
    terms : sequence of RandomTerm
        Random effects of the mean, of the same rows.
    family : ConditionalFamily

    Raises
    ------
    ValueError
        If g(y) - offset = X b + Z u for some b and u, and Z has fewer columns than rows, or nearly so and the integral
        over u has no closed form.

    Notes
    -----
    Then the marginal density grows like :math:`\phi^{-(n - \mathrm{rank} Z) / 2}` as the dispersion falls to zero.
    """
    ends = [end for name, end in (("zi", 0), ("oi", 1)) if name in family.predictors]
    if ends:  # the other responses tell of the dispersion
        seen = np.flatnonzero(~np.isin(y, ends))
        y, X, offset = y[seen], X[seen], offset[seen]
        terms = [replace(term, Z=sp.csr_array(term.Z[seen])) for term in terms]
    effects = sum(term.Z.shape[1] for term in terms)
    dispersions = [*family.parameters[:1], *family.predictors[1:]]
    if not dispersions or family.discrete or effects >= len(y):
        return
    with np.errstate(all="ignore"):
        eta = np.asarray(family.concentrated_at(y), float)
    if not np.isfinite(eta).all():  # no mean is where these responses are
        return
    scale = np.linalg.norm(eta) + np.linalg.norm(offset)
    Q = np.linalg.qr(X)[0]
    none = sp.csr_array((len(y), 1))  # beside which the mean may have no random effects
    Z = sp.csr_array(sp.hstack([none, *(term.Z for term in terms)], format="csr"))
    size = np.sqrt(np.asarray(Z.multiply(Z).sum(axis=0)))
    Z = Z @ sp.diags_array(1.0 / np.where(size > 0, size, 1.0))

    def residual(v: Array) -> Array:
        return np.asarray(v - Q @ (Q.T @ v))

    operator = LinearOperator(
        Z.shape, matvec=lambda u: residual(Z @ u), rmatvec=lambda v: Z.T @ residual(v), dtype=float
    )
    target = residual(eta - offset)
    size_of_target = np.linalg.norm(target)
    for tolerance in TOLERANCES:
        u = lsqr(operator, target, atol=tolerance, btol=tolerance)[0]
        left = np.linalg.norm(target - operator @ u)
        if left > 100 * tolerance * scale:
            if left > NOISELESS * size_of_target or family.quadratic:
                return
            raise ValueError(
                f"endog: fixed and random effects reproduce the responses up to {left / size_of_target:.0e} of what "
                f"random effects explain: there is practically no noise, the dispersion {dispersions[-1]!r} is next to "
                "the end of its range, and rounding hides the maximum of so steep a likelihood. Check whether the "
                "response was computed from the covariates; fit its transform (np.log(y) for a log link) with "
                "family='gaussian', whose likelihood is closed"
            )
    raise ValueError(
        "endog: fixed and random effects reproduce every response exactly, so that the dispersion "
        f"{dispersions[-1]!r} goes to the end of its range, no variance, and the likelihood has no maximum: check the "
        "response (is it constant within the groups?), or drop effects"
    )
