"""Models from formulas, in the way of ``statsmodels.formula.api``.

>>> import statsmodels_mcla.formula.api as smf
>>> smf.mcla_mixedglm.__name__
'from_formula'
"""

from statsmodels_mcla.model import MCLAMixedGLM

__all__ = ["mcla_mixedglm"]

mcla_mixedglm = MCLAMixedGLM.from_formula
