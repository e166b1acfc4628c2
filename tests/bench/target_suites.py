"""Synthetic suites with ratio targets, for tests of what judges and shows them."""

from __future__ import annotations

import msgspec

from bench.case import Case, Condition, DType
from bench.ratio_target import RatioTarget, TargetKind, TargetMetric
from bench.record import (
    LATENCY,
    SCHEMA_VERSION,
    Fact,
    Protocol,
    Record,
    Series,
    Session,
    Suite,
    Window,
)
from bench.units import Direction, Unit
from tests.bench.suites import HOSTILE_NAMES, environment, hostile_suite, troubled_suite

__all__ = [
    "TROUBLED_TARGETS",
    "hostile_with_targets",
    "session_suite",
    "target",
    "troubled_with_targets",
    "with_targets",
]

BATCH = 4


def target(
    bound: float, *variants: str, metric: TargetMetric = TargetMetric.THROUGHPUT, against: str = "relu"
) -> RatioTarget:
    """A target of the suites below."""
    lower = metric is TargetMetric.THROUGHPUT
    return RatioTarget(
        subject="net",
        engine="eager",
        batch=BATCH,
        variants=variants or ("dyrelu_b",),
        against=against,
        metric=metric,
        source="made up",
        at_least=bound if lower else None,
        at_most=None if lower else bound,
    )


def session_suite(
    times: dict[str, tuple[float, ...]], *targets: RatioTarget, peaks: dict[str, int] | None = None
) -> Suite:
    """One group: the milliseconds a step of each variant in each block, and the peaks of tensors."""
    machine = environment()
    cases = {name: Case("net", name, BATCH, (3, 8, 8), DType.FLOAT32, "eager") for name in times}
    session = Session(
        id="s",
        environment=machine.fingerprint,
        protocol=Protocol(reference="relu", blocks=max(1, *map(len, times.values()))),
        preset="mine",
        command="dyrelu-bench run --preset mine.toml",
        started="2025-03-01T12:00:00Z",
        planned=tuple(cases.values()),
        ratio_targets=targets,
    )
    records = tuple(
        Record(
            case=case,
            condition=Condition(threads=2, kernel="plain", weights="random"),
            session="s",
            facts=(Fact("peak_tensor", Unit.BYTES, peaks[name]),) if peaks and name in peaks else (),
            series=_series(times[name]),
        )
        for name, case in cases.items()
    )
    return Suite(SCHEMA_VERSION, {machine.fingerprint: machine}, (session,), records)


def _series(times: tuple[float, ...]) -> tuple[Series, ...]:
    windows = tuple(Window(block, (time,)) for block, time in enumerate(times))
    return (Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows),) if windows else ()


def with_targets(suite: Suite, *targets: RatioTarget) -> Suite:
    """The suite as if its preset had had these targets."""
    sessions = tuple(msgspec.structs.replace(one, ratio_targets=targets) for one in suite.sessions)
    return msgspec.structs.replace(suite, sessions=sessions)


def _troubled(engine: str, batch: int, against: str, *variants: str) -> RatioTarget:
    return RatioTarget(
        subject="resnet8-w16",
        engine=engine,
        batch=batch,
        variants=variants,
        against=against,
        metric=TargetMetric.THROUGHPUT,
        source="an example's <source> | with signs",
        at_least=0.7,
    )


# Every answer at least once, every metric, an aim, and a case that a run left out.
TROUBLED_TARGETS = (
    _troubled("eager", 1, "relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"),
    _troubled("eager", 32, "relu", "dyrelu_a", "dyrelu_b"),
    _troubled("eager", 128, "relu", "dyrelu_c"),
    _troubled("eager", 8, "dyrelu_a", "dyrelu_b"),
    _troubled("eager", 256, "relu", "dyrelu_b"),
    msgspec.structs.replace(
        _troubled("inference", 128, "dyrelu_a", "relu", "dyrelu_b"),
        kind=TargetKind.AIM,
        at_least=1.5,
        note="what stands in the way is said elsewhere",
    ),
    msgspec.structs.replace(
        _troubled("inference", 8, "relu", "dyrelu_b"),
        metric=TargetMetric.TIME,
        at_least=None,
        at_most=1.4,
    ),
    msgspec.structs.replace(
        _troubled("eager", 32, "relu", "dyrelu_a", "dyrelu_b"),
        metric=TargetMetric.PEAK_TENSOR,
        at_least=None,
        at_most=1.3,
    ),
)


def troubled_with_targets() -> Suite:
    """Everything that can go wrong, under targets."""
    return with_targets(troubled_suite(), *TROUBLED_TARGETS)


def hostile_with_targets() -> Suite:
    """Names that attack every output, in targets too."""
    suite = hostile_suite()
    case = suite.records[0].case
    first, second, *others = HOSTILE_NAMES
    targets = [
        RatioTarget(
            subject=case.subject,
            engine=case.engine,
            batch=case.batch,
            variants=(first, *others),
            against=second,
            metric=TargetMetric.THROUGHPUT,
            source=first,
            note=others[0],
            at_least=0.9,
        )
    ]
    return with_targets(suite, *targets)
