"""Sampling a group: warm-up, interleaving, disturbed bursts, and ends that are always said."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import WallClock
from bench.disturbance import LinuxProbe, discard_reason
from bench.measure import Instruments, calibrate, measure_group
from bench.record import Disturbance, Protocol, StopReason, Window
from bench.stopping import FirstOf, FixedCount, RelativeInterval, TimeLimit
from tests.bench.fakes import BUSY, QUIET, FakeClock, FakeProbe, Recorder

pytestmark = pytest.mark.nopaddle

PROTOCOL = Protocol(reference="a", rounds=5, max_rounds=10, burst_ms=20.0, min_iterations=3)


def sample(
    steps: dict[str, float] | dict[str, Callable[[], None]],
    protocol: Protocol = PROTOCOL,
    probe: FakeProbe | None = None,
    seed: int = 1,
    clock: FakeClock | None = None,
) -> Recorder:
    clock = clock or FakeClock()
    recorder = Recorder()
    made = {name: clock.step(s) if isinstance(s, float) else s for name, s in steps.items()}
    measure_group(made, 0, seed, protocol, Instruments(clock, probe or FakeProbe(QUIET)), recorder)
    return recorder


def test_every_round_holds_one_burst_of_every_case() -> None:
    recorder = sample({"a": 0.001, "b": 0.002, "c": 0.003})
    names = [name for name, window in recorder.windows if not window.warmup]
    rounds = [set(names[i : i + 3]) for i in range(0, len(names), 3)]
    assert rounds == [{"a", "b", "c"}] * 5


def test_order_changes_between_rounds_and_follows_from_the_seed() -> None:
    steps = {"a": 0.001, "b": 0.001, "c": 0.001, "d": 0.001}

    def order(seed: int) -> list[str]:
        return [name for name, window in sample(steps, seed=seed).windows if not window.warmup]

    first = order(1)
    assert first == order(1)
    assert first != order(2)
    assert len({tuple(first[i : i + 4]) for i in range(0, 20, 4)}) > 1


def test_times_are_those_of_the_step() -> None:
    recorder = sample({"a": 0.004})
    assert all(value == pytest.approx(4.0) for window in recorder.measured("a") for value in window.values)
    assert recorder.stops["a"].reason is StopReason.COUNT


@given(st.floats(min_value=1e-6, max_value=0.5))
def test_bursts_are_long_enough(step: float) -> None:
    recorder = sample({"a": step})
    for window in recorder.measured("a"):
        assert len(window.values) >= PROTOCOL.min_iterations
        assert sum(window.values) >= 19.9 or len(window.values) == PROTOCOL.max_iterations


def test_warm_up_ends_when_two_bursts_agree_and_is_kept_but_marked() -> None:
    clock = FakeClock()
    cost = iter([0.5, 0.2])  # compiling, filling caches

    def step() -> None:
        clock.advance(next(cost, 0.01))

    recorder = sample({"a": step}, clock=clock)
    warm = [window for _, window in recorder.windows if window.warmup]
    assert warm[0].values == (500.0,)
    assert 3 <= len(warm) < PROTOCOL.max_warmup_bursts
    assert all(value == pytest.approx(10.0) for window in recorder.measured("a") for value in window.values)


def test_warm_up_that_never_settles_is_capped() -> None:
    clock = FakeClock()
    costs = itertools.cycle([0.001, 0.003])
    recorder = sample(
        {"a": lambda: clock.advance(next(costs))},
        clock=clock,
        protocol=msgspec.structs.replace(PROTOCOL, min_iterations=1, burst_ms=0.5),
    )
    assert sum(window.warmup for _, window in recorder.windows) == PROTOCOL.max_warmup_bursts


def test_disturbed_bursts_are_kept_marked_and_replaced() -> None:
    # Two warm-up bursts, then two disturbed ones.
    recorder = sample({"a": 0.001}, probe=FakeProbe(QUIET, QUIET, BUSY, BUSY, QUIET))
    windows = recorder.measured("a")
    assert [bool(window.discarded) for window in windows] == [True, True, False, False, False, False, False]
    assert windows[0].discarded == "CPU pressure 90%"
    assert windows[0].disturbance == BUSY


def test_a_machine_that_is_never_quiet_ends_at_the_cap_and_says_so() -> None:
    recorder = sample({"a": 0.001}, probe=FakeProbe(BUSY))
    assert len(recorder.measured("a")) == PROTOCOL.max_rounds
    assert recorder.stops["a"].reason is StopReason.ROUNDS


def test_time_limit_ends_a_slow_case() -> None:
    recorder = sample({"a": 4.0}, protocol=msgspec.structs.replace(PROTOCOL, case_seconds=5.0))
    assert recorder.stops["a"].reason is StopReason.TIME
    assert len(recorder.measured("a")) == 1


def test_others_turns_do_not_count_against_a_case() -> None:
    protocol = msgspec.structs.replace(PROTOCOL, case_seconds=5.0, min_iterations=1, burst_ms=1.0)
    recorder = sample({"a": 0.9, "b": 0.9, "c": 0.9, "d": 0.9}, protocol=protocol)
    assert all(stop.reason is StopReason.COUNT for stop in recorder.stops.values())
    assert all(len(recorder.measured(name)) == PROTOCOL.rounds for name in "abcd")


@pytest.mark.parametrize(
    ("disturbance", "reason"),
    [
        (Disturbance(0.2, 0.0, 0, 0.0), "steal 20%"),
        (Disturbance(0.0, 0.5, 0, 0.0), "CPU pressure 50%"),
        (Disturbance(0.0, 0.0, 9999, 0.0), ""),
        (Disturbance(0.0, 0.0, 0, 0.0, foreign=0.3), "other processes on our cores 30%"),
        # An engine whose own threads wait for each other is not disturbed by anybody.
        (Disturbance(0.0, 0.9, 9999, 0.0, foreign=0.01), ""),
        (Disturbance(-1.0, -1.0, 9999, 0.0), "9999 involuntary context switches a second"),
        (Disturbance(-1.0, -1.0, 3, 0.0), ""),
    ],
)
def test_discard_reasons(disturbance: Disturbance, reason: str) -> None:
    assert discard_reason(disturbance, 1.0, PROTOCOL) == reason


def test_the_real_probe_reads_this_machine() -> None:
    probe = LinuxProbe(threads=2)
    probe.start()
    disturbance = probe.stop()
    assert disturbance.involuntary_switches >= 0
    assert disturbance.steal >= 0 or disturbance.steal == -1


def busy_for(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def test_the_real_probe_tells_others_work_from_our_own() -> None:
    """With all cores asked for, two busy processes take some of them; alone, nobody does, whatever we do.

    Other programs may run beside the tests, so only the difference is judged.
    """
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        time.sleep(0.3)
        probe = LinuxProbe(threads=os.cpu_count() or 1)
        busy_for(0.3)
        probe.start()
        busy_for(0.5)
        beside = probe.stop().foreign
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert beside < 0 or beside > 1.0 / (os.cpu_count() or 1) - 0.2


def test_calibration_gives_positive_times() -> None:
    windows = calibrate(4, WallClock())
    assert set(windows) == {"calibration_matmul", "calibration_copy", "harness_overhead"}
    assert all(value > 0 for window in windows.values() for value in window.values)
    assert all(window.block == 4 for window in windows.values())


def burst(*values: float, discarded: str = "") -> Window:
    return Window(0, values, discarded=discarded)


def test_stopping_rules_say_why() -> None:
    count = FixedCount(2)
    count.add(burst(1.0))
    count.add(burst(1.0, discarded="steal 20%"))
    assert count.reason is None
    count.add(burst(1.0))
    assert count.reason is StopReason.COUNT

    limit = TimeLimit(0.010)
    limit.add(burst(4.0, 4.0, discarded="steal 20%"))
    assert limit.reason is None
    limit.add(burst(2.5))
    assert limit.reason is StopReason.TIME

    narrow = RelativeInterval(0.1, 0.95)
    for value in (1.0, 1.01, 1.02, 1.0, 1.01):
        narrow.add(burst(value))
    narrow.add(burst(9.0, discarded="steal 20%"))
    assert narrow.reason is None  # five values give no interval, however close they are
    narrow.add(burst(1.0))
    assert narrow.reason is StopReason.INTERVAL

    wide = RelativeInterval(0.1, 0.95)
    for value in (1.0, 2.0, 3.0, 1.0, 2.0, 3.0):
        wide.add(burst(value))
    assert wide.reason is None
    assert FirstOf(wide, count).reason is StopReason.COUNT
