"""The files of a history folder: which ones they are, and how one is added."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InputError, UsageError
from bench.storage import load_suite, suite_path, write_atomically

__all__ = ["INDEX_FILE", "Stamp", "add_suite", "find_files"]

INDEX_FILE = ".history.sqlite3"
# Our own files that lie beside a suite and are none.
_COMPANIONS = frozenset({"run.json", "ab.json", "merge.json"})


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes when a file does: the inode too, since a new file often takes an old one's place."""

    size: int
    mtime_ns: int
    inode: int


def find_files(folder: Path) -> dict[str, Stamp]:
    """Every JSON file below the folder that may be a suite, by its path from there.

    Hidden files and folders, and what a run writes beside its suite, are left out. Raises InputError for a
    folder that can't be read.
    """
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder; give one that holds suite files")
    found: dict[str, Stamp] = {}

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: can't be read ({error.strerror})") from error

    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            if name.endswith(".json") and not name.startswith(".") and name not in _COMPANIONS:
                path = os.path.join(place, name)
                try:
                    state = os.stat(path)
                except OSError:
                    continue  # removed meanwhile, or a link to nothing
                found[os.path.relpath(path, folder)] = Stamp(state.st_size, state.st_mtime_ns, state.st_ino)
    return dict(sorted(found.items()))


def add_suite(folder: Path, source: Path) -> Path:
    """Copies a suite (its file or run folder) into the history, and gives its place there.

    The name has the start, the preset and a digest of the content: two processes never write two suites to
    one place, and the same suite is there once, however often it is added. The file appears whole or not at
    all. Raises InputError for what is no suite, or can't be written.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file; give a folder for the history")
    suite = load_suite(source)
    content = suite_path(source).read_bytes()
    first = min((session.started for session in suite.sessions), default="")
    presets = "+".join(dict.fromkeys(session.preset for session in suite.sessions))
    words = (re.sub(r"[^A-Za-z0-9.+-]", "", word)[:60] for word in (first, presets))
    name = "-".join([*filter(None, words), hashlib.sha256(content).hexdigest()[:16]])
    target = folder / f"{name}.json"
    if not target.exists():
        write_atomically(target, content)
    return target
