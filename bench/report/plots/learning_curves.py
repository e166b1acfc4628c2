"""Loss and validation accuracy over the epochs.

Where a run held out no validation images, the figures are those of the test images that picked its epoch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report.formats import amount
from bench.report.plots.style import GREY, Look, legend, looks, panel_grid
from bench.report.plots.values import tell
from bench.report.table import Report
from bench.training_run import Epoch, TrainingRun

__all__ = ["draw_learning_curves", "has_learning_curves"]

# Epochs of all runs together up to which each says its values: a hundred seeds' would be megabytes of words.
_MOST_TOLD = 300


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
    few = sum(len(run.epochs) for run in runs) <= _MOST_TOLD
    for run in runs:
        words = _Words(f"{styles[run.variant].label}, seed {run.seed}", tuple(run.epochs), few)
        _draw_run(losses, accuracies, words, styles[run.variant], width)
    losses.set_ylabel("Loss")
    losses.set_ylim(bottom=0)
    accuracies.set_ylabel(f"{held_out_name.capitalize()} accuracy (%)")
    for axis in (losses, accuracies):
        axis.set_xlabel("Epoch")
        axis.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, nbins=8))
    legend(figure, entries, extra)
    return figure


def _draw_run(losses: Axes, accuracies: Axes, words: _Words, look: Look, width: float) -> None:
    run = words.epochs
    epochs = [epoch.epoch for epoch in run]
    # A run of one epoch is a point, which a line alone would not show.
    marker = look.marker if len(epochs) == 1 else ""
    sign: dict[str, Any] = {"color": look.colour, "marker": marker, "linewidth": width}
    # Without validation images, the test images are what was looked at along the way.
    on_test = run[0].validation_loss is None
    held_out = [epoch.test_loss if on_test else epoch.validation_loss for epoch in run]
    shares = [epoch.test_accuracy if on_test else epoch.validation_accuracy for epoch in run]
    (training,) = losses.plot(epochs, [epoch.loss for epoch in run], **sign)
    (other,) = losses.plot(epochs, _drawable(held_out), linestyle=":", **sign)
    (accuracy,) = accuracies.plot(epochs, [100 * share for share in _drawable(shares)], **sign)
    images = "test" if on_test else "validation"
    words.tell(training, "training loss")
    words.tell(other, f"{images} loss")
    words.tell(accuracy, f"{images} accuracy", "%")


@dataclass(frozen=True, slots=True)
class _Words:
    """What the marks of one run say: every epoch's where there are few, else the last one's."""

    name: str
    epochs: tuple[Epoch, ...]
    every: bool

    def tell(self, line: Line2D, quantity: str, unit: str = "") -> None:
        """Gives the points of a line their words."""
        values = np.asarray(line.get_ydata(), dtype=float)
        last = len(self.epochs) - 1
        tell(
            line,
            [
                f"{self.name}, epoch {epoch.epoch}: {quantity} {amount(float(value))}{unit}"
                if self.every or index == last
                else ""
                for index, (epoch, value) in enumerate(zip(self.epochs, values, strict=True))
            ],
        )


def _held_out_name(runs: Sequence[TrainingRun]) -> str:
    """Which images the curves are of."""
    on_test = {run.epochs[0].validation_loss is None for run in runs}
    return " or ".join(name for name, found in (("validation", False), ("test", True)) if found in on_test)


def _drawable(values: Sequence[float | None]) -> list[float]:
    """Unknown values as gaps."""
    return [math.nan if value is None else value for value in values]
