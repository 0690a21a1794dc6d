"""Sleep study: positive, skewed reaction times in days without sleep."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Reaction times in a sleep deprivation study"
SOURCE = """
Belenky, G., Wesensten, N. J., Thorne, D. R., Thomas, M. L., Sing, H. C., Redmond, D. P., Russo,
M. B. and Balkin, T. J. (2003). Patterns of performance degradation and restoration during sleep
restriction and subsequent recovery: a sleep dose-response study. Journal of Sleep Research 12, 1-12.
"""

DESCRSHORT = "Average reaction time per day of 18 subjects whose sleep was restricted"

DESCRLONG = """
Eighteen subjects were allowed three hours in bed a night, after two days of adaptation and one of
baseline. The table has each subject's average reaction time in a series of tests on each of ten
days.
"""

NOTE = """::

    Number of Observations - 180 (18 subjects, ten days each)

    Number of Variables - 3

    Variable name definitions::

        Reaction - average reaction time in milliseconds (the response)
        Days     - number of the day, 0 to 9
        Subject  - the subject, a number as a string
"""


def load_pandas() -> Dataset:
    """
    Load the reaction times.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.sleepstudy.load_pandas()
    >>> found.endog_name, found.data.shape
    ('Reaction', (180, 3))
    """
    return load_table(__file__, "sleepstudy.csv", endog="Reaction", identifiers=("Subject",))


load = load_pandas
