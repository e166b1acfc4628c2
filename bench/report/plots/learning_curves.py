"""Loss and validation accuracy over the epochs.

Where a run held out no validation images, the figures are those of the test images that picked its epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from matplotlib import ticker
from matplotlib.figure import Figure

from bench.report.plots.style import GREY, Look, legend, looks, panel_grid
from bench.report.table import Report
from bench.training_run import TrainingRun

__all__ = ["draw_learning_curves", "has_learning_curves"]


def has_learning_curves(report: Report) -> bool:
    """Whether any run finished an epoch."""
    return any(run.epochs for run in report.runs)


def draw_learning_curves(report: Report) -> Figure:
    """One line a run, the variant's colour; with several seeds a variant has several lines."""
    styles = looks(report.variants)
    runs = [run for run in report.runs if run.epochs]
    shown = [variant for variant in report.variants if any(run.variant == variant for run in runs)]
    single = any(len(run.epochs) == 1 for run in runs)
    entries = [styles[variant] if single else replace(styles[variant], marker="") for variant in shown]
    held_out_name = _held_out_name(runs)
    extra = [Look(GREY, "", "training loss"), Look(GREY, "", f"{held_out_name} loss", line=":")]
    figure, (losses, accuracies) = panel_grid(2, [*entries, *extra], shared=False)
    # Several seeds share a colour: thin lines keep them apart.
    width = 0.8 if len(runs) > len(shown) else 1.5
    for run in runs:
        epochs = [epoch.epoch for epoch in run.epochs]
        look = styles[run.variant]
        # A run of one epoch is a point, which a line alone would not show.
        marker = look.marker if len(epochs) == 1 else ""
        sign: dict[str, Any] = {"color": look.colour, "marker": marker, "linewidth": width}
        losses.plot(epochs, [epoch.loss for epoch in run.epochs], **sign)
        # Without validation images, the test images are what was looked at along the way.
        on_test = run.epochs[0].validation_loss is None
        held_out = [epoch.test_loss if on_test else epoch.validation_loss for epoch in run.epochs]
        shares = [epoch.test_accuracy if on_test else epoch.validation_accuracy for epoch in run.epochs]
        losses.plot(epochs, _drawable(held_out), linestyle=":", **sign)
        accuracies.plot(epochs, [100 * share for share in _drawable(shares)], **sign)
    losses.set_ylabel("Loss")
    losses.set_ylim(bottom=0)
    accuracies.set_ylabel(f"{held_out_name.capitalize()} accuracy (%)")
    for axis in (losses, accuracies):
        axis.set_xlabel("Epoch")
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, nbins=8))
    legend(figure, entries, extra)
    return figure


def _held_out_name(runs: Sequence[TrainingRun]) -> str:
    """Which images the curves are of."""
    on_test = {run.epochs[0].validation_loss is None for run in runs}
    return " or ".join(name for name, found in (("validation", False), ("test", True)) if found in on_test)


def _drawable(values: Sequence[float | None]) -> list[float]:
    """Unknown values as gaps."""
    return [math.nan if value is None else value for value in values]
