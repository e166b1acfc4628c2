"""How it was measured: protocol in sentences, conventions, conditions, calibration, machine, command."""

from __future__ import annotations

import statistics as plain
from collections import Counter
from collections.abc import Mapping

from bench.case import DType
from bench.environment import Environment
from bench.quality import calibration_drift
from bench.record import TEST_IMAGES, Protocol, Record, Session
from bench.report.disturbances import has_gpu_state
from bench.report.formats import amount, percent
from bench.report.layout import bullets, table
from bench.report.table import Report
from bench.report.text import escape, fence
from bench.statistics import blocks_needed

__all__ = ["protocol_section"]

_CONVENTION = (
    "Counts are of one forward pass on one image, from the operators that the network really runs. A MAC is "
    "one fused multiply-add and counts as two FLOPs. Otherwise an element of output costs 1 FLOP for an "
    "addition, multiplication, maximum, comparison, exponential, logarithm, root or power, 4 for a sigmoid, "
    "5 for tanh and GELU, and 2 for a batch normalisation at inference; an element of input costs 1 in "
    "pooling, 5 in a softmax, and 5 in a layer, group or instance normalisation (7 with scale and shift); "
    "moving data is free. With an operator that the table doesn't know, the count is a lower bound (≥) and "
    "the operator is named."
)

_RETAINED = (
    "Workers keep memory that they free: else the C library gives large blocks back and a step meets new "
    "pages again, as many as the history of the heap decides."
)

# The engine whose steps go backwards too.
_TRAINING = "training"

_GPU_DISCARDING = (
    "On the GPU a burst is discarded as well where the clocks were held down (by heat, power, the hardware) "
    "or another process was computing there, before its first step or after its last; what is unknown "
    "discards nothing."
)


def protocol_section(report: Report) -> str:
    """Everything that a reader needs to judge and to repeat the measurement."""
    sessions = report.suite.sessions
    parts = ["## Protocol"]
    for session in sessions:
        title = [f"### Session {escape(session.id)}"] if len(sessions) > 1 else []
        parts += [*title, bullets(_sentences(report, session))]
    if report.rows:
        parts += [f"### Conventions\n\n{_CONVENTION}", _conditions(report)]
    parts += [_calibration(session) for session in sessions if session.calibration]
    parts += [_environment(key, found) for key, found in report.suite.environments.items()]
    if sessions:
        commands = "\n\n".join(fence(session.command) for session in sessions)
        parts.append(f"### How to reproduce\n\n{commands}")
    return "\n\n".join(part for part in parts if part) if len(parts) > 1 else ""


def _sentences(report: Report, session: Session) -> list[str]:
    protocol = session.protocol
    records = [record for record in report.suite.records if record.session == session.id]
    return [
        _blocks(protocol),
        _order(session),
        _sampling(protocol),
        f"Warm-up bursts come first for each case, until two in a row agree within "
        f"{percent(protocol.warmup_tolerance, 0)}, at most {protocol.max_warmup_bursts}; they are kept, not "
        "used.",
        _discarding(protocol),
        *([_GPU_DISCARDING] if any(has_gpu_state(record) for record in records) else []),
        _estimates(protocol),
        *([_RETAINED] if protocol.retains_memory else []),
        _parity(protocol, records),
        *_stops(records),
        *_shard(session),
    ]


def _shard(session: Session) -> list[str]:
    if session.shard is None:
        return []
    others = len(session.whole_plan) - len(session.planned)
    return [f"Shard {session.shard} of the plan: {others} further cases are the other shards'."]


def _blocks(protocol: Protocol) -> str:
    return (
        f"{protocol.blocks} blocks; a block is one fresh worker process that measures every case. Cases that "
        "differ only in the variant form a group, inside which short bursts of all variants take turns, in "
        "an order shuffled anew in each round."
    )


def _order(session: Session) -> str:
    orders = {tuple(group for group, _ in block.groups) for block in session.order}
    line = f"The order of groups and variants is shuffled from seed {session.protocol.seed}"
    if not session.order:
        return f"{line}."
    count = f"{len(orders)} different orders of groups in {len(session.order)} blocks"
    return f"{line}: {count}, kept in suite.json."


def _sampling(protocol: Protocol) -> str:
    line = (
        f"A burst is {protocol.min_iterations} to {protocol.max_iterations} steps, about "
        f"{protocol.burst_ms:g} ms; a case gets {protocol.rounds} undisturbed bursts a block, within "
        f"{protocol.max_rounds} rounds and {protocol.case_seconds:g} s"
    )
    if protocol.relative_interval > 0:
        line += (
            f", or fewer once the interval is within {percent(protocol.relative_interval, 1)} of the median"
        )
    return f"{line}; a worker that says nothing for {protocol.timeout_s:g} s is ended."


def _discarding(protocol: Protocol) -> str:
    most = protocol.max_discarded
    too_many = "only" if most == 1.0 else f"more than {percent(most, 0)}"
    return (
        f"A burst is discarded where the hypervisor took more than {percent(protocol.max_steal, 0)} of the "
        f"time or other processes more than {percent(protocol.max_foreign, 0)} of the cores in use; where "
        "their work is unknown, where a runnable task waited in more than "
        f"{percent(protocol.max_pressure, 0)} of the time; where that is unknown too, where involuntary "
        f"context switches passed {protocol.max_switches_per_second:g} a second. A block with {too_many} "
        "discarded bursts is estimated from all of its bursts; with more than a third of such blocks the "
        "case is inconclusive."
    )


def _estimates(protocol: Protocol) -> str:
    return (
        "A block's value is the median over its bursts of a burst's mean step; a case's value is the median "
        f"over blocks, with the exact {protocol.confidence:.0%} interval of order statistics, which needs "
        f"{blocks_needed(protocol.confidence)} blocks. Ratios to {escape(protocol.reference)} are taken "
        "inside each block first. Percentiles are over single undisturbed steps."
    )


def _parity(protocol: Protocol, records: list[Record]) -> str:
    line = (
        "An engine's output had to match that of eager Paddle on plain operators in float32 within "
        f"{protocol.parity_tolerance:g} of its largest value before its times counted"
    )
    if any(record.case.dtype is DType.BFLOAT16 for record in records):
        line += f", in bfloat16 within {protocol.bfloat16_tolerance:g}"
    if any(record.case.engine == _TRAINING for record in records):
        line += (
            "; a training step's that of such a step on plain operators, and the gradient of its first "
            f"parameter within {protocol.gradient_tolerance:g}"
        )
    if any(fact.metric == TEST_IMAGES for record in records for fact in record.facts):
        line += (
            "; of a trained variant, its class of at least "
            f"{percent(protocol.min_agreement, 1)} of the test images too"
        )
        if protocol.bfloat16_agreement:
            line += f" ({percent(protocol.bfloat16_agreement, 1)} in bfloat16)"
    return f"{line}."


def _stops(records: list[Record]) -> list[str]:
    stops = Counter(stop.reason.value for record in records for stop in record.stops)
    if not stops:
        return []
    parts = ", ".join(f"{reason} ({count}×)" for reason, count in sorted(stops.items()))
    return [f"Sampling of a case in a block ended because of: {parts}."]


def _conditions(report: Report) -> str:
    body = []
    for panel in report.panels:
        for row in panel.rows:
            if row.record is None:
                continue
            condition = row.record.condition
            options = ", ".join(f"{name}={value}" for name, value in condition.options)
            cells = [panel.label, row.case.variant, str(condition.threads), condition.kernel]
            body.append(tuple(map(escape, [*cells, condition.weights, options])))
    if not body:
        return ""
    header = ["Engine", "Variant", "Threads", "Kernel", "Weights", "Options"]
    return f"### Conditions\n\n{table(header, dict.fromkeys(body), 6)}"


def _calibration(session: Session) -> str:
    body = []
    for series in session.calibration:
        values = [value for window in series.windows if not window.warmup for value in window.values]
        if not values:
            continue
        drift = percent(calibration_drift(series), 1)
        cells = [amount(plain.median(values)), amount(min(values)), amount(max(values)), drift]
        body.append([escape(series.metric), escape(series.unit.value), *cells])
    if not body:
        return ""
    text = table(["Workload", "Unit", "Median", "Least", "Most", "Spread of blocks"], body, 2)
    return (
        "### Calibration\n\nWorkloads that no variant changes, timed in every block, and the time of an "
        f"empty step.\n\n{text}"
    )


def _environment(key: str, found: Environment) -> str:
    fields: Mapping[str, str] = {
        "Fingerprint": key,
        "Processor": found.cpu,
        "Architecture": found.architecture,
        "Cores": f"{found.logical_cores} logical, {found.physical_cores} physical",
        "Memory": f"{found.memory_bytes / 2**30:.1f} GiB",
        "Instruction sets": ", ".join(found.isa) or "none of those that matter",
        "Frequency governor": found.frequency_governor,
        "Virtual machine": "yes" if found.virtual else "no",
        "System": found.system,
        "Python": found.python,
        "Packages": ", ".join(f"{name} {version}" for name, version in found.packages),
    }
    body = [[name, escape(value)] for name, value in fields.items()]
    for device in found.accelerators:
        known = device.memory_bytes
        memory = "memory unknown" if known is None else f"{known / 2**30:.1f} GiB"
        body.append(
            ["Accelerator", escape(f"{device.name}, {memory}, driver {device.driver}, {device.uuid}")]
        )
    return f"### Environment\n\n{table(['Property', 'Value'], body, 2)}"
