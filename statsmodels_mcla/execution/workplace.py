"""Values that stay where the parts of the data are, and how they are made again.

A *part* is what one loader gives.  Work on parts needs large values (designs, draws) that nobody wants to send.  They
are *kept*: the caller holds a `Kept`, which says how the value of each part is made, from the part itself or from other
kept values, and whoever works on the part looks into its own memory, and makes what is not there.  Every step is a pure
function, so that it does not matter who works, in which order, whether somebody dies, or what had to leave memory.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Any, ClassVar, NamedTuple, TypeVar
from weakref import WeakSet, finalize

import numpy as np

from statsmodels_mcla.execution.blas import on_one_blas_thread
from statsmodels_mcla.execution.executor import SERIAL, Executor, OutOfTime
from statsmodels_mcla.execution.journal import Journal, PartitionError
from statsmodels_mcla.execution.memory import resident

T = TypeVar("T")

NUMERICAL = (FloatingPointError, np.linalg.LinAlgError, OutOfTime, MemoryError)  # callers know what to do


@dataclass(frozen=True)
class Part:
    """A part of the data.

    Attributes
    ----------
    number : int
    name : str
        As errors show it.
    load : callable
        Of no arguments: the rows.
    """

    number: int
    name: str
    load: Callable[[], Any] = field(repr=False)


class Step(NamedTuple):
    """How a kept value is made: by a function of values kept before, or of the part itself if there are none."""

    key: int
    function: Callable[..., Any]
    parents: tuple[int | None, ...]
    remade: bool


class Kept:
    """A value of every part, known by how it is made; forgotten where nobody holds this any more."""

    def __init__(self, step: Step, history: dict[int, Step], alive: set[int]) -> None:
        self.step, self.history, self._alive = step, history, alive
        alive.add(step.key)
        finalize(self, alive.discard, step.key)

    def __reduce__(self) -> tuple[Any, ...]:
        return Kept, (self.step, self.history, self._alive)


def remade(function: Callable[..., T]) -> Callable[..., T]:
    """Mark a function whose kept values are large and quickly made again: they leave memory first."""
    function.remade = True  # type: ignore[attr-defined]
    return function


@dataclass(frozen=True, repr=False)
class Job:
    """Work on a part: what is asked, how what it needs is made, and what anybody needs afterwards.

    Attributes
    ----------
    place : tuple of str
        Who asks, and for which of its workplaces.
    open : frozenset of tuple
        Workplaces that there are: what is kept for others of the same asker is forgotten.
    function : callable
    keys : tuple of int or None
        Of the kept values that it is called with.
    steps : tuple of Step
        In an order in which they can be made.
    alive : frozenset of int
        Kept values that somebody holds.
    most : float
        Memory of a process, in bytes, above which parts that were worked on give up what is remade.
    """

    place: tuple[str, str]
    open: frozenset[tuple[str, str]]
    function: Callable[..., Any]
    keys: tuple[int | None, ...]
    steps: tuple[Step, ...]
    alive: frozenset[int]
    most: float

    def __repr__(self) -> str:  # which Dask asks for at every turn, and all that is sent would be in it
        return f"<{type(self).__name__}: {self.title}>"

    @property
    def title(self) -> str:
        """What is done, for those who watch."""
        return str(getattr(self.function, "func", self.function).__name__).strip("_")

    def __call__(self, part: Part) -> Any:
        """Work on a part.

        Raises
        ------
        PartitionError
            Any error but those of numbers, with the name of the part.
        """
        for place in [p for p in list(_PLACES) if p[0] == self.place[0] and p not in self.open]:
            _PLACES.pop(place, None)
        memory = _PLACES.setdefault(self.place, {}).setdefault(part.number, Memory())
        with memory.lock, Named(part.name):
            return self._worked(part, memory.values)

    @on_one_blas_thread
    def _worked(self, part: Part, values: dict[int, Any]) -> Any:
        missing: set[int] = set()
        wanted = {key for key in self.keys if key is not None}
        for step in reversed(self.steps):  # children stand behind their parents
            if step.key in wanted and step.key not in values:
                missing.add(step.key)
                wanted |= {key for key in step.parents if key is not None}
        for key in values.keys() - self.alive - wanted:
            del values[key]
        for step in self.steps:
            if step.key in missing:
                parents = [None if key is None else values[key] for key in step.parents]
                values[step.key] = step.function(*parents) if parents else step.function(part)
        out = self.function(*(None if key is None else values[key] for key in self.keys))
        full = resident() > self.most
        given_up = {step.key for step in self.steps if full and step.remade}
        for key in (values.keys() - self.alive) | (values.keys() & given_up):
            del values[key]
        return out


@dataclass(frozen=True)
class Named:
    """Has errors name the part that they are from."""

    name: str

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, NUMERICAL):
            raise PartitionError(f"{self.name}: {error}") from error


class Memory:
    """What a process knows of a part."""

    def __init__(self) -> None:
        self.values: dict[int, Any] = {}
        self.lock = threading.RLock()


_PLACES: dict[tuple[str, str], dict[int, Memory]] = {}
_ASKER = uuid.uuid4().hex  # this process, as one that asks


class Workplace:
    """Parts of the data, and who works on them.

    Parameters
    ----------
    parts : sequence of Part
    executor : Executor
    most : float
        Memory of a process that works on parts, in bytes, above which large values are dropped and made again.
    """

    _open: ClassVar[WeakSet[Workplace]] = WeakSet()
    _one_at_a_time: ClassVar = Lock()

    def __init__(self, parts: Sequence[Part], executor: Executor, most: float = np.inf) -> None:
        self.parts, self.executor, self.most = tuple(parts), executor, most
        self.journal: Journal | None = None
        self._next = 0
        self._alive: set[int] = set()
        self._begin()

    def _begin(self) -> None:
        """Take a name of its own, under which nothing is in any memory."""
        self.place = _ASKER, uuid.uuid4().hex
        with self._one_at_a_time:
            self._open.add(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "journal": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def take(self, numbers: Sequence[int]) -> None:
        """Go on with some of the parts, numbered anew."""
        self.parts = tuple(replace(self.parts[old], number=new) for new, old in enumerate(numbers))

    def keep(self, function: Callable[..., Any], *kept: Kept | None) -> Kept:
        """Value of a function of kept values, or of the part if there are none; made when it is first needed."""
        history = {key: step for one in kept if one is not None for key, step in one.history.items()}
        inner = getattr(function, "func", function)
        parents = tuple(None if one is None else one.step.key for one in kept)
        step = Step(self._next, function, parents, getattr(inner, "remade", False))
        self._next += 1
        history[step.key] = step
        return Kept(step, history, self._alive)

    def map(self, function: Callable[..., T], *kept: Kept | None, executor: Executor = SERIAL) -> list[T]:
        """Value of a function of kept values for every part, in their order.

        The executor is asked whether there is time; who works is the workplace's.
        """
        return executor.alone.map(self._mapped, [(function, kept)])[0]

    def _mapped(self, asked: tuple[Callable[..., T], tuple[Kept | None, ...]]) -> list[T]:
        function, kept = asked
        if self.journal is None:
            return self._done(function, kept)
        inner = getattr(function, "func", function)
        return self.journal.told(inner.__qualname__, lambda: self._done(function, kept))

    def _done(self, function: Callable[..., T], kept: Sequence[Kept | None]) -> list[T]:
        steps = {key: step for one in kept if one is not None for key, step in one.history.items()}
        with self._one_at_a_time:
            places = frozenset(one.place for one in self._open)
        job = Job(
            self.place,
            places,
            function,
            tuple(None if one is None else one.step.key for one in kept),
            tuple(steps[key] for key in sorted(steps)),
            frozenset(self._alive),
            self.most,
        )
        return self.executor.map(job, self.parts)
