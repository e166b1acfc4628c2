"""The summary for a terminal: a compact table and the line that counts."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.record import Suite
from bench.report.comparison import VariantRow, comparison
from bench.report.formats import exact, fact_text, percent
from bench.report.table import CaseRow, Panel, Report, Setting, Status, assemble, counts
from bench.report.text import printable, shorten
from bench.training_run import TrainingRun

__all__ = ["closing_line", "terminal_summary"]

_NAME_LIMIT = 24


def terminal_summary(suite: Suite, runs: tuple[TrainingRun, ...]) -> Group:
    """A table a subject, one row a variant, speeds at each engine's largest batch; and the closing line."""
    report = assemble(suite, runs)
    parts: list[Table | Text] = []
    for setting in report.settings or (None,):
        if len(report.settings) > 1:
            parts.append(Text(f"{printable(str(setting))}:"))
        parts.append(_table(report, setting))
    return Group(*parts, Text(closing_line(report)))


def _table(report: Report, setting: Setting | None) -> Table:
    panels = [panel for panel in report.panels if panel.setting == setting]
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    for title in ("test acc.", "target", "parameters", "FLOPs"):
        table.add_column(title, justify="right")
    for panel in panels:
        engine = shorten(printable(panel.rows[0].case.engine), _NAME_LIMIT)
        table.add_column(Text(f"{engine} b{panel.batches[-1]}\nimages/s"), justify="right")
        table.add_column(Text("\nratio"), justify="right")
    for row in comparison(report):
        if row.setting == setting:
            table.add_row(*_cells(panels, row))
    return table


def closing_line(report: Report) -> str:
    """The last line of a run: `0 failed, 32 measured, 1 inconclusive, 0 missing`."""
    return str(counts(report.rows))


def _cells(panels: Sequence[Panel], row: VariantRow) -> list[Text]:
    reached = {True: "reached", False: "missed", None: "unknown" if row.target else ""}[row.reached]
    facts = [row.fact(metric) for metric in ("parameters_trainable", "flops")]
    cells = [
        shorten(printable(row.variant), _NAME_LIMIT),
        percent(row.test.mean) if row.test else "",
        reached,
        *(fact_text(fact, exact(fact.value)) if fact else "" for fact in facts),
    ]
    for panel in panels:
        cells += _speed(panel, row.variant)
    return [Text(cell) for cell in cells]


def _speed(panel: Panel, variant: str) -> tuple[str, str]:
    row = panel.row(variant, panel.batches[-1])
    if row is None:
        return "", ""
    if row.result is None:
        return row.status.value, ""
    doubt = "?" if row.status is Status.INCONCLUSIVE else ""
    return f"{exact(row.result.throughput.value)}{doubt}", _ratio(row)


def _ratio(row: CaseRow) -> str:
    if row.is_reference:
        return "1"
    if row.ratio is None:
        return ""
    return f"{row.ratio.value:.3f}{'?' if row.ratio_reason else ''}"
