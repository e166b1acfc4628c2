"""What a variant gains against what it costs: test accuracy over throughput."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.accuracy import Accuracy
from bench.report.comparison import VariantRow, common_target, comparison
from bench.report.formats import estimate, percent, threshold
from bench.report.plots.style import (
    LEVEL,
    Look,
    hollow_mark,
    label_first,
    legend,
    level_line,
    looks,
    panel_grid,
    plain_text,
    spread,
)
from bench.report.plots.values import tell
from bench.report.table import CaseRow, Panel, Report, Status

__all__ = ["draw_accuracy_throughput", "has_accuracy_throughput"]

Pair = tuple[CaseRow, VariantRow]


def _pairs(report: Report, panel: Panel) -> list[Pair]:
    """The variants with both figures, at the largest batch size at which all of these were timed."""
    accuracies = {row.variant: row for row in comparison(report) if row.test and row.setting == panel.setting}
    timed = [row for row in panel.rows if row.result is not None and row.case.variant in accuracies]
    variants = {row.case.variant for row in timed}
    for batch in reversed(panel.batches):
        rows = [row for row in timed if row.case.batch == batch]
        if rows and {row.case.variant for row in rows} == variants:
            return [(row, accuracies[row.case.variant]) for row in rows]
    return []


def has_accuracy_throughput(report: Report) -> bool:
    """Whether any variant has a test accuracy and a time."""
    return any(_pairs(report, panel) for panel in report.panels)


def draw_accuracy_throughput(report: Report) -> Figure:
    """One panel an engine, intervals both ways, the target as a line."""
    panels = [(panel, pairs) for panel in report.panels if (pairs := _pairs(report, panel))]
    styles = looks(report.variants)
    drawn = {row.case.variant for _, pairs in panels for row, _ in pairs}
    shown = [variant for variant in report.variants if variant in drawn]
    target = common_target(report)
    entries = [styles[variant] for variant in shown]
    extra = [level_line(f"target {threshold(target.value)}")] if target else []
    doubtful = any(row.status is Status.INCONCLUSIVE for _, pairs in panels for row, _ in pairs)
    extra += [hollow_mark()] if doubtful else []
    figure, axes = panel_grid(len(panels), [*entries, *extra])
    for axis, (panel, pairs) in zip(axes, panels, strict=True):
        for row, accuracy in pairs:
            _mark(axis, styles[row.case.variant], row, accuracy)
        if target is not None:
            axis.axhline(100 * target.value, **LEVEL)
        spread(axis, [end for row, _ in pairs for end in _ends(row)], "x")
        axis.set_title(f"{plain_text(panel.label)}, batch {pairs[0][0].case.batch}")
        axis.set_xlabel("Throughput (images/s)")
        label_first(axis, "Test accuracy (%)")
    legend(figure, entries, extra)
    return figure


def _ends(row: CaseRow) -> list[float]:
    """What the axis has to show of a throughput."""
    if row.result is None:
        return []
    speed = row.result.throughput
    return [speed.value, *((speed.low, speed.high) if speed.has_interval else ())]


def _mark(axis: Axes, look: Look, row: CaseRow, accuracy: VariantRow) -> None:
    if row.result is None or accuracy.test is None:
        return
    speed, test = row.result.throughput, accuracy.test
    x, y = speed.value, 100 * test.mean
    if speed.has_interval:
        axis.errorbar([x], [y], xerr=[[x - speed.low], [speed.high - x]], fmt="none", ecolor=look.colour)
    if test.low is not None and test.high is not None:
        bars = [[y - 100 * test.low], [100 * test.high - y]]
        axis.errorbar([x], [y], yerr=bars, fmt="none", ecolor=look.colour, capsize=2.5)
    face = look.colour if row.status is Status.OK else "white"
    (mark,) = axis.plot(
        [x], [y], look.marker, color=look.colour, markerfacecolor=face, markersize=7, zorder=4
    )
    doubt = "" if row.status is Status.OK else ", inconclusive"
    tell(mark, [f"{look.label}: {_accuracy_text(test)} at {estimate(speed)} images/s{doubt}"])


def _accuracy_text(found: Accuracy) -> str:
    if found.low is None or found.high is None:
        return percent(found.mean)
    return f"{percent(found.mean)} ({percent(found.low)}–{percent(found.high)})"
