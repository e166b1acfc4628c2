"""Which changes were found in a history before, as its index keeps it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sqlite3
from contextlib import suppress

import msgspec
import numpy as np

from bench.history.change_points import FEWEST_SESSIONS, Search, Values
from bench.history.kept import kept, whole

__all__ = ["ANSWERS_TABLE", "Answers"]

ANSWERS_TABLE = "CREATE TABLE answers (question BLOB UNIQUE, checksum INT, content BLOB);"
# A hundred for each state of a folder with 32 cases on one machine; for more cases there is more room.
_FEWEST_ANSWERS, _ANSWERS_A_QUESTION = 1024, 4


class Answers:
    """Those in an index. Nothing hangs on it that they can be kept: else they are found another time."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._questions = 0

    def save(self) -> None:
        """Makes what was kept last, but for the oldest of too many."""
        most = max(_FEWEST_ANSWERS, _ANSWERS_A_QUESTION * self._questions)
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute(
                    "DELETE FROM answers WHERE rowid <= (SELECT max(rowid) FROM answers) - ?", (most,)
                )
            self._connection.commit()

    def remembering(self, search: Search) -> Search:
        """`search`, but that what it found before isn't searched for again.

        It must always be the same, since what was found is kept by what was asked. Its library alone takes as
        long to import as all the rest of an answer.
        """
        versions = _versions()

        def remembered(logs: Values, family: int, noise: float, /) -> tuple[int, ...]:
            if len(logs) < FEWEST_SESSIONS:
                return search(logs, family, noise)
            values = np.asarray(logs, dtype=np.float64).tobytes()
            question = hashlib.blake2b(msgspec.msgpack.encode((versions, family, noise, values))).digest()
            self._questions += 1
            rows = self._connection.execute(
                "SELECT checksum, content FROM answers WHERE question = ?", (question,)
            )
            for checksum, content in rows:
                return msgspec.msgpack.decode(whole(content, checksum), type=tuple[int, ...])
            found = search(logs, family, noise)
            answer = kept(found)
            with suppress(sqlite3.Error):
                row = (question, answer.checksum, answer.content)
                self._connection.execute("INSERT INTO answers VALUES (?, ?, ?)", row)
            return found

        return remembered


def _versions() -> tuple[str, ...]:
    """Those of the libraries that decide what is found; empty for one that isn't installed."""

    def version(name: str) -> str:
        try:
            return importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            return ""

    return tuple(map(version, ("ruptures", "scipy", "numpy")))
