"""Baselines: whole suite files under a name, such as `reports/baselines/gate.json`."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

import msgspec

from bench.case import Case
from bench.errors import EnvironmentMismatch, UsageError
from bench.record import Suite
from bench.storage import load_suite, save_suite

__all__ = ["BASELINES", "baseline_path", "load_baseline", "only_cases", "save_baseline", "unfit"]

#: Where baselines are kept, below the folder in which the command runs.
BASELINES = Path("reports/baselines")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def baseline_path(name: str, folder: Path = BASELINES) -> Path:
    """The file of a baseline. Raises UsageError for what can't be a name."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"baseline {name!r}: a name has letters, digits, dots, dashes and underscores only; "
            f"it becomes a file in {folder}"
        )
    return folder / f"{name}.json"


def load_baseline(name: str, folder: Path = BASELINES) -> Suite:
    """Reads a baseline.

    Raises EnvironmentMismatch where there is none, naming those that there are, and InputError where it
    can't be read.
    """
    path = baseline_path(name, folder)
    if not path.exists():
        others = ", ".join(sorted(file.stem for file in folder.glob("*.json")))
        there = f"; there are {others}" if others else ""
        raise EnvironmentMismatch(
            f"{path}: there is no such baseline{there}; make it with "
            f"`dyrelu-bench check --save-baseline {name}`"
        )
    return load_suite(path)


def save_baseline(suite: Suite, name: str, folder: Path = BASELINES) -> Path:
    """Writes the suite as a baseline, whole or not at all, in the place of one of that name.

    A caller asks `unfit` first. Raises UsageError for a bad name, InputError where it can't be written.
    """
    path = baseline_path(name, folder)
    save_suite(suite, path)
    return path


def unfit(suite: Suite) -> str:
    """Why a suite is no baseline, since what a baseline lacks is never compared again; empty if it is one."""
    if not any(record.series for record in suite.records):
        return "nothing was measured"
    lost = _lost(suite)
    if not lost:
        return ""
    more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
    return f"{min(lost).key}{more} failed or was not measured"


def _lost(suite: Suite) -> set[Case]:
    """Cases without a time, those apart that this machine has no memory or no engine for: they are rows."""
    measured = {record.case for record in suite.records if record.skipped is None}
    beyond = {
        record.case for record in suite.records if record.skipped is not None and record.skipped.kind.is_limit
    }
    planned = {case for session in suite.sessions for case in session.planned}
    planned |= {record.case for record in suite.records}
    return planned - measured - beyond


def only_cases(
    suite: Suite,
    variants: Collection[str] | None = None,
    batches: Collection[int] | None = None,
    engines: Collection[str] | None = None,
) -> Suite:
    """The suite without the cases that this run was not asked for; None asks for all.

    What the user left out by a flag isn't missing; what the preset lost since is, and stays.
    """

    def asked(case: Case) -> bool:
        wanted = ((case.variant, variants), (case.batch, batches), (case.engine, engines))
        return all(chosen is None or value in chosen for value, chosen in wanted)

    sessions = tuple(
        msgspec.structs.replace(session, planned=tuple(filter(asked, session.planned)))
        for session in suite.sessions
    )
    records = tuple(record for record in suite.records if asked(record.case))
    return msgspec.structs.replace(suite, sessions=sessions, records=records)
