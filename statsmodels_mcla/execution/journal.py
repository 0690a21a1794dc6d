"""A file of all that a caller was told, from which it can come to the same point again without asking."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
BROKEN = (EOFError, pickle.UnpicklingError, ValueError, LookupError, AttributeError, ImportError, TypeError)


class PartitionError(ValueError):
    """Something went wrong with one part of the data, which the message names."""


class Journal:
    """Answers in the order of the questions: those of the file first, then live ones, which are added to it.

    A caller whose questions depend on nothing but the answers goes on where it was interrupted, to the same bits.

    Parameters
    ----------
    path : path
        File to write.
    about : object
        What was asked for.
    known : list
        Answers that are known.
    """

    def __init__(self, path: Path, about: Any, known: list[tuple[str, bool, Any]]) -> None:
        self.path, self.about = path, about
        self._known = known[::-1]
        new = path.with_name(f"{path.name}.new")  # no moment without what was known
        with new.open("wb") as file:
            for record in (about, *known):
                pickle.dump(record, file, protocol=pickle.HIGHEST_PROTOCOL)
        new.replace(path)

    @classmethod
    def read(cls, path: Path) -> tuple[Any, list[tuple[str, bool, Any]]]:
        """What a file is about, and the answers in it, the last of which may be cut off.

        Raises
        ------
        ValueError
            If it is no such file.
        """
        found = []
        with path.open("rb") as file:
            try:
                while True:
                    found.append(pickle.load(file))  # noqa: S301 - a file of the user's own
            except BROKEN:
                pass
        if not found:
            raise ValueError(f"{path} holds no checkpoint of a fit")
        return found[0], found[1:]

    def told(self, question: str, ask: Callable[[], T]) -> T:
        """Answer from the file, or by asking; errors are answers too.

        Raises
        ------
        ValueError
            If the file answers another question.
        """
        if self._known:
            asked, fine, answer = self._known.pop()
            if asked != question:
                raise ValueError(
                    f"{self.path} is the checkpoint of another fit, which asked {asked!r} at this point"
                )
        else:
            fine, answer = _answered(ask)
            self._write((question, fine, answer))
        if not fine:
            raise answer
        return answer

    def _write(self, answer: Any) -> None:
        with self.path.open("ab") as file:
            pickle.dump(answer, file, protocol=pickle.HIGHEST_PROTOCOL)


def _answered(ask: Callable[[], T]) -> tuple[bool, Any]:
    try:
        return True, ask()
    except PartitionError:  # which may be right the next time
        raise
    except (ArithmeticError, ValueError) as error:  # of numbers: part of a fit
        return False, error
