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
from bench.report.targets import answers_line, bound_text, quantity, ratio_text
from bench.report.text import printable, shorten
from bench.target_answers import Judged
from bench.training_run import TrainingRun

__all__ = ["closing_line", "terminal_summary"]

_NAME_LIMIT = 24
# Engines whose speeds fit beside the rest of a table in eighty columns.
_MOST_COLUMNS = 3


def terminal_summary(suite: Suite, runs: tuple[TrainingRun, ...]) -> Group:
    """A table a subject, one row a variant, speeds at each engine's largest batch; targets; the counts.

    The speeds of many engines are a table of their own, one row an engine, since no terminal is so wide.
    """
    report = assemble(suite, runs)
    parts: list[Table | Text] = []
    for setting in report.settings or (None,):
        if len(report.settings) > 1:
            parts.append(Text(f"{printable(str(setting))}:"))
        panels = [panel for panel in report.panels if panel.setting == setting]
        wide = len(panels) > _MOST_COLUMNS
        parts.append(_table(report, setting, [] if wide else panels))
        if wide:
            parts += [Text(""), _engines(panels)]
    if report.targets:
        parts += [_targets(report.targets), Text(answers_line(report.targets))]
    return Group(*parts, Text(closing_line(report)))


def _table(report: Report, setting: Setting | None, panels: Sequence[Panel]) -> Table:
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


def _engines(panels: Sequence[Panel]) -> Table:
    """The same speeds, turned: one row an engine."""
    table = Table(box=None, pad_edge=False)
    batches = {panel.batches[-1] for panel in panels}
    common = f"batch {min(batches)}" if len(batches) == 1 else ""
    table.add_column(Text(f"{common}\nengine"), no_wrap=True)
    variants = dict.fromkeys(variant for panel in panels for variant in panel.variants)
    for variant in variants:
        title = Text(f"{shorten(printable(variant), _NAME_LIMIT)}\nimages/s")
        # A name that doesn't fit goes on in another line; cut short, two variants would look alike.
        table.add_column(title, justify="right", overflow="fold")
        table.add_column(Text("\nratio"), justify="right", no_wrap=True)
    for panel in panels:
        engine = shorten(printable(panel.rows[0].case.engine), _NAME_LIMIT)
        cells = [engine if common else f"{engine} b{panel.batches[-1]}"]
        for variant in variants:
            cells += _speed(panel, variant)
        table.add_row(*map(Text, cells))
    return table


def closing_line(report: Report) -> str:
    """The last line of a run: `0 failed, 32 measured, 1 inconclusive, 0 missing`."""
    return str(counts(report.rows))


def _targets(judged: Sequence[Judged]) -> Text:
    """A line a target, with what the ratio is of, and below it one a variant, in columns."""
    rows = [
        [
            shorten(printable(one.variant), _NAME_LIMIT),
            ratio_text(one),
            bound_text(one.target),
            one.answer.value,
        ]
        for one in judged
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines, before = [""], None
    for one, row in zip(judged, rows, strict=True):
        target = one.target
        if (one.session.id, target) != before:
            before = (one.session.id, target)
            where = f"{target.subject}, {target.engine} b{target.batch}: {quantity(target)}"
            lines.append(printable(where))
        cells = [text.ljust(width) for text, width in zip(row[:3], widths, strict=True)]
        lines.append("  " + "  ".join([*cells, row[3]]))
    return Text("\n".join(lines))


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
