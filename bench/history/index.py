"""The index of a history folder: what its files say, and which changes were found in that, so that neither
need be done again.

SQLite, rebuilt from the files at any time, and never the only copy of anything. Where it can't be written, or
another process is at it, a temporary one does the same for one time.
"""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from enum import Enum
from pathlib import Path
from typing import IO

import msgspec

from bench.compare import Observed
from bench.history.answers import ANSWERS_TABLE, Answers
from bench.history.digest import Digest, layout
from bench.history.files import INDEX_FILE, Stamp
from bench.history.kept import Damaged, whole
from bench.history.packed import Unpacking
from bench.history.points import SessionPoints

__all__ = ["Index", "Start", "opened_index"]

# As long as it takes to read a large history once and to search it; whoever waited then finds it read.
_PATIENCE_S = 30.0
_LOOK_AGAIN_S = 0.05
_TABLES = """
CREATE TABLE files (path TEXT PRIMARY KEY, size INT, mtime_ns INT, inode INT, reason TEXT) WITHOUT ROWID;
CREATE TABLE sessions (
    path TEXT, id TEXT, started TEXT, environment TEXT, blocks INT, checksum INT, content BLOB
);
CREATE INDEX sessions_of ON sessions (path);
CREATE TABLE observed (path TEXT PRIMARY KEY, checksum INT, content BLOB);
"""


class Index:
    """What is known of a folder's files. Methods raise sqlite3.Error or Damaged where it is unusable."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.answers = Answers(connection)

    def stamps(self) -> dict[str, Stamp]:
        """The suites that are known, as they were when they were read.

        A file that was no suite is not: what made it none (rights, an older version here) may be mended.
        """
        rows = self._connection.execute("SELECT path, size, mtime_ns, inode FROM files WHERE reason = ''")
        return {path: Stamp(size, mtime_ns, inode) for path, size, mtime_ns, inode in rows}

    def keep_only(self, paths: Iterable[str]) -> None:
        """Drops every other file."""
        known = {path for (path,) in self._connection.execute("SELECT path FROM files")}
        rows = [(path,) for path in known - set(paths)]
        for table in ("files", "sessions", "observed"):
            self._connection.executemany(f"DELETE FROM {table} WHERE path = ?", rows)

    def add(self, path: str, stamp: Stamp, found: Digest) -> None:
        """Keeps what a file said."""
        self._connection.execute(
            "INSERT INTO files VALUES (?, ?, ?, ?, ?)",
            (path, stamp.size, stamp.mtime_ns, stamp.inode, found.reason),
        )
        self._connection.executemany(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (path, name, started, environment, blocks, kept.checksum, kept.content)
                for name, started, environment, blocks, kept in found.sessions
            ],
        )
        if found.observed is not None:
            row = (path, found.observed.checksum, found.observed.content)
            self._connection.execute("INSERT INTO observed VALUES (?, ?, ?)", row)

    def save(self) -> None:
        """Makes what was added and forgotten last."""
        self._connection.commit()

    def skipped(self) -> dict[str, str]:
        """Files that are no suites, with the reason."""
        query = "SELECT path, reason FROM files WHERE reason != '' ORDER BY path"
        return dict(self._connection.execute(query))

    def sessions(self, environment: str | None = None) -> Iterator[tuple[str, SessionPoints]]:
        """Each file's sessions by their start; of two states of one session the fuller comes first."""
        decoder = msgspec.msgpack.Decoder(SessionPoints)
        rows = self._connection.execute(
            "SELECT path, checksum, content FROM sessions WHERE ?1 IS NULL OR environment = ?1 "
            "ORDER BY started, id, blocks DESC, path",
            (environment,),
        )
        for path, checksum, content in rows:
            yield path, decoder.decode(whole(content, checksum))

    def observed(self) -> Iterator[Observed]:
        """Each suite's block values."""
        unpacking = Unpacking()
        query = "SELECT checksum, content FROM observed ORDER BY path"
        for checksum, content in self._connection.execute(query):
            yield unpacking.unpack(whole(content, checksum))


class Start(Enum):
    """What an index starts from: what stands in the folder, nothing, or nothing and not in the folder."""

    STANDING = "standing"
    FRESH = "fresh"
    TEMPORARY = "temporary"


@contextmanager
def opened_index(folder: Path, start: Start) -> Iterator[Index]:
    """The folder's index, in the hands of this process alone; a temporary one where that can't be had."""
    path = folder / INDEX_FILE
    with _locked(path.with_suffix(".lock")) as lock:
        wanted = lock is not None and start is not Start.TEMPORARY
        connection = _connect(path, start is Start.FRESH) if wanted else None
        # An empty name is a file of SQLite's own, which it removes; memory stays bounded.
        with closing(connection or _prepared(sqlite3.connect(""))) as connection:
            yield Index(connection)


@contextmanager
def _locked(path: Path) -> Iterator[IO[bytes] | None]:
    """Holds the lock, or gives None where there can be none or somebody keeps it for too long.

    With it nobody has the index open while it is replaced.
    """
    try:
        lock = path.open("wb")
    except OSError:
        yield None
        return
    with lock:
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    yield None
                    return
                time.sleep(_LOOK_AGAIN_S)
            except OSError:
                yield None
                return
            else:
                yield lock
                return


def _connect(path: Path, fresh: bool) -> sqlite3.Connection | None:
    """The index on disk, made anew where it is damaged or laid out in another way; None if it can't be."""
    for attempt in range(2):
        try:
            if fresh or attempt:
                for name in (path, path.with_name(f"{path.name}-journal")):
                    name.unlink(missing_ok=True)
            connection = sqlite3.connect(path)
            try:
                return _prepared(connection)
            except BaseException:
                connection.close()
                raise
        except (sqlite3.Error, Damaged, OSError):
            continue
    return None


def _prepared(connection: sqlite3.Connection) -> sqlite3.Connection:
    """Checks the layout, or lays out an empty database. Raises Damaged for one of another layout."""
    # What a crash of the machine loses is read again from the files.
    connection.execute("PRAGMA synchronous = OFF")
    if not connection.execute("SELECT 1 FROM sqlite_master").fetchone():
        connection.executescript(f"{_TABLES} {ANSWERS_TABLE} PRAGMA user_version = {layout()};")
    if connection.execute("PRAGMA user_version").fetchone() != (layout(),):
        raise Damaged
    # Also proves that it can be written.
    connection.execute("BEGIN IMMEDIATE")
    return connection
