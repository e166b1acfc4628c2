"""Estimates from samples. Stands alone: numbers in, numbers out.

Intervals are distribution-free: order statistics of the block values, whose coverage of the median follows
from the binomial distribution alone (Conover, Practical Nonparametric Statistics, 3.2). They are those of
`scipy.stats.quantile_test`, whose import takes half of a second, and which finds no end where an interval
covers just as often as it should. They need at least six values for 95%; with fewer there is no interval,
and a caller says so.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
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
    if not confidence < 1:
        raise ValueError(f"no number of values gives a confidence of {confidence}")
    # What isn't covered is at least 2^(exponent - 1), and less than 2^exponent.
    _, exponent = math.frexp(1 - confidence)
    return 2 - exponent


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
    low = _low_end(array.size, confidence)
    return Estimate(middle, float(ordered[low]), float(ordered[-1 - low]), int(array.size))


@cache
def _low_end(n: int, confidence: float) -> int:
    """Place of the interval's lower end among `n` ordered values; the upper end is as far from the last.

    The median lies below the value at place m with the probability P(X <= m) of X from a binomial
    distribution of n halves, which may be half of what isn't covered, or less. Whole numbers and fractions
    know that exactly, also where the two are equal. A report has many intervals, of few n.
    """
    most = Fraction((1 - confidence) / 2) * 2**n
    place, ways, ways_so_far = 0, 1, 1
    while ways_so_far <= most:
        ways = ways * (n - place) // (place + 1)
        ways_so_far += ways
        place += 1
    return place - 1


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
