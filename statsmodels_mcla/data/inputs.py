"""Arrays from users: checked, aligned, and with incomplete rows dropped from all of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from statsmodels_mcla.data.array_checks import (
    check_aligned,
    check_full_rank,
    check_full_rank_beside_constant,
    column_names,
    complete_rows,
    finite_matrix,
    refuse_saturated,
    response_values,
    row_vector,
    terms_of_arrays,
    weight_vector,
)
from statsmodels_mcla.data.exact_fit import refuse_exact_fit
from statsmodels_mcla.data.unidentified import (
    refuse_uncounted,
    refuse_unidentified_covariance,
    refuse_unidentified_terms,
    seen_by_levels,
    seen_together,
    warn_of_row_effects,
)
from statsmodels_mcla.design import MixedDesign, RandomTerm, merge_identical_rows
from statsmodels_mcla.families import ConditionalFamily, ResponseError, RowData
from statsmodels_mcla.numerics import Array, thrifty


@dataclass(frozen=True)
class ModelInputs:
    """Complete rows of a model.

    Attributes
    ----------
    endog : Series (n,)
        Response; binomial: successes.
    n_trials : ndarray (n,)
        Trials of a binomial response, ones otherwise.
    exog : DataFrame (n, p)
    terms : tuple of RandomTerm
    offset, freq_weights, var_weights : ndarray (n,)
    of_column : ndarray of int (p,), optional
        Number of the linear predictor that each column of ``exog`` is part of; all of the first by default.
    as_shares : bool
        Whether successes were given as shares of the trials.
    """

    endog: pd.Series
    n_trials: Array
    exog: pd.DataFrame
    terms: tuple[RandomTerm, ...]
    offset: Array
    freq_weights: Array
    var_weights: Array
    of_column: np.ndarray | None = None
    as_shares: bool = False

    @property
    def predictor_of_column(self) -> np.ndarray:
        """Number of the linear predictor of each fixed effect (p,)."""
        return np.zeros(self.exog.shape[1], int) if self.of_column is None else self.of_column

    @property
    def predictor_of_effect(self) -> np.ndarray:
        """Number of the linear predictor of each random effect (Q,)."""
        return np.concatenate([np.tile(t.predictors, t.n_levels) for t in self.terms])

    @property
    def used(self) -> np.ndarray:
        """Rows of positive weight, and with trials, which the likelihood counts, (n,) bool."""
        return np.asarray(self.freq_weights * self.var_weights * self.n_trials > 0)

    @property
    def Z(self) -> sp.csr_array:  # noqa: N802 - the symbol of the literature
        """Random-effects design of all rows, (n, Q), the terms side by side."""
        return sp.csr_array(sp.hstack([t.Z for t in self.terms], format="csr"))

    def design(self, family: ConditionalFamily) -> MixedDesign:
        """Rows of positive weight as the likelihood takes them, identical ones merged."""
        return merge_identical_rows(self.unmerged(family))

    def unmerged(self, family: ConditionalFamily) -> MixedDesign:
        """Rows of positive weight as the likelihood takes them."""
        used = self.used
        pick = slice(None) if used.all() else np.flatnonzero(used)
        data = self.row_data(family, pick)
        terms = self.terms if used.all() else tuple(replace(t, Z=t.Z[pick]) for t in self.terms)
        data = RowData(*(np.repeat(part, len(family.directions)) for part in data))
        terms = in_directions(terms, self.ways(family, pick))
        X, offset = self.fixed_rows(family, pick)
        data, offset = RowData(*map(thrifty, data)), thrifty(offset)
        return MixedDesign(*data, offset, X, terms, family, self.constant(family, pick))

    def fixed_rows(self, family: ConditionalFamily, rows: Any) -> tuple[Array, Array]:
        """Fixed-effects design and offset of some rows, a row a direction of the family's predictors."""
        X, offset = np.ascontiguousarray(self.exog.to_numpy()[rows]), self.offset[rows]
        if len(family.directions) == 1:
            return X, offset
        ways = self.ways(family, rows)
        spread = X[:, None] * ways[:, :, self.predictor_of_column]
        return spread.reshape(-1, X.shape[1]), (offset[:, None] * ways[:, :, 0]).ravel()

    def ways(self, family: ConditionalFamily, rows: Any) -> Array:
        """Part of each linear predictor in each direction of some rows, (n, D, K)."""
        return family.ways(self.endog.to_numpy()[rows])

    def linear_predictors(self, family: ConditionalFamily, beta: Array, effects: Array) -> Array:
        """Linear predictors (n, m) of draws of random effects (Q, m); (K, n, m) where the family has several."""
        X, Z = self.exog.to_numpy(), self.Z
        if len(family.predictors) == 1:
            return (X @ beta + self.offset)[:, None] + Z @ effects
        out = []
        for k in range(len(family.predictors)):
            own = self.predictor_of_effect == k
            fixed = X @ np.where(self.predictor_of_column == k, beta, 0.0) + (self.offset if k == 0 else 0.0)
            out.append(fixed[:, None] + Z @ (own[:, None] * effects))
        return np.stack(out)

    def row_data(self, family: ConditionalFamily, rows: Any) -> RowData:
        """Data numbers of some rows as the family's kernels take them."""
        return family.row_data(*self._numbers(rows))

    def constant(self, family: ConditionalFamily, rows: Any) -> float:
        """Sum over some rows of what depends on the data alone."""
        return family.constant(*self._numbers(rows))

    def _numbers(self, rows: Any) -> tuple[Array, Array, Array, Array]:
        y = self.endog.to_numpy()[rows]
        return y, self.n_trials[rows], self.freq_weights[rows], self.var_weights[rows]

    def given(self, y: Any) -> Any:
        """Responses (n,) or (n, m) in the form of the data: successes as shares of the trials, if theirs are."""
        return (y.T / np.maximum(self.n_trials, 1.0)).T if self.as_shares else y

    def counted(self, endog: Any) -> Any:
        """Responses for `with_response` of such as the data have: undoes `given`."""
        shares = self.as_shares and np.shape(endog) == self.n_trials.shape
        return endog * self.n_trials if shares else endog

    def with_response(self, endog: Any, family: ConditionalFamily) -> ModelInputs:
        """Other responses of the same rows.

        Parameters
        ----------
        endog : array_like (n,) or (n, 2)
            Binomial: successes out of the trials at hand, or successes and failures.
        family : ConditionalFamily
        """
        if np.shape(endog)[:1] != (len(self.endog),):
            raise ValueError(
                f"endog must have one response for each of the {len(self.endog)} rows of the model, got shape "
                f"{np.shape(endog)}"
            )
        index = getattr(endog, "index", None)
        if isinstance(index, pd.Index) and not index.equals(self.endog.index):
            raise ValueError(
                "endog has another index than the rows of the model: align it, or pass endog.to_numpy()"
            )
        values = response_values(endog, family)
        counts = np.any(self.n_trials != 1.0) and values.ndim == 1
        response = family.check_response(values, self.n_trials if counts else None)
        new = pd.Series(response.endog, index=self.endog.index, name=self.endog.name)
        as_shares = self.as_shares and values.ndim == 1
        return replace(self, endog=new, n_trials=response.n_trials, as_shares=as_shares)

    def with_columns(self, columns: Sequence[str]) -> ModelInputs:
        """Rows with some of the columns of the fixed effects, all of one linear predictor."""
        if len(columns) == self.exog.shape[1]:
            return self
        return replace(self, exog=self.exog[list(columns)])

    def of_unit_weight(self) -> tuple[ModelInputs, np.ndarray]:
        """As many rows as the frequency weights add up to, and which of these rows each is.

        Raises
        ------
        ValueError
            If a frequency weight is not a whole number.
        """
        weights = self.freq_weights
        if np.any(weights != np.floor(weights)):
            raise ValueError(
                "freq_weights must be whole numbers for responses to be simulated row by row: a row of weight 2 "
                "stands for two rows"
            )
        rows = np.repeat(np.arange(len(weights)), weights.astype(int))
        return (self if np.all(weights == 1.0) else self.take(rows)), rows

    def take(self, rows: np.ndarray) -> ModelInputs:
        """Inputs with one row for each of ``rows``, of frequency weight one."""
        return ModelInputs(
            self.endog.iloc[rows],
            self.n_trials[rows],
            self.exog.iloc[rows],
            tuple(replace(t, Z=t.Z[rows]) for t in self.terms),
            self.offset[rows],
            np.ones(len(rows)),
            self.var_weights[rows],
            self.of_column,
            self.as_shares,
        )


def in_directions(terms: Sequence[RandomTerm], ways: Array) -> tuple[RandomTerm, ...]:
    """Random effects of rows, a row a direction of the family's predictors: see `ModelInputs.ways`."""
    if ways.shape[1] == 1:
        return tuple(terms)
    flat, out = ways.reshape(-1, ways.shape[2]), []
    for t in terms:
        whole = sp.coo_array(sp.kron(t.Z, np.ones((ways.shape[1], 1))))
        row, column = whole.coords
        data = whole.data * flat[row, np.array(t.predictors)[column % t.dim]]
        Z = sp.csr_array((data, (row, column)), shape=whole.shape)
        Z.eliminate_zeros()
        out.append(replace(t, Z=Z))
    return tuple(out)


def effect_rows(inputs: ModelInputs, family: ConditionalFamily) -> tuple[Array, tuple[RandomTerm, ...]]:
    """Fixed-effects design and random terms of all rows, a row a direction of the family's predictors."""
    every = slice(None)
    return inputs.fixed_rows(family, every)[0], in_directions(inputs.terms, inputs.ways(family, every))


def refuse_removed(model: Any) -> None:
    """Refuse a model whose data were removed."""
    if model.design is None:
        raise ValueError("the data of this fit were removed (remove_data): fit the model again for this")


def inputs_of(model: Any) -> ModelInputs:
    """Inputs of a model, unless its data were removed."""
    inputs: ModelInputs | None = model.inputs
    if inputs is None:
        raise ValueError("the data of this fit were removed (remove_data): fit the model again for this")
    return inputs


def read_rows(
    endog: Any,
    exog: Any,
    exog_vc: Any,
    ident: Any,
    family: ConditionalFamily,
    *,
    fep_names: Sequence[str] | None,
    vcp_names: Sequence[str] | None,
    vc_names: Sequence[str] | None,
    offset: Any,
    exposure: Any,
    freq_weights: Any,
    var_weights: Any,
    random_terms: Sequence[RandomTerm] | None,
    missing: str,
    of_column: Any = None,
) -> ModelInputs:
    """Check what can be said of some of the rows of a model; arguments are those of `MCLAMixedGLM`.

    Raises
    ------
    ValueError
        If an argument does not fit; the message names it.
    """
    n = len(endog)
    if n == 0:
        raise ValueError("endog is empty: there is nothing to fit")
    check_aligned(
        endog,
        exog=exog,
        exog_vc=exog_vc,
        offset=offset,
        exposure=exposure,
        freq_weights=freq_weights,
        var_weights=var_weights,
    )
    X = finite_matrix(exog, "exog")
    if len(X) != n:
        raise ValueError(f"exog has {len(X)} rows, but endog has {n}")
    if random_terms is None:
        random_terms = terms_of_arrays(exog_vc, ident, vcp_names, vc_names, n)
    terms = tuple(random_terms)
    given = {"offset": offset, "exposure": exposure, "freq_weights": freq_weights, "var_weights": var_weights}
    rows = {name: None if value is None else row_vector(value, n, name) for name, value in given.items()}
    Zs = {f"exog_vc ({t.name})": t.Z for t in terms}
    keep = complete_rows({"endog": endog, "exog": X, **Zs, **rows}, n, missing)
    kept = endog
    if not keep.all():
        kept = endog.loc[keep] if isinstance(endog, (pd.Series, pd.DataFrame)) else np.asarray(endog)[keep]
        X = X[keep]
        terms = tuple(t.with_design(t.columns, t.Z[np.flatnonzero(keep)]) for t in terms)
        rows = {name: None if value is None else value[keep] for name, value in rows.items()}
    labelled = isinstance(kept, (pd.Series, pd.DataFrame))
    among = kept.index if labelled else np.flatnonzero(keep)
    weights = {
        name: weight_vector(rows[name], len(X), name, among) for name in ("freq_weights", "var_weights")
    }
    try:
        response, var_weights = family.read_response(response_values(kept, family), weights["var_weights"])
    except ResponseError as error:
        raise error.among(among) from None

    columns = column_names(exog, fep_names, X.shape[1])
    name = kept.name if isinstance(kept, pd.Series) else None
    if isinstance(kept, pd.DataFrame):
        name = ", ".join(map(str, kept.columns))
    index = kept.index if labelled else None
    return ModelInputs(
        pd.Series(response.endog, index=index, name="y" if name is None else str(name)),
        response.n_trials,
        pd.DataFrame(X, index=index, columns=columns, copy=False),  # X is nobody else's
        terms,
        total_offset(rows["offset"], rows["exposure"], len(X), family),
        weights["freq_weights"],
        var_weights,
        None if of_column is None else np.asarray(of_column, int),
        var_weights is not weights["var_weights"],  # which were numbers of trials
    )


def check_whole(inputs: ModelInputs, family: ConditionalFamily) -> None:
    """Check what can be said of all rows of a model together.

    Raises
    ------
    ValueError
        If effects cannot be told apart, or reproduce the response.
    """
    n = len(inputs.endog)
    full = [(t.name, len(t.levels)) for t in inputs.terms if _is_one_each(t, n)]
    refuse_residual_effects(full, n, family)
    ends = family.open_direction(inputs.endog.to_numpy()[inputs.used], inputs.n_trials[inputs.used])
    if ends is not None and set(np.unique(ends)) == {-1.0, 1.0}:  # each the one or the other
        warn_of_row_effects([name for name, levels in full if levels >= n])
    _check_predictors(inputs, family)
    X, columns = inputs.exog.to_numpy(), list(inputs.exog.columns)
    _refuse_offset(inputs, family)
    for k, predictor in enumerate(family.predictors):
        own = inputs.predictor_of_column == k
        named = [c for c, mine in zip(columns, own, strict=True) if mine]
        refuse_saturated(int(inputs.used.sum()), named, predictor)
        if family.intercept or k > 0:
            check_full_rank(X[inputs.used][:, own], named)
        else:
            check_full_rank_beside_constant(X[inputs.used][:, own], named, family.name)
            _refuse_twice(inputs, X[inputs.used])
    used = np.flatnonzero(inputs.used)
    counted = inputs.terms if len(used) == n else [replace(t, Z=t.Z[used]) for t in inputs.terms]
    for term in counted:
        refuse_uncounted(term.name, term.columns, len(used))
        refuse_unidentified_covariance(term.name, term.columns, seen_by_levels(term))
    refuse_unidentified_terms(counted, seen_together(counted))
    own = [t.of_predictor(0) for t in counted if 0 in t.predictors]
    of_mean = X[used][:, inputs.predictor_of_column == 0]
    D = (
        X[used][:, inputs.predictor_of_column == family.predictors.index("disp")]
        if "disp" in family.predictors
        else None
    )
    refuse_exact_fit(inputs.endog.to_numpy()[used], of_mean, own, inputs.offset[used], family, D)


def _check_predictors(inputs: ModelInputs, family: ConditionalFamily) -> None:
    """Refuse columns of linear predictors that the family has not."""
    count = len(family.predictors)
    known = inputs.predictor_of_column
    needed = set(
        range(0 if family.intercept else 1, count)
    )  # a location beside thresholds may have no column
    alike = known.shape == (inputs.exog.shape[1],) and needed <= set(known.tolist()) <= set(range(count))
    if not alike and (count > 1 or inputs.of_column is not None):
        raise ValueError(
            f"of_column must say for each of the {inputs.exog.shape[1]} columns of exog which of the {count} linear "
            f"predictors of family {family.name} it is part of (0 to {count - 1}), and leave none without a column; "
            f"got {known.tolist()}"
        )


def _refuse_twice(inputs: ModelInputs, X: Array) -> None:
    """Refuse effects of a location beside thresholds that all thresholds have too."""
    both = np.flatnonzero(inputs.predictor_of_column <= 1)
    if len(both) > len(np.flatnonzero(inputs.predictor_of_column == 0)):
        try:
            check_full_rank(X[:, both], list(inputs.exog.columns[both]))
        except ValueError as error:
            raise ValueError(
                f"nominal: what thresholds depend on cannot stand in the formula of the location too, where it is the "
                f"same for all of them; leave it out of the formula ({error})"
            ) from error


def _refuse_offset(inputs: ModelInputs, family: ConditionalFamily) -> None:
    """Refuse an offset where every linear predictor is that of a category."""
    if "" not in family.predictors and inputs.offset.any():
        raise ValueError(
            f"offset is not known for family {family.name}, whose linear predictors are the log odds of categories: it "
            "would be of one of them only; leave it out"
        )


def _is_one_each(term: RandomTerm, n: int) -> bool:
    """Whether each row has one effect, with the same factor."""
    return term.Z.nnz == n and bool(np.all(term.Z.data == term.Z.data[0]))


def refuse_residual_effects(terms: Sequence[tuple[str, int]], n: int, family: ConditionalFamily) -> None:
    """One effect a row is the residual of a Gaussian response: their variances cannot be told apart.

    Parameters
    ----------
    terms : sequence of (str, int)
        Name and number of levels of terms with one effect a row.
    n : int
        Rows.
    family : ConditionalFamily
    """
    for name, levels in terms:
        if family.quadratic and levels >= n:
            raise ValueError(
                f"the random term {name!r} has as many levels as there are rows ({n}): in a Gaussian model its "
                "variance cannot be told apart from the scale; drop the term"
            )


def total_offset(offset: Array | None, exposure: Array | None, n: int, family: ConditionalFamily) -> Array:
    """Offset and logarithm of the exposure, zero where neither is given."""
    out = np.zeros(n) if offset is None else offset
    if exposure is None:
        return out
    if family.link != "log":
        raise ValueError("exposure needs a log link; use offset")
    if np.any(exposure <= 0):
        raise ValueError("exposure must be positive in every row")
    return np.asarray(out + np.log(exposure))
