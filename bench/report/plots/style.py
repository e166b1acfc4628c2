"""What all plots share: colours, sizes, axes, legends, and encoding that gives the same bytes each time."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.plots.laid_out import LaidOutFigure
from bench.report.plots.values import tell
from bench.report.text import printable, shorten

__all__ = [
    "GREY",
    "LEVEL",
    "Look",
    "Point",
    "batch_axis",
    "encode",
    "hollow_mark",
    "label_first",
    "legend",
    "level_line",
    "looks",
    "panel_grid",
    "plain_text",
    "series",
    "spread",
    "style",
]

# Okabe and Ito's colours, told apart by colour-blind readers (jfly.uni-koeln.de/color), without yellow, which
# is too pale for lines on white; the reference comes first and is neutral.
_COLOURS = ("#3B3B3B", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B")
# A second channel beside colour, for print and for more variants than colours.
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">")
GREY = "#777777"
LEVEL: Mapping[str, Any] = {"color": GREY, "linewidth": 1.0, "linestyle": "--", "zorder": 2}
_NAME_LIMIT = 30
_PANEL_WIDTH, _PANEL_HEIGHT = 3.7, 3.1
_COLUMNS = 3
# Width of a legend's sign and padding, and of a mean character at its font size, in inches.
_LEGEND_BASE, _LEGEND_CHARACTER = 0.7, 0.072
# Beyond this ratio between largest and smallest value a linear axis hides the small ones.
_LOG_FROM = 12.0

# Any: newer matplotlib types each key, older ones none.
_SETTINGS: Any = {
    "font.family": "DejaVu Sans",  # shipped with matplotlib
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.labelsize": 9.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#777777",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.7,
    "xtick.color": "#444444",
    "ytick.color": "#444444",
    "lines.linewidth": 1.5,
    "lines.markersize": 5.5,
    "legend.frameon": False,
    "legend.fontsize": 9.0,
    "savefig.dpi": 150,
    "svg.hashsalt": "dyrelu-bench",
    "text.parse_math": False,  # a dollar sign in a foreign name is no formula
    "svg.fonttype": "path",  # a reader's machine needs no font
}


@dataclass(frozen=True, slots=True)
class Look:
    """How one variant is drawn, in every plot of a report."""

    colour: str
    marker: str
    label: str
    line: Literal["-", "--", ":", ""] = "-"
    hollow: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """One value at one batch size, with its interval where there is one; `said` is both in words."""

    batch: int
    value: float
    low: float | None
    high: float | None
    sure: bool
    said: str


@contextmanager
def style() -> Iterator[None]:
    """The plots' settings, whatever the user's matplotlibrc says; restored on leaving."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS)
        yield


def plain_text(text: str) -> str:
    """Foreign text for a plot: one short line, no leading underscore, which would hide it in a legend."""
    short = shorten(printable(text), _NAME_LIMIT)
    return f" {short}" if short.startswith("_") else short


def looks(variants: Sequence[str]) -> dict[str, Look]:
    """A fixed colour and marker for each variant, by order."""
    return {
        variant: Look(_COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)], plain_text(variant))
        for index, variant in enumerate(variants)
    }


def panel_grid(
    panels: int, entries: Iterable[Look], rows: int = 0, *, shared: bool = True
) -> tuple[Figure, list[Axes]]:
    """A figure with this many axes, and room at the right for a legend with these entries.

    `rows` 0 wraps the panels, which then share one vertical axis if `shared`; else each row shares its own.
    """
    lines = rows or math.ceil(panels / _COLUMNS)
    columns = math.ceil(panels / lines)
    longest = max((len(entry.label) for entry in entries), default=0)
    room = _LEGEND_BASE + _LEGEND_CHARACTER * longest
    size = (columns * _PANEL_WIDTH + room, lines * _PANEL_HEIGHT)
    figure = LaidOutFigure(figsize=size, layout="constrained")
    share: Literal["none", "row", "all"] = "none" if not shared else "row" if rows else "all"
    axes = list(figure.subplots(lines, columns, squeeze=False, sharey=share).flat)
    for unused in axes[panels:]:
        unused.remove()
    return figure, axes[:panels]


def legend(figure: Figure, entries: Sequence[Look], extra: Sequence[Look] = ()) -> None:
    """One legend for all panels, outside them; `extra` explains signs that belong to no variant."""
    every = [*entries, *extra]
    handles = [
        Line2D(
            *([], []),
            color=look.colour,
            marker=look.marker,
            linestyle=look.line,
            markerfacecolor="white" if look.hollow else look.colour,
        )
        for look in every
    ]
    figure.legend(handles, [look.label for look in every], loc="outside right upper")


def level_line(label: str) -> Look:
    """The legend's entry of a horizontal line drawn with `LEVEL`."""
    return Look(GREY, "", plain_text(label), line="--")


def hollow_mark() -> Look:
    """The legend's entry of marks that can't be believed."""
    return Look(GREY, "o", "hollow: inconclusive", line="", hollow=True)


def label_first(axes: Axes, text: str) -> None:
    """Names the vertical axis in a row's first panel only."""
    place = axes.get_subplotspec()
    if place is not None and place.is_first_col():
        axes.set_ylabel(text)


def batch_axis(axes: Axes, batches: Sequence[int]) -> None:
    """Batch sizes on a base-2 logarithmic axis, the measured ones as ticks."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(ticker.FixedLocator(list(batches)))
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.0f}"))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    # Half an octave at both ends keeps marks off the frame, and gives one batch size an axis at all.
    axes.set_xlim(min(batches) / 2**0.5, max(batches) * 2**0.5)
    axes.set_xlabel("Batch size (images)")


def spread(axes: Axes, values: Sequence[float], direction: str = "y") -> None:
    """Starts the axis at zero, or makes it logarithmic where small values would vanish."""
    axis = axes.yaxis if direction == "y" else axes.xaxis
    if min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        getattr(axes, f"set_{direction}scale")("log")
        axis.set_major_locator(ticker.LogLocator(base=10, subs=(1.0, 2.0, 5.0)))
        axis.set_minor_locator(ticker.NullLocator())
    else:
        getattr(axes, f"set_{direction}lim")(0.0, max(values) * 1.08)
        axis.set_major_locator(ticker.MaxNLocator(nbins=5))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))


def series(axes: Axes, look: Look, points: Sequence[Point | None], shift: float = 0.0) -> None:
    """A variant's values over the batch sizes; a gap (None) breaks the line, a doubtful value is hollow.

    `shift`, in octaves, moves the marks aside, so that intervals at one batch size don't hide each other.
    """
    factor = 2.0**shift
    for run in _unbroken(points):
        xs = [point.batch * factor for point in run]
        axes.plot(xs, [point.value for point in run], color=look.colour, zorder=3)
    for point in filter(None, points):
        x = point.batch * factor
        if point.low is not None and point.high is not None:
            bars = [[point.value - point.low], [point.high - point.value]]
            axes.errorbar(
                [x], [point.value], yerr=bars, fmt="none", ecolor=look.colour, capsize=2.5, zorder=3
            )
        face = look.colour if point.sure else "white"
        (mark,) = axes.plot(
            [x], [point.value], look.marker, color=look.colour, markerfacecolor=face, zorder=4
        )
        tell(mark, [f"{look.label}, batch {point.batch}: {point.said}"])


def _unbroken(points: Sequence[Point | None]) -> list[list[Point]]:
    runs: list[list[Point]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(point)
    return [run for run in runs if len(run) > 1]


def encode(figure: Figure) -> dict[str, bytes]:
    """The figure as "png" and "svg", without dates or version, under `style`."""
    images = {}
    for ending, metadata in (("png", {"Software": None}), ("svg", {"Date": None, "Creator": None})):
        buffer = io.BytesIO()
        figure.savefig(buffer, format=ending, metadata=metadata)
        images[ending] = buffer.getvalue()
    return images
