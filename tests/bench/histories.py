"""Histories on disk: one session a day, from a random seed, with levels that a test chooses."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import msgspec
from typer.testing import CliRunner, Result

from bench.cli.app import application
from bench.history import History, read_history
from bench.record import Suite
from bench.storage import save_suite
from tests.bench.sessions import Run, run_suite
from tests.bench.suites import Plan

__all__ = ["SMALL", "day_suite", "history", "read", "start_of", "started", "write_days"]

#: Two cases of one group, quick to make by the dozen.
SMALL = Plan(
    variants=("relu", "dyrelu_b"), slowness=(1.0, 1.4), engines=("eager",), batches=(8,), blocks=8, rounds=1
)


def start_of(day: int) -> str:
    """When the session of a day began."""
    return f"{datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day):%Y-%m-%dT%H:%M:%SZ}"


@cache
def day_suite(day: int, factor: float = 1.0, machine: float = 1.0, pair: str = "") -> Suite:
    """The suite of a day: dyrelu_b takes `factor` times as long, everything `machine` times."""
    run = Run(f"day{day}{pair}", {"dyrelu_b": factor}, machine=machine, drift=day, pair=pair, plan=SMALL)
    suite = run_suite(run)
    session = msgspec.structs.replace(suite.sessions[0], started=start_of(day))
    return msgspec.structs.replace(suite, sessions=(session,))


def write_days(folder: Path, days: int, factor_of: Callable[[int], float], spread: float = 0.004) -> None:
    """One file a day; each session's ratio is off by its own share of that spread, its machine by five."""
    rng = random.Random(5)
    for day in range(days):
        shift, machine = 1 + rng.gauss(0, spread), 1 + rng.gauss(0, 5 * spread)
        save_suite(day_suite(day, factor_of(day) * shift, machine), folder / f"day{day:03}" / "suite.json")


def read(folder: Path, threshold: float = 0.02) -> History:
    """The history of a folder."""
    return read_history(folder, threshold)


def history(*arguments: str | Path) -> Result:
    """What the verb says and does."""
    return CliRunner().invoke(application(), ["history", *map(str, arguments)], env={"COLUMNS": "160"})


def started(found: History) -> list[str]:
    """When its sessions began, in its order."""
    return [session.started for session in found.gathered.sessions]
