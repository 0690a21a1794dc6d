"""Models like another one: for another response, with other terms, or of other data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, NoReturn, cast

import numpy as np
import pandas as pd
from patsy import EvalEnvironment
from statsmodels.base.model import LikelihoodModel

from statsmodels_mcla.data import MixedModel, ModelInputs, described, inputs_of, simulate_responses
from statsmodels_mcla.estimation.constrained import LinearRestriction
from statsmodels_mcla.families import ConditionalFamily, without_predictors
from statsmodels_mcla.formula import FormulaCall, environment, rows_of, updated_formula, with_columns
from statsmodels_mcla.interface import WithoutInternals, refuse_unknown
from statsmodels_mcla.numerics import Array, generator


class ClonableModel(WithoutInternals, LikelihoodModel):
    """A model that can be had again with another response, other terms or other data."""

    inputs: ModelInputs
    conditional_family: ConditionalFamily
    design: Any  # `DesignFacts`; a `MixedDesign` where the rows are here
    family: Any
    formula: str
    full_formula: str

    _internal: ClassVar = frozenset(
        {
            "map_partitions",
            "conditional_family",
            "design",
            "facts",
            "full_formula",
            "information",
            "initialize",
            "inputs",
            "kept_inputs",
            "non_negative",
            "null_model",
            "refuse_options",
            "score_obs",
            "simulated",
            "under",
            "with_family",
            "with_fixed",
            "with_rows",
            "with_unit_weights",
        }
    )

    @property
    def kept_inputs(self) -> Any:
        """Rows of the model, kept where they are: here."""
        return inputs_of(self)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {described(cast(MixedModel, self))}>"

    def clone_with(self, endog: Any) -> Any:
        """Model of the same rows, designs, weights and offset, with another response.

        Parameters
        ----------
        endog : array_like (n,) or (n, 2)
            One response for each row that the model uses, as `simulate` gives them.  Binomial: successes out of the
            same numbers of trials, as shares of these if the response of the model is; or successes and failures.

        Returns
        -------
        MCLAMixedGLM
            Unfitted; the random effects keep their levels.

        Raises
        ------
        ValueError
            If the response does not fit the rows or the family.

        Examples
        --------
        >>> simulated = results.simulate(rng=1)[0]
        >>> model.clone_with(simulated).fit(rng=1).fe_params.round(2)
        Intercept         2.15
        trt[T.drug+]      0.76
        trt[T.placebo]    1.43
        week             -0.20
        dtype: float64
        """
        inputs = inputs_of(self)
        return self._with_inputs(inputs.with_response(inputs.counted(endog), self.conditional_family))

    def simulated(self, params: Array, seed: np.random.SeedSequence) -> Any:
        """Model of responses that were simulated from this one, of unit weights, with fresh random effects."""
        self.design.refuse_part()
        inputs = inputs_of(self)
        y = simulate_responses(inputs, self.design, self.conditional_family, params, generator(seed), 1)
        return self.clone_with(inputs.given(y[:, 0]))

    def null_model(self) -> Any:
        """Model of the same rows and random effects with an intercept for the fixed effects of the mean.

        Raises
        ------
        ValueError
            If the model has no intercept; thresholds of ordered categories stand in its place.
        """
        inputs, intercept = inputs_of(self), self.conditional_family.intercept
        if intercept and not self.k_constant:
            raise ValueError(
                "the null model has an intercept alone, and this model has none: fit it by a formula"
            )
        others = inputs.predictor_of_column > 0
        exog, of_column = inputs.exog.loc[:, others].copy(), inputs.of_column
        if intercept:
            exog.insert(0, "Intercept", 1.0)
        if of_column is not None:
            of_column = np.append(np.zeros(int(intercept), int), of_column[others])
        null = replace(inputs, exog=exog, of_column=of_column)
        return type(self)(null, exog, family=self.family, of_column=of_column)

    def with_family(self, family: ConditionalFamily) -> Any:
        """Model of the same rows and effects with another family, whose zero part, if new, has one probability.

        Parameters
        ----------
        family : ConditionalFamily
            With the linear predictors of this one, with or without a zero part.

        Raises
        ------
        ValueError
            If the response does not fit, or a zero part is left out that has more than an intercept.
        """
        inputs, own = inputs_of(self), self.conditional_family
        inputs = inputs.with_response(inputs.endog, family)
        place = {name: k for k, name in enumerate(family.predictors)}
        names = [own.predictors[k] for k in inputs.predictor_of_column]
        kept = [name in place for name in names]
        of_terms = {own.predictors[k] for t in inputs.terms for k in t.predictors}
        if of_terms - set(place) or kept.count(False) > 1:
            raise ValueError(
                "the zero part has more effects than an intercept, and the model without it, some parameters fewer, of "
                "which the law of a test is not known: fit ziformula='~ 1'"
            )
        exog, of_column = inputs.exog.loc[:, kept].copy(), [place[name] for name in names if name in place]
        for name in set(place) - set(names):
            exog[f"{name}: Intercept"] = 1.0
            of_column.append(place[name])
        order = np.argsort(of_column, kind="stable")
        exog, columns = exog.iloc[:, order], np.array(of_column)[order]
        terms = tuple(
            replace(t, predictors=tuple(place[own.predictors[k]] for k in t.predictors)) for t in inputs.terms
        )
        changed = replace(inputs, exog=exog, terms=terms, of_column=columns)
        return type(self)(changed, exog, family=family, of_column=columns)

    def with_unit_weights(self) -> Any:
        """Model with as many rows as the frequency weights add up to; itself if they are all one.

        Raises
        ------
        ValueError
            If a frequency weight is not a whole number.
        """
        inputs, rows = inputs_of(self).of_unit_weight()
        if inputs is self.inputs:
            return self
        out = self._with_inputs(inputs, rows)
        if hasattr(out.data, "call"):
            out.data.call = out.data.call.without("freq_weights")
        return out

    def _with_inputs(self, inputs: ModelInputs, rows: Any = slice(None)) -> Any:
        """Model of other inputs, read from the given rows of the data."""
        kept = {name: value for name, value in vars(self.data).items() if name in ("formula", "model_spec")}
        out = type(self)(inputs, inputs.exog, family=self.family, of_column=inputs.of_column, **kept)
        if hasattr(self.data, "frame"):
            out.formula, out.full_formula = self.formula, self.full_formula
            out.facts = out.facts._replace(n_dropped=self.facts.n_dropped)
            out.data.frame = self.data.frame.iloc[rows]
            for name in ("used", "names", "parts"):
                setattr(out.data, name, getattr(self.data, name))
            out.data.call = self.data.call.take(rows)
        return out

    def with_fixed(self, columns: Sequence[str]) -> Any:
        """Model with some of the columns of the fixed effects; further linear predictors keep theirs.

        Raises
        ------
        ValueError
            If every linear predictor has the effects of the formula.
        """
        if self.conditional_family.predictors[0]:
            raise ValueError(
                f"family {self.conditional_family.name} has the effects of a formula in the predictors of all "
                "categories: leave a term out of all of them with update()"
            )
        inputs = inputs_of(self)
        of = pd.Series(inputs.predictor_of_column, inputs.exog.columns)
        kept = [*columns, *of.index[of > 0]]
        of_column = None if inputs.of_column is None else of[kept].to_numpy()
        out = self._with_inputs(replace(inputs, exog=inputs.exog[kept], of_column=of_column))
        if hasattr(self.data, "frame"):
            out.data.model_spec = with_columns(self.data.model_spec, list(columns))
        return out

    def under(self, restriction: LinearRestriction) -> Any:
        """Model of the fixed effects that linear equations leave free, on the same rows, as if made from arrays.

        Raises
        ------
        ValueError
            If equations join several linear predictors, give values other than zero to effects that are not of the
            mean, or leave a linear predictor without effects.
        """
        inputs, family = inputs_of(self), self.conditional_family
        of, T, free = inputs.predictor_of_column, restriction.T, restriction.free
        named = family.predictors.index("") if "" in family.predictors else None
        if np.any((T != 0) & (of[:, None] != of[free])) or np.any(restriction.a[of != named]):
            raise ValueError(
                "constraints: an equation is about the effects of one linear predictor, and values other than zero are "
                "for those of the mean"
            )
        emptied = set(of.tolist()) - set(of[free].tolist())
        if emptied:
            raise ValueError(
                "constraints: they leave no effect of a linear predictor to be estimated; offset= is for known ones"
            )
        exog = pd.DataFrame(
            inputs.exog.to_numpy() @ T, index=inputs.exog.index, columns=inputs.exog.columns[free]
        )
        offset = inputs.offset + inputs.exog.to_numpy() @ restriction.a
        of_column = None if inputs.of_column is None else of[free]
        out = type(self)(
            replace(inputs, exog=exog, offset=offset, of_column=of_column),
            exog,
            family=self.family,
            of_column=of_column,
        )
        out.design = restriction.design(self.design.here)  # in the same blocks
        return out

    def update(
        self,
        formula: str = ". ~ .",
        *,
        data: Any = None,
        subset: Any = None,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> Any:
        """Model with another formula, or of other data.

        Parameters
        ----------
        formula : str
            A dot stands for that side of the model's formula, as in R: ``". ~ . - x + (1 | h)"``, or ``"- x"``.  The
            formulas of further linear predictors stay.
        data : DataFrame, optional
            By default the rows that the model uses, so that likelihoods compare.
        subset : array_like, optional
            Rows to use: booleans or index labels.
        eval_env : int or patsy.EvalEnvironment
            Where names in the formula that are no columns are looked up; an int counts frames above the caller.

        Returns
        -------
        MCLAMixedGLM
            Unfitted, of the same family, weights and offset.

        Raises
        ------
        ValueError
            If the model was not made by a formula, or the new one cannot be read.

        Examples
        --------
        >>> model.update(". ~ . - week")
        <MCLAMixedGLM: y == 'y' ~ trt + (1 | ID), Binomial (logit), 220 rows>
        >>> model.update("- trt", subset=data["week"] > 0)
        <MCLAMixedGLM: y == 'y' ~ week + (1 | ID), Binomial (logit), 170 rows>
        """
        refuse_unknown(self.update, unknown)
        if not hasattr(self.data, "frame"):
            raise ValueError("formula: the model was not made by a formula, and cannot be updated by one")
        call = self.data.call if data is None else self.data.call.for_data()
        rows = slice(None) if subset is None else subset
        frame = self.data.frame if data is None else data
        if subset is not None and data is None:
            rows = rows_of(frame.index, subset)
            frame, call, subset = frame.iloc[rows], call.take(rows), None
        env = environment(eval_env, 1).with_outer_namespace(self.data.names.values)
        out = self._remade(updated_formula(self.full_formula, formula), frame, call, env, subset)
        if data is None and out.endog_names == self.endog_names and frame.index.is_unique:
            y = inputs_of(self).endog.iloc[rows].loc[out.inputs.endog.index]
            if not np.array_equal(y, out.inputs.endog):  # of a clone: not in its data
                out = out.clone_with(out.inputs.given(y))
        return out

    def with_rows(self, rows: np.ndarray, columns: Mapping[str, Any]) -> Any:
        """Model of the same formula on rows of its data taken in any number, some of whose columns are others."""
        if not hasattr(self.data, "frame"):
            raise ValueError("the model was not made by a formula, which other rows can be read by")
        frame = self.data.frame.iloc[rows].reset_index(drop=True).assign(**columns)
        env = self.data.names.environment(self.full_formula)
        return self._remade(self.full_formula, frame, self.data.call.take(rows), env)

    def _remade(
        self, formula: str, frame: Any, call: FormulaCall, env: EvalEnvironment, subset: Any = None
    ) -> Any:
        """Model of a formula, with everything else that this one was made with."""
        family = without_predictors(self.family)
        return type(self).from_formula(
            formula, data=frame, family=family, subset=subset, eval_env=env, **call.arguments
        )
