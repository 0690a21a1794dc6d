"""Published tables that ship with the package, in the convention of ``statsmodels.datasets``."""

from statsmodels_mcla.datasets import bacteria, cbpp, epil, salamander, sleepstudy, toenail

__all__ = ["bacteria", "cbpp", "epil", "salamander", "sleepstudy", "toenail"]
