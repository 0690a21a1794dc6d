r"""Null distributions of likelihood-ratio and score statistics whose alternative is a cone.

Where parameters leave the boundary of their range, the statistic is the squared length of a normal vector's
projection onto the tangent cone, a mixture of chi-square laws (Chernoff, 1954; Self and Liang, 1987, J. Am. Stat.
Assoc. 82(398); Stram and Lee, 1994, Biometrics 50(4)).  With J the information about the parameters of the cone, the
others projected out, and z ~ N(0, J^-1),

    T = chi2(free) + max over c in the cone of 2 c'J z - c'J c,

``free`` counting the parameters that may move in both directions.  Cones are products: the k x k positive
semidefinite matrices of each term that may be added, of which a variance alone is the half-line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from statsmodels_mcla.numerics import Array

DRAWS, GROUPS = 5000, 10  # of simulated weights, and how many parts show their error
EM_STEPS = 200
ITERATIONS = 300  # of the projection onto a cone
ZERO = 1e-8  # a statistic of no more is zero


@dataclass(frozen=True)
class ChiBarSquare:
    """Mixture of chi-square distributions.

    Attributes
    ----------
    df : int
    weights : tuple of float
        Of chi-square distributions with ``lowest``, ``lowest + 1``, ... degrees of freedom.
    lowest : int
    weight_cov : ndarray, optional
        Monte Carlo covariance of the weights, where they are simulated.
    """

    df: int
    weights: tuple[float, ...]
    lowest: int
    weight_cov: Array | None = None

    def _tails(self, statistic: float) -> Array:
        statistic = statistic if statistic > ZERO else 0.0
        dfs = self.lowest + np.arange(len(self.weights))
        positive = stats.chi2.sf(statistic, np.maximum(dfs, 1))
        return np.where(dfs == 0, float(statistic <= ZERO), positive)

    def sf(self, statistic: float) -> float:
        """P-value."""
        return float(np.array(self.weights) @ self._tails(statistic))

    def mcse(self, statistic: float) -> float:
        """Monte Carlo standard error of the p-value, for an exact statistic."""
        tails = self._tails(statistic)
        return (
            0.0
            if self.weight_cov is None
            else float(np.sqrt(max(float(tails @ self.weight_cov @ tails), 0.0)))
        )

    def slope(self, statistic: float) -> float:
        """Density: how much the p-value falls by unit of the statistic."""
        if statistic <= ZERO:
            return 0.0
        dfs = self.lowest + np.arange(len(self.weights))
        density = np.where(dfs == 0, 0.0, stats.chi2.pdf(statistic, np.maximum(dfs, 1)))
        return float(np.array(self.weights) @ density)

    def __str__(self) -> str:
        if len(self.weights) == 1:
            return f"chi2({self.lowest})"
        parts = [f"{w:.3g} chi2({self.lowest + k})" for k, w in enumerate(self.weights)]
        how = "" if self.weight_cov is None else ", weights simulated"
        return "chi-bar-square, " + " + ".join(parts) + how


def chi_bar_square(
    free: int, cones: tuple[int, ...], J: Array | None, replicates: Array, rng: np.random.Generator
) -> ChiBarSquare:
    """Null distribution for a number of free directions and a product of cones.

    Parameters
    ----------
    free : int
    cones : tuple of int
        Sizes k of the positive semidefinite matrices.
    J : ndarray (K, K), optional
        Information about their entries (lower triangles, one after another), everything else projected out.  A
        single variance has weights of one half whatever it is (Stram and Lee, 1994).
    replicates : ndarray (N, K, K)
        Delete-one values of J, for its Monte Carlo error.
    rng : numpy.random.Generator
        Of weights without a closed form.
    """
    size = sum(k * (k + 1) // 2 for k in cones)
    if not cones:
        return ChiBarSquare(free, (1.0,), free)
    if J is None:
        return ChiBarSquare(free + 1, (0.5, 0.5), free)
    if max(cones) == 1 and size <= len(_WEIGHTS):
        weights = _WEIGHTS[size - 1](J)
        cov = jackknife(np.array([_WEIGHTS[size - 1](one) for one in replicates]))
    else:
        normal = rng.standard_normal((DRAWS, size))
        weights = _simulated_weights(J, cones, normal)
        parts = [_simulated_weights(J, cones, part) for part in np.array_split(normal, GROUPS)]
        few = normal[: DRAWS // GROUPS]
        cov = np.cov(np.transpose(parts)) / GROUPS + jackknife(
            np.array([_simulated_weights(one, cones, few) for one in replicates])
        )
    return ChiBarSquare(free + size, tuple(float(w) for w in weights), free, cov)


def jackknife(values: Array) -> Array:
    """Covariance of statistics from their delete-one values (N, k), or variance of one from its own (N,)."""
    centred = values - values.mean(axis=0)
    return np.asarray((len(values) - 1.0) / len(values) * centred.T @ centred)


def _simulated_weights(J: Array, cones: tuple[int, ...], normal: Array) -> Array:
    """Weights of chi-square laws of 0, 1, ..., K degrees of freedom in the law of squared projections.

    The law is such a mixture for every closed convex cone (the weights are its conic intrinsic volumes), and weights
    of even and of odd degrees add up to one half each: maximum likelihood by the EM algorithm.
    """
    z = np.linalg.solve(np.linalg.cholesky(J).T, normal.T).T
    c = project(z, J, cones)
    lengths = 2.0 * np.einsum("nk,kl,nl->n", c, J, z) - np.einsum("nk,kl,nl->n", c, J, c)
    K = len(J)
    degrees = np.arange(K + 1)
    inside = lengths > ZERO
    density = stats.chi2.pdf(lengths[inside][:, None], degrees[1:])
    weights = np.full(K + 1, 1.0 / (K + 1))
    weights[0] = 1.0 - inside.mean()
    for _ in range(EM_STEPS):
        share = density * weights[1:]
        weights[1:] = (share / share.sum(axis=1, keepdims=True)).sum(axis=0) / len(lengths)
        for parity in (0, 1):
            moving = (degrees % 2 == parity) & (degrees > 0)
            total = 0.5 - (weights[0] if parity == 0 else 0.0)
            weights[moving] *= max(total, 0.0) / max(float(weights[moving].sum()), 1e-300)
    return weights


def _one(J: Array) -> Array:
    del J
    return np.array([0.5, 0.5])


def _two(J: Array) -> Array:
    both = 0.25 + np.arcsin(_correlations(np.linalg.inv(J))[0]) / (2.0 * np.pi)
    return np.array([0.5 - both, 0.5, both])


def _three(J: Array) -> Array:
    """Weights of three variances; those of even and of odd degrees add up to one half each."""
    top = 0.125 + np.arcsin(_correlations(np.linalg.inv(J))).sum() / (4.0 * np.pi)
    bottom = 0.125 + np.arcsin(_correlations(J)).sum() / (4.0 * np.pi)
    return np.array([bottom, 0.5 - top, 0.5 - bottom, top])


_WEIGHTS = (_one, _two, _three)  # of one, two and three independent variances


def _correlations(cov: Array) -> Array:
    size = np.sqrt(np.diag(cov))
    return np.clip((cov / np.outer(size, size))[np.tril_indices(len(cov), -1)], -1.0, 1.0)


def project(z: Array, J: Array, cones: tuple[int, ...]) -> Array:
    """Nearest points of the cone, in the metric J, to vectors z (N, K): accelerated projected gradients."""
    size = np.sqrt(np.diag(J))
    # a congruence by a diagonal matrix maps the cone onto itself and makes the problem well scaled
    scale = np.concatenate([_congruence(k, s) for k, s in _split(cones, 1.0 / size)])
    M = J * np.outer(scale, scale)
    target = z / scale
    step = 1.0 / np.linalg.eigvalsh(M)[-1]
    c = _onto_cone(target, cones)
    ahead, t = c, 1.0
    for _ in range(ITERATIONS):
        new = _onto_cone(ahead - step * (ahead - target) @ M, cones)
        momentum = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        ahead = new + (t - 1.0) / momentum * (new - c)
        if np.abs(new - c).max() < 1e-7 * max(1.0, float(np.abs(new).max())):
            c = new
            break
        c, t = new, momentum
    return np.asarray(c * scale)


def _split(cones: tuple[int, ...], values: Array) -> list[tuple[int, Array]]:
    ends = np.cumsum([k * (k + 1) // 2 for k in cones])[:-1]
    return list(zip(cones, np.split(values, ends, axis=-1), strict=True))


def _congruence(k: int, sizes: Array) -> Array:
    """Scale of each entry under D C D, with D from the sizes of the diagonal entries.

    Off-diagonal entries are also taken times sqrt(2), so that the Euclidean distance is that of matrices.
    """
    rows, cols = np.tril_indices(k)
    root = np.sqrt(sizes[rows == cols])
    return np.asarray(root[rows] * root[cols] / np.where(rows == cols, 1.0, np.sqrt(2.0)))


def _onto_cone(values: Array, cones: tuple[int, ...]) -> Array:
    """Euclidean projection of entries scaled as `_congruence` does."""
    out = []
    for k, part in _split(cones, values):
        if k == 1:
            out.append(np.maximum(part, 0.0))
            continue
        rows, cols = np.tril_indices(k)
        twice = np.where(rows == cols, 1.0, np.sqrt(2.0))
        C = np.zeros((len(part), k, k))
        C[:, rows, cols] = C[:, cols, rows] = part / twice
        roots, vectors = np.linalg.eigh(C)
        C = (vectors * np.maximum(roots, 0.0)[:, None]) @ np.swapaxes(vectors, 1, 2)
        out.append(C[:, rows, cols] * twice)
    return np.concatenate(out, axis=1)
