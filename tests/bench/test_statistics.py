"""Intervals cover what they claim, and say nothing where there is too little."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.statistics import blocks_needed, median_estimate, percentile, ratio_estimate, samples_needed

pytestmark = pytest.mark.nopaddle

positive = st.floats(min_value=1e-3, max_value=1e6)


@pytest.mark.parametrize("blocks", [6, 7, 9, 12, 20])
@pytest.mark.parametrize(
    ("draw", "median"),
    [
        (lambda rng, size: rng.normal(10, 1, size), 10.0),
        (lambda rng, size: rng.exponential(1.0, size), math.log(2)),
        (lambda rng, size: np.exp(rng.standard_t(2, size)), 1.0),
    ],
    ids=["normal", "exponential", "heavy tails"],
)
def test_interval_covers_the_median_as_often_as_it_claims(
    blocks: int, draw: Callable[[np.random.Generator, tuple[int, int]], np.ndarray], median: float
) -> None:
    rng = np.random.default_rng(blocks)
    repetitions = 1500
    hits = 0
    for sample in draw(rng, (repetitions, blocks)):
        estimate = median_estimate(list(sample))
        hits += estimate.low <= median <= estimate.high
    # 95% claimed; three binomial standard errors of the simulation below that.
    assert hits / repetitions >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / repetitions)


def test_the_simulation_would_notice_an_interval_that_is_too_narrow() -> None:
    rng = np.random.default_rng(0)
    samples = np.sort(rng.normal(10, 1, (1500, 7)), axis=1)
    middle_three = (samples[:, 2] <= 10) & (samples[:, 4] >= 10)
    assert middle_three.mean() < 0.95 - 3 * math.sqrt(0.95 * 0.05 / 1500)


@given(st.lists(positive, min_size=1, max_size=200), st.sampled_from([0.9, 0.95, 0.99, 0.999]))
def test_interval_is_that_of_scipy(values: list[float], confidence: float) -> None:
    estimate = median_estimate(values, confidence)
    if len(values) >= blocks_needed(confidence):
        found = stats.quantile_test(values, q=estimate.value, p=0.5).confidence_interval(confidence)
        assert (estimate.low, estimate.high) == (found.low, found.high)


# Where the extremes cover the median exactly as often as is asked, SciPy finds no end on one side or both.
CONFIDENCES = st.floats(0, 0.9999) | st.integers(1, 14).map(lambda k: 1 - 2.0**-k)
ANY_CONFIDENCE = CONFIDENCES | CONFIDENCES.map(lambda c: math.nextafter(c, 1))


@given(st.integers(1, 40), ANY_CONFIDENCE)
def test_interval_is_the_narrowest_that_covers_as_often_as_asked(n: int, confidence: float) -> None:
    """Counted over all ways in which n values can lie around the median, each as likely as any other."""
    ways = [math.comb(n, below) for below in range(n + 1)]

    def covered(low: int) -> Fraction:
        return Fraction(sum(ways[low + 1 : n - low]), 2**n)

    estimate = median_estimate([float(place) for place in range(n)], confidence)
    fitting = [low for low in range((n + 1) // 2) if covered(low) >= 1 - Fraction(1 - confidence)]
    assert estimate.has_interval == bool(fitting) == (n >= blocks_needed(confidence))
    if fitting:
        assert (estimate.low, estimate.high) == (max(fitting), n - 1 - max(fitting))


@given(st.lists(positive, min_size=6, max_size=30))
def test_interval_holds_the_median_and_ignores_order(values: list[float]) -> None:
    estimate = median_estimate(values)
    assert estimate.low <= estimate.value <= estimate.high
    assert estimate == median_estimate(sorted(values, reverse=True))


@given(st.lists(positive, min_size=1, max_size=5))
def test_too_few_values_give_no_interval(values: list[float]) -> None:
    estimate = median_estimate(values)
    assert not estimate.has_interval
    assert math.isnan(estimate.low)


def test_nothing_gives_nothing() -> None:
    assert median_estimate([]).n == 0
    assert math.isnan(median_estimate([]).value)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_sample_that_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        median_estimate([1.0, 2.0, bad])


@pytest.mark.parametrize("confidence", [1.0, 1.5, math.nan])
def test_certainty_is_not_to_be_had(confidence: float) -> None:
    with pytest.raises(ValueError, match="no number of values"):
        blocks_needed(confidence)


def test_blocks_needed_is_where_the_extremes_suffice() -> None:
    assert blocks_needed(0.95) == 6
    assert 1 - 2 * 0.5**6 >= 0.95 > 1 - 2 * 0.5**5
    assert blocks_needed(0.99) == 8


@given(st.lists(st.tuples(positive, positive), min_size=6, max_size=12), positive)
def test_ratios_do_not_change_with_the_unit(pairs: list[tuple[float, float]], unit: float) -> None:
    plain = ratio_estimate([a for a, _ in pairs], [b for _, b in pairs])
    scaled = ratio_estimate([a * unit for a, _ in pairs], [b * unit for _, b in pairs])
    assert scaled.value == pytest.approx(plain.value)
    assert scaled.low == pytest.approx(plain.low)


def test_ratios_are_paired() -> None:
    # Both sides drift by a factor of ten together: each pair's ratio stays 2.
    drift = [1.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    estimate = ratio_estimate([2 * d for d in drift], drift)
    assert (estimate.low, estimate.value, estimate.high) == (2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match="equally many"):
        ratio_estimate([1.0], [1.0, 2.0])


def test_percentiles_need_samples() -> None:
    assert (samples_needed(50), samples_needed(90), samples_needed(99)) == (1, 20, 200)
    assert percentile([1.0] * 19, 90) is None
    assert percentile([float(i) for i in range(21)], 90) == 18.0
    assert percentile([1.0] * 199, 99) is None
