"""Synthetic suites, the same on every machine, for tests of what stands on them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from bench.assemble import in_nanoseconds
from bench.case import Case, Condition, DType
from bench.environment import Environment
from bench.record import (
    SCHEMA_VERSION,
    BlockOrder,
    Bound,
    Disturbance,
    Fact,
    Failure,
    FailureKind,
    Protocol,
    Record,
    Series,
    Session,
    Stop,
    StopReason,
    Suite,
    Window,
)
from bench.units import Direction, Unit

__all__ = [
    "HOSTILE_NAMES",
    "Plan",
    "build_suite",
    "environment",
    "hostile_suite",
    "in_whole_nanoseconds",
    "troubled_suite",
]

IMAGE = (1, 8, 8)
STEPS = 5
HOSTILE_NAMES = (
    "=cmd()|' /C calc'!A0",
    "a|b\n# heading <img src=x onerror=alert(1)> [link](http://x.example)",
    "$\\frac{1}{0}$ `code` _x_ *y*",
    "_hidden\x1b[31m\u202eevil\t",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a synthetic suite measured. `slowness` multiplies the step time of each variant."""

    variants: tuple[str, ...] = ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
    slowness: tuple[float, ...] = (1.0, 1.31, 1.42, 1.88)
    engines: tuple[str, ...] = ("eager", "inference")
    batches: tuple[int, ...] = (1, 8, 32, 128)
    blocks: int = 9
    rounds: int = 5
    target: float | None = 0.97


def environment() -> Environment:
    """A machine that exists nowhere."""
    return Environment(
        cpu="Example CPU @ 2.00GHz",
        architecture="x86_64",
        logical_cores=2,
        physical_cores=1,
        memory_bytes=8 * 2**30,
        isa=("avx2", "avx512f"),
        frequency_governor="performance",
        virtual=True,
        system="Linux 6.1.0",
        python="3.11.9",
        packages=(("numpy", "2.3.5"), ("paddlepaddle", "3.3.1")),
    )


def build_suite(plan: Plan) -> Suite:
    """Every case measured, nothing disturbed."""
    rng = random.Random(7)
    cases = [
        Case("resnet8-w16", variant, batch, IMAGE, DType.FLOAT32, engine)
        for engine in plan.engines
        for batch in plan.batches
        for variant in plan.variants
    ]
    machine = environment()
    session = Session(
        id="s1",
        environment=machine.fingerprint,
        protocol=Protocol(reference=plan.variants[0], blocks=plan.blocks, rounds=plan.rounds),
        preset="quick",
        command="python -m bench suite --preset quick --seed 0",
        started="2025-03-01T12:00:00Z",
        order=_order(cases, plan),
        calibration=(
            _calibration("calibration_matmul", 12.0, plan, rng),
            _calibration("calibration_copy", 30.0, plan, rng),
            _calibration("harness_overhead", 0.0004, plan, rng),
        ),
        target=plan.target,
        target_source="scikit-learn's digits example reaches 97%" if plan.target else "",
        planned=tuple(cases),
    )
    records = tuple(_record(case, plan, rng) for case in cases)
    return Suite(SCHEMA_VERSION, {machine.fingerprint: machine}, (session,), records)


def _order(cases: Sequence[Case], plan: Plan) -> tuple[BlockOrder, ...]:
    groups = list(dict.fromkeys(case.group for case in cases))
    return tuple(
        BlockOrder(
            block, tuple((group, plan.variants) for group in groups[block % 2 :] + groups[: block % 2])
        )
        for block in range(plan.blocks)
    )


def _calibration(metric: str, level: float, plan: Plan, rng: random.Random) -> Series:
    windows = tuple(
        Window(block, tuple(round(level * rng.uniform(0.99, 1.01), 7) for _ in range(3)))
        for block in range(plan.blocks)
    )
    return Series(metric, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows)


def _record(case: Case, plan: Plan, rng: random.Random) -> Record:
    index = plan.variants.index(case.variant)
    engine = 1.0 if case.engine == "eager" else 0.45
    level = engine * plan.slowness[index] * (0.4 + 0.11 * case.batch)
    windows = []
    for block in range(plan.blocks):
        speed = rng.uniform(0.97, 1.03)
        for burst in range(plan.rounds + 1):
            values = tuple(round(level * speed * rng.uniform(0.99, 1.02), 5) for _ in range(STEPS))
            quiet = Disturbance(steal=0.0, pressure=0.01, involuntary_switches=0, load=1.0)
            windows.append(Window(block, values, warmup=burst == 0, disturbance=quiet))
    parameters = 78_042 + 4_000 * index
    cumulative = case.engine == "inference"
    return Record(
        case=case,
        condition=Condition(
            2, "plain", f"trained {case.variant} seed 0", (("reduction", "8"),) * (index > 0)
        ),
        session="s1",
        facts=(
            Fact("parameters_trainable", Unit.COUNT, parameters),
            Fact("parameters_total", Unit.COUNT, parameters + 704),
            Fact("macs", Unit.MACS, 12_500_992 + 90_112 * index),
            Fact("flops", Unit.FLOPS, 25_111_040 + 401_408 * index),
            Fact("model_bytes", Unit.BYTES, 4 * parameters),
            Fact(
                "peak_resident",
                Unit.BYTES,
                (310 + 2 * index) * 2**20 + case.batch * 300_000,
                Bound.CUMULATIVE_PEAK if cumulative else Bound.PEAK,
            ),
            Fact("peak_tensor", Unit.BYTES, 400_000 + case.batch * (90_000 + 20_000 * index), Bound.PEAK),
        ),
        series=(Series("latency", Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, tuple(windows)),),
        stops=tuple(Stop(block, StopReason.COUNT) for block in range(plan.blocks)),
    )


def in_whole_nanoseconds(suite: Suite) -> Suite:
    """The suite as a run of today stores it; those made here are like files of schema 1."""

    def changed(series: Series) -> Series:
        return msgspec.structs.replace(
            series, unit=Unit.NANOSECONDS, windows=tuple(map(in_nanoseconds, series.windows))
        )

    records = tuple(
        msgspec.structs.replace(record, series=tuple(map(changed, record.series))) for record in suite.records
    )
    return msgspec.structs.replace(suite, schema_version=SCHEMA_VERSION, records=records)


def troubled_suite() -> Suite:
    """The default plan with everything that can go wrong, each once."""
    suite = build_suite(Plan())
    records = {(r.case.engine, r.case.batch, r.case.variant): r for r in suite.records}

    def change(engine: str, batch: int, variant: str, **changes: object) -> None:
        key = (engine, batch, variant)
        records[key] = msgspec.structs.replace(records[key], **changes)

    disturbed = records["eager", 32, "dyrelu_a"]
    change("eager", 32, "dyrelu_a", series=(_disturb(disturbed.series[0], blocks=5),))
    one = records["eager", 8, "dyrelu_b"]
    change("eager", 8, "dyrelu_b", series=(_disturb(one.series[0], blocks=1),))
    memory = Failure(FailureKind.OUT_OF_MEMORY, "needs 3.1 GiB, see /home/somebody/logs/worker.txt")
    change("eager", 128, "dyrelu_c", series=(), stops=(), facts=(), skipped=memory, failures=(memory,))
    died = Failure(FailureKind.DIED, "killed by SIGKILL", block=3)
    lost = records["inference", 8, "dyrelu_b"]
    change("inference", 8, "dyrelu_b", series=(_without_block(lost.series[0], 3),), failures=(died,))
    for variant in Plan().variants:
        change("inference", 8, variant, unpaired=(3,))
    short = records["inference", 1, "dyrelu_c"]
    for block in range(4, 9):
        short = msgspec.structs.replace(short, series=(_without_block(short.series[0], block),))
    records["inference", 1, "dyrelu_c"] = short
    for key, record in records.items():
        if record.case.variant == "dyrelu_c" and record.facts:
            records[key] = msgspec.structs.replace(record, facts=_unknown_operator(record.facts))
    del records["inference", 128, "dyrelu_b"]
    session = msgspec.structs.replace(
        suite.sessions[0],
        command="python -m bench suite --data-file /home/somebody/data/digits.npz --out '/srv/a b/run'",
        warnings=("The oneDNN kernel was not used in /opt/paddle/lib: set --engine eager.",),
    )
    return msgspec.structs.replace(suite, sessions=(session,), records=tuple(records.values()))


def _disturb(series: Series, blocks: int) -> Series:
    noisy = Disturbance(steal=0.2, pressure=0.4, involuntary_switches=90, load=3.0)
    windows = tuple(
        msgspec.structs.replace(window, discarded="steal 20%", disturbance=noisy)
        if window.block < blocks and not window.warmup
        else window
        for window in series.windows
    )
    return msgspec.structs.replace(series, windows=windows)


def _without_block(series: Series, block: int) -> Series:
    windows = tuple(window for window in series.windows if window.block != block)
    return msgspec.structs.replace(series, windows=windows)


def _unknown_operator(facts: tuple[Fact, ...]) -> tuple[Fact, ...]:
    return tuple(
        msgspec.structs.replace(fact, bound=Bound.AT_LEAST, note="not counted, since unknown: my_fused_op")
        if fact.metric in ("macs", "flops")
        else fact
        for fact in facts
    )


def hostile_suite() -> Suite:
    """Variants, subject and engine with names that attack Markdown, spreadsheets, terminals and plots."""
    plan = Plan(variants=HOSTILE_NAMES, engines=("eager",), batches=(1, 8), blocks=6, rounds=1)
    suite = build_suite(plan)

    def rename(case: Case) -> Case:
        return msgspec.structs.replace(case, subject="-2+3|<b>", engine="@SUM(A1)|\n")

    session = msgspec.structs.replace(
        suite.sessions[0], planned=tuple(rename(case) for case in suite.sessions[0].planned)
    )
    records = tuple(msgspec.structs.replace(record, case=rename(record.case)) for record in suite.records)
    return msgspec.structs.replace(suite, sessions=(session,), records=records)
