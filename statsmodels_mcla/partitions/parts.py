"""Partitions as users hand them over, made into loaders."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import pandas as pd

from statsmodels_mcla.execution import Part


@dataclass(frozen=True)
class ParquetFile:
    """A Parquet file, of which the columns that are named are read."""

    path: str

    def __call__(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read it."""
        return pd.read_parquet(self.path, columns=None if columns is None else list(columns))


@dataclass(frozen=True)
class DaskPartition:
    """A partition of a Dask DataFrame, as bytes: Dask would take the frame itself for something to wait for."""

    content: bytes

    @classmethod
    def of(cls, frame: Any) -> DaskPartition:
        """Partition of a frame of one."""
        return cls(import_module("cloudpickle").dumps(frame))

    def __call__(self) -> pd.DataFrame:
        """Compute it here."""
        found: pd.DataFrame = pickle.loads(self.content).compute(scheduler="synchronous")  # noqa: S301 - of this process
        return found


def parts_of(partitions: Any) -> tuple[Part, ...]:
    """Loaders of a Dask DataFrame, of paths of Parquet files, or of an iterable of functions without arguments.

    Raises
    ------
    ValueError
        If there is something else among them, or nothing.
    """
    if hasattr(partitions, "to_delayed") and hasattr(partitions, "npartitions"):
        frames = [DaskPartition.of(partitions.partitions[k]) for k in range(partitions.npartitions)]
        return tuple(Part(k, f"partition {k}", load) for k, load in enumerate(frames))
    if isinstance(partitions, (str, os.PathLike, pd.DataFrame)) or not isinstance(partitions, Iterable):
        raise ValueError(  # noqa: TRY004 - as all that is wrong with an argument
            "partitions must be a Dask DataFrame, a list of paths of Parquet files, or functions without arguments "
            f"that return DataFrames; got {type(partitions).__name__}"
        )
    out: list[Part] = []
    for k, one in enumerate(partitions):
        if isinstance(one, Part):
            out.append(replace(one, number=k))
        elif isinstance(one, (str, os.PathLike)):
            path = os.fspath(one)
            if not os.path.exists(path):  # noqa: PTH110 - a path of any kind
                raise ValueError(f"partitions: there is no file {path!r}")
            out.append(Part(k, f"partition {k} ({path})", ParquetFile(path)))
        elif callable(one):
            out.append(Part(k, f"partition {k}", one))
        else:
            raise ValueError(  # noqa: TRY004
                f"partitions: partition {k} is a {type(one).__name__}, and must be the path of a Parquet file or a "
                "function without arguments that returns a DataFrame (lambda: frame)"
            )
    if not out:
        raise ValueError("partitions is empty: there is nothing to fit")
    return tuple(out)


def loaded(part: Part, columns: Sequence[str] | None = None) -> Any:
    """Rows of a part, with the columns that are needed where that can be said."""
    load: Callable[..., Any] = part.load
    found = load(columns) if isinstance(load, ParquetFile) else load()
    if not hasattr(found, "columns"):
        raise TypeError(f"what loads it must return a DataFrame, not a {type(found).__name__}")
    return found
