"""Responses that a model reproduces: a dispersion of zero explains them, with a likelihood beyond all bounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsqr

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array

TOLERANCES = 1e-6, 1e-13  # of the search for effects that reproduce the responses: at first a short one


def refuse_exact_fit(
    y: Array, X: Array, terms: Sequence[RandomTerm], offset: Array, family: ConditionalFamily
) -> None:
    r"""Refuse continuous responses that fixed and random effects reproduce exactly.

    Parameters
    ----------
    y, offset : ndarray (n,)
    X : ndarray (n, p)
    terms : sequence of RandomTerm
        Of the same rows.
    family : ConditionalFamily

    Raises
    ------
    ValueError
        If g(y) - offset = X b + Z u for some b and u, and Z has fewer columns than rows.

    Notes
    -----
    Then the marginal density grows like :math:`\phi^{-(n - \mathrm{rank} Z) / 2}` as the dispersion falls to zero.
    """
    effects = sum(term.Z.shape[1] for term in terms)
    if family.dispersion is None or family.discrete or effects >= len(y):
        return
    with np.errstate(all="ignore"):
        eta = np.asarray(family.link_function.eta(y), float)
    if not np.isfinite(eta).all():  # no mean is where these responses are
        return
    scale = np.linalg.norm(eta) + np.linalg.norm(offset)
    Q = np.linalg.qr(X)[0]
    Z = sp.csr_array(sp.hstack([term.Z for term in terms], format="csr"))
    size = np.sqrt(np.asarray(Z.multiply(Z).sum(axis=0)))
    Z = Z @ sp.diags_array(1.0 / np.where(size > 0, size, 1.0))

    def residual(v: Array) -> Array:
        return np.asarray(v - Q @ (Q.T @ v))

    operator = LinearOperator(
        Z.shape, matvec=lambda u: residual(Z @ u), rmatvec=lambda v: Z.T @ residual(v), dtype=float
    )
    target = residual(eta - offset)
    for tolerance in TOLERANCES:
        u = lsqr(operator, target, atol=tolerance, btol=tolerance)[0]
        if np.linalg.norm(target - operator @ u) > 100 * tolerance * scale:
            return
    raise ValueError(
        "endog: fixed and random effects reproduce every response exactly, so that the dispersion "
        f"{family.dispersion!r} goes to zero and the likelihood has no maximum: check the response (is it constant "
        "within the groups?), or drop effects"
    )
