"""Generalized linear mixed models by maximum likelihood, for statsmodels.

A formula as in lme4, results as in statsmodels, and for every number the Monte Carlo error that it carries:

>>> import statsmodels.api as sm
>>> import statsmodels_mcla.formula.api as smf
>>> from statsmodels_mcla import datasets
>>> data = datasets.epil.load_pandas().data
>>> model = smf.mcla_mixedglm("y ~ lbase * trt + (1 | subject)", data=data, family=sm.families.Poisson())
>>> results = model.fit(rng=1)
>>> results.fe_params.round(2)
Intercept                 1.81
trt[T.progabide]         -0.36
lbase                     0.89
lbase:trt[T.progabide]    0.27
dtype: float64

What to call
------------
=============================================== ==========================================================
``smf.mcla_mixedglm(formula, data=, family=)``  the model; the same as `MCLAMixedGLM.from_formula`
``MCLAMixedGLM(endog, exog, exog_vc, ident)``   the model, from arrays
``model.fit(rng=1)``                            maximum likelihood, to the precision ``mcse_tol``
``model.fit_laplace()``                         Laplace's approximation, as lme4 has it
``results.summary()``, ``.tidy()``              tables; `summary_col` has several fits side by side
``results.t_test``, ``.anova()``, ``.drop1()``  tests of coefficients and of terms
``results.compare_lr_test(other)``, `anova`     comparisons of models
``results.conf_int(method="profile")``          intervals
``results.predict(new, random="marginal")``     predictions; ``get_prediction`` has their errors
``results.emmeans("x")``, ``.get_margeff()``    means and effects
``results.random_effects_frame()``              the groups
``results.check(rng=1)``, ``.plot_residuals()`` does the model hold?
`BlockSampling`, `JointSampling`                how random effects are drawn
=============================================== ==========================================================

``help(statsmodels_mcla.families)`` has the families that statsmodels lacks, `datasets` the data of all examples,
``statsmodels_mcla.exceptions`` the warnings.  Every method has an example: ``help(results.conf_int)``.
"""

from statsmodels_mcla import datasets
from statsmodels_mcla.comparison import anova
from statsmodels_mcla.likelihood.sampling import BlockSampling, JointSampling
from statsmodels_mcla.model import MCLAMixedGLM
from statsmodels_mcla.results import summary_col

__all__ = [
    "BlockSampling",
    "JointSampling",
    "MCLAMixedGLM",
    "__version__",
    "anova",
    "datasets",
    "summary_col",
]

__version__ = "0.1.0"
