"""Answers on ratio targets: never more than the interval allows, and nothing passes for want of a value."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import ExitStatus
from bench.quality import ratio_to_reference, time_ratio
from bench.ratio_target import RatioTarget, TargetKind, TargetMetric
from bench.record import Bound, Fact, Failure, FailureKind, Suite
from bench.statistics import median_estimate
from bench.target_answers import Answer, Judged, judge, left_out, targets_status
from bench.units import Unit
from tests.bench.target_suites import session_suite, target

pytestmark = pytest.mark.nopaddle

BLOCKS = 7
EVEN = (10.0,) * BLOCKS
# Ratios of times to EVEN of 0.8 to 1.1, so that the interval reaches from one to the other.
SPREAD = (8.0, 9.0, 9.5, 10.0, 10.2, 10.5, 11.0)
TIME, PEAK = TargetMetric.TIME, TargetMetric.PEAK_TENSOR


def only(suite: Suite) -> Judged:
    (found,) = judge(suite)
    return found


def answer(own: tuple[float, ...], goal: RatioTarget) -> Answer:
    return only(session_suite({"relu": EVEN, "dyrelu_b": own}, goal)).answer


@pytest.mark.parametrize(
    ("bound", "expected"),
    [(0.7, Answer.MET), (0.95, Answer.NOT_PROVEN), (1.1, Answer.NOT_REFUTED), (1.3, Answer.MISSED)],
)
def test_a_throughput_is_held_to_a_least_ratio(bound: float, expected: Answer) -> None:
    assert answer(SPREAD, target(bound)) is expected


@pytest.mark.parametrize(
    ("bound", "expected"),
    [(1.2, Answer.MET), (1.05, Answer.NOT_PROVEN), (0.95, Answer.NOT_REFUTED), (0.75, Answer.MISSED)],
)
def test_a_time_is_held_to_a_largest_ratio(bound: float, expected: Answer) -> None:
    assert answer(SPREAD, target(bound, metric=TIME)) is expected


def test_the_bound_itself_is_enough() -> None:
    assert answer(EVEN, target(1.0)) is Answer.MET
    assert answer(EVEN, target(1.0, metric=TIME)) is Answer.MET


times = st.lists(st.floats(1.0, 20.0), min_size=6, max_size=9)


@given(times, times, st.floats(0.2, 5.0))
def test_an_answer_follows_from_value_and_interval_alone(
    own: list[float], other: list[float], bound: float
) -> None:
    size = min(len(own), len(other))
    pair = {"relu": tuple(other[:size]), "dyrelu_b": tuple(own[:size])}
    for goal in (target(bound), target(bound, metric=TIME)):
        found = only(session_suite(pair, goal))
        ratio = found.ratio.estimate
        assert ratio is not None
        met = [goal.met_by(value) for value in (ratio.low, ratio.value, ratio.high)]
        expected = {
            (True, True, True): Answer.MET,
            (False, False, False): Answer.MISSED,
        }.get((met[0], met[1], met[2]), Answer.NOT_PROVEN if met[1] else Answer.NOT_REFUTED)
        assert found.answer is expected


@given(times, times)
def test_a_ratio_of_times_is_a_throughputs_turned_over(own: list[float], other: list[float]) -> None:
    size = min(len(own), len(other))
    suite = session_suite({"relu": tuple(other[:size]), "dyrelu_b": tuple(own[:size])})
    (reference, record), protocol = suite.records, suite.sessions[0].protocol
    found = time_ratio(record, reference, protocol)
    turned = ratio_to_reference(record, reference, protocol)
    assert found.low == pytest.approx(1 / turned.high)
    assert found.high == pytest.approx(1 / turned.low)
    assert found == median_estimate([a / b for a, b in zip(own, other, strict=False)], protocol.confidence)


def test_a_ratio_is_paired_with_whatever_it_is_set_against() -> None:
    suite = session_suite(
        {"relu": (1.0,) * BLOCKS, "identity": (5.0, 10.0) * 3, "dyrelu_b": (10.0, 20.0) * 3},
        target(0.5, against="identity"),
    )
    found = only(suite)
    assert found.ratio.estimate is not None
    assert (found.ratio.estimate.low, found.ratio.estimate.high) == (0.5, 0.5)
    assert found.answer is Answer.MET


def test_too_few_blocks_prove_nothing() -> None:
    for own, expected in (((5.0,) * 3, Answer.NOT_PROVEN), ((50.0,) * 3, Answer.NOT_REFUTED)):
        found = only(session_suite({"relu": EVEN[:3], "dyrelu_b": own}, target(1.0)))
        assert found.answer is expected
        assert found.ratio.reason == "3 of the 6 blocks that an interval needs"
        assert not found.fails


def test_a_disturbed_case_proves_nothing() -> None:
    suite = session_suite({"relu": EVEN, "dyrelu_b": (5.0,) * BLOCKS}, target(1.0))
    reference, record = suite.records
    windows = tuple(msgspec.structs.replace(w, discarded="steal 9%") for w in record.series[0].windows)
    series = msgspec.structs.replace(record.series[0], windows=windows)
    disturbed = msgspec.structs.replace(record, series=(series,))
    found = only(msgspec.structs.replace(suite, records=(reference, disturbed)))
    assert (found.answer, found.ratio.reason) == (Answer.NOT_PROVEN, "disturbed in 7 of 7 blocks")
    turned = session_suite(
        {"relu": EVEN, "dyrelu_b": (5.0,) * BLOCKS}, target(0.4, "relu", against="dyrelu_b")
    )
    found = only(msgspec.structs.replace(turned, records=(reference, disturbed)))
    assert found.ratio.reason.startswith("dyrelu_b is inconclusive here")


@pytest.mark.parametrize(("peak", "expected"), [(150, Answer.MET), (151, Answer.MISSED)])
def test_a_peak_is_a_fact(peak: int, expected: Answer) -> None:
    suite = session_suite(
        {"relu": (), "dyrelu_b": ()}, target(1.5, metric=PEAK), peaks={"relu": 100, "dyrelu_b": peak}
    )
    found = only(suite)
    assert found.answer is expected
    assert found.ratio.estimate is not None
    assert not found.ratio.estimate.has_interval


def test_a_peak_that_could_not_be_reset_proves_nothing() -> None:
    suite = session_suite({"relu": EVEN, "dyrelu_b": EVEN}, target(1.5, metric=PEAK))
    records = tuple(
        msgspec.structs.replace(record, facts=(Fact("peak_tensor", Unit.BYTES, 100, Bound.CUMULATIVE_PEAK),))
        for record in suite.records
    )
    found = only(msgspec.structs.replace(suite, records=records))
    assert found.answer is Answer.NOT_PROVEN
    assert "cumulative peak" in found.ratio.reason


def test_no_value_is_said_and_fails() -> None:
    goals = (target(1.0), target(1.5, metric=PEAK))
    whole = session_suite({"relu": EVEN, "dyrelu_b": EVEN}, *goals)
    reference, record = whole.records
    memory = Failure(FailureKind.OUT_OF_MEMORY, "needs 3 GiB")
    for records, said in (
        ((reference,), "dyrelu_b was planned, but has no record"),
        ((record,), "relu was planned, but has no record"),
        ((reference, msgspec.structs.replace(record, series=(), skipped=memory)), "out of memory"),
        ((msgspec.structs.replace(reference, series=(), skipped=memory), record), "relu was not measured"),
        ((msgspec.structs.replace(reference, series=()), record), "relu has no time here"),
        ((reference, msgspec.structs.replace(record, series=())), "dyrelu_b has no time here"),
        ((reference, msgspec.structs.replace(record, unpaired=tuple(range(BLOCKS)))), "no block ran both"),
    ):
        timed, peak = judge(msgspec.structs.replace(whole, records=records))
        assert timed.answer is Answer.NO_VALUE
        assert said in timed.ratio.reason
        assert peak.answer is Answer.NO_VALUE
        assert targets_status((timed,)) is ExitStatus.TARGET_MISSED


def test_only_what_was_planned_is_judged_and_the_rest_is_counted() -> None:
    suite = session_suite(
        {"relu": EVEN, "dyrelu_b": EVEN},
        target(1.0, "dyrelu_a", "dyrelu_b"),
        target(1.0, "dyrelu_b", against="identity"),
    )
    assert [found.variant for found in judge(suite)] == ["dyrelu_b"]
    assert left_out(suite) == 2
    # Two shards of one run know the same targets.
    other = msgspec.structs.replace(suite.sessions[0], id="t", planned=())
    assert left_out(msgspec.structs.replace(suite, sessions=(*suite.sessions, other))) == 2


@pytest.mark.parametrize(
    ("bound", "kind", "status"),
    [
        (1.0, TargetKind.TARGET, ExitStatus.DONE),
        (2.0, TargetKind.TARGET, ExitStatus.TARGET_MISSED),
        (2.0, TargetKind.AIM, ExitStatus.DONE),
    ],
)
def test_a_missed_target_fails_the_run_and_an_aim_does_not(
    bound: float, kind: TargetKind, status: ExitStatus
) -> None:
    goal = msgspec.structs.replace(target(bound), kind=kind)
    assert targets_status(judge(session_suite({"relu": EVEN, "dyrelu_b": EVEN}, goal))) is status


def test_what_is_neither_met_nor_refuted_fails_nothing() -> None:
    for bound in (0.95, 1.1):
        judged = judge(session_suite({"relu": EVEN, "dyrelu_b": SPREAD}, target(bound)))
        assert judged[0].answer in (Answer.NOT_PROVEN, Answer.NOT_REFUTED)
        assert targets_status(judged) is ExitStatus.DONE


@pytest.mark.parametrize(
    ("metric", "bounds"),
    [
        ("throughput", {}),
        ("throughput", {"at_most": 1.0}),
        ("throughput", {"at_least": 1.0, "at_most": 1.0}),
        ("time", {"at_least": 1.0}),
        ("peak_tensor", {}),
        ("peak_tensor", {"at_least": 1.0, "at_most": 1.0}),
    ],
)
def test_there_is_exactly_one_bound_and_it_fits(metric: str, bounds: dict[str, float]) -> None:
    values = msgspec.to_builtins(target(1.0)) | {"metric": metric}
    values.pop("at_least")
    with pytest.raises(msgspec.ValidationError, match=f"a target of {metric} takes at_"):
        msgspec.convert(values | bounds, RatioTarget)


@pytest.mark.parametrize("bound", [0.0, -1.0, math.inf, math.nan])
def test_a_bound_is_a_positive_number(bound: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(msgspec.to_builtins(target(1.0)) | {"at_least": bound}, RatioTarget)
