"""Bacteria in children with otitis media: a small longitudinal binary response."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Presence of bacteria after drug treatments"
SOURCE = """
Menzies School of Health Research (1999). Annual Report 1999-2000; trial of A. Leach.
Venables, W. N. and Ripley, B. D. (2002). Modern Applied Statistics with S, fourth edition. Springer.
"""

DESCRSHORT = "H. influenzae found or not in 50 children with otitis media, at up to five visits"

DESCRLONG = """
Fifty children of the Northern Territory of Australia with a history of otitis media were given
a drug or a placebo at random, and were or were not encouraged to take it. The presence of
H. influenzae was checked at weeks 0, 2, 4, 6 and 11; 30 of the 250 checks are missing.
"""

NOTE = """::

    Number of Observations - 220 (50 children, two to five visits each)

    Number of Variables - 6

    Variable name definitions::

        y    - bacteria present: y or n (the response)
        ap   - a (active) or p (placebo)
        hilo - hi or lo compliance
        week - week of the check: 0, 2, 4, 6 or 11
        ID   - the child
        trt  - placebo, drug, or drug+ (active, with high compliance)
"""


def load_pandas() -> Dataset:
    """
    Load the bacteria data.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.bacteria.load_pandas()
    >>> found.endog_name, found.data.shape
    ('y', (220, 6))
    """
    return load_table(__file__, "bacteria.csv", endog="y")


load = load_pandas
