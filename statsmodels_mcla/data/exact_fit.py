"""Responses that a model reproduces: a dispersion of zero explains them, with a likelihood beyond all bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsqr

from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.families import ConditionalFamily
from statsmodels_mcla.numerics import Array, unique_rows

# of what random effects reproduce: where a likelihood is so steep that rounding hides its maximum
NOISELESS = 3e-5
RANK = 1e-9  # singular values, and distances of leverages from one, that are round-off
TOLERANCES = 1e-6, 1e-13  # of the search for effects that reproduce the responses: at first a short one


def refuse_exact_fit(
    y: Array,
    X: Array,
    terms: Sequence[RandomTerm],
    offset: Array,
    family: ConditionalFamily,
    D: Array | None = None,
) -> None:
    r"""Refuse continuous responses that fixed and random effects reproduce exactly: all, or those of a dispersion.

    Parameters
    ----------
    y, offset : ndarray (n,)
    X : ndarray (n, p)
        Fixed effects of the mean.
    terms : sequence of RandomTerm
        Random effects of the mean, of the same rows.
    family : ConditionalFamily
    D : ndarray (n, k), optional
        Fixed effects of the dispersion.

    Raises
    ------
    ValueError
        If g(y) - offset = X b + Z u for some b and u, and Z has fewer columns than rows, or nearly so and the integral
        over u has no closed form.  Or if it is so of rows that have a dispersion of their own.

    Notes
    -----
    Then the marginal density grows like :math:`\phi^{-(n - \mathrm{rank} Z) / 2}` as the dispersion falls to zero.
    """
    dispersions = [*family.parameters[:1], *family.predictors[1:]]
    if not dispersions or family.discrete:
        return
    ends = [end for name, end in (("zi", 0), ("oi", 1)) if name in family.predictors]
    seen = np.flatnonzero(~np.isin(y, ends))  # the other responses tell of the dispersion
    with np.errstate(all="ignore"):
        eta = np.asarray(family.concentrated_at(y[seen]), float)
    if not np.isfinite(eta).all():  # no mean is where these responses are
        return
    none = sp.csr_array((len(y), 1))  # beside which the mean may have no random effects
    Z = sp.csr_array(sp.hstack([none, *(term.Z for term in terms)], format="csr"))[seen]
    target, X = eta - offset[seen], X[seen]
    scale = float(np.linalg.norm(eta) + np.linalg.norm(offset[seen]))
    part = _left_over(target, X, Z, scale)
    if part == 0.0:
        raise ValueError(
            "endog: fixed and random effects reproduce every response exactly, so that the dispersion "
            f"{dispersions[-1]!r} goes to the end of its range, no variance, and the likelihood has no maximum: check "
            "the response (is it constant within the groups?), or drop effects"
        )
    if part < NOISELESS and not family.quadratic:
        raise ValueError(
            f"endog: fixed and random effects reproduce the responses up to {part:.0e} of what "
            f"random effects explain: there is practically no noise, the dispersion {dispersions[-1]!r} is next to "
            "the end of its range, and rounding hides the maximum of so steep a likelihood. Check whether the "
            "response was computed from the covariates; fit its transform (np.log(y) for a log link) with "
            "family='gaussian', whose likelihood is closed"
        )
    for rows in () if D is None else _rows_of_own(D[seen]):
        # without random effects too, as their variances may vanish with this dispersion
        if 0.0 in (_left_over(target[rows], X[rows], of_rows, scale) for of_rows in (0 * Z[rows], Z[rows])):
            raise ValueError(
                f"dispformula: the {len(rows)} rows of a combination of its categories have a dispersion of their own, "
                "and fixed and random effects reproduce their responses exactly, so that it goes to no variance and "
                "the likelihood has no maximum. Merge categories, so that each has more rows than effects can "
                "reproduce, or give the dispersion random effects, '~ (1 | category)'"
            )


def _left_over(target: Array, X: Array, Z: sp.csr_array, scale: float) -> float:
    """Part of what fixed effects leave that random effects leave too; 1 where these are as many as rows.

    The size of the responses, ``scale``, says what is round-off: 0.
    """
    size = np.sqrt(np.asarray(Z.multiply(Z).sum(axis=0)))
    if np.count_nonzero(size) >= len(target):
        return 1.0
    Z = Z @ sp.diags_array(1.0 / np.where(size > 0, size, 1.0))
    Q = np.linalg.qr(X)[0]

    def residual(v: Array) -> Array:
        return np.asarray(v - Q @ (Q.T @ v))

    operator = LinearOperator(
        Z.shape, matvec=lambda u: residual(Z @ u), rmatvec=lambda v: Z.T @ residual(v), dtype=float
    )
    target = residual(target)
    for tolerance in TOLERANCES:
        u = lsqr(operator, target, atol=tolerance, btol=tolerance)[0]
        left = float(np.linalg.norm(target - operator @ u))
        if left > 100 * tolerance * scale:
            return left / float(np.linalg.norm(target))
    return 0.0


def _rows_of_own(D: Array) -> Iterator[Array]:
    """Rows whose dispersion some coefficients change, and no others': alike, and of leverage one among unlike rows."""
    unlike = unique_rows(D)
    basis, values, _ = np.linalg.svd(unlike.rows, full_matrices=False)
    leverage = (basis[:, values > RANK * values.max(initial=0.0)] ** 2).sum(axis=1)
    for own in np.flatnonzero(leverage > 1.0 - RANK):
        yield np.flatnonzero(unlike.inverse == own)
