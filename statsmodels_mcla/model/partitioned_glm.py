"""A generalized linear mixed model of data in partitions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from statsmodels_mcla.data import check_missing, inputs_of
from statsmodels_mcla.design import Facts, TermFacts
from statsmodels_mcla.execution import Journal, Kept, Threads, Workplace, checked_bytes, executor_of
from statsmodels_mcla.families import conditional_family
from statsmodels_mcla.formula import environment, updated_formula
from statsmodels_mcla.interface import refuse_unknown
from statsmodels_mcla.model.fitting import FittingModel
from statsmodels_mcla.model.part_results import FitOfParts, on_part, target_of
from statsmodels_mcla.numerics import Array
from statsmodels_mcla.partitions import (
    PartitionedData,
    PartitionedDesign,
    Simulated,
    itself,
    learn_formula,
    parts_of,
    read_partitions,
    rows_of_part,
)

ROWS = "n_trials", "offset", "freq_weights", "var_weights"  # which other models have
NAMED = 2**64  # seeds that a user gives are smaller than those that the system makes


class PartitionedMixedGLM(FittingModel):
    """Generalized linear mixed model of data in partitions, as `MCLAMixedGLM.from_partitions` makes it.

    Fits, tests and intervals are those of `MCLAMixedGLM`; what needs all rows in one process says so.

    Examples
    --------
    >>> loaders = [lambda: data]
    >>> MCLAMixedGLM.from_partitions("(y == 'y') ~ week + (1 | ID)", loaders).fit_laplace().llf
    -101.10
    """

    design: PartitionedDesign
    partitioned: PartitionedData

    def __init__(
        self,
        part_class: type[FittingModel],
        formula: str,
        partitions: Any,
        family: Any,
        rows: Mapping[str, str | None],
        env: Any,
        missing: str,
        executor: Any,
        memory_limit: Any,
        before: Any = None,
    ) -> None:
        check_missing(missing, ("drop", "raise"))
        conditional = conditional_family(family)
        if not conditional.intercept or len(conditional.predictors) > 1:
            raise ValueError(
                f"family: {conditional.name} is not fitted from partitions; fit it from_formula, on rows in one process"
            )
        self.workplace = Workplace(
            parts_of(partitions), executor_of(executor), checked_bytes("memory_limit", memory_limit)
        )
        learnt = learn_formula(self.workplace, formula, rows, env, missing, before)
        found = read_partitions(self.workplace, learnt, conditional, missing)
        self.part_class = part_class
        self.family, self.conditional_family = family, conditional
        name = getattr(found.response, "name", None) or ", ".join(
            map(str, getattr(found.response, "columns", ["y"]))
        )
        endog = pd.Series(np.zeros(len(found.exog)), index=found.exog.index, name=name)
        written = learnt.written
        constant = "Intercept" in found.exog.columns
        super().__init__(endog, found.exog, hasconst=constant, formula=written.fixed, model_spec=found.info)
        self.k_constant = int(constant)
        self.data.frame, self.data.used, self.data.names = learnt.shown, written.used, written.names
        self.formula, self.full_formula = written.fixed, formula
        self.__dict__.update(self._about(found))
        self._describe(found.nobs)
        self.endog_names, self.exog_names, self.data.cov_names  # noqa: B018 - read off the rows that follow
        for owner, names in (
            (self, ("endog", "exog")),
            (self.data, ("endog", "exog", "orig_endog", "orig_exog")),
        ):
            for attribute in names:
                setattr(owner, attribute, None)  # no rows stand for those in the partitions

    def _about(self, found: PartitionedData) -> dict[str, Any]:
        """Attributes that tell what partitions keep."""
        design, conditional = found.design, self.conditional_family
        facts = Facts(
            conditional.name,
            conditional.link,
            found.n_rows,
            design.n_blocks,
            tuple(TermFacts(t.name, t.columns, t.n_levels) for t in design.terms),
            found.n_dropped,
            tuple((name, design.n_fixed) for name in conditional.predictors),
            found.has_offset,
        )
        return {"partitioned": found, "design": design, "random_terms": design.terms, "facts": facts}

    def with_unit_weights(self) -> PartitionedMixedGLM:
        """The model: rows are repeated where their responses are simulated."""
        return self

    def simulated(self, params: Array, seed: np.random.SeedSequence) -> PartitionedMixedGLM:
        """See `ClonableModel`; the stream of random numbers is that of the partition."""
        found, out = self.partitioned, copy(self)
        simulated = Simulated(tuple(found.exog.columns), params, seed)
        again = read_partitions(
            self.workplace, found.learnt, self.conditional_family, found.missing, simulated
        )
        out.__dict__.update(self._about(again), _current=None)
        return out

    def update(
        self,
        formula: str = ". ~ .",
        *,
        data: Any = None,
        subset: Any = None,
        eval_env: Any = 0,
        **unknown: NoReturn,
    ) -> PartitionedMixedGLM:
        """Model of the same partitions with another formula; arguments as in `MCLAMixedGLM.update`.

        Examples
        --------
        >>> parts = MCLAMixedGLM.from_partitions("(y == 'y') ~ trt + week + (1 | ID)", [lambda: data])
        >>> parts.update(". ~ . - trt").fit_laplace().fe_params.index.tolist()
        ['Intercept', 'week']
        """
        refuse_unknown(self.update, unknown)
        if data is not None or subset is not None:
            raise ValueError(
                "data, subset: other rows are other partitions; make their model with from_partitions"
            )
        env = environment(eval_env, 1).with_outer_namespace(self.data.names.values)
        text, place = updated_formula(self.full_formula, formula), self.workplace
        written, missing = self.partitioned.learnt.written, self.partitioned.missing
        given = written.rows, env, missing, place.executor, place.most, written
        return PartitionedMixedGLM(self.part_class, text, place.parts, self.family, *given)

    def __getstate__(self) -> dict[str, Any]:
        data = object.__new__(type(self.data))
        data.__dict__.update({name: value for name, value in vars(self.data).items() if name != "model_spec"})
        return {**self.__dict__, "data": data}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.data.model_spec = self.partitioned.info

    def __getattr__(self, name: str) -> Any:
        if name in ROWS:
            return self.design.here
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def kept_inputs(self) -> Kept:
        """See `ClonableModel`."""
        found = self.partitioned
        columns = tuple(found.exog.columns)
        return self.workplace.keep(
            partial(rows_of_part, found.learnt, self.conditional_family, found.missing, columns)
        )

    @property
    def inputs(self) -> Any:
        """Rows of the model, which are elsewhere."""
        return self.design.here

    @inputs.setter
    def inputs(self, value: Any) -> None:
        inputs_of(value)

    def map_partitions(self, results: Any, function: Callable[[Any], Any], to: Any = None) -> list[Any]:
        """See `MixedGLMResults.map_partitions`."""
        found, fitted = self.partitioned, results.estimates.fitted
        columns = tuple(found.exog.columns)
        read = partial(rows_of_part, found.learnt, self.conditional_family, found.missing, columns)
        facts = self.facts, results.mle_retvals, results.mle_settings
        fit = FitOfParts(self.part_class, self.family, read, results.estimates.sent(), facts)
        call = partial(on_part, fit, fitted.sampler.rule, fitted.params, function, target_of(to))
        kept = self.workplace.keep(itself), self.design.parts, *fitted.kept
        return fitted.design.map(call, *kept)

    def _work(
        self,
        n_jobs: Any,
        executor: Any,
        checkpoint: Any,
        resume: Any,
        seed: np.random.SeedSequence,
        asked: Mapping[str, Any],
    ) -> Threads:
        """Who works on the partitions from now on, and what is written meanwhile."""
        if not asked["draws"][-1].startswith("BlockSampling"):
            raise ValueError(
                "sampling: joint draws need all effects in one process; leave it out or use BlockSampling()"
            )
        if executor is not None:
            self.workplace.executor = executor_of(executor)
        elif n_jobs is not None:
            self.workplace.executor = Threads.of(n_jobs)
        self._end_work()
        if checkpoint is not None or resume is not None:
            self.workplace.journal = self._journal(checkpoint, resume, seed, asked)
        return Threads.of(n_jobs)

    def _end_work(self) -> None:
        self.workplace.journal = None

    def _journal(
        self, checkpoint: Any, resume: Any, seed: np.random.SeedSequence, asked: Mapping[str, Any]
    ) -> Journal:
        """File of a fit, or of one that goes on."""
        if not isinstance(seed.entropy, int) or seed.entropy >= NAMED:
            raise ValueError(
                "rng: a fit that is to be resumed needs the same random numbers again; pass rng=1, say"
            )
        about = {
            "formula": self.full_formula,
            "partitions": [part.name for part in self.workplace.parts],
            "family": (self.conditional_family.name, self.conditional_family.link),
            "numbers": (self.facts.n_rows, self.facts.n_blocks, tuple(self.data.param_names)),
            "rng": seed.entropy,
            **asked,
        }
        if resume is None:
            return Journal(Path(checkpoint), about, [])
        if not Path(resume).exists():
            raise ValueError(f"resume: there is no file {str(resume)!r}")
        written, known = Journal.read(Path(resume))
        known_of = written if isinstance(written, dict) else {}
        different = [name for name, value in about.items() if known_of.get(name) != value]
        if different:
            raise ValueError(
                f"resume: {str(resume)!r} is of another fit, which differs in {', '.join(different)}: "
                "call fit with its arguments"
            )
        return Journal(Path(resume if checkpoint is None else checkpoint), about, known)
