"""Run folders for the gating verbs: crafted suites, so that nothing is measured, and the command itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from bench.case import Case
from bench.cli.app import application
from bench.record import Failure, FailureKind, Record, Suite
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import Training, write_run

__all__ = [
    "ROOT",
    "SMALL",
    "bench",
    "changed",
    "failed",
    "invoke",
    "named",
    "on_another_machine",
    "sides",
    "without",
]

ROOT = Path(__file__).parents[2]
# Two groups of four: enough for every row that a gate knows.
SMALL = Plan(engines=("eager",), batches=(1, 8))
_STATUSES = ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")


def bench(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The real command, in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name not in _STATUSES}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "COLUMNS": "200"} | variables
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=environment,
        timeout=300,
        check=False,
    )


def invoke(*arguments: str, cwd: Path) -> Any:
    """The same command in this process, which is much faster."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(cwd)
        patch.setenv("COLUMNS", "200")
        for name in _STATUSES:
            patch.delenv(name, raising=False)
        result = CliRunner().invoke(application(), arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def named(suite: Suite, name: str, started: str = "2025-03-02T12:00:00Z") -> Suite:
    """The suite of another session."""
    session = msgspec.structs.replace(suite.sessions[0], id=name, started=started)
    records = tuple(msgspec.structs.replace(record, session=name) for record in suite.records)
    return msgspec.structs.replace(suite, sessions=(session,), records=records)


def changed(suite: Suite, of: Callable[[Case], bool], change: Callable[[Record], Record]) -> Suite:
    """Some records changed."""
    records = tuple(change(record) if of(record.case) else record for record in suite.records)
    return msgspec.structs.replace(suite, records=records)


def failed(suite: Suite, of: Callable[[Case], bool], kind: FailureKind = FailureKind.DIED) -> Suite:
    """Some cases failed."""
    failure = Failure(kind, "killed by SIGKILL")

    def fail(record: Record) -> Record:
        return msgspec.structs.replace(record, series=(), stops=(), facts=(), skipped=failure)

    return changed(suite, of, fail)


def without(suite: Suite, of: Callable[[Case], bool]) -> Suite:
    """Some cases gone, from the plan too."""
    session = suite.sessions[0]
    kept = tuple(case for case in session.planned if not of(case))
    return msgspec.structs.replace(
        suite,
        sessions=(msgspec.structs.replace(session, planned=kept),),
        records=tuple(record for record in suite.records if not of(record.case)),
    )


def on_another_machine(suite: Suite) -> Suite:
    """As measured elsewhere."""
    (machine,) = suite.environments.values()
    other = msgspec.structs.replace(machine, cpu="Another CPU @ 3.00GHz")
    session = msgspec.structs.replace(suite.sessions[0], environment=other.fingerprint)
    return msgspec.structs.replace(suite, environments={other.fingerprint: other}, sessions=(session,))


def sides(
    folder: Path,
    slowdown: float = 1.0,
    new: Callable[[Suite], Suite] = lambda suite: suite,
    paired: bool = True,
    training: tuple[Training, ...] = (),
) -> None:
    """`base` and `new`, whose dyrelu_b is slower by that factor; `paired` makes them two sides of one ab."""
    slower = replace(SMALL, slowness=tuple(t * slowdown ** (v == "dyrelu_b") for v, t in _times()))
    pair = "together" if paired else ""
    before, after = named(build_suite(SMALL), "s1"), new(named(build_suite(slower), "s2"))
    # The same seed gives both the same noise, and a constant ratio is no measurement.
    after = changed(after, lambda _: True, _stirred)
    for name, suite, runs in (("base", before, ()), ("new", after, training)):
        session = msgspec.structs.replace(suite.sessions[0], pair=pair)
        write_run(folder / name, msgspec.structs.replace(suite, sessions=(session,)), runs)


def _times() -> list[tuple[str, float]]:
    return list(zip(SMALL.variants, SMALL.slowness, strict=True))


def _stirred(record: Record) -> Record:
    series = tuple(
        msgspec.structs.replace(
            one,
            windows=tuple(
                msgspec.structs.replace(
                    window,
                    values=tuple(v * (1 + 0.001 * ((7 * window.block) % 5 - 2)) for v in window.values),
                )
                for window in one.windows
            ),
        )
        for one in record.series
    )
    return msgspec.structs.replace(record, series=series)
