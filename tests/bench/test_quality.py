"""What is said of samples: blocks, pairs, doubts."""

from __future__ import annotations

import msgspec
import pytest

from bench.case import Case, Condition, DType
from bench.compare.bursts import burst_quartiles
from bench.quality import (
    block_values,
    case_result,
    disturbed_but_used,
    latency_percentile,
    ratio_to_reference,
    unsettled_blocks,
)
from bench.record import LATENCY, Protocol, Record, Series, Window
from bench.units import Direction, Unit

pytestmark = pytest.mark.nopaddle

PROTOCOL = Protocol(reference="relu", blocks=6)


def record(variant: str, *windows: Window, unpaired: tuple[int, ...] = ()) -> Record:
    return Record(
        case=Case("net", variant, 4, (3, 8, 8), DType.FLOAT32, "eager"),
        condition=Condition(threads=2, kernel="plain", weights="random"),
        session="s",
        series=(Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows),),
        unpaired=unpaired,
    )


def test_a_block_is_the_median_of_its_bursts_means() -> None:
    windows = [Window(0, values) for values in ((1.0, 3.0), (5.0, 5.0), (9.0, 1000.0))]
    assert block_values(record("relu", *windows), PROTOCOL) == {0: 5.0}


def test_a_time_is_in_ms_whatever_unit_its_steps_have() -> None:
    windows = [Window(0, values) for values in ((1_000_000, 3_000_000), (5_000_001, 5_000_001), (9_000_000,))]
    old = record("relu", *windows)
    new = msgspec.structs.replace(
        old, series=(msgspec.structs.replace(old.series[0], unit=Unit.NANOSECONDS),)
    )
    assert block_values(new, PROTOCOL) == {0: 5.000001}
    assert latency_percentile(new, 50) == pytest.approx(5.000001)
    assert latency_percentile(old, 50) == pytest.approx(5_000_001)
    assert burst_quartiles(new)[0] == (1.5, 5.000001, 9.0)


def test_warm_up_and_disturbed_bursts_do_not_count() -> None:
    windows = (
        Window(0, (900.0,), warmup=True),
        Window(0, (800.0,), discarded="steal 9%"),
        Window(0, (2.0,)),
        Window(0, (2.0,)),
    )
    assert block_values(record("relu", *windows), PROTOCOL) == {0: 2.0}


def test_where_every_burst_is_disturbed_the_case_is_inconclusive_whatever_share_is_allowed() -> None:
    protocol = msgspec.structs.replace(PROTOCOL, max_discarded=1.0)
    clean = tuple(Window(block, (1.0,)) for block in range(6))
    disturbed = tuple(Window(block, (3.0,), discarded="steal 9%") for block in range(6))
    assert case_result(record("relu", *clean, *disturbed), protocol).inconclusive == ""
    result = case_result(record("relu", *clean[:3], *disturbed), protocol)
    assert (result.latency_ms.n, result.kept_windows) == (6, 3)
    assert result.inconclusive == "disturbed in 3 of 6 blocks"
    assert disturbed_but_used(record("relu", *clean[:3], *disturbed), protocol) == 3


def test_a_block_that_is_mostly_disturbed_is_used_and_makes_the_case_inconclusive() -> None:
    clean = tuple(Window(block, (1.0,)) for block in range(4))
    disturbed = tuple(Window(block, (3.0,), discarded="steal 9%") for block in range(4, 6) for _ in range(2))
    result = case_result(record("relu", *clean, *disturbed), PROTOCOL)
    assert result.latency_ms.n == 6
    assert result.inconclusive == ""  # two of six blocks can't move a median far
    worse = tuple(Window(3, (3.0,), discarded="steal 9%") for _ in range(2))
    result = case_result(record("relu", *clean[:3], *worse, *disturbed), PROTOCOL)
    assert result.inconclusive == "disturbed in 3 of 6 blocks"


def test_throughput_is_the_same_datum_as_latency() -> None:
    windows = tuple(Window(block, (2.0 + block,)) for block in range(6))
    result = case_result(record("relu", *windows), PROTOCOL)
    assert result.throughput.high == pytest.approx(4000 / result.latency_ms.low)
    assert result.throughput.low == pytest.approx(4000 / result.latency_ms.high)


def test_ratios_pair_blocks_and_leave_out_the_cut_ones() -> None:
    slow = record("dyrelu_b", *(Window(block, (2.0 * (block + 1),)) for block in range(8)), unpaired=(7,))
    fast = record("relu", *(Window(block, (1.0 * (block + 1),)) for block in range(7)))
    ratio = ratio_to_reference(slow, fast, PROTOCOL)
    assert (ratio.value, ratio.low, ratio.high, ratio.n) == (0.5, 0.5, 0.5, 7)


def test_a_warm_up_that_ends_at_its_cap_is_noticed() -> None:
    restless = [Window(0, (1.0 + index % 2,), warmup=True) for index in range(PROTOCOL.max_warmup_bursts)]
    settled = [Window(1, (1.0,), warmup=True), Window(1, (1.01,), warmup=True)]
    late = [Window(2, (1.0 + index % 2,), warmup=True) for index in range(PROTOCOL.max_warmup_bursts - 1)]
    late.append(Window(2, (1.0,), warmup=True))
    assert unsettled_blocks(record("relu", *restless, *settled, *late), PROTOCOL) == (0,)
