"""Estimates from samples. Stands alone: numbers in, numbers out.

Intervals are distribution-free: order statistics of the block values, whose coverage of the median follows
from the binomial distribution alone (Conover, Practical Nonparametric Statistics, 3.2; scipy.stats.
quantile_test). They need at least six values for 95%; with fewer there is no interval, and a caller says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

__all__ = ["Estimate", "blocks_needed", "median_estimate", "percentile", "ratio_estimate", "samples_needed"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A median with an interval of at least the stated coverage; NaN ends where `n` is too small for one."""

    value: float
    low: float
    high: float
    n: int

    @property
    def has_interval(self) -> bool:
        """Whether there were enough values for an interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)


def blocks_needed(confidence: float) -> int:
    """Fewest values whose extremes cover the median with this confidence: 2 * 0.5^n <= 1 - confidence."""
    return math.ceil(1 - math.log2(1 - confidence))


def median_estimate(values: Sequence[float], confidence: float = 0.95) -> Estimate:
    """Median and its exact interval. Non-finite values are a caller's mistake and raise ValueError."""
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    if not np.isfinite(array).all():
        raise ValueError("a sample is not finite; samples are checked where they are taken")
    middle = float(np.median(array))
    if array.size < blocks_needed(confidence):
        return Estimate(middle, math.nan, math.nan, int(array.size))
    ordered = np.sort(array)
    low, high = (
        math.nan if place is None else float(ordered[place]) for place in _ends(array.size, confidence)
    )
    return Estimate(middle, low, high, int(array.size))


@cache
def _ends(n: int, confidence: float) -> tuple[int | None, int | None]:
    """Places of the interval's ends among `n` ordered values; None for an end that there isn't.

    A report has many intervals, of few n.
    """
    # A second of every worker's start, and most workers need no interval.
    from scipy import stats

    places = np.arange(n, dtype=np.float64)
    interval = stats.quantile_test(places, q=(n - 1) / 2, p=0.5).confidence_interval(confidence)
    low, high = (int(end) if math.isfinite(end) else None for end in (interval.low, interval.high))
    return low, high


def ratio_estimate(
    numerator: Sequence[float], denominator: Sequence[float], confidence: float = 0.95
) -> Estimate:
    """Median of paired ratios numerator[i] / denominator[i] (both positive) and its exact interval."""
    if len(numerator) != len(denominator):
        raise ValueError("paired ratios need equally many values on both sides")
    ratios = [a / b for a, b in zip(numerator, denominator, strict=True)]
    return median_estimate(ratios, confidence)


def samples_needed(percent: float) -> int:
    """Samples below which a percentile is not quoted: two expected beyond it (20 for p90, 200 for p99).

    The median alone needs no more than one.
    """
    return 1 if percent <= 50 else round(2 / (1 - percent / 100))


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Percentile by linear interpolation; None where there are too few samples for it."""
    if len(values) < samples_needed(percent):
        return None
    return float(np.percentile(np.asarray(values, dtype=np.float64), percent))
