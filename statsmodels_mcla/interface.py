"""What people see of an object that they hold: completion, its table, and what to pass for arguments it lacks."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from functools import wraps
from typing import Any, ClassVar, NamedTuple

LONGEST = 100  # characters of a formula in a line


class Instead(NamedTuple):
    """What to write for an argument of R's or of another package's, in calls that have the argument ``needs``."""

    text: str
    needs: str = ""


RNG = [
    Instead("pass rng=, an integer or a numpy Generator", "rng"),
    Instead("leave it out: it draws no random numbers of its own"),
]
ML = Instead("leave it out: this is maximum likelihood")
LEVEL = [
    Instead("pass alpha=, 1 - level: alpha=0.1 for 90 %", "alpha"),
    Instead("what it returns has conf_int(alpha=), alpha=0.1 for 90 %"),
]
AXES = Instead("it returns a Figure: figure.axes[0].set(title=, xlabel=, ylabel=, xlim=, ylim=)", "ax")
# The first that fits is told.
INSTEAD: dict[str, Sequence[Instead]] = {
    "weights": [
        Instead(
            "pass freq_weights= where a row stands for so many rows, var_weights= for numbers of trials (of "
            "proportions) and precisions, both to the model"
        )
    ],
    "REML": [ML],
    "reml": [ML],
    "nAGQ": [
        Instead(
            "leave it out: the likelihood itself is maximised; mcse_tol= says how exactly, and fit_laplace() is nAGQ=1"
        )
    ],
    "approximation": [
        Instead("fit_laplace() fits by Laplace's approximation, and so does all that is refitted after it")
    ],
    "control": [Instead("pass the options themselves: mcse_tol=, max_draws=, max_seconds=, maxiter=")],
    "start": [Instead("pass start_params=", "start_params")],
    "verbose": [Instead("pass disp=True", "disp")],
    "seed": RNG,
    "random_state": RNG,
    "cores": [Instead("pass n_jobs=", "n_jobs")],
    "ncpus": [Instead("pass n_jobs=", "n_jobs")],
    "n": [Instead("pass nsim=", "nsim")],
    "nsim": [Instead("pass nrep=", "nrep")],
    "na_action": [Instead("pass missing='drop' for na.omit, missing='raise' for na.fail, to the model")],
    "linear": [Instead("pass which='linear'", "which")],
    "type": [
        Instead("pass which='mean' for type='response', which='linear' for type='link'", "which"),
        Instead("pass resid_type=", "resid_type"),
    ],
    "transform": [Instead("pass type='response'", "type")],
    "regrid": [Instead("pass type='response'", "type")],
    "re_form": [Instead("pass random='none', 'conditional' or 'marginal'", "random")],
    "newdata": [Instead("pass the new rows first, as predict(rows)", "exog")],
    "se_fit": [Instead("use get_prediction(), which has standard errors", "exog")],
    "interval": [
        Instead("get_prediction(rows) has conf_int() of the mean, obs_conf_int() of new responses", "exog")
    ],
    "family": [Instead("make the model again, with from_formula(..., family=)")],
    "link": [Instead("pass it in the family: sm.families.Binomial(link=sm.families.links.Probit())")],
    "level": LEVEL,
    "conf_level": LEVEL,
    "infer": [Instead("leave it out: the table has limits and tests, summary_frame() as numbers")],
    "adjust": [
        Instead("pass method=, as statsmodels calls it", "method"),
        Instead("pass it to contrasts(), as in emmeans('x').contrasts('pairwise', adjust='holm')"),
    ],
    "test_statistic": [Instead("pass test='Wald', 'LR' or 'score'", "test")],
    "ddf": [Instead("leave it out: tests are chi-square and normal, as in all generalized models")],
    "condVar": [Instead("leave it out: random_effects_frame() has standard errors")],
    "digits": [Instead("round the numbers: summary_frame().round(3), tidy().round(3)")],
    "simulationOutput": [Instead("leave it out: it simulates itself, nsim= data sets", "nsim")],
    **{name: [AXES] for name in ("main", "title", "xlab", "ylab", "xlabel", "ylabel", "xlim", "ylim")},
}


def refuse_unknown(call: Callable[..., Any], given: Iterable[str], options: Sequence[str] = ()) -> None:
    """Refuse arguments that a call does not have.

    Parameters
    ----------
    call : callable
        What was called.
    given : iterable of str
        Names of arguments that are none of its own.
    options : sequence of str
        Those that it hands on.

    Raises
    ------
    TypeError
        With what to pass instead, where that is known, or a name that was misspelt.
    """
    known = [*inspect.signature(call).parameters, *options]
    for name in given:
        if name in options:
            continue
        habits = [way.text for way in INSTEAD.get(name, ()) if not way.needs or way.needs in known]
        near = [f"did you mean {similar}=?" for similar in get_close_matches(name, known, n=1)]
        way_out = [*habits, *near, "see its help"][0]
        raise TypeError(f"{call.__name__} has no argument {name!r}: {way_out}")


def telling(call: Callable[..., Any]) -> Callable[..., Any]:
    """Call that names the way out of an argument which it does not have, and is itself otherwise."""
    known = inspect.signature(call).parameters

    @wraps(call)
    def told(*args: Any, **kwargs: Any) -> Any:
        if not known.keys() >= kwargs.keys():
            refuse_unknown(call, kwargs.keys() - known.keys())
        return call(*args, **kwargs)

    return told


def _tells(name: str, member: Any) -> bool:
    """Whether a member of a class is a call of users' that takes no names but its own.

    Calls that read formulas where they are called (``eval_env``) count the frames above them: they have ``**unknown``
    of their own, as a frame in between would be one of these.
    """
    if name.startswith("_") or not inspect.isfunction(member):
        return False
    parameters = inspect.signature(member).parameters
    return all(each.kind is not each.VAR_KEYWORD for each in parameters.values())


class WithoutInternals:
    """Object whose completion shows what is meant for users, and whose methods tell what to pass instead."""

    _internal: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name, member in list(vars(cls).items()):
            if _tells(name, member):
                setattr(cls, name, telling(member))

    def __dir__(self) -> Iterable[str]:
        return [name for name in super().__dir__() if name not in self._internal]


class ShownByTable(WithoutInternals):
    """Object that notebooks show by its ``summary_frame()``."""

    def _repr_html_(self) -> str:
        table: Any = getattr(self, "summary_frame")()  # noqa: B009
        return str(table.to_html())


def cut(text: str) -> str:
    """Text of one line, shortened in its middle if it is long."""
    text = " ".join(text.split())
    half = LONGEST // 2 - 3
    return text if len(text) <= LONGEST else f"{text[:half]} ... {text[-half:]}"
