"""From raw windows to values per block and estimates, and what is to be said about them."""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bench.blocks import judged_blocks, latency_series
from bench.record import HARNESS_OVERHEAD, LATENCY, FailureKind, Protocol, Record, Series, Suite, Window
from bench.statistics import Estimate, blocks_needed, median_estimate, percentile, ratio_estimate

__all__ = [
    "LATENCY",
    "CaseResult",
    "block_values",
    "calibration_drift",
    "case_result",
    "disturbed_but_used",
    "latency_percentile",
    "ratio_to_reference",
    "spoilt_blocks",
    "time_ratio",
    "unsettled_blocks",
    "warnings",
]

# Beyond this relative half-width an interval says little; a reader is told.
_WIDE_INTERVAL = 0.10
# A calibration that moves further than this between blocks is a machine that changed speed.
_CALIBRATION_DRIFT = 0.10


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What a record says of time. Latency in ms a step, throughput in images/s.

    `inconclusive` is a reason, empty where the estimates can be used.
    """

    latency_ms: Estimate
    throughput: Estimate
    kept_windows: int
    discarded_windows: int
    inconclusive: str


def _measured(record: Record) -> list[Window]:
    series = latency_series(record)
    return [window for window in series.windows if not window.warmup] if series else []


def block_values(record: Record, protocol: Protocol) -> dict[int, float]:
    """Milliseconds a step in each block: the median over its bursts of the burst's mean.

    Disturbed bursts don't count, unless a block has too few others (`max_discarded`) or none: then the block
    is estimated from all of its bursts, and with too many of such blocks `case_result` calls the case
    inconclusive.
    """
    return judged_blocks([record], protocol)[0][0]


def _by_block(windows: Iterable[Window]) -> dict[int, list[Window]]:
    blocks: dict[int, list[Window]] = {}
    for window in windows:
        blocks.setdefault(window.block, []).append(window)
    return blocks


def spoilt_blocks(record: Record, protocol: Protocol) -> frozenset[int]:
    """Blocks too disturbed to be estimated without their disturbed bursts."""
    return judged_blocks([record], protocol)[0][1]


def disturbed_but_used(record: Record, protocol: Protocol) -> int:
    """How many discarded bursts are used all the same, in blocks that are too disturbed to spare them."""
    spoilt = spoilt_blocks(record, protocol)
    return sum(bool(window.discarded) for window in _measured(record) if window.block in spoilt)


def case_result(record: Record, protocol: Protocol) -> CaseResult:
    """Estimates over blocks, or NaN for a case without any time."""
    blocks, spoilt = judged_blocks([record], protocol)[0]
    values = list(blocks.values())
    measured = _measured(record)
    discarded = sum(bool(window.discarded) for window in measured)
    batch = record.case.batch
    return CaseResult(
        latency_ms=median_estimate(values, protocol.confidence),
        throughput=median_estimate([1000.0 * batch / value for value in values], protocol.confidence),
        kept_windows=len(measured) - discarded,
        discarded_windows=discarded,
        inconclusive=_inconclusive(len(blocks), len(spoilt), protocol),
    )


def _inconclusive(blocks: int, disturbed: int, protocol: Protocol) -> str:
    if not blocks:
        return ""
    # One bad block among many can't move a median by much; a third of them can.
    if 3 * disturbed > blocks:
        return f"disturbed in {disturbed} of {blocks} blocks"
    needed = blocks_needed(protocol.confidence)
    if blocks < needed:
        return f"{blocks} of the {needed} blocks that an interval needs"
    return ""


def ratio_to_reference(record: Record, reference: Record, protocol: Protocol) -> Estimate:
    """Throughput over that of any other record of the group, paired inside the blocks that both ran whole."""
    own, other = _paired(record, reference, protocol)
    return ratio_estimate(other, own, protocol.confidence)


def time_ratio(record: Record, other: Record, protocol: Protocol) -> Estimate:
    """Time of a step of `record` over that of `other`, of the same group, paired like throughputs."""
    return ratio_estimate(*_paired(record, other, protocol), protocol.confidence)


def _paired(record: Record, other: Record, protocol: Protocol) -> tuple[list[float], list[float]]:
    """Both records' values of the blocks that both ran whole."""
    cut = {*record.unpaired, *other.unpaired}
    own, theirs = block_values(record, protocol), block_values(other, protocol)
    blocks = [block for block in own if block in theirs and block not in cut]
    return [own[block] for block in blocks], [theirs[block] for block in blocks]


def latency_percentile(record: Record, percent: float) -> float | None:
    """Percentile of the single step times (ms) of undisturbed bursts; None where there are too few."""
    series = latency_series(record)
    values = [value for window in _measured(record) if not window.discarded for value in window.values]
    found = percentile(values, percent)
    return series.unit.in_ms(found) if series and found is not None else None


def unsettled_blocks(record: Record, protocol: Protocol) -> tuple[int, ...]:
    """Blocks whose warm-up ended at its cap, with the last two bursts still apart."""
    series = latency_series(record)
    warm = [window for window in series.windows if window.warmup] if series else []
    found = []
    for block, windows in _by_block(warm).items():
        if len(windows) < max(protocol.max_warmup_bursts, 2):
            continue
        before, last = (plain.median(window.values) for window in windows[-2:])
        if abs(last / before - 1) > protocol.warmup_tolerance:
            found.append(block)
    return tuple(found)


def calibration_drift(series: Series) -> float:
    """Spread of a calibration workload between blocks: largest over smallest block median, minus 1."""
    medians = [
        plain.median(value for window in windows for value in window.values)
        for windows in _by_block(series.windows).values()
    ]
    return max(medians) / min(medians) - 1.0 if medians else 0.0


def warnings(suite: Suite) -> tuple[str, ...]:
    """Everything a reader must know before believing the figures, each with its remedy."""
    found: list[str] = []
    for session in suite.sessions:
        found += session.warnings
        records = [record for record in suite.records if record.session == session.id]
        found += _session_warnings(records, session.protocol)
        for series in session.calibration:
            if series.metric == HARNESS_OVERHEAD:
                # Tens of nanoseconds: its relative spread says nothing of the machine.
                continue
            drift = calibration_drift(series)
            if drift > _CALIBRATION_DRIFT:
                found.append(
                    f"The machine's own speed moved by {drift:.0%} between blocks ({series.metric}, a "
                    "workload that no variant changes): believe the ratios, which are paired inside blocks, "
                    "rather than absolute times, or measure on a quieter machine."
                )
    return tuple(dict.fromkeys(found))


def _session_warnings(records: Sequence[Record], protocol: Protocol) -> list[str]:
    timed = [(record, case_result(record, protocol)) for record in records if record.series]
    found = []
    disturbed = [record.case.key for record, result in timed if result.inconclusive]
    if disturbed:
        found.append(
            f"{len(disturbed)} of {len(timed)} cases are inconclusive ({_some(disturbed)}): close other "
            "programs, or raise --blocks."
        )
    unsettled = [record.case.key for record, _ in timed if unsettled_blocks(record, protocol)]
    if unsettled:
        found.append(
            f"{len(unsettled)} of {len(timed)} cases had not settled after {protocol.max_warmup_bursts} "
            f"warm-up bursts in some block ({_some(unsettled)}): their times still moved by more than "
            f"{protocol.warmup_tolerance:.0%} from burst to burst when measuring began."
        )
    wide = [record.case.key for record, result in timed if _is_wide(result.latency_ms)]
    if wide:
        found.append(
            f"{len(wide)} of {len(timed)} cases have an interval wider than ±{_WIDE_INTERVAL:.0%} "
            f"({_some(wide)}): raise --blocks or measure on a quieter machine."
        )
    discarded = sum(result.discarded_windows for _, result in timed)
    windows = discarded + sum(result.kept_windows for _, result in timed)
    if discarded:
        used = sum(disturbed_but_used(record, protocol) for record, _ in timed)
        line = (
            f"{discarded} of {windows} bursts ({discarded / windows:.1%}) were disturbed (the table of "
            "discarded bursts says by what)"
        )
        if used:
            line += f"; {used} of them lie in blocks too disturbed to spare them and are used (such cases "
            line += "may be inconclusive)"
            line += ", the others don't count in the estimates" if used < discarded else ""
        else:
            line += " and don't count in the estimates"
        found.append(f"{line}; they are kept in suite.json.")
    cut = sorted({block for record in records for block in record.unpaired})
    if cut:
        found.append(
            f"A worker was lost in block {', '.join(map(str, cut))}: the groups it was measuring give no "
            "ratios there; the failures table says why."
        )
    failed = [r.case.key for r in records if r.skipped and r.skipped.kind is not FailureKind.UNAVAILABLE]
    if failed:
        have = "case has" if len(failed) == 1 else "cases have"
        found.append(f"{len(failed)} {have} no result ({_some(failed)}): the failures table says why.")
    return found


def _is_wide(estimate: Estimate) -> bool:
    return estimate.has_interval and (estimate.high - estimate.low) / 2 > _WIDE_INTERVAL * estimate.value


def _some(keys: Sequence[str], limit: int = 3) -> str:
    rest = len(keys) - limit
    return ", ".join(keys[:limit]) + (f" and {rest} more" if rest > 0 else "")
