"""The plots can be read: nothing overlaps, whatever the number and length of names."""

from __future__ import annotations

import io
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.record import Suite
from bench.report.html import picture
from bench.report.plots import PLOTS, Plot, draw
from bench.report.plots.style import looks, style
from bench.report.table import Report, assemble
from bench.training_run import read_training_runs
from tests.bench.suites import HOSTILE_NAMES, Plan, build_suite, troubled_suite
from tests.bench.target_suites import hostile_with_targets, troubled_with_targets
from tests.bench.training_logs import TROUBLED_TRAINING, Training, write_log

pytestmark = pytest.mark.nopaddle

LONG = tuple(f"a_really_long_variant_name_number_{index}" for index in range(8))
SHAPES = ("troubled", "one", "long", "engines", "hostile", "slow", "targets")


def small(
    variants: tuple[str, ...] = ("relu", "dyrelu_a", "dyrelu_b"),
    slowness: tuple[float, ...] = (1.0, 1.3, 1.4),
    engines: tuple[str, ...] = ("eager", "inference"),
    batches: tuple[int, ...] = (1, 8, 32, 128),
) -> Suite:
    """As few samples as an interval needs."""
    return build_suite(Plan(variants, slowness, engines, batches, blocks=6, rounds=1))


@pytest.fixture(params=SHAPES)
def report(request: pytest.FixtureRequest, tmp_path: Path) -> Report:
    suite, names = {
        "troubled": (troubled_suite(), ()),
        "one": (small(("relu",), (1.0,), ("eager",), (8,)), ("relu",)),
        "long": (small(LONG, (1, 1.1, 1.2, 1.3, 1.5, 2, 4, 9)), LONG),
        "engines": (small(engines=("a", "b", "c", "d")), ("relu", "dyrelu_b")),
        "hostile": (hostile_with_targets(), HOSTILE_NAMES),
        "targets": (troubled_with_targets(), ()),
        "slow": (
            small(("relu", "x"), (1.0, 60.0), batches=(1, 2, 4, 8, 16, 32, 64, 128)),
            ("relu",),
        ),
    }[request.param]
    runs = [Training(name) for name in names] or TROUBLED_TRAINING
    for run in runs:
        write_log(tmp_path, run)
    return assemble(suite, read_training_runs(tmp_path))


def drawn(plot: Plot, report: Report) -> Figure:
    figure = plot.figure(report)
    figure.savefig(io.BytesIO(), format="png", dpi=figure.dpi)
    return figure


def tick_boxes(axes: Axes, direction: str) -> list[tuple[float, float]]:
    axis = axes.xaxis if direction == "x" else axes.yaxis
    labels = [label for label in axis.get_ticklabels() if label.get_text() and label.get_visible()]
    boxes = [label.get_window_extent() for label in labels]
    return sorted((box.x0, box.x1) if direction == "x" else (box.y0, box.y1) for box in boxes)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
def test_nothing_overlaps_or_leaves_the_page(plot: Plot, report: Report) -> None:
    if not plot.has_data(report):
        # One variant alone has no ratio, and few presets have targets.
        assert plot.name in ("ratio_batch", "ratio_targets")
        return
    with style():
        figure = drawn(plot, report)
        page = figure.bbox
        legend = figure.legends[0].get_window_extent()
        assert legend.x1 <= page.x1 + 1
        assert legend.y0 >= page.y0 - 1
        for axes in figure.axes:
            outline = axes.get_tightbbox()
            assert outline is not None
            assert not outline.overlaps(legend)
            assert outline.x0 >= page.x0 - 1
            assert axes.get_window_extent().width > 150  # the data keep most of their panel
            for direction in ("x", "y"):
                for before, after in pairwise(tick_boxes(axes, direction)):
                    assert before[1] <= after[0], (plot.name, direction)


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("report", ["hostile"], indirect=True)
def test_pictures_are_whole_files(plot: Plot, report: Report) -> None:
    images = draw(plot, report)
    assert images["png"].startswith(b"\x89PNG")
    assert images["png"].rstrip().endswith(b"IEND\xaeB`\x82")
    assert ElementTree.fromstring(images["svg"]).tag.endswith("svg")


@pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.name)
@pytest.mark.parametrize("report", ["troubled", "targets"], indirect=True)
def test_pictures_are_those_of_a_figure_that_is_drawn_twice(
    plot: Plot, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As matplotlib's own are, first to nowhere for the layout."""
    if not plot.has_data(report):
        assert plot.name == "ratio_targets"
        return

    def on_page() -> bytes:
        found = picture(plot, report)
        return b"".join(map(ElementTree.tostring, (found.figure, *found.definitions.values())))

    images, on_a_page = draw(plot, report), on_page()
    monkeypatch.setattr(sys.modules["bench.report.plots.style"], "LaidOutFigure", Figure)
    assert draw(plot, report) == images
    assert on_page() == on_a_page


def test_colours_stay_with_the_order_and_signs_differ() -> None:
    found = looks(LONG)
    assert len({look.colour for look in found.values()}) == len(LONG)
    assert len({look.marker for look in found.values()}) == len(LONG)
    assert looks(LONG[:2])[LONG[1]] == found[LONG[1]]


def test_more_variants_than_colours_are_told_apart_by_their_signs() -> None:
    found = looks([str(index) for index in range(20)])
    assert len({(look.colour, look.marker) for look in found.values()}) == 20


def test_settings_are_restored_after_an_error() -> None:
    before = mpl.rcParams["svg.hashsalt"]
    with pytest.raises(RuntimeError, match="drawing failed"), style():
        raise RuntimeError("drawing failed")
    assert mpl.rcParams["svg.hashsalt"] == before


def test_a_gap_breaks_the_line() -> None:
    plot = next(plot for plot in PLOTS if plot.name == "throughput_batch")
    figure = drawn(plot, assemble(troubled_suite(), ()))
    colour = looks(("relu", "dyrelu_a", "dyrelu_b"))["dyrelu_b"].colour
    lines = [
        line
        for line in figure.axes[1].lines
        if line.get_color() == colour and len(np.atleast_1d(line.get_xdata())) > 1
    ]
    assert [len(np.atleast_1d(line.get_xdata())) for line in lines] == [3]  # batch 128 is missing
