"""Blocks of many records at once are those of each, by the definition."""

from __future__ import annotations

import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.blocks import JudgedBlocks, judged_blocks
from bench.case import Case, Condition, DType
from bench.record import HARNESS_OVERHEAD, LATENCY, Protocol, Record, Series, Window
from bench.units import Direction, Unit

pytestmark = pytest.mark.nopaddle

# Sums of these are exact in any order, and so is nothing that is right by chance.
TIMES = st.lists(st.integers(1, 10**6), min_size=1, max_size=4).map(tuple)
WINDOWS = st.builds(
    Window,
    block=st.sampled_from([0, 1, 2, 7, 10**9]),
    values=TIMES,
    warmup=st.booleans(),
    discarded=st.sampled_from(["", "steal 9%"]),
)
RECORDS = st.lists(st.one_of(st.none(), st.lists(WINDOWS, max_size=12).map(tuple)), max_size=6)


def record(windows: tuple[Window, ...] | None, unit: Unit) -> Record:
    other = Series(HARNESS_OVERHEAD, unit, Direction.LOWER_IS_BETTER, (Window(0, (7,)),))
    times = () if windows is None else (Series(LATENCY, unit, Direction.LOWER_IS_BETTER, windows),)
    return Record(
        case=Case("net", "relu", 4, (3, 8, 8), DType.FLOAT32, "eager"),
        condition=Condition(threads=2, kernel="plain", weights="random"),
        session="s",
        series=(other, *times),
    )


def by_definition(windows: tuple[Window, ...], unit: Unit, most: float) -> JudgedBlocks:
    values, spoilt = {}, set()
    for block in sorted({window.block for window in windows if not window.warmup}):
        own = [window for window in windows if window.block == block and not window.warmup]
        good = [window for window in own if not window.discarded]
        if len(own) - len(good) > most * len(own) or not good:
            spoilt.add(block)
            good = own
        means = [unit.in_ms(math.fsum(window.values) / len(window.values)) for window in good]
        values[block] = statistics.median(means)
    return values, frozenset(spoilt)


@given(
    RECORDS, st.sampled_from([Unit.MILLISECONDS, Unit.NANOSECONDS]), st.sampled_from([0.0, 0.25, 0.5, 1.0])
)
def test_they_are_what_the_definition_says(
    every: list[tuple[Window, ...] | None], unit: Unit, most: float
) -> None:
    protocol = Protocol(reference="relu", max_discarded=most)
    found = judged_blocks([record(windows, unit) for windows in every], protocol)
    assert found == [by_definition(windows or (), unit, most) for windows in every]
    assert all(list(values) == sorted(values) for values, _ in found)
    assert all(
        type(number) in (int, float) for values, _ in found for pair in values.items() for number in pair
    )
