"""Labels for the results: statsmodels' wrappers."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
from statsmodels.base.model import LikelihoodResultsWrapper
from statsmodels.base.wrapper import populate_wrapper, union_dicts

from statsmodels_mcla.results.mixed_glm_results import MCLAMixedGLMResults, MixedGLMResults

if TYPE_CHECKING:
    # they pass all attributes on, which type checkers do not see

    class MixedGLMResultsWrapper(MixedGLMResults):
        """Labels for `MixedGLMResults`."""

        def __init__(self, results: MixedGLMResults) -> None: ...

    class MCLAMixedGLMResultsWrapper(MCLAMixedGLMResults):
        """Labels for `MCLAMixedGLMResults`."""

        def __init__(self, results: MCLAMixedGLMResults) -> None: ...

else:

    class MixedGLMResultsWrapper(LikelihoodResultsWrapper):
        """Labels for `MixedGLMResults`."""

        _attrs: ClassVar = {
            "fe_params": ("generic_columns", "fe_names"),
            "bse_fe": ("generic_columns", "fe_names"),
            "vc_params": ("generic_columns", "vc_names"),
            "mcse": "columns",
            "bse_mcse": "columns",
            "tvalues_mcse": "columns",
            "pvalues_mcse": "columns",
            "fittedvalues_mcse": "rows",
            "mu": "rows",
            "resid": "rows",
            "resid_working": "rows",
            "resid_anscombe": "rows",
            "bse_re": ("generic_columns", "vc_names"),
            "resid_response": "rows",
            "resid_pearson": "rows",
            "resid_deviance": "rows",
            "resid_pearson_mcse": "rows",
            "resid_deviance_mcse": "rows",
        }
        _wrap_attrs = union_dicts(LikelihoodResultsWrapper._wrap_attrs, _attrs)  # noqa: SLF001
        _methods: ClassVar = {"cov_mcse": "cov", "conf_int_mcse": "columns", "resid_quantile": "rows"}
        _wrap_methods = union_dicts(LikelihoodResultsWrapper._wrap_methods, _methods)  # noqa: SLF001
        del _wrap_methods["conf_int"]  # those of some parameters only have labels of their own

        def __repr__(self) -> str:
            return repr(self._results)

        @wraps(MixedGLMResults.conf_int)
        def conf_int(self, *args: Any, **kwargs: Any) -> pd.DataFrame:  # noqa: D102
            results = self._results
            return results.labelled(results.conf_int(*args, **kwargs), *args[1:2], **kwargs)

        @wraps(MixedGLMResults.with_cov_type)
        def with_cov_type(self, *args: Any, **kwargs: Any) -> MixedGLMResultsWrapper:  # noqa: D102
            return type(self)(self._results.with_cov_type(*args, **kwargs))

        @property
        def results_constrained(self) -> MixedGLMResultsWrapper | None:  # noqa: D102
            found = self._results.results_constrained
            return None if found is None else type(self)(found)

    class MCLAMixedGLMResultsWrapper(MixedGLMResultsWrapper):
        """Labels for `MCLAMixedGLMResults`."""

    populate_wrapper(MixedGLMResultsWrapper, MixedGLMResults)
    populate_wrapper(MCLAMixedGLMResultsWrapper, MCLAMixedGLMResults)
