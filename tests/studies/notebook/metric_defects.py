"""Defects of the figures' own making: averages over batches (5), and the best of fifty epochs (6)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import paddle
from scipy import integrate, stats

from bench.report.accuracy import standard_error
from bench.training_run import TrainingRun
from tests.studies.notebook.figures import Figure

__all__ = ["batch_averages", "best_of_epochs", "expected_maximum"]

IMAGES, BATCH = 10_000, 256
#: Test accuracies that the notebook printed.
PRINTED = {"relu": 0.9213, "dyrelu_a": 0.8759, "dyrelu_b": 0.9101, "dyrelu_c": 0.9245}
_PLATEAUS = (5, 10, 20)
_CORRELATIONS = (0.0, 0.5, 0.9)


def batch_averages() -> Iterator[Figure]:
    """What a mean of batch means is, of 40 batches the last of which has 16 images."""
    batches = math.ceil(IMAGES / BATCH)
    last = IMAGES - (batches - 1) * BATCH
    yield Figure(5, "batches", batches, "batches")
    yield Figure(5, "last_batch", last, "images")
    yield Figure(5, "weight_ratio", BATCH / last, "weight of an image in the last batch to any other's")
    yield Figure(
        5, "swing", 100 * (1 / batches - last / IMAGES), "points: last batch all right, not as the rest"
    )
    p = PRINTED["relu"]
    spread = p * (1 - p) * ((batches - 1) / BATCH + 1 / last) / batches**2
    yield Figure(5, "standard_error.exact", 100 * standard_error(p, IMAGES), "points")
    yield Figure(5, "standard_error.batches", 100 * math.sqrt(spread), "points")
    difference = (
        p
        * (1 - p)
        * (
            (batches - 1) * BATCH * (1 / (batches * BATCH) - 1 / IMAGES) ** 2
            + last * (1 / (batches * last) - 1 / IMAGES) ** 2
        )
    )
    yield Figure(5, "deviation", 100 * math.sqrt(difference), "points, sd of printed less exact accuracy")
    yield Figure(5, "extreme.printed", 100 * _by_paddles_metric(batches), "percent, 16 wrong answers last")
    yield Figure(5, "extreme.exact", 100 * (IMAGES - last) / IMAGES, "percent, 16 wrong answers last")
    yield Figure(
        5, "loss_factor", batches * BATCH / IMAGES, "printed validation loss to the mean of batch means"
    )


def _by_paddles_metric(batches: int) -> float:
    """The metric that the notebook used, fed as it fed it: every batch right but the last."""
    metric = paddle.metric.Accuracy()
    for number in range(batches):
        metric.update(paddle.to_tensor([0.0 if number == batches - 1 else 1.0]))
    found = metric.accumulate()
    return float(found[0] if isinstance(found, list | tuple) else found)


def best_of_epochs(runs: Sequence[TrainingRun]) -> Iterator[Figure]:
    """The noise of one accuracy and of a difference, and what picking the best adds; on real curves too."""
    se = standard_error(PRINTED["relu"], IMAGES)
    gain = PRINTED["dyrelu_c"] - PRINTED["relu"]
    yield Figure(6, "standard_error", 100 * se, "points, one accuracy")
    both = math.hypot(se, standard_error(PRINTED["dyrelu_c"], IMAGES))
    yield Figure(6, "standard_error.difference", 100 * both, "points, two independent accuracies")
    yield Figure(6, "gain", 100 * gain, "points", 0.32)
    yield Figure(6, "gain_in_errors", gain / both, "standard errors of the difference")
    yield Figure(6, "p_value", 2 * float(stats.norm.sf(gain / both)), "two-sided, normal")
    for epochs in _PLATEAUS:
        for correlation in _CORRELATIONS:
            optimism = 100 * se * math.sqrt(1 - correlation) * expected_maximum(epochs)
            yield Figure(
                6, f"optimism.{epochs}.{correlation:g}", optimism, "points, best of equally good epochs"
            )
    yield from _from_curves(runs)


def expected_maximum(count: int) -> float:
    """The mean of the largest of `count` independent standard normals (David & Nagaraja 2003, ch. 3)."""

    def density(x: float) -> float:
        return float(x * count * stats.norm.pdf(x) * stats.norm.cdf(x) ** (count - 1))

    return float(integrate.quad(density, -10, 10)[0])


def _from_curves(runs: Sequence[TrainingRun]) -> Iterator[Figure]:
    """Best less last epoch on validation images, over runs that have them."""
    gaps, errors, images = [], [], 0
    for run in runs:
        shares = [e.validation_accuracy for e in run.epochs if e.validation_accuracy is not None]
        final = run.evaluation("validation")
        if shares and final is not None:
            gaps.append(max(shares) - shares[-1])
            errors.append(standard_error(shares[-1], final.images))
            images = final.images
    if gaps:
        yield Figure(6, "curves.runs", len(gaps), "runs")
        yield Figure(6, "curves.images", images, "validation images")
        yield Figure(6, "curves.best_less_last", 100 * float(np.mean(gaps)), "points, mean over runs")
        yield Figure(
            6, "curves.standard_error", 100 * float(np.mean(errors)), "points, of one accuracy there"
        )
