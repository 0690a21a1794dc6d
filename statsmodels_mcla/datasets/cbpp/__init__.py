"""Contagious bovine pleuropneumonia: binomial counts in herds."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Contagious bovine pleuropneumonia in zebu herds"
SOURCE = """
Lesnoff, M., Laval, G., Bonnet, P., Abdicho, S., Workalemahu, A., Kifle, D., Peyraud, A.,
Lancelot, R. and Thiaucourt, F. (2004). Within-herd spread of contagious bovine pleuropneumonia
in Ethiopian highlands. Preventive Veterinary Medicine 64, 27-40.
"""

DESCRSHORT = "New cases of pleuropneumonia among the animals of 15 herds in four periods"

DESCRLONG = """
Fifteen newly infected herds of zebu cattle in the Ethiopian highlands were followed, to study how
the disease spreads within a herd. New cases, by serology, were counted in each of four periods of
three months, with the number of animals at the beginning of the period. One herd was seen in one
period only, another in three.
"""

NOTE = """::

    Number of Observations - 56 (15 herds, one to four periods each)

    Number of Variables - 4

    Variable name definitions::

        herd      - the herd, "1" to "15"
        incidence - number of new cases in the period (the response)
        size      - number of animals at the beginning of the period
        period    - "1" to "4"

    A binomial response of successes and failures is ``incidence + I(size - incidence)``.
"""


def load_pandas() -> Dataset:
    """
    Load the pleuropneumonia data.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.cbpp.load_pandas()
    >>> found.endog_name, found.data.shape
    ('incidence', (56, 4))
    """
    return load_table(__file__, "cbpp.csv", endog="incidence", identifiers=("herd", "period"))


load = load_pandas
