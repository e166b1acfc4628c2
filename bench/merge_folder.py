"""A merge on disk: run folders or suite files in, one folder out that reads like a run's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from bench.errors import UsageError
from bench.merge import Merged, merge
from bench.storage import SUITE_FILE, load_suite, save_suite, write_atomically

__all__ = ["merge_folders"]

_MARK = "merge.json"


class _Mark(msgspec.Struct, frozen=True):
    """What makes a folder that of a merge: the sessions that went into it, and the shards that are lost."""

    sessions: tuple[str, ...]
    lost: tuple[str, ...]


def merge_folders(parts: Sequence[Path], out: Path) -> Merged:
    """Merges into `out`, which may hold an earlier merge, and even be one of the parts.

    The training logs come along; where the parts were trained each by itself, the first part's do. Raises
    InputError for parts that can't be read or joined, and UsageError for an `out` that holds anything else.
    """
    _check_out(out)
    suites = {str(part): load_suite(part) for part in parts}
    merged = merge(suites)
    logs, clash = _training_logs(parts)
    if clash:
        merged = _with_note(merged, clash)
    sessions = (session for session in merged.suite.sessions if session.shard not in merged.lost)
    mark = _Mark(tuple(session.id for session in sessions), tuple(map(str, merged.lost)))
    write_atomically(out / _MARK, msgspec.json.format(msgspec.json.encode(mark), indent=1) + b"\n")
    for name, content in logs.items():
        write_atomically(out / name, content)
    for stale in set((out / "training").rglob("*.jsonl")) - {out / name for name in logs}:
        stale.unlink()
    save_suite(merged.suite, out / SUITE_FILE)
    return merged


def _check_out(out: Path) -> None:
    if out.is_file():
        raise UsageError(f"{out}: is a file; give a folder with --out")
    if out.is_dir() and not (out / _MARK).exists() and any(out.iterdir()):
        raise UsageError(f"{out}: is not empty and holds no merge; give another folder with --out")


def _training_logs(parts: Sequence[Path]) -> tuple[dict[str, bytes], str]:
    """The logs by their place in a run folder, and what is to be said of parts that have different ones."""
    found: dict[str, bytes] = {}
    differing: set[str] = set()
    for part in parts:
        for log in sorted((part / "training").rglob("*.jsonl")):
            name, content = log.relative_to(part).as_posix(), log.read_bytes()
            if found.setdefault(name, content) != content:
                differing.add(name)
    if not differing:
        return found, ""
    return found, (
        f"The shards were trained each by itself ({len(differing)} logs differ): the report shows the "
        "training of the first part that has a log; to measure one set of weights in all shards, train once "
        "and give each `run --shard` a copy of that folder."
    )


def _with_note(merged: Merged, note: str) -> Merged:
    first, *others = merged.suite.sessions
    first = msgspec.structs.replace(first, warnings=tuple(dict.fromkeys([*first.warnings, note])))
    suite = msgspec.structs.replace(merged.suite, sessions=(first, *others))
    return replace(merged, suite=suite, notes=(*merged.notes, note))
