"""Toenail infection: a binary response with a very large variance between patients."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Toenail infection under two oral treatments"
SOURCE = """
De Backer, M., De Keyser, P., De Vroey, C. and Lesaffre, E. (1996). A 12-week treatment for
dermatophyte toe onychomycosis: terbinafine 250 mg/day vs. itraconazole 200 mg/day, a
double-blind comparative trial. British Journal of Dermatology 134, 16-17.
Lesaffre, E. and Spiessens, B. (2001). On the effect of the number of quadrature points in a
logistic random-effects model: an example. Applied Statistics 50, 325-335.
"""

DESCRSHORT = "Separation of the nail at up to seven visits of 294 patients, under two oral treatments"

DESCRLONG = """
Patients with an infected toenail were treated with itraconazole or terbinafine by mouth, at
random, for twelve weeks. The separation of the nail plate from the nail bed was judged at up to
seven visits, planned for weeks 0, 4, 8, 12, 24, 36 and 48. Many patients hardly change between
visits, so that the variance of their random intercepts is large (about 16 on the logit scale) and
the Laplace approximation is poor: Lesaffre and Spiessens used the data to show how many nodes of
quadrature it takes.
"""

NOTE = """::

    Number of Observations - 1908 (294 patients, one to seven visits each)

    Number of Variables - 5

    Variable name definitions::

        patientID - the patient, a number as a string
        outcome   - "none or mild" or "moderate or severe" separation (the response)
        treatment - itraconazole or terbinafine
        time      - time of the visit in months
        visit     - number of the visit, 1 to 7
"""


def load_pandas() -> Dataset:
    """
    Load the toenail data.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.toenail.load_pandas()
    >>> found.endog_name, found.data.shape
    ('outcome', (1908, 5))
    """
    return load_table(__file__, "toenail.csv", endog="outcome", identifiers=("patientID",))


load = load_pandas
