"""From a folder of suite files to what they say, through the index where there is one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import msgspec

from bench.cycles import no_cycles
from bench.errors import InputError
from bench.history.files import find_files
from bench.history.index import Index, Start, opened_index
from bench.history.kept import Damaged
from bench.history.reading import read_files

__all__ = ["through_index"]

T = TypeVar("T")

# What an interrupted first reading has not lost.
_SAVE_EVERY = 256


def through_index(folder: Path, take: Callable[[Index], T]) -> T:
    """What `take` makes of the index of `folder`, after it was brought up to date with the files.

    A damaged index is made anew, and does without where it can't be kept: `take` must be ready to be called
    again. Raises InputError for a folder that can't be read.
    """
    for start in Start:
        try:
            with opened_index(folder, start) as index:
                _refresh(index, folder)
                with no_cycles():
                    taken = take(index)
                index.answers.save()
                return taken
        except (sqlite3.Error, Damaged, msgspec.DecodeError) as error:
            last = error
    raise InputError(
        f"{folder}: can't be read, for want of room for an index ({last}); make room in the temporary folder"
    )


def _refresh(index: Index, folder: Path) -> None:
    found, known = find_files(folder), index.stamps()
    unchanged = {path for path, stamp in known.items() if found.get(path) == stamp}
    index.keep_only(unchanged)
    new = [path for path in found if path not in unchanged]
    for number, (path, digest) in enumerate(read_files(folder, new), start=1):
        index.add(path, found[path], digest)
        if number % _SAVE_EVERY == 0:
            index.save()
    index.save()
