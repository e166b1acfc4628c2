"""Why bursts were discarded, and what the GPU did meanwhile. Each table appears only where it has a row."""

from __future__ import annotations

import re
import statistics as plain
from collections import Counter
from collections.abc import Iterable

from bench.blocks import latency_series
from bench.quality import disturbed_but_used
from bench.record import GpuState, Record, Window
from bench.report.formats import amount, exact, percent
from bench.report.layout import table
from bench.report.table import CaseRow, Panel, Report
from bench.report.text import escape

__all__ = ["discards_section", "gpu_section", "has_gpu_state"]

# A reason holds how bad it was, which differs from burst to burst: "steal 20%", "9999 ... switches a second".
_AMOUNT = re.compile(r"(?<!\w)\d+(?:\.\d+)?%?(?!\w)")
_UNKNOWN = "unknown"


def discards_section(report: Report) -> str:
    """Discarded bursts by engine and reason."""
    body = [cells for panel in report.panels for cells in _discards(panel)]
    if not body:
        return ""
    text = table(["Engine", "Reason", "Bursts", "Share"], body, 2)
    used = sum(disturbed_but_used(row.record, row.session.protocol) for row in report.rows if row.record)
    about = "Kept in suite.json, not used in estimates"
    if used:
        about += f", except for {used} in blocks too disturbed to spare them"
    return f"### Discarded bursts\n\n{about}.\n\n{text}"


def _discards(panel: Panel) -> list[list[str]]:
    windows = _measured(panel.rows)
    reasons = Counter(_kind(window.discarded) for window in windows if window.discarded)
    return [
        [escape(panel.label), escape(reason), exact(count), percent(count / len(windows), 1)]
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _kind(reason: str) -> str:
    return " ".join(_AMOUNT.sub(" ", reason).split())


def gpu_section(report: Report) -> str:
    """Power, clock, temperature, throttling and other processes, by engine and batch size."""
    body = [
        [escape(panel.label), str(batch), *_gpu_cells(states)]
        for panel in report.panels
        for batch in panel.batches
        if (states := _states(row for row in panel.rows if row.case.batch == batch))
    ]
    if not body:
        return ""
    header = ["Engine", "Batch", "Bursts", "Power (median)", "SM clock (median)", "Temperature"]
    text = table([*header, "Throttled bursts", "Other processes (most at once)"], body, 1)
    about = (
        "Read from NVML right after each burst of all variants, the discarded ones included; throttling and "
        "other processes before it too. Unknown is what NVML didn't tell: the warnings say why."
    )
    return f"## GPU\n\n{about}\n\n{text}"


def _gpu_cells(states: list[GpuState]) -> list[str]:
    power = [state.power_w for state in states if state.power_w is not None]
    clock = [state.sm_clock_mhz for state in states if state.sm_clock_mhz is not None]
    heat = [state.temperature_c for state in states if state.temperature_c is not None]
    throttle = [bool(state.throttle) for state in states if state.throttle is not None]
    others = [state.foreign_processes for state in states if state.foreign_processes is not None]
    return [
        exact(len(states)),
        f"{amount(plain.median(power))} W" if power else _UNKNOWN,
        f"{exact(plain.median(clock))} MHz" if clock else _UNKNOWN,
        f"{min(heat)}–{max(heat)} °C" if heat else _UNKNOWN,
        percent(sum(throttle) / len(throttle), 1) if throttle else _UNKNOWN,
        exact(max(others)) if others else _UNKNOWN,
    ]


def has_gpu_state(record: Record) -> bool:
    """Whether any burst was taken on a GPU."""
    series = latency_series(record)
    windows = series.windows if series else ()
    return any(w.disturbance is not None and w.disturbance.gpu is not None for w in windows)


def _states(rows: Iterable[CaseRow]) -> list[GpuState]:
    found = (w.disturbance.gpu for w in _measured(rows) if w.disturbance is not None)
    return [state for state in found if state is not None]


def _measured(rows: Iterable[CaseRow]) -> list[Window]:
    series = [latency_series(row.record) for row in rows if row.record is not None]
    return [window for each in series if each for window in each.windows if not window.warmup]
