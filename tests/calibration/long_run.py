"""
The maximum of a mixed model by plain importance sampling with zero-mean control variates: shares nothing with the fit.

Random effects are drawn from one Gaussian that stands still: curvature at the mode, centred at the mean that third
derivatives give.  Scores follow by Fisher's identity, E(complete-data score | y).  Their Monte Carlo error is nearly
all taken away by regression on functions whose conditional mean is zero by Stein's identity: the gradient g of the log
density of the effects, and u_a g_b + (a = b), summed over the levels of a term (zero-variance estimators: Mira,
Solgi and Imparato, 2013, Statistics and Computing 23).  One Newton step, with differences of such scores, leads from
parameters close to the maximum to it.  Batches of draws tell the error of all that comes out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy import special
from scipy.linalg import cho_solve, cholesky, solve_triangular

CHUNK = 500  # draws at a time
STEP = 1e-3  # of finite differences, in standard errors
STEPS = 2  # of Newton's method before the last one


class Rows(NamedTuple):
    """Log density of responses, its derivative, curvature and third derivative in the linear predictor."""

    value: Any
    slope: Any
    curvature: Any
    third: Any


def bernoulli(y: np.ndarray, eta: np.ndarray) -> Rows:
    """Logit link."""
    p = special.expit(eta)
    W = p * (1.0 - p)
    return Rows(y * eta - np.logaddexp(0.0, eta), y - p, W, -W * (1.0 - 2.0 * p))


def counts(y: np.ndarray, eta: np.ndarray) -> Rows:
    """Poisson, log link."""
    mu = np.exp(eta)
    return Rows(y * eta - mu - special.gammaln(y + 1.0), y - mu, mu, -mu)


class Reference(NamedTuple):
    """A number, its error, each of several."""

    value: np.ndarray
    mcse: np.ndarray


@dataclass(frozen=True)
class LongRun:
    """A model of binary responses or counts.

    Attributes
    ----------
    rows : callable
        `bernoulli` or `counts`.
    y : ndarray (N,)
    X : ndarray (N, p)
    Z : csr_array (N, q)
        Terms side by side, levels within terms.
    levels, dims : tuple of int
        Levels of each term, and effects of a level.
    """

    rows: Any
    y: np.ndarray
    X: np.ndarray
    Z: sp.csr_array
    levels: tuple[int, ...]
    dims: tuple[int, ...]

    @classmethod
    def of(cls, model: Any) -> LongRun:
        """From a model's own data."""
        rows = bernoulli if type(model.family).__name__ == "Binomial" else counts
        terms = model.random_terms
        Z = sp.csr_array(sp.hstack([t.Z for t in terms], format="csr"))
        return cls(
            rows,
            np.asarray(model.endog, float).ravel(),
            np.asarray(model.exog, float),
            Z,
            tuple(len(t.levels) for t in terms),
            tuple(len(t.columns) for t in terms),
        )

    def split(self, params: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Fixed effects, and the covariance matrix of each term, from lower triangles row by row."""
        at, out = self.X.shape[1], []
        for d in self.dims:
            G = np.zeros((d, d))
            size = d * (d + 1) // 2
            G[np.tril_indices(d)] = params[at : at + size]
            out.append(G + np.tril(G, -1).T)
            at += size
        return params[: self.X.shape[1]], out

    def precision(self, matrices: list[np.ndarray]) -> np.ndarray:
        """Inverse covariance (q, q) of the effects."""
        return sp.block_diag(
            [sp.kron(sp.eye_array(n), np.linalg.inv(G)) for n, G in zip(self.levels, matrices, strict=True)]
        ).toarray()

    def density(self, params: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Centre of the draws, and the Cholesky factor of their precision."""
        beta, matrices = self.split(params)
        prior, u = self.precision(matrices), np.zeros(self.Z.shape[1])
        for _ in range(100):
            at = self.rows(self.y, self.X @ beta + self.Z @ u)
            H = (self.Z.T @ sp.diags_array(at.curvature) @ self.Z).toarray() + prior
            step = np.linalg.solve(H, self.Z.T @ at.slope - prior @ u)
            u = u + step
            if np.abs(step).max() < 1e-12:
                break
        covariance = np.linalg.inv(H)
        leverage = np.asarray(self.Z.multiply(self.Z @ covariance).sum(axis=1)).ravel()
        return u + 0.5 * covariance @ (self.Z.T @ (at.third * leverage)), cholesky(H, lower=True)

    def moments(
        self, params: np.ndarray, draws: int, seed: int, *density: np.ndarray
    ) -> tuple[float, np.ndarray]:
        """Log-likelihood and mean products of (1, controls, scores) by so many draws, the same for the same seed."""
        (centre, L), rng = density, np.random.default_rng(seed)
        beta, matrices = self.split(params)
        prior, q = self.precision(matrices), self.Z.shape[1]
        normal = -0.5 * sum(
            n * np.linalg.slogdet(2.0 * np.pi * G)[1] for n, G in zip(self.levels, matrices, strict=True)
        )
        own = np.log(np.diag(L)).sum() - 0.5 * q * np.log(2.0 * np.pi)
        fixed, sums, offset, total = (self.X @ beta)[:, None], 0.0, None, 0.0
        for _ in range(draws // CHUNK):
            e = rng.normal(size=(q, CHUNK))
            u = centre[:, None] + solve_triangular(L, e, lower=True, trans="T")
            at = self.rows(self.y[:, None], fixed + self.Z @ u)
            pull = prior @ u
            log_w = (
                at.value.sum(axis=0) - 0.5 * (u * pull).sum(axis=0) + normal - own + 0.5 * (e * e).sum(axis=0)
            )
            offset = log_w.mean() if offset is None else offset
            w = np.exp(log_w - offset)
            g = self.Z.T @ at.slope - pull
            controls, scores = [solve_triangular(L, g, lower=True)], [self.X.T @ at.slope]
            first = 0
            for n, d, G in zip(self.levels, self.dims, matrices, strict=True):
                some = slice(first, first + n * d)
                own_u, own_g = u[some].reshape(n, d, -1), g[some].reshape(n, d, -1)
                stein = np.einsum("lac,lbc->abc", own_u, own_g) + n * np.eye(d)[:, :, None]
                controls.append(stein.reshape(d * d, -1) / np.sqrt(n))
                inverse = np.linalg.inv(G)
                S = np.einsum("lac,lbc->abc", own_u, own_u) - n * G[:, :, None]
                slope = 0.5 * np.einsum("ij,jkc,kl->ilc", inverse, S, inverse)
                lower = np.tril_indices(d)
                scores.append(slope[lower] * np.where(lower[0] == lower[1], 1.0, 2.0)[:, None])
                first += n * d
            table = np.concatenate([np.ones((1, CHUNK)), *controls, *scores])
            sums, total = sums + (table * w) @ table.T, total + w.sum()
        return float(offset + np.log(total / draws)), sums / total

    def scores(
        self, params: np.ndarray, draws: int, batches: int, *density: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Log-likelihood and score of each batch of draws; what is regressed on controls is so by the other batches."""
        found = [self.moments(params, draws, seed, *density) for seed in range(batches)]
        values = np.array([value for value, _ in found])
        weights, products = np.exp(values - values[0]), np.array([product for _, product in found])
        k, out = products.shape[1] - len(params), []
        for own in range(batches):
            rest = np.delete(np.arange(batches), own)
            pooled = np.tensordot(weights[rest], products[rest], axes=1)
            slopes = cho_solve((cholesky(pooled[:k, :k], lower=True), True), pooled[:k, k:])[1:]
            out.append(products[own, 0, k:] - products[own, 0, 1:k] @ slopes)
        return values, np.array(out)

    def maximum(
        self, near: np.ndarray, covariance: np.ndarray, contrast: np.ndarray, draws: int, batches: int
    ) -> Reference:
        """Estimates, log-likelihood, standard errors and a contrast at the maximum close to some parameters.

        Parameters
        ----------
        near : ndarray (P,)
            Parameters within a fraction of their standard errors of the maximum,
        covariance : ndarray (P, P)
            and their covariance, about.
        contrast : ndarray (P,)
        draws, batches : int
        """
        density = self.density(near)
        for _ in range(STEPS):
            near = near + covariance @ self.scores(near, draws, batches, *density)[1].mean(axis=0)
        values, scores = self.scores(near, draws, batches, *density)
        H = np.empty((batches, len(near), len(near)))
        for j, h in enumerate(STEP * np.sqrt(np.diag(covariance))):
            shift = h * np.eye(len(near))[j]
            ahead, behind = (self.scores(near + s * shift, draws, batches, *density)[1] for s in (1, -1))
            H[:, j] = (ahead - behind) / (2.0 * h)
        found = []
        for value, score, own in zip(values, scores, H, strict=True):
            information = -0.5 * (own + own.T)
            step = np.linalg.solve(information, score)
            bse = np.sqrt(np.diag(np.linalg.inv(information)))
            top = value + 0.5 * step @ score
            found.append(np.concatenate([near + step, [top], bse, [contrast @ (near + step)]]))
        batch = np.array(found)
        return Reference(batch.mean(axis=0), batch.std(axis=0, ddof=1) / np.sqrt(batches))
