"""All ratios of a comparison with their intervals, against the band of the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from bench.compared import Comparison, Delta
from bench.report.comparing.words import BASES, case_in_setting, case_text, threshold_text
from bench.report.plots.laid_out import LaidOutFigure
from bench.report.plots.style import GREY, encode, style
from bench.report.table import Setting
from bench.report.text import printable, shorten, without_paths
from bench.verdict import Verdict

__all__ = ["comparison_figure", "draw_comparison", "has_ratios"]

# Okabe and Ito's vermillion and blue, as in the other plots; shape and filling say the same once more.
_SIGNS = {
    Verdict.SLOWER: ("#D55E00", ">", True),
    Verdict.FASTER: ("#0072B2", "<", True),
    Verdict.EQUIVALENT: ("#3B3B3B", "o", True),
    Verdict.INCONCLUSIVE: (GREY, "o", False),
}
_BAND = "#E8EEF4"
_WIDTH, _ROW_HEIGHT, _FRAME_HEIGHT = 8.2, 0.21, 1.7
_LABEL_LIMIT, _TITLE_LIMIT = 60, 90
# The axis reaches this much farther than the farthest ratio and the band; an arrow ends longer intervals.
_MARGIN = 1.6
_LEAST_REACH = math.log(1.05)
# Beyond these factors even steps crowd at the right, and 2 and 5 beside each power of ten.
_WIDE_REACH, _WIDEST_REACH = math.log(3), math.log(50)


def has_ratios(comparison: Comparison) -> bool:
    """Whether there is anything to draw."""
    return any(_drawable(delta) for delta in comparison.deltas)


def draw_comparison(comparison: Comparison) -> dict[str, bytes]:
    """The plot as "png" and "svg". The same comparison gives the same bytes under the same versions."""
    with style():
        return encode(comparison_figure(comparison))


def comparison_figure(comparison: Comparison) -> Figure:
    """One row a case, in the comparison's order; the ratio on a logarithmic axis, slower to the right."""
    deltas = [delta for delta in comparison.deltas if _drawable(delta)]
    figure = LaidOutFigure(figsize=(_WIDTH, _FRAME_HEIGHT + _ROW_HEIGHT * len(deltas)), layout="constrained")
    axes = figure.subplots()
    reach = _reach(deltas)
    axes.set_xscale("log")
    axes.set_xlim(math.exp(-reach), math.exp(reach))
    axes.set_ylim(len(deltas) - 0.4, -0.6)
    for row, delta in enumerate(deltas):
        _band(axes, row, delta)
        _draw(axes, row, delta, reach)
    axes.axvline(1.0, color=GREY, linewidth=1.0, zorder=1)
    axes.set_yticks(range(len(deltas)), _labels(deltas))
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    _ratio_axis(axes, reach)
    title = without_paths(printable(f"{comparison.new} against {comparison.base}"))
    figure.suptitle(shorten(title, _TITLE_LIMIT))
    _legend(figure, deltas)
    return figure


def _drawable(delta: Delta) -> bool:
    return math.isfinite(delta.ratio.value) and delta.ratio.value > 0


def _reach(deltas: Sequence[Delta]) -> float:
    """Half the axis, on the logarithm: symmetric, so that slower and faster by a factor look alike."""
    values = [abs(math.log(delta.ratio.value)) for delta in deltas]
    bands = [math.log1p(delta.theta) for delta in deltas]
    return _MARGIN * max(*values, *bands, _LEAST_REACH)


def _band(axes: Axes, row: int, delta: Delta) -> None:
    """Each row's own threshold, since a gate may have several."""
    low, high = 1 / (1 + delta.theta), 1 + delta.theta
    axes.fill_betweenx([row - 0.5, row + 0.5], low, high, color=_BAND, linewidth=0, zorder=0)


def _draw(axes: Axes, row: int, delta: Delta, reach: float) -> None:
    colour, marker, full = _SIGNS[delta.verdict]
    if delta.ratio.has_interval:
        ends = (delta.ratio.low, delta.ratio.high)
        low, high = (min(max(end, math.exp(-reach)), math.exp(reach)) for end in ends)
        axes.plot([low, high], [row, row], color=colour, linewidth=1.5, zorder=2, solid_capstyle="butt")
        for end, shown, arrow in ((delta.ratio.low, low, 4), (delta.ratio.high, high, 5)):
            # 4 and 5 are matplotlib's carets to the left and right: the interval goes on.
            sign = "|" if end == shown else arrow
            axes.plot([shown], [row], marker=sign, color=colour, markersize=5, zorder=2, clip_on=False)
    face = colour if full else "white"
    axes.plot([delta.ratio.value], [row], marker, color=colour, markerfacecolor=face, zorder=3)


def _labels(deltas: Sequence[Delta]) -> list[str]:
    """The subject only where there are several."""
    several = len({Setting.of(delta.case) for delta in deltas}) > 1
    name = case_text if several else case_in_setting
    texts = (f"{name(delta.case)} · {BASES[delta.basis]}" for delta in deltas)
    return [shorten(printable(text), _LABEL_LIMIT) for text in texts]


def _ratio_axis(axes: Axes, reach: float) -> None:
    """Ticks at round ratios; within a narrow range the logarithmic locator has none."""
    ends = math.exp(-reach), math.exp(reach)
    found = ticker.MaxNLocator(nbins=8).tick_values(*ends)
    if reach > _WIDE_REACH:
        steps = (1.0, 2.0, 5.0) if reach < _WIDEST_REACH else (1.0,)
        found = ticker.LogLocator(base=10, subs=steps).tick_values(*ends)
    ticks = [tick for tick in found if ends[0] <= tick <= ends[1]]
    axes.xaxis.set_major_locator(ticker.FixedLocator(ticks))
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:.6g}"))
    axes.set_xlabel("Time, new over base (more than 1 is slower)")


def _legend(figure: Figure, deltas: Sequence[Delta]) -> None:
    present = {delta.verdict for delta in deltas}
    handles: list[Line2D | Patch] = [
        Line2D(
            [], [], color=colour, marker=marker, markerfacecolor=colour if full else "white", label=verdict
        )
        for verdict, (colour, marker, full) in _SIGNS.items()
        if verdict in present
    ]
    thetas = ", ".join(threshold_text(theta) for theta in sorted({delta.theta for delta in deltas}))
    handles.append(Patch(color=_BAND, label=f"threshold {thetas}"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
