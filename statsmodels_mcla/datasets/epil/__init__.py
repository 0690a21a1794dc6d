"""Epileptic seizures: longitudinal counts."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Seizure counts of epileptics in a trial of progabide"
SOURCE = """
Thall, P. F. and Vail, S. C. (1990). Some covariance models for longitudinal count data with
overdispersion. Biometrics 46, 657-671.
Breslow, N. E. and Clayton, D. G. (1993). Approximate inference in generalized linear mixed
models. Journal of the American Statistical Association 88, 9-25.
Venables, W. N. and Ripley, B. D. (2002). Modern Applied Statistics with S, fourth edition. Springer.
"""

DESCRSHORT = "Seizures of 59 patients in four two-week periods under progabide or placebo"

DESCRLONG = """
Fifty-nine patients with epilepsy were given progabide or a placebo at random, beside their usual
treatment. The number of seizures was counted in each of four periods of two weeks before a visit
to the clinic, and in the eight weeks before the trial.
"""

NOTE = """::

    Number of Observations - 236 (59 patients, four periods each)

    Number of Variables - 9

    Variable name definitions::

        y       - number of seizures in the two-week period (the response)
        trt     - placebo or progabide
        base    - number of seizures in the eight weeks before the trial
        age     - age in years
        V4      - 1 in the fourth period, otherwise 0
        subject - number of the patient, 1 to 59
        period  - 1 to 4
        lbase   - log of base, centred at zero
        lage    - log of age, centred at zero
"""


def load_pandas() -> Dataset:
    """
    Load the seizure counts.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.epil.load_pandas()
    >>> found.endog_name, found.data.shape
    ('y', (236, 9))
    """
    return load_table(__file__, "epil.csv", endog="y")


load = load_pandas
