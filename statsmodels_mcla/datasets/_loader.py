"""The one reader behind every data set."""

from collections.abc import Iterable

from statsmodels.datasets import utils


def load_table(
    base_file: str, csv_name: str, *, endog: str, identifiers: Iterable[str] = ()
) -> utils.Dataset:
    """
    Read a table that lies beside a module.

    Parameters
    ----------
    base_file : str
        The ``__file__`` of the data set's module.
    csv_name : str
        Name of the CSV file in the same directory.
    endog : str
        The column that is the response; every other column goes to ``exog``.
    identifiers : iterable of str, optional
        Columns of digits that name a group or a category, returned as strings.

    Returns
    -------
    statsmodels.datasets.utils.Dataset
        With ``data``, ``names``, ``endog``, ``exog``, ``endog_name`` and ``exog_name``.
    """
    data = utils.load_csv(base_file, csv_name).astype(dict.fromkeys(identifiers, str))
    return utils.process_pandas(data, endog_idx=data.columns.get_loc(endog))
