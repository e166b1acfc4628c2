"""A plot inside a page: its panels wrap where the page is narrow, and every mark says its value.

The figure is the one that the pictures beside the report show, drawn once more as SVG and cut into panels. So
whatever a plot draws is in the page as well; words for its marks come from `bench.report.plots.values`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.transforms import Bbox, BboxBase

from bench.report.html.elements import Element, element
from bench.report.html.svg import Drawing, parse_svg
from bench.report.plots import Plot
from bench.report.plots.style import style
from bench.report.plots.values import told
from bench.report.table import Report

__all__ = ["Picture", "picture"]

# SVG counts in points here: 72 to the inch.
_POINTS = 72
# Around a panel, in points, so that no sign is cut where its bounding box ends.
_MARGIN = 2.0
_REACH = "6"
# A sign of the legend, in points around the middle of its handle.
_SIGN_WIDTH, _SIGN_HEIGHT = 24.0, 12.0


@dataclass(frozen=True, slots=True)
class Picture:
    """A `figure` for the page, and the shapes that it refers to, by their id."""

    figure: Element
    definitions: Mapping[str, Element]


def picture(plot: Plot, report: Report) -> Picture:
    """Draws a plot that has data. The same report gives the same under the same library versions."""
    with style():
        # As text, which a reader can select and a screen reader says, and which is a fifth as long.
        mpl.rcParams["svg.fonttype"] = "none"
        figure = plot.figure(report)
        figure.set_dpi(_POINTS)
        _stand_alone(figure)
        drawing = _draw(figure)
        panels = [_panel(drawing, figure, index) for index in range(len(figure.axes))]
        keys = [key for legend in figure.legends for key in _keys(drawing, figure, legend)]
    return Picture(
        element(
            "figure",
            {"class": "plot"},
            element("ul", {"class": "keys"}, *keys),
            element("div", {"class": "panels"}, *panels),
            element("figcaption", None, f"{plot.alternative}."),
        ),
        drawing.definitions,
    )


def _stand_alone(figure: Figure) -> None:
    """Gives each panel the labels that it leaves to the first of its row, since panels wrap."""
    for axes in figure.axes:
        axes.tick_params(labelleft=True, labelbottom=True)
        if not axes.get_ylabel():
            axes.set_ylabel(_row_label(figure, axes))


def _row_label(figure: Figure, axes: Axes) -> str:
    own = axes.get_subplotspec()
    for other in figure.axes:
        place = other.get_subplotspec()
        if own and place and place.rowspan.start == own.rowspan.start and other.get_ylabel():
            return other.get_ylabel()
    return ""


def _draw(figure: Figure) -> Drawing:
    for index, axes in enumerate(figure.axes):
        axes.set_gid(_panel_name(index))
    for legend in figure.legends:
        for index, handle in enumerate(legend.legend_handles):
            if handle is not None:
                handle.set_gid(_key_name(index))
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return parse_svg(buffer.getvalue())


def _panel_name(index: int) -> str:
    return f"panel-{index}"


def _key_name(index: int) -> str:
    return f"key-{index}"


def _panel(drawing: Drawing, figure: Figure, index: int) -> Element:
    """One panel. Its marks are reached by the keyboard one after the other, from a single stop of Tab."""
    axes = figure.axes[index]
    box = axes.get_tightbbox()
    if box is None:
        raise ValueError("a panel that isn't drawn has no place on a page")
    height = figure.bbox.height
    marks = [
        _mark(x, height - y, text, is_stop=position == 0)
        for position, (x, y, text) in enumerate(told(axes))
        if axes.bbox.padded(1).contains(x, y)
    ]
    named = {"role": "group", "aria-label": _panel_title(axes)}
    return _cut(box.padded(_MARGIN), height, named, drawing.group(_panel_name(index)), *marks)


def _panel_title(axes: Axes) -> str:
    title = " ".join(axes.get_title().split())
    return f"{title}: {axes.get_ylabel()}" if title else axes.get_ylabel()


def _mark(x: float, y: float, text: str, *, is_stop: bool) -> Element:
    place = {"cx": f"{x:.2f}", "cy": f"{y:.2f}", "r": _REACH}
    said = {"class": "value", "role": "img", "aria-label": text, "tabindex": "0" if is_stop else "-1"}
    return element("circle", place | said, element("title", None, text))


def _keys(drawing: Drawing, figure: Figure, legend: Legend) -> list[Element]:
    """The legend as a list, whose entries wrap like words."""
    found = []
    for index, (handle, text) in enumerate(zip(legend.legend_handles, legend.get_texts(), strict=True)):
        if handle is None:
            continue
        around = handle.get_window_extent()
        x, y = (around.x0 + around.x1) / 2, (around.y0 + around.y1) / 2
        box = Bbox.from_bounds(x - _SIGN_WIDTH / 2, y - _SIGN_HEIGHT / 2, _SIGN_WIDTH, _SIGN_HEIGHT)
        sign = _cut(box, figure.bbox.height, {"aria-hidden": "true"}, drawing.group(_key_name(index)))
        found.append(element("li", None, sign, " ", text.get_text().strip()))
    return found


def _cut(box: BboxBase, height: float, attributes: Mapping[str, str], *parts: Element) -> Element:
    """A part of a figure of this height as a picture; SVG counts from the top."""
    shape = {
        "viewBox": f"{box.x0:.2f} {height - box.y1:.2f} {box.width:.2f} {box.height:.2f}",
        "width": f"{box.width:.2f}",
        "height": f"{box.height:.2f}",
    }
    return element("svg", {**shape, **attributes}, *parts)
