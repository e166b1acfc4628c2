"""From a plan and a journal to a suite: pure, so that an interrupted session can be looked at at any time."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from bench import engines
from bench.case import Case, Condition
from bench.environment import Environment
from bench.journal import (
    CalibrationEntry,
    Entry,
    ExaminationEntry,
    FactsEntry,
    GroupEntry,
    NoteEntry,
    VariantEntry,
)
from bench.ratio_target import RatioTarget
from bench.record import (
    LATENCY,
    SCHEMA_VERSION,
    BlockOrder,
    Failure,
    FailureKind,
    Protocol,
    Record,
    Series,
    Session,
    Suite,
    Window,
)
from bench.shard import Shard
from bench.subjects import MODELS_OWN, PLAIN
from bench.units import NS_A_MS, Direction, Unit

__all__ = ["Heading", "assemble", "in_nanoseconds"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What is known of a session before it starts. `conditions` are by subject and variant.

    Of a `shard`, `cases` are its own and `whole_plan` those of all shards.
    """

    session: str
    preset: str
    command: str
    started: str
    environment: Environment
    protocol: Protocol
    cases: tuple[Case, ...]
    conditions: dict[tuple[str, str], Condition]
    target: float | None
    target_source: str
    ratio_targets: tuple[RatioTarget, ...] = ()
    pair: str = ""
    shard: Shard | None = None
    whole_plan: tuple[Case, ...] = ()
    requires_engines: bool = False
    slowed_on_purpose: bool = False


def assemble(heading: Heading, entries: Sequence[Entry], warnings: Sequence[str] = ()) -> Suite:
    """The suite of one session; `warnings` are this attempt's, beside those in the journal."""
    groups = [entry for entry in entries if isinstance(entry, GroupEntry)]
    environment = heading.environment.fingerprint
    session = Session(
        id=heading.session,
        environment=environment,
        protocol=heading.protocol,
        preset=heading.preset,
        command=heading.command,
        started=heading.started,
        order=_order(groups),
        calibration=_calibration(entries),
        warnings=(*warnings, *(entry.text for entry in entries if isinstance(entry, NoteEntry))),
        target=heading.target,
        target_source=heading.target_source,
        planned=heading.cases,
        ratio_targets=heading.ratio_targets,
        pair=heading.pair,
        shard=heading.shard,
        whole_plan=heading.whole_plan,
        requires_engines=heading.requires_engines,
        slowed_on_purpose=heading.slowed_on_purpose,
    )
    records = tuple(_record(case, heading, entries, groups) for case in heading.cases)
    return Suite(SCHEMA_VERSION, {environment: heading.environment}, (session,), records)


def _record(case: Case, heading: Heading, entries: Sequence[Entry], groups: Sequence[GroupEntry]) -> Record:
    own = [entry for entry in groups if entry.group == case.group]
    taken = [entry for entry in entries if isinstance(entry, FactsEntry) and entry.case == case.key]
    own_name = (case.subject, case.variant)
    variant = [e for e in entries if isinstance(e, VariantEntry) and (e.subject, e.variant) == own_name]
    examined = [entry for entry in entries if isinstance(entry, ExaminationEntry) and entry.concerns(case)]
    windows = tuple(in_nanoseconds(window) for entry in own for window in entry.windows.get(case.key, ()))
    failures = tuple(
        failure
        for failure in (
            *(entry.failure for entry in taken),
            *(entry.failure for entry in examined),
            *(entry.failures.get(case.key) for entry in own),
        )
        if failure is not None
    )
    series = (Series(LATENCY, Unit.NANOSECONDS, Direction.LOWER_IS_BETTER, windows),) if windows else ()
    return Record(
        case=case,
        condition=_condition(heading.conditions[own_name], variant, case.engine),
        session=heading.session,
        facts=tuple(
            itertools.chain(
                *(e.facts for e in variant), *(e.facts for e in taken), *(e.facts for e in examined)
            )
        ),
        series=series,
        failures=failures,
        stops=tuple(entry.stops[case.key] for entry in own if case.key in entry.stops),
        unpaired=tuple(entry.block for entry in own if entry.unpaired),
        skipped=_skipped(windows, failures),
    )


def in_nanoseconds(window: Window) -> Window:
    """A window of ms in whole nanoseconds; none is nothing, as a time must have a logarithm."""
    return msgspec.structs.replace(
        window, values=tuple(max(round(NS_A_MS * value), 1) for value in window.values)
    )


def _condition(expected: Condition, variant: Sequence[VariantEntry], engine: str) -> Condition:
    """The condition with what the activations were found to run on, where anybody looked.

    On an engine that knows no custom operators a model that has them elsewhere runs on Paddle's own.
    """
    found = [entry.kernel for entry in variant if entry.kernel]
    kernel = found[-1] if found else expected.kernel
    if kernel != MODELS_OWN and not engines.engine(engine).custom_operators:
        kernel = PLAIN
    return msgspec.structs.replace(expected, kernel=kernel)


def _skipped(windows: Sequence[Window], failures: Sequence[Failure]) -> Failure | None:
    """Why a case has no time at all."""
    if any(not window.warmup for window in windows):
        return None
    if failures:
        return failures[-1]
    return Failure(FailureKind.NOT_RUN, "the session ended before its turn; go on with --resume")


def _order(groups: Iterable[GroupEntry]) -> tuple[BlockOrder, ...]:
    blocks: dict[int, list[tuple[str, tuple[str, ...]]]] = {}
    for entry in groups:
        variants = tuple(key.rpartition("/")[2] for key in entry.order)
        blocks.setdefault(entry.block, []).append((entry.group, variants))
    return tuple(BlockOrder(block, tuple(order)) for block, order in sorted(blocks.items()))


def _calibration(entries: Iterable[Entry]) -> tuple[Series, ...]:
    series: dict[str, list[Window]] = {}
    for entry in entries:
        if isinstance(entry, CalibrationEntry):
            for metric, window in entry.windows.items():
                series.setdefault(metric, []).append(window)
    return tuple(
        Series(metric, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, tuple(windows))
        for metric, windows in series.items()
    )
