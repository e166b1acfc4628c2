"""Accuracy over seeds, and what a difference of two accuracies can support."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Sequence
from dataclasses import dataclass

from bench.t_test import t_quantile
from bench.training_run import Evaluation, TrainingRun

__all__ = [
    "FLIP",
    "Accuracy",
    "Difference",
    "accuracy_difference",
    "split_accuracy",
    "standard_error",
]

# The augmentation under which a test image and its mirror image are averaged.
FLIP = "flip"
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Mean over seeds (0 to 1) with a 95% interval; `images` is the size of the split.

    One seed: Wilson's interval, which speaks of the choice of test images only. Several: Student's t over
    the seeds, cut to 0..1. No interval where the counts aren't known.
    """

    mean: float
    low: float | None
    high: float | None
    seeds: int
    images: int

    @property
    def method(self) -> str:
        """How the interval was found; empty where there is none."""
        if self.low is None:
            return ""
        return "Wilson" if self.seeds == 1 else "t over seeds"


@dataclass(frozen=True, slots=True)
class Difference:
    """Test accuracy of a variant minus the reference's, paired by seed, as shares.

    `standard_error` is the binomial one of a single accuracy. `low` and `high` bound the difference with 95%:
    for one seed from the images alone (normal approximation of two independent binomials, which is
    conservative, since both networks saw the same images), for several Student's t over the paired seeds.
    """

    value: float
    low: float
    high: float
    seeds: int
    images: int
    standard_error: float

    @property
    def within_noise(self) -> bool:
        """Whether the interval covers zero."""
        return self.low <= 0.0 <= self.high


def standard_error(accuracy: float, images: int) -> float:
    """Binomial standard error of one accuracy over `images` images: sqrt(p (1 - p) / n)."""
    return math.sqrt(accuracy * (1.0 - accuracy) / images)


def split_accuracy(runs: Sequence[TrainingRun], split: str, augmentation: str = "none") -> Accuracy | None:
    """Accuracy of one variant's runs on a split; runs that didn't get there are left out.

    "train" and "validation" fall back on the last epoch's figure where a log has no final evaluation.
    """
    found = [evaluation for run in runs if (evaluation := _evaluation(run, split, augmentation))]
    if found:
        return _summary(found)
    if augmentation != "none":
        return None
    values = [value for run in runs if (value := _last_epoch(run, split)) is not None]
    return Accuracy(plain.fmean(values), None, None, len(values), 0) if values else None


def _evaluation(run: TrainingRun, split: str, augmentation: str = "none") -> Evaluation | None:
    found = run.evaluation(split, augmentation)
    return found if found is not None and found.images > 0 else None


def _last_epoch(run: TrainingRun, split: str) -> float | None:
    if not run.epochs:
        return None
    last = run.epochs[-1]
    return {"train": last.train_accuracy, "validation": last.validation_accuracy}.get(split)


def _summary(found: Sequence[Evaluation]) -> Accuracy:
    values = [evaluation.accuracy for evaluation in found]
    images = min(evaluation.images for evaluation in found)
    if len(values) == 1:
        # Most of a second to import, which many reports need not.
        from scipy import stats

        wilson = stats.binomtest(found[0].correct, images).proportion_ci(_CONFIDENCE, method="wilson")
        return Accuracy(values[0], float(wilson.low), float(wilson.high), 1, images)
    mean, half = _t_interval(values)
    return Accuracy(mean, max(0.0, mean - half), min(1.0, mean + half), len(values), images)


def _t_interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of Student's interval; needs two values."""
    multiplier = t_quantile((1 + _CONFIDENCE) / 2, len(values) - 1)
    return plain.fmean(values), multiplier * plain.stdev(values) / math.sqrt(len(values))


def accuracy_difference(runs: Sequence[TrainingRun], references: Sequence[TrainingRun]) -> Difference | None:
    """The difference over the seeds that both sides finished; None where there is no such seed."""
    own = {run.seed: found for run in runs if (found := _evaluation(run, "test"))}
    other = {run.seed: found for run in references if (found := _evaluation(run, "test"))}
    seeds = sorted(own.keys() & other.keys())
    if not seeds:
        return None
    images = min(own[seed].images for seed in seeds)
    base = plain.fmean(other[seed].accuracy for seed in seeds)
    error = standard_error(base, images)
    if len(seeds) == 1:
        from scipy import special

        mine = own[seeds[0]]
        value = mine.accuracy - base
        quantile = float(special.ndtri((1 + _CONFIDENCE) / 2))
        half = quantile * math.hypot(standard_error(mine.accuracy, mine.images), error)
    else:
        value, half = _t_interval([own[seed].accuracy - other[seed].accuracy for seed in seeds])
    return Difference(value, value - half, value + half, len(seeds), images, error)
