"""The plots of a report: what each is called, when it has data, and how it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.figure import Figure

from bench.report.plots.accuracy_throughput import draw_accuracy_throughput, has_accuracy_throughput
from bench.report.plots.batches import (
    draw_memory,
    draw_ratio,
    draw_throughput,
    has_memory,
    has_ratio,
    has_throughput,
)
from bench.report.plots.learning_curves import draw_learning_curves, has_learning_curves
from bench.report.plots.ratio_targets import draw_ratio_targets, has_ratio_targets
from bench.report.plots.style import encode, style
from bench.report.table import Report

__all__ = ["PLOTS", "Plot", "draw"]


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot by its file name. `alternative` says in words what it shows."""

    name: str
    alternative: str
    has_data: Callable[[Report], bool]
    figure: Callable[[Report], Figure]


PLOTS = (
    Plot(
        "ratio_targets",
        "Measured ratios beside the bounds that are set for them, one panel a group of cases, with intervals",
        has_ratio_targets,
        draw_ratio_targets,
    ),
    Plot(
        "accuracy_throughput",
        "Test accuracy against throughput of each variant, one panel an engine, with 95% intervals",
        has_accuracy_throughput,
        draw_accuracy_throughput,
    ),
    Plot(
        "throughput_batch",
        "Throughput against batch size of each variant, one panel an engine, with intervals",
        has_throughput,
        draw_throughput,
    ),
    Plot(
        "ratio_batch",
        "Throughput relative to the reference against batch size, one panel an engine, with intervals",
        has_ratio,
        draw_ratio,
    ),
    Plot(
        "memory_batch",
        "Peak memory against batch size of each variant, one panel an engine and kind of memory",
        has_memory,
        draw_memory,
    ),
    Plot(
        "learning_curves",
        "Loss and validation accuracy of each training run per epoch",
        has_learning_curves,
        draw_learning_curves,
    ),
)


def draw(plot: Plot, report: Report) -> dict[str, bytes]:
    """The plot as "png" and "svg". The same report gives the same bytes under the same library versions."""
    with style():
        return encode(plot.figure(report))
