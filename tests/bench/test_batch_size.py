"""From which batch size on: measured, between, and never beyond what was measured."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable

import msgspec
import pytest

from bench.batch_size import Reach, cost_falls_under, throughput_saturates
from bench.case import Case, Condition, DType
from bench.protocol import Protocol
from bench.record import LATENCY, Record, Series, Window
from bench.report.batches import batches_csv, batches_section, has_batches
from bench.report.table import assemble
from bench.units import Direction, Unit
from tests.bench.suites import HOSTILE_NAMES, Plan, build_suite, hostile_suite

pytestmark = pytest.mark.nopaddle

PROTOCOL = Protocol(reference="relu")
BATCHES = (1, 4, 16, 64)


def records(
    step_ms: Callable[[int, int], float], blocks: int = 9, batches: tuple[int, ...] = BATCHES
) -> dict[int, Record]:
    """By batch; `step_ms` gives the time of a batch in a block."""
    found = {}
    for batch in batches:
        windows = tuple(Window(block, (step_ms(batch, block),) * 3) for block in range(blocks))
        series = Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows)
        case = Case("net", "v", batch, (3, 8, 8), DType.FLOAT32, "eager")
        found[batch] = Record(case, Condition(1, "plain", "random"), "s", series=(series,))
    return found


def one_ms_an_image(batch: int, _block: int = 0) -> float:
    return float(batch)


def cost(costs: dict[int, float], share: float, blocks: int = 9, noise: float = 0.0) -> Reach:
    own = records(lambda b, block: b * (1 + costs[b] + noise * (block - 4)), blocks, tuple(costs))
    found = cost_falls_under(share, own, records(one_ms_an_image, blocks, tuple(costs)), PROTOCOL)
    assert found is not None
    return found


FALLING = {1: 0.40, 4: 0.20, 16: 0.08, 64: 0.02}


def test_between_two_measured_batches_it_is_read_off_a_line_over_the_logarithm() -> None:
    found = cost(FALLING, 0.14)
    assert found.measured == 16
    # Half way from 20% to 8%, so half way from 4 to 16 in octaves.
    assert found.between.value == pytest.approx(8.0)
    assert (found.between.low, found.between.high) == pytest.approx((8.0, 8.0))


def test_the_interval_is_that_of_the_blocks_own_answers() -> None:
    found = cost(FALLING, 0.14, noise=0.005)
    assert found.between.low < found.between.value < found.between.high
    # Block 4 has no noise; its neighbours lie half a point beside it.
    assert found.between.value == pytest.approx(8.0)


def test_nothing_is_claimed_beyond_what_was_measured() -> None:
    assert cost(FALLING, 0.50).measured == 1
    assert cost(FALLING, 0.50).between.value == 0.0
    never = cost(FALLING, 0.01)
    assert never.measured is None
    assert math.isinf(never.between.value)
    assert math.isinf(never.between.high)


def test_an_interval_may_reach_beyond_what_was_measured() -> None:
    # The largest batch's cost lies around the level: some blocks never come below it.
    found = cost({1: 0.4, 4: 0.2, 16: 0.1}, 0.1001, noise=0.002)
    assert math.isfinite(found.between.low)
    assert math.isinf(found.between.high)


def test_a_cost_that_rises_again_counts_from_where_it_stays_low() -> None:
    assert cost({1: 0.02, 4: 0.30, 16: 0.05, 64: 0.04}, 0.1).measured == 16


def test_too_few_blocks_give_no_interval_but_the_measured_batch() -> None:
    found = cost(FALLING, 0.14, blocks=5)
    assert found.measured == 16
    assert math.isnan(found.between.value)
    assert found.between.n == 5


def test_one_batch_says_nothing() -> None:
    one = records(one_ms_an_image, batches=(8,))
    assert cost_falls_under(0.1, one, one, PROTOCOL) is None
    assert cost_falls_under(0.1, {}, one, PROTOCOL) is None
    assert throughput_saturates(one, PROTOCOL) is None
    assert throughput_saturates({}, PROTOCOL) is None


def test_blocks_that_a_worker_was_lost_in_are_left_out() -> None:
    own = records(lambda b, _: b * (1 + FALLING[b]))
    own[4] = msgspec.structs.replace(own[4], unpaired=(0, 1))
    found = cost_falls_under(0.14, own, records(one_ms_an_image), PROTOCOL)
    assert found is not None
    assert found.between.n == 7


def test_throughput_is_full_where_it_comes_to_95_percent_of_the_best() -> None:
    rates = {1: 50.0, 4: 90.0, 16: 100.0, 64: 99.0}
    found = throughput_saturates(records(lambda b, _: 1000 * b / rates[b]), PROTOCOL)
    assert found is not None
    assert found.measured == 16
    assert found.between.value == pytest.approx(8.0)


def test_falling_again_is_no_lack_of_saturation() -> None:
    rates = {1: 96.0, 4: 100.0, 16: 60.0, 64: 40.0}
    found = throughput_saturates(records(lambda b, _: 1000 * b / rates[b]), PROTOCOL)
    assert found is not None
    assert found.measured == 1


def test_a_report_with_batches_enough_has_the_section_and_the_table() -> None:
    report = assemble(build_suite(Plan()), ())
    assert has_batches(report)
    text = batches_section(report)
    assert "Costs less than 10%" in text
    # The synthetic variants cost 31, 42 and 88% at every batch size.
    dyrelu_a = next(line for line in text.splitlines() if line.startswith("| dyrelu_a") or "dyrelu_a" in line)
    assert "≤ 1" in dyrelu_a
    assert "not up to 128" in dyrelu_a
    assert "still rises" in text
    found = list(csv.DictReader(io.StringIO(batches_csv(report))))
    assert {row["question"] for row in found} == {"cost below", "throughput saturates"}
    quarter = [r for r in found if r["variant"] == "dyrelu_c" and r["level_fraction"] == "0.25"]
    assert {row["interpolated_batch"] for row in quarter} == {"inf"}


def test_a_report_with_two_batches_has_neither() -> None:
    report = assemble(build_suite(Plan(batches=(1, 64))), ())
    assert not has_batches(report)
    assert batches_section(report) == ""


def test_foreign_names_stay_text() -> None:
    plan = Plan(variants=HOSTILE_NAMES, engines=("eager",), batches=(1, 8, 64), blocks=6, rounds=1)
    report = assemble(build_suite(plan), ())
    assert "<img src" not in batches_section(report).replace("\\<img", "")
    for row in csv.DictReader(io.StringIO(batches_csv(report))):
        assert not any(cell.startswith(("=", "@", "-")) for cell in row.values())
    assert batches_section(assemble(hostile_suite(), ())) == ""
