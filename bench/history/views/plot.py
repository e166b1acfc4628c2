"""The series of one environment, subject and engine over time, with their levels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from matplotlib import dates, patheffects
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.history.changes import Line
from bench.history.history import History
from bench.history.series import Quantity
from bench.history.views.words import Row, Section, sections
from bench.report.plots.style import (
    LEVEL,
    Look,
    encode,
    hollow_mark,
    label_first,
    legend,
    looks,
    panel_grid,
    plain_text,
    style,
)

__all__ = ["draw_history", "history_figure"]

_SIZE, _FAINT = 3.0, 0.55
# A line through this many marks of its own colour would not be seen.
_MANY = 200
_OUTLINE = [patheffects.withStroke(linewidth=4.0, foreground="white")]
_QUANTITIES = (
    (Quantity.THROUGHPUT, "Throughput (images/s)"),
    (Quantity.RATIO, "Throughput relative to reference"),
)


def draw_history(history: History) -> dict[str, dict[str, bytes]]:
    """Every plot as "png" and "svg", by its name. The same history gives the same bytes."""
    found = {}
    with style():
        for number, section in enumerate(sections(history), start=1):
            if any(row.lines for row in section.rows):
                found[_name(section, number)] = encode(history_figure(history, section))
    return found


def _name(section: Section, number: int) -> str:
    """Numbered, since foreign names may become the same once they are fit for a file."""
    words = (section.setting.subject, section.engine, section.environment)
    plain = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", word).strip("-.")[:40] for word in words)
    return f"history_{number:02}_{plain}"


def history_figure(history: History, section: Section) -> Figure:
    """A row of panels a quantity, a column a batch size; points are sessions, lines their levels."""
    rows = [row for row in section.rows if row.lines]
    quantities = [pair for pair in _QUANTITIES if any(pair[0] in row.lines for row in rows)]
    batches = sorted({row.series.key.case.batch for row in rows})
    styles = looks(list(dict.fromkeys(row.label for row in rows)))
    doubtful = any(not row.series.sure.all() for row in rows)
    extra = [hollow_mark()] if doubtful else []
    cells = [(quantity, title, batch) for quantity, title in quantities for batch in batches]
    figure, axes = panel_grid(len(cells), [*styles.values(), *extra], len(quantities), shared=False)
    for axis, (quantity, title, batch) in zip(axes, cells, strict=True):
        for row in rows:
            if row.series.key.case.batch == batch and quantity in row.lines:
                _draw(history, axis, row, quantity, styles[row.label])
        low, high = axis.get_ylim()
        if quantity is Quantity.RATIO and low <= 1 <= high:
            axis.axhline(1.0, **LEVEL)
        _time_axis(axis)
        axis.set_title(f"{plain_text(section.engine)}, batch {batch}")
        label_first(axis, title)
    legend(figure, list(styles.values()), extra)
    figure.suptitle(plain_text(f"{section.setting.subject} in {section.environment}"))
    return figure


def _draw(history: History, axes: Axes, row: Row, quantity: Quantity, look: Look) -> None:
    series, line = row.series, row.lines[quantity]
    times = [_time(history.gathered.sessions[index].started) for index in series.sessions]
    values = series.values(quantity)
    for chosen, face in ((series.sure, look.colour), (~series.sure, "white")):
        places = np.flatnonzero(chosen & np.isfinite(values))
        axes.plot(
            [times[place] for place in places],
            values[places],
            marker=look.marker,
            color=look.colour,
            markerfacecolor=face,
            markersize=_SIZE,
            linestyle="",
            alpha=_FAINT,
            # As a picture inside the SVG: thousands of separate marks are megabytes that no viewer likes.
            rasterized=True,
        )
    _levels(axes, line, times, look)


def _levels(axes: Axes, line: Line, times: Sequence[float], look: Look) -> None:
    for segment in line.segments:
        ends = [times[segment.positions[0]], times[segment.positions[-1]]]
        outline = _OUTLINE if len(segment.positions) > _MANY else []
        axes.plot(ends, [segment.level] * 2, color=look.colour, zorder=4, path_effects=outline)


def _time(started: str) -> float:
    """In matplotlib's days; a start that can't be read is day 0, and its session is there all the same."""
    try:
        return float(dates.date2num(datetime.fromisoformat(started)))  # type: ignore[no-untyped-call]
    except ValueError:
        return 0.0


def _time_axis(axes: Axes) -> None:
    # Matplotlib's dates are untyped.
    locator = dates.AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
