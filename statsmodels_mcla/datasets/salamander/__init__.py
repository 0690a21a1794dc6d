"""Salamander matings: McCullagh and Nelder's crossed binary data."""

from statsmodels.datasets.utils import Dataset

from statsmodels_mcla.datasets._loader import load_table

__all__ = ["COPYRIGHT", "DESCRLONG", "DESCRSHORT", "NOTE", "SOURCE", "TITLE", "load", "load_pandas"]

COPYRIGHT = "A published table of observations, reproduced with its source."
TITLE = "Matings of mountain dusky salamanders"
SOURCE = """
McCullagh, P. and Nelder, J. A. (1989). Generalized Linear Models, second edition, section 14.5.
Chapman and Hall. The experiments were made by S. J. Arnold and P. A. Verrell in 1986.
"""

DESCRSHORT = "Outcomes of 360 pairings of salamanders from two populations, females crossed with males"

DESCRLONG = """
Do salamanders from two populations that have long been apart, Rough Butt (R) and Whiteside (W),
still interbreed? Each of three experiments had two groups of 20 animals: five females and five
males of either population. Every female was paired with six males of her group, three of either
population, and every male with six females, 60 pairings a group. The response says
whether the pair mated. Outcomes that share a female or a male are dependent, and the two kinds
of random effect are crossed, so that the likelihood is a product of six 20-dimensional integrals.
"""

NOTE = """::

    Number of Observations - 360 (six groups of 60 pairings)

    Number of Variables - 8

    Variable name definitions::

        Season     - Summer or Fall of 1986
        Experiment - 1, 2 or 3
        TypeF      - population of the female, R (Rough Butt) or W (Whiteside)
        TypeM      - population of the male
        Cross      - TypeF/TypeM: R/R, R/W, W/R or W/W
        Female     - number of the female, 1 to 60
        Male       - number of the male, 1 to 60
        Mate       - 1 if the pair mated, 0 if it did not (the response)

    The same animals served in the first two experiments. Published analyses mostly treat the
    animals of the three experiments as distinct, and so do the numbers here.
"""


def load_pandas() -> Dataset:
    """
    Load the salamander matings.

    Returns
    -------
    Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.

    Examples
    --------
    >>> from statsmodels_mcla import datasets
    >>> found = datasets.salamander.load_pandas()
    >>> found.endog_name, found.data.shape
    ('Mate', (360, 8))
    """
    return load_table(__file__, "salamander.csv", endog="Mate")


load = load_pandas
