"""One file of a history, read: what the index keeps of it, or why it can't be used."""

from __future__ import annotations

import os
import sys
import zlib
from pathlib import Path

import msgspec

from bench.compare import observe
from bench.errors import InputError
from bench.history.kept import Kept, kept
from bench.history.packed import PACKED_TYPES, packed
from bench.history.points import COLUMNS, Layout, SessionPoints, points_of
from bench.history.times import read_times
from bench.record import Suite

__all__ = ["Digest", "digest", "layout"]

# Raised with every change of what the figures mean, of the search for changes or of the index's tables; a
# change of the figures' types is noticed by itself.
_VERSION = 5
# A thousand times a usual suite; a file beyond it would not fit into memory beside the others.
_LARGEST_BYTES = 2**30


class Digest(msgspec.Struct, frozen=True, array_like=True):
    """`reason` says why the file is no suite, empty for one that is. Sessions come with their blocks."""

    reason: str
    observed: Kept | None = None
    sessions: tuple[tuple[str, str, str, int, Kept], ...] = ()


def layout() -> int:
    """A number that changes with what a digest looks like: 31 bits, as SQLite has room for."""
    types = msgspec.json.schema_components([*PACKED_TYPES, SessionPoints, Layout])
    text = msgspec.json.encode((_VERSION, COLUMNS, sys.byteorder, types), order="sorted")
    return zlib.crc32(text) & 0x7FFFFFFF


def digest(path: str, name: str) -> Digest:
    """Reads a file, which goes by `name`. Never raises for what is wrong with the file."""
    try:
        if os.path.getsize(path) > _LARGEST_BYTES:
            return Digest(f"larger than the {_LARGEST_BYTES >> 20} MiB that a suite can have")
        return read_times(Path(path), lambda suite: _digest(suite, name))
    except (InputError, OSError) as error:
        return Digest(str(error).removeprefix(f"{path}: "))


def _digest(suite: Suite, name: str) -> Digest:
    if any(session.slowed_on_purpose for session in suite.sessions):
        return Digest("was slowed on purpose, by a self-test, and is no result")
    observed = observe(suite, name)
    rows = tuple(
        (session.id, session.started, session.environment, session.blocks, kept(session))
        for session in points_of(observed)
    )
    return Digest("", kept(packed(observed)), rows)
