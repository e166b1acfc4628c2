"""Throughput and latency per engine, and whatever cost a case its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.blocks import latency_series
from bench.quality import latency_percentile
from bench.ratios import Ratio
from bench.record import Record
from bench.report.disturbances import discards_section
from bench.report.formats import amount, estimate, ratio
from bench.report.layout import Notes, picture, table
from bench.report.table import CaseRow, Panel, Report, Status
from bench.report.text import escape, shorten
from bench.statistics import Estimate, samples_needed

__all__ = ["PERCENTILES", "step_count", "timing_section"]

PERCENTILES = (50.0, 90.0, 99.0)
# A whole traceback would drown the table; its ends say what and where.
_MESSAGE_LIMIT = 240


def step_count(record: Record) -> int:
    """Undisturbed step times after warm-up, the samples of a percentile."""
    series = latency_series(record)
    windows = series.windows if series else ()
    return sum(len(window.values) for window in windows if not (window.warmup or window.discarded))


def timing_section(report: Report, plots: Mapping[str, str]) -> str:
    """A table an engine, the plots, and the failures."""
    if not report.rows:
        return ""
    pictures = picture(plots, "throughput_batch") + picture(plots, "ratio_batch")
    tables = [_panel_table(panel) for panel in report.panels]
    parts = [f"## Throughput and latency{pictures}", *tables, _failures(report), discards_section(report)]
    return "\n\n".join(part for part in parts if part)


def _panel_table(panel: Panel) -> str:
    notes = Notes()
    confidence = f"{panel.rows[0].session.protocol.confidence:.0%}"
    header = ["Batch", "Variant", f"Images/s ({confidence} interval)"]
    header += [f"p{percent:g} ms" for percent in PERCENTILES]
    names = (panel.reference, *panel.others)
    header += [*(f"Ratio to {escape(name)} ({confidence} interval)" for name in names), "Blocks"]
    blanks = {percent: _blank_note(panel, percent) for percent in PERCENTILES}
    body = [_cells(row, panel.others, blanks, notes) for row in panel.rows]
    return f"### {escape(panel.label)}\n\n{table(header, body, 2)}{notes.text()}"


def _cells(row: CaseRow, others: Sequence[str], blanks: Mapping[float, str], notes: Notes) -> list[str]:
    cells = [str(row.case.batch), escape(row.case.variant)]
    if row.result is None or row.record is None:
        return [*cells, f"*{row.status.value}*", *[""] * (len(PERCENTILES) + len(others) + 2)]
    throughput = estimate(row.result.throughput)
    if row.status is Status.INCONCLUSIVE:
        throughput += f", *inconclusive*{notes.mark(escape(row.reason))}"
    percentiles = []
    for percent in PERCENTILES:
        value = latency_percentile(row.record, percent)
        percentiles.append(notes.mark(blanks[percent]).strip() if value is None else amount(value))
    to_reference = "1 (reference)" if row.is_reference else _ratio(row.ratio, row.ratio_reason, notes)
    found = dict(row.others)
    to_others = [_to_other(row, name, found.get(name), notes) for name in others]
    return [*cells, throughput, *percentiles, to_reference, *to_others, str(row.result.throughput.n)]


def _to_other(row: CaseRow, name: str, found: Ratio | None, notes: Notes) -> str:
    """Empty where the row's batch size has no such variant."""
    if found is None:
        return ""
    return "1" if row.case.variant == name else _ratio(found.estimate, found.reason, notes)


def _ratio(found: Estimate | None, reason: str, notes: Notes) -> str:
    if found is None:
        return notes.mark(escape(reason)).strip()
    return f"{ratio(found)}, *inconclusive*{notes.mark(escape(reason))}" if reason else ratio(found)


def _blank_note(panel: Panel, percent: float) -> str:
    """One note for all blank cells of a percentile."""
    needed = samples_needed(percent)
    records = [row.record for row in panel.rows if row.record is not None and row.result is not None]
    short = [count for record in records if (count := step_count(record)) < needed]
    if not short:
        return ""
    if max(short) == 0:
        return "Every step was disturbed: close other programs and measure again."
    span = f"{min(short)}" if min(short) == max(short) else f"{min(short)} to {max(short)}"
    return f"p{percent:g} needs {needed} undisturbed steps, there are {span}: raise --blocks."


def _failures(report: Report) -> str:
    body = [cells for panel in report.panels for row in panel.rows for cells in _failure_cells(panel, row)]
    if not body:
        return ""
    text = table(["Engine", "Batch", "Variant", "Lost", "Kind", "Reason"], body, 6)
    return f"### Failures\n\n{text}"


def _failure_cells(panel: Panel, row: CaseRow) -> list[list[str]]:
    where = [escape(panel.label), str(row.case.batch), escape(row.case.variant)]
    if row.status is Status.MISSING:
        return [[*where, "everything", "missing", escape(row.reason)]]
    if row.record is None:
        return []
    found = []
    skipped = row.record.skipped
    if skipped is not None:
        found.append(
            [*where, "everything", skipped.kind.value, escape(shorten(skipped.message, _MESSAGE_LIMIT))]
        )
    for failure in row.record.failures:
        if failure == skipped:
            continue
        lost = f"block {failure.block}" if failure.block >= 0 else "before any block"
        found.append([*where, lost, failure.kind.value, escape(shorten(failure.message, _MESSAGE_LIMIT))])
    return found
