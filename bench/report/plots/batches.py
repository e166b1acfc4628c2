"""Throughput, ratio to the reference and memory against the batch size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from matplotlib.figure import Figure

from bench.report.formats import bytes_text, estimate, fact_text, ratio
from bench.report.plots.style import (
    LEVEL,
    Point,
    batch_axis,
    hollow_mark,
    label_first,
    legend,
    level_line,
    looks,
    panel_grid,
    plain_text,
    series,
    spread,
)
from bench.report.sections import MEMORY_METRICS
from bench.report.table import CaseRow, Panel, Report, Status
from bench.statistics import Estimate

__all__ = [
    "draw_memory",
    "draw_ratio",
    "draw_throughput",
    "has_memory",
    "has_ratio",
    "has_throughput",
]

PointOf = Callable[[CaseRow], Point | None]
_MIB = 2.0**20
# Marks of the variants at one batch size lie within this many octaves.
_DODGE = 0.24


def _estimate_point(row: CaseRow, found: Estimate | None, said: str, sure: bool) -> Point | None:
    if found is None:
        return None
    low, high = (found.low, found.high) if found.has_interval else (None, None)
    return Point(row.case.batch, found.value, low, high, sure, said if sure else f"{said}, inconclusive")


def _throughput(row: CaseRow) -> Point | None:
    found = row.result.throughput if row.result else None
    said = f"{estimate(found)} images/s" if found else ""
    return _estimate_point(row, found, said, row.status is Status.OK)


def _ratio(row: CaseRow) -> Point | None:
    said = f"{ratio(row.ratio)} of {plain_text(row.session.protocol.reference)}" if row.ratio else ""
    return _estimate_point(row, row.ratio, said, not row.ratio_reason)


def _memory(metric: str) -> PointOf:
    def point(row: CaseRow) -> Point | None:
        fact = row.fact(metric)
        if fact is None:
            return None
        said = fact_text(fact, bytes_text(fact.value))
        return Point(row.case.batch, fact.value / _MIB, None, None, True, said)

    return point


def _points(panel: Panel, variant: str, point_of: PointOf) -> list[Point | None]:
    rows = [panel.row(variant, batch) for batch in panel.batches]
    return [None if row is None else point_of(row) for row in rows]


def _present(panel: Panel, point_of: PointOf) -> list[Point]:
    return [point for row in panel.rows if (point := point_of(row)) is not None]


def has_throughput(report: Report) -> bool:
    """Whether any case has a time."""
    return any(row.result for row in report.rows)


def has_ratio(report: Report) -> bool:
    """Whether any case has a ratio to the reference."""
    return any(row.ratio for row in report.rows)


def has_memory(report: Report) -> bool:
    """Whether any case has a memory fact."""
    return any(row.fact(metric) for row in report.rows for metric, _ in MEMORY_METRICS)


def draw_throughput(report: Report) -> Figure:
    """Images per second, one panel an engine."""
    return _draw(report, [("Throughput (images/s)", _throughput)], None)


def draw_ratio(report: Report) -> Figure:
    """Throughput over the reference's, with a line at 1."""
    return _draw(report, [("Throughput relative to reference", _ratio)], 1.0)


def draw_memory(report: Report) -> Figure:
    """One row of panels a kind of memory."""
    metrics = [m for m in MEMORY_METRICS if any(row.fact(m[0]) for row in report.rows)]
    return _draw(report, [(f"{title} (MiB)", _memory(metric)) for metric, title in metrics], None)


def _draw(report: Report, quantities: Sequence[tuple[str, PointOf]], level: float | None) -> Figure:
    panels = [p for p in report.panels if any(_present(p, point_of) for _, point_of in quantities)]
    points = [point for _, point_of in quantities for panel in panels for point in _present(panel, point_of)]
    styles = looks(report.variants)
    shown = [v for v in report.variants if any(_has_points(p, v, quantities) for p in panels)]
    entries = [styles[variant] for variant in shown]
    extra = [level_line(f"{panels[0].reference} (reference)")] if level is not None else []
    extra += [hollow_mark()] if any(not point.sure for point in points) else []
    wrapped = len(quantities) == 1
    rows = 0 if wrapped else len(quantities)
    figure, axes = panel_grid(len(panels) * len(quantities), [*entries, *extra], rows)
    cells = [(title, point_of, panel) for title, point_of in quantities for panel in panels]
    for axis, (title, point_of, panel) in zip(axes, cells, strict=True):
        for variant, shift in zip(shown, _shifts(len(shown)), strict=True):
            series(axis, styles[variant], _points(panel, variant, point_of), shift)
        if level is not None:
            axis.axhline(level, **LEVEL)
        batch_axis(axis, panel.batches)
        axis.set_title(plain_text(panel.label))
        label_first(axis, title)
        # The axis is shared along a row, so its range comes from every panel.
        ends = [end for p in panels for point in _present(p, point_of) for end in (point.value, point.high)]
        spread(axis, [end for end in [*ends, level] if end is not None])
    legend(figure, entries, extra)
    return figure


def _has_points(panel: Panel, variant: str, quantities: Sequence[tuple[str, PointOf]]) -> bool:
    return any(any(_points(panel, variant, point_of)) for _, point_of in quantities)


def _shifts(count: int) -> list[float]:
    return [_DODGE * (index / max(1, count - 1) - 0.5 * (count > 1)) for index in range(count)]
