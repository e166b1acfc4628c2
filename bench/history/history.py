"""A history as its readers see it: series, changes, and what was left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.compare import Observed
from bench.history.change_points import change_points
from bench.history.changes import Change, FactShift, Line, changes_of, fact_shifts, lines_of
from bench.history.gather import gather
from bench.history.index import Index
from bench.history.load import through_index
from bench.history.series import Gathered

__all__ = ["History", "observed_suites", "read_history"]


@dataclass(frozen=True, slots=True)
class History:
    """`changes` are those of at least `threshold`; `skipped` files are no suites, with the reason."""

    gathered: Gathered
    lines: tuple[Line, ...]
    changes: tuple[Change, ...]
    facts: tuple[FactShift, ...]
    skipped: Mapping[str, str]
    threshold: float

    def last_line(self) -> str:
        """The counts: `32 series, 40 sessions, 3 changes, 1 skipped`."""
        return (
            f"{len(self.gathered.series)} series, {len(self.gathered.sessions)} sessions, "
            f"{len(self.changes)} changes, {len(self.skipped)} skipped"
        )


def read_history(folder: Path, threshold: float) -> History:
    """Everything below the folder that is a suite. Raises InputError for a folder that can't be read."""

    def take(index: Index) -> History:
        gathered = gather(index.sessions())
        lines = lines_of(gathered, search=index.answers.remembering(change_points))
        return History(
            gathered=gathered,
            lines=lines,
            changes=changes_of(lines, threshold),
            facts=fact_shifts(gathered),
            skipped=index.skipped(),
            threshold=threshold,
        )

    return through_index(folder, take)


def observed_suites(folder: Path) -> tuple[tuple[Observed, ...], Mapping[str, str]]:
    """What `compare` needs of every suite below the folder, and the files that are none, with the reason.

    Block values of all suites are held at once: some 60 KiB each (of 32 cases, 15 blocks), where all of a
    suite would be ten MiB.
    """
    return through_index(folder, lambda index: (tuple(index.observed()), index.skipped()))
