"""What statsmodels' MixedLM results have of the random effects: names and shapes are theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from statsmodels_mcla.data import inputs_of
from statsmodels_mcla.design import RandomTerm
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.prediction import effect_covariances
from statsmodels_mcla.results.methods.base import Labelled
from statsmodels_mcla.results.methods.random_effects import RandomEffectResults


class GroupMethods(RandomEffectResults):
    """Attributes of MixedLM results: `random_effects` and `cov_re` have several grouping factors, these have one."""

    @property
    def bse_re(self) -> Labelled:
        """Standard errors of ``vc_params``."""
        return self.estimates.se[self.estimates.layout.covariance]

    @property
    def vcomp(self) -> Array:
        """Variances of the random effects, without their covariances."""
        theta = self.estimates.layout.covariance
        return np.asarray(self.estimates.params[theta][self.estimates.non_negative[theta]])

    @property
    def k_re(self) -> int:
        """Number of random effects of a group, counted over all terms."""
        return sum(len(t.columns) for t in self.facts.terms)

    def _terms_of_one_factor(self, what: str) -> tuple[RandomTerm, ...]:
        terms = inputs_of(self.model).terms
        names = list(dict.fromkeys(t.name for t in terms))
        if len(names) > 1 or any(t.levels != terms[0].levels for t in terms):
            raise ValueError(
                f"{what} is for one grouping factor, and there are {', '.join(names)}: use random_effects, "
                "random_effects_frame() or var_corr()"
            )
        return terms

    @property
    def n_groups(self) -> int:
        """Number of groups that have rows of positive weight."""
        self._terms_of_one_factor("n_groups")
        return max(t.levels for t in self.facts.terms)

    @property
    def groups(self) -> np.ndarray:
        """Group of each row, (N,)."""
        term = self._terms_of_one_factor("groups")[0]
        member = term.Z.tocoo()
        index = np.full(member.shape[0], -1)
        index[member.coords[0]] = member.coords[1] // term.dim
        levels = pd.Series([*term.levels, None], dtype=object)
        return np.asarray(levels.iloc[index].infer_objects())

    @property
    def random_effects_by_group(self) -> dict[Any, pd.Series]:
        """Conditional means as MixedLM's ``random_effects``: a Series of its effects for each group."""
        self._terms_of_one_factor("random_effects_by_group")
        table = pd.concat(list(self.random_effects.values()), axis=1)
        return {group: row for group, row in table.iterrows()}  # noqa: C416 - a dict of Series

    @property
    def random_effects_cov(self) -> dict[Any, pd.DataFrame]:
        """Conditional covariance of the effects of each group given the data and the estimates, (k_re, k_re)."""
        terms = self._terms_of_one_factor("random_effects_cov")
        found = effect_covariances(self.estimates.fitted.fresh, [t.dim for t in terms], terms[0].n_levels)
        names = [c for t in terms for c in t.columns]
        return {
            level: pd.DataFrame(cov, names, names) for level, cov in zip(terms[0].levels, found, strict=True)
        }
