"""Synthetic sessions for comparisons: a machine that drifts, variants that are slower by a known factor."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from bench.case import Case
from bench.record import Record, Series, Suite, Window
from tests.bench.suites import Plan, build_suite

__all__ = ["PLAN", "Run", "elsewhere", "run_suite", "with_records", "without"]

PLAN = Plan(
    variants=("relu", "dyrelu_a", "dyrelu_b"),
    slowness=(1.0, 1.3, 1.4),
    engines=("eager",),
    batches=(1, 8),
    blocks=12,
    rounds=3,
)


@dataclass(frozen=True, slots=True)
class Run:
    """One session. `factors` slow down variants, `machine` everything, the calibration too.

    Runs with the same `drift` share the drift of their blocks, as the two sides of one `ab` do.
    """

    id: str
    factors: Mapping[str, float] = field(default_factory=dict)
    machine: float = 1.0
    drift: int = 0
    pair: str = ""
    noise: float = 0.002
    plan: Plan = PLAN


def run_suite(run: Run) -> Suite:
    """The suite of a run: the cases and facts of its plan, with times of its own."""
    suite = build_suite(run.plan)
    rng = random.Random(f"{run.id} {run.noise}")
    drifts = [random.Random(f"{run.drift} {block}").uniform(0.98, 1.02) for block in range(run.plan.blocks)]
    session = msgspec.structs.replace(
        suite.sessions[0],
        id=run.id,
        started=f"2025-03-01T12:00:{len(run.id):02}Z",
        pair=run.pair,
        calibration=tuple(_timed(series, drifts, run, rng, 1.0) for series in suite.sessions[0].calibration),
    )
    records = tuple(
        msgspec.structs.replace(
            record,
            session=run.id,
            series=(_timed(record.series[0], drifts, run, rng, run.factors.get(record.case.variant, 1.0)),),
        )
        for record in suite.records
    )
    return msgspec.structs.replace(suite, sessions=(session,), records=records)


def _timed(series: Series, drifts: list[float], run: Run, rng: random.Random, factor: float) -> Series:
    """The same windows, each value around one level."""
    level = min(min(window.values) for window in series.windows)
    speeds = [drift * run.machine * factor * (1 + rng.gauss(0, run.noise)) for drift in drifts]
    windows = tuple(
        msgspec.structs.replace(window, values=tuple(level * speeds[window.block] for _ in window.values))
        for window in series.windows
    )
    return msgspec.structs.replace(series, windows=windows)


def with_records(suite: Suite, variant: str, **changes: object) -> Suite:
    """The suite with changes to all records of one variant."""

    def changed(record: Record) -> Record:
        return msgspec.structs.replace(record, **changes) if record.case.variant == variant else record

    return msgspec.structs.replace(suite, records=tuple(map(changed, suite.records)))


def without(suite: Suite, *variants: str, planned: bool = False) -> Suite:
    """The suite without the records of some variants; they stay planned if asked."""

    def stays(case: Case) -> bool:
        return case.variant not in variants

    session = suite.sessions[0]
    if not planned:
        session = msgspec.structs.replace(session, planned=tuple(filter(stays, session.planned)))
    records = tuple(record for record in suite.records if stays(record.case))
    return msgspec.structs.replace(suite, sessions=(session,), records=records)


def elsewhere(suite: Suite, numpy: str = "") -> Suite:
    """The suite as if another machine had measured it, or the same with another NumPy."""
    machine = next(iter(suite.environments.values()))
    if numpy:
        packages = (("numpy", numpy), *(item for item in machine.packages if item[0] != "numpy"))
        machine = msgspec.structs.replace(machine, packages=packages)
    else:
        machine = msgspec.structs.replace(machine, cpu="Another CPU")
    session = msgspec.structs.replace(suite.sessions[0], environment=machine.fingerprint)
    return msgspec.structs.replace(suite, environments={machine.fingerprint: machine}, sessions=(session,))


def discarded(window: Window) -> Window:
    """The window, disturbed."""
    return msgspec.structs.replace(window, discarded="steal 20%")
