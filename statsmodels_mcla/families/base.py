"""What every conditional family promises: the contract between a density and the likelihood.

A family is the conditional law of one response given its linear predictor. Everything that the likelihood needs from
it is here: log density and derivatives in ``eta``, derivatives in the dispersion, the data-only constant, and the facts
(mean, variance, sampling, distribution function) that residuals and predictions use.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.directions import Directions, directions_of
from statsmodels_mcla.families.distribution import AsPredictors, Distribution
from statsmodels_mcla.families.parameter_scale import POSITIVE, ParameterScale
from statsmodels_mcla.families.response_checks import integer_response, numeric_response, refuse
from statsmodels_mcla.families.row_terms import (
    BlockTerms,
    DispersionTerms,
    Response,
    RowData,
    RowTerms,
    Workspace,
    of_one_parameter,
)
from statsmodels_mcla.numerics import Array, Number


class ConditionalFamily(Distribution):
    """Conditional law of the response given the linear predictor ``eta``.

    Subclasses are frozen and hold no data. In every method that takes them, ``y``, ``w`` and ``v`` have shape
    (..., n, 1) and ``eta`` has shape (..., n, m): n rows, m draws. ``w`` is positive. ``phi`` is the dispersion, and is
    ignored by families that have none; where a family has several `parameters`, it is their vector psi.

    Attributes
    ----------
    name : str
        Name of the statsmodels family.
    dispersion : str or None
        Name of the dispersion parameter ("scale", "alpha"), None if the family has none, or several parameters.
    mergeable : bool
        Whether rows with equal ``eta`` can be merged by adding their ``y`` and ``w``.
    intercept : bool
        Whether the linear predictor may have an intercept: not if the parameters of the family take its place.
    categorical : bool
        Whether the response is a category, which has a name.
    discrete : bool
        Whether the response is a count, so that residuals need a randomised distribution function.
    quadratic : bool
        Whether the log density is quadratic in ``eta``, so that random effects given data are normal.
    exponential : bool
        Whether eta is that of an exponential family given phi: its information is (dmu/deta)^2 / variance.
    canonical : bool
        Whether the log density is ``y eta - w c(eta)`` with a cumulant function c: see `cumulants`.
    slope_shift : float
        See `cumulants`.
    """

    name: ClassVar[str]
    dispersion: ClassVar[str | None] = None
    mergeable: ClassVar[bool] = False
    intercept: ClassVar[bool] = True
    categorical: ClassVar[bool] = False
    discrete: ClassVar[bool] = False
    quadratic: ClassVar[bool] = False
    exponential: ClassVar[bool] = True
    canonical: ClassVar[bool] = False
    slope_shift: ClassVar[float] = 0.0

    @property
    def log_concave(self) -> bool:
        """Whether the log density is known to be concave in ``eta``."""
        return self.quadratic

    @property
    def multimodal(self) -> bool:
        """Whether effects given the data may well have several modes, as where two processes make the responses."""
        return not self.log_concave

    @property
    def predictors(self) -> tuple[str, ...]:
        """Names of the K linear predictors: "" that of the mean, "zi" of the zero part, "disp" of the dispersion."""
        return ("",)

    @property
    def directions(self) -> Directions:
        """Rows of the design that a row of the data becomes: one for one predictor."""
        return directions_of(len(self.predictors))

    def ways(self, endog: Array) -> Array:
        """Return the part of each linear predictor in each direction of rows with these responses, (n, D, K)."""
        return np.broadcast_to(self.directions.matrix, (len(endog), *self.directions.matrix.shape))

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the m parameters psi: the dispersion, if there is one."""
        return () if self.dispersion is None else (self.dispersion,)

    @property
    def parameter_scale(self) -> ParameterScale:
        """Free coordinates of the parameters."""
        return ParameterScale((POSITIVE,) * len(self.parameters))

    @property
    def intercept_in_parameters(self) -> Array:
        """Change (m,) of the parameters that is one of an intercept: along the first free coordinate, if at all."""
        m = len(self.parameters)
        return np.zeros(m) if self.intercept or not m else self.parameter_scale.jacobian(np.zeros(m))[:, 0]

    # -- the log density ---------------------------------------------------------------------

    @abstractmethod
    def rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> RowTerms:
        """Return the log density of each row and its first two derivatives in ``eta``.

        Parameters
        ----------
        y, w, v : ndarray
            Data numbers of the rows as `row_data` gives them, shape (..., n, 1).
        eta : ndarray
            Linear predictor, shape (..., n, m), finite.
        phi : float, optional
            Dispersion, on its natural scale.

        Returns
        -------
        RowTerms
            Arrays of the shape of ``eta``. The derivatives are exact (observed, not expected).
        """

    def blocks(
        self,
        y: Array,
        w: Array,
        v: Number,
        eta: Array,
        phi: Any = 1.0,
        work: Workspace | None = None,
    ) -> BlockTerms:
        """Return `rows` with the log density summed over axis -2: the kernel of the likelihood.

        Parameters
        ----------
        y, w, v, eta, phi
            As in `rows`; the data numbers must not vary over draws.
        work : Workspace, optional
            Scratch of the calling thread.

        Returns
        -------
        BlockTerms
            ``loglik`` of shape (..., m), ``d1`` and ``d2`` of shape (..., n, m). A draw whose block
            is beyond floating point (below -1e200) has loglik -inf and zero derivatives, so that
            weight zero times derivative is zero.
        """
        if self.canonical:
            bends = eta.copy()
            with np.errstate(over="ignore"):
                total = self.cumulants(w, bends, Workspace() if work is None else work)
            if np.all(np.isfinite(total)):
                d1 = np.multiply(bends, w)
                np.subtract(y - w * self.slope_shift, d1, out=d1)
                self.bends(bends)
                bends *= w
                return BlockTerms((np.swapaxes(y, -1, -2) @ eta)[..., 0, :] - total, d1, bends)
        return self.rows(y, w, v, eta, phi).summed()

    def cumulants(self, w: Array, eta: Array, work: Workspace) -> Array:
        """Sum ``w c(eta)`` over axis -2, and overwrite ``eta`` with ``c'(eta) - slope_shift``.

        For canonical families: the kernel of the likelihood in one array.  What is linear in ``eta`` is linear
        in the random effects, and the likelihood adds it once a draw, not once a row and draw.  Sums that are
        not finite may have overflowed; `rows` says what they are.

        Raises
        ------
        TypeError
            If the family is not `canonical`.
        """
        raise TypeError(f"{self.name} with link {self.link} is not canonical")

    def bends(self, slopes: Array) -> None:
        """Turn what `cumulants` left into ``-c''(eta)``, in place.

        Raises
        ------
        TypeError
            If the family is not `canonical`.
        """
        raise TypeError(f"{self.name} with link {self.link} is not canonical")

    def curvature(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        """Return the second derivative of `rows` alone."""
        return self.rows(y, w, v, eta, phi).d2

    def third(self, y: Array, w: Array, v: Number, eta: Array, phi: Any = 1.0) -> Array:
        """Return the third derivative of the log density in ``eta``.

        The default differentiates the exact second derivative numerically (five-point rule,
        error of order step^4); families override it with the closed form where that is easy.  Arguments as in `rows`.
        """
        step = 1e-3 * np.maximum(1.0, np.abs(eta))
        near = self.curvature(y, w, v, eta + step, phi) - self.curvature(y, w, v, eta - step, phi)
        far = self.curvature(y, w, v, eta + 2 * step, phi) - self.curvature(y, w, v, eta - 2 * step, phi)
        return np.asarray((8 * near - far) / (12 * step))

    def dispersion_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        """Return the derivatives of the log density that involve the dispersion.

        Parameters
        ----------
        y, w, v, eta, phi
            As in `rows`.

        Returns
        -------
        DispersionTerms
            Arrays of the shape of ``eta``, zero in rows beyond floating point (see `blocks`).

        Raises
        ------
        TypeError
            If the family has no dispersion.
        """
        raise TypeError(f"{self.name} with link {self.link} has no dispersion parameter")

    def d2_dispersion(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        """Return d3 logf/(deta2 dphi), of the arguments, shape and refusal of `dispersion_rows`."""
        raise TypeError(f"{self.name} with link {self.link} has no dispersion parameter")

    def parameter_rows(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> DispersionTerms:
        """Return the derivatives of the log density that involve the m parameters.

        Parameters
        ----------
        y, w, v, eta, phi
            As in `rows`.

        Returns
        -------
        DispersionTerms
            Arrays (m, ...), (m, m, ...) and (m, ...), with the shape of ``eta`` in place of the dots.
        """
        return of_one_parameter(*self.dispersion_rows(y, w, v, eta, phi))

    def complete_rows(
        self, y: Array, w: Array, v: Number, eta: Array, phi: Any
    ) -> tuple[RowTerms, DispersionTerms]:
        """Return `rows` and `parameter_rows`: families override it where what both need is their work."""
        return self.rows(y, w, v, eta, phi), self.parameter_rows(y, w, v, eta, phi)

    def d2_parameters(self, y: Array, w: Array, v: Number, eta: Array, phi: Any) -> Array:
        """Return d3 logf/(deta2 dpsi), (m, ...): see `parameter_rows`."""
        return self.d2_dispersion(y, w, v, eta, phi)[None]

    def specialise(self, y: Array, w: Array) -> ConditionalFamily:
        """Return the family with the fastest kernel that is exact for these rows.

        Decided once per data set. The answer gives the same numbers as ``self`` up to round-off, but only for data
        numbers like those shown (0/1 responses with weight one, for instance); ``self`` where nothing is faster.
        """
        return self

    def limit(self, y: Array, w: Array, v: Array) -> tuple[ConditionalFamily, RowData] | None:
        """Return the family that this one becomes as its dispersion goes to zero, and its data numbers, or None."""
        return None

    def at_boundary(self) -> tuple[ConditionalFamily, ...]:
        """Return the families that this one becomes where one parameter is at the end of its range."""
        found = self.limit(np.ones(1), np.ones(1), np.ones(1))
        return () if found is None else (found[0],)

    def has_at_boundary(self, other: ConditionalFamily) -> bool:
        """Whether another family is among those `at_boundary`, whatever its starting values."""
        return any(f.is_like(other) for f in self.at_boundary())

    def of_first_predictor(self) -> ConditionalFamily | None:
        """Return the family of responses that only the first linear predictor is for, or None if there are none."""
        return self if len(self.predictors) == 1 else None

    def parameters_of(self, other: ConditionalFamily) -> AsPredictors | None:
        """Return which parameters of another family have a predictor here, where it is this one but for that."""
        del other
        return None

    def is_like(self, other: ConditionalFamily) -> bool:
        """Whether another family is this one, whatever its starting values."""
        return (self.name, self.link, self.predictors) == (other.name, other.link, other.predictors)

    def start_mean(self, y: Array, w: Array, v: Number = 1.0) -> Array:
        """Return a mean for each row to start from, halfway between its own and the average response."""
        own = y / w if self.mergeable else y
        return np.asarray(0.5 * (own + np.average(own, weights=w)))

    def start_predictors(self, y: Array, w: Array, v: Number) -> tuple[Array, ...]:
        """Return linear predictors of the rows to start from, each tried if those before it have no density."""
        mu = self.start_mean(y, w, v)
        # links with a range may not reach every row's own mean, but all of one mean
        return self.link_function.eta(mu), self.link_function.eta(np.full_like(mu, mu.mean()))

    def start_parameters(self, y: Array, w: Array, v: Number, eta: Array) -> Any:
        """Return a starting value of the dispersion, or of the parameters, at linear predictors of the rows."""
        return self.start_phi(y, self.mean(eta), freq_weights=w, var_weights=v)

    def open_direction(self, y: Array, w: Array) -> Array | None:
        """Return the sign in which ``eta`` of each row can grow for ever without a loss of density.

        Zero where it cannot; None if that is so for every response. Found in all rows together, such a
        direction is a separation.
        """
        del y, w
        return None

    def blank_row(self) -> tuple[float, float, float]:
        """Return (y, w, offset) of a row that adds nothing to the log density , whose ``eta`` is the offset.

        Blocks of unequal length are filled up with such rows.
        """
        return (0.0, 0.0, 1.0) if self.mergeable else (1.0, 0.0, 1.0)

    # -- data --------------------------------------------------------------------------------

    def of_response(self, endog: Any) -> ConditionalFamily:
        """Return the family for responses like these: with their categories, if it has any."""
        del endog
        return self

    def row_data(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> RowData:
        """Return the data numbers (y, w, v) that the kernels take.

        Here ``w`` is the weight of the row's log density. Where the variance weights are a
        multiplier of the log density (no scale parameter to divide, as in statsmodels), they are
        folded into ``w`` and ``v`` is one.

        Parameters
        ----------
        endog : ndarray
            Response, (n,).
        n_trials : ndarray or float
            Numbers of trials; one for all families but the binomial.
        freq_weights, var_weights : ndarray or float
            Weights: weight 2 is that row twice; dispersion divided by the variance weight.

        Returns
        -------
        RowData
            Three (n,) arrays.
        """
        w = np.asarray(freq_weights, dtype=float)
        v = np.asarray(var_weights, dtype=float)
        shape = endog.shape
        if "scale" not in self.parameters:
            w, v = w * v, np.ones(())
        return RowData(
            endog.astype(float), np.broadcast_to(w, shape).copy(), np.broadcast_to(v, shape).copy()
        )

    @abstractmethod
    def constant(self, endog: Array, n_trials: Number, freq_weights: Number, var_weights: Number) -> float:
        """Return the terms of the log-likelihood that depend on the data alone.

        Added to the summed `rows`, they make the log density complete (log C(n, y), -log y!, ...),
        so that log-likelihoods compare with those of other software.

        Parameters
        ----------
        endog, n_trials, freq_weights, var_weights
            As in `row_data`.

        Returns
        -------
        float
            Sum over the rows, weights applied.
        """

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        """Return the response as float arrays after checking that the family can give it.

        Parameters
        ----------
        endog : array_like
            Response as the user gave it; binomial: 0/1, bool, or two columns (successes,
            failures).
        n_trials : array_like, optional
            Numbers of trials of a one-column binomial response; other families refuse it.

        Returns
        -------
        Response
            Value (successes) and number of trials (ones outside the binomial family).

        Raises
        ------
        ValueError
            If a value is outside the family; names ``endog``, the family, the value and the row.
        """
        if n_trials is not None:
            raise ValueError(f"n_trials is for the Binomial family only; got family {self.name}")
        y = integer_response(endog, self.name) if self.discrete else numeric_response(endog, self.name)
        if y.ndim != 1:
            raise ValueError(f"endog must have one column for family {self.name}; got shape {y.shape}")
        self._check_support(y)
        return Response(y, np.ones(y.shape))

    def _check_support(self, y: Array) -> None:
        """Refuse values outside the support of the family (after the type checks)."""
        if self.discrete:
            refuse(y < 0, y, self.name, "non-negative integers")

    def start_phi(
        self,
        endog: Array,
        mu: Array,
        n_trials: Number = 1.0,
        freq_weights: Number = 1.0,
        var_weights: Number = 1.0,
    ) -> float:
        """Return a starting value for the dispersion: Pearson's moment estimator of a scale.

        Parameters
        ----------
        endog, mu : ndarray
            Response and its starting mean, (n,).
        n_trials, freq_weights, var_weights
            As in `row_data`.

        Returns
        -------
        float
            Positive; 1.0 for a family without dispersion.
        """
        if self.dispersion is None:
            return 1.0
        weight = np.broadcast_to(np.asarray(freq_weights, dtype=float), endog.shape)
        pearson = weight * var_weights * (endog - mu) ** 2 / self.variance(mu, 1.0)
        estimate = float(pearson.sum() / weight.sum())
        return estimate if np.isfinite(estimate) and estimate > 0 else 1.0

    def read_response(self, endog: Any, var_weights: Array) -> tuple[Response, Array]:
        """Return the response of `check_response` and variance weights, where these may be numbers of trials.

        Parameters
        ----------
        endog, var_weights : array_like, ndarray (n,)
            Response as the user gave it; binomial: proportions too, with numbers of trials as ``var_weights``.
        """
        return self.check_response(endog), var_weights
