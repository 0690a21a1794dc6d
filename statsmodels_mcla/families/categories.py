"""Responses that are categories."""

# Implementations of the interface that base.py documents: it also says what each argument is for.
# ruff: noqa: D102

from __future__ import annotations

from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from statsmodels_mcla.families.base import ConditionalFamily
from statsmodels_mcla.families.response_checks import integer_response, nearest_integers, refuse
from statsmodels_mcla.families.row_terms import Response
from statsmodels_mcla.numerics import Array


class Categories(ConditionalFamily):
    """A family of categories, which is a dataclass with these two fields, empty by default.

    Attributes
    ----------
    labels, values : tuple
        Names of the categories, and their numbers; a model takes them from its response.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]

    discrete: ClassVar[bool] = True
    categorical: ClassVar[bool] = True
    ordered: ClassVar[bool] = True

    @property
    def needs(self) -> str:
        """What responses are."""
        kind = "an ordered pandas Categorical" if self.ordered else "text, a pandas Categorical"
        return f"{kind} or integers that are not negative"

    def category(self, y: Array) -> np.ndarray:
        """Return the place of each response among the categories."""
        return np.searchsorted(np.array(self.values), y)

    def blank_row(self) -> tuple[float, float, float]:
        return (self.values[0], 0.0, 0.0)

    def of_response(self, endog: Any) -> Any:
        if self.labels:
            return self
        raw = np.asarray(endog).ravel()
        known = raw[
            [v is not None and v == v for v in raw.tolist()]
        ]  # missing ones are not equal to themselves
        dtype: Any = getattr(endog, "dtype", None)
        if hasattr(dtype, "categories"):
            if self.ordered and not dtype.ordered:
                raise ValueError(
                    f"endog: family {self.name} needs ordered categories, and those of the response have no order; "
                    "make it pd.Categorical(response, categories=[lowest, ..., highest], ordered=True)"
                )
            seen = set(known.tolist())
            labels = [c for c in dtype.categories if c in seen]
            values = np.arange(1.0, len(labels) + 1.0)
        elif not self.ordered and known.dtype.kind in "OUS" and all(isinstance(v, str) for v in known):
            labels = sorted(set(known.tolist()))
            values = np.arange(1.0, len(labels) + 1.0)
        else:
            numbers = [isinstance(v, (Real, np.bool_)) for v in known.tolist()]
            refuse(~np.array(numbers, bool), known, self.name, self.needs)
            whole = integer_response(known.astype(float), self.name, needs=self.needs)
            refuse(whole < 0, whole, self.name, self.needs)
            values = np.unique(whole)
            labels = [int(v) for v in values]
        if len(labels) < 2:
            raise ValueError(f"endog: family {self.name} needs two categories or more; got {labels}")
        this: Any = self
        return replace(this, labels=tuple(map(str, labels)), values=tuple(values.tolist()))

    def check_response(self, endog: Any, n_trials: Any = None) -> Response:
        if n_trials is not None:
            raise ValueError(f"n_trials is for the Binomial family only; got family {self.name}")
        raw = np.asarray(endog)
        raw = raw[:, 0] if raw.ndim == 2 and raw.shape[1] == 1 else raw
        if raw.ndim != 1:
            raise ValueError(f"endog must have one column for family {self.name}; got shape {raw.shape}")
        codes = dict(zip(self.labels, self.values, strict=True))
        given = [codes.get(v, np.nan) if isinstance(v, str) else float(v) for v in raw.tolist()]
        whole = nearest_integers(np.array(given, float))
        found = np.where(np.isnan(whole), given, whole)
        known = np.isin(found, self.values)
        refuse(~known, raw.astype(object), self.name, f"the categories {', '.join(self.labels)}")
        return Response(found, np.ones(len(found)))


def sampled_category(rng: np.random.Generator, chances: Array, values: tuple[float, ...]) -> Array:
    """Draw values of categories by their chances (..., J)."""
    below = np.cumsum(chances, axis=-1)[..., :-1]
    return np.array(values)[(rng.random(below.shape[:-1])[..., None] > below).sum(axis=-1)]


def probability_up_to(endog: Array, chances: Array, values: tuple[float, ...]) -> Array:
    """Return P(value <= endog) from the chances (..., J) of the categories."""
    return np.asarray((chances * (np.array(values) <= np.asarray(endog)[..., None])).sum(axis=-1))
