"""The curve of detection against blocks."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report.plots.style import LEVEL, Look, encode, label_first, legend, level_line, looks, panel_grid
from bench.report.plots.style import style as plot_style
from bench.study.rules import AB, COMPARE
from bench.study.tally import Simulated, Tally

__all__ = ["detection_figure", "draw_detection"]

_WANTED = 0.95
# What is drawn: rule and effect in percent.
_LINES = ((AB, 3), (AB, 5), (AB, 10), (COMPARE, 5), (COMPARE, 10))


def draw_detection(simulated: Simulated) -> dict[str, bytes]:
    """As "png" and "svg"; the same counts give the same bytes under the same library versions."""
    with plot_style():
        return encode(detection_figure(simulated))


def detection_figure(simulated: Simulated) -> Figure:
    """One panel a kind of noise."""
    kinds = list(dict.fromkeys(tally.kind for tally in simulated.curve))
    names = [f"{rule.removeprefix('our rule, ')}, {effect}% slower" for rule, effect in _LINES]
    styles = looks(names)
    entries, extra = list(styles.values()), [level_line("95%")]
    figure, axes = panel_grid(len(kinds), [*entries, *extra])
    for axis, kind in zip(axes, kinds, strict=True):
        for (rule, effect), name in zip(_LINES, names, strict=True):
            own = [t for t in simulated.curve if t.kind is kind and t.rule == rule]
            _line(axis, styles[name], sorted(own, key=lambda tally: tally.blocks), effect)
        axis.axhline(100 * _WANTED, **LEVEL)
        axis.set_title(f"{kind.value} noise")
        axis.set_xlabel("Blocks")
        axis.set_ylim(-3, 103)
        label_first(axis, "Slowdowns found (% of suites)")
    legend(figure, entries, extra)
    return figure


def _line(axis: Axes, look: Look, tallies: list[Tally], effect: int) -> None:
    xs = [tally.blocks for tally in tallies]
    ys = [100 * tally.found[effect] / tally.suites for tally in tallies]
    axis.plot(xs, ys, look.line, marker=look.marker, color=look.colour)
