"""Samples one group of cases: warm-up, then interleaved bursts in shuffled order. Knows no Paddle."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol as Interface

import numpy as np

from bench.clock import Clock, to_the_nanosecond
from bench.disturbance import Probe, discard_reason
from bench.record import HARNESS_OVERHEAD, Protocol, Stop, StopReason, Window
from bench.stopping import FirstOf, FixedCount, RelativeInterval, Stopping, TimeLimit

__all__ = ["Instruments", "Observer", "calibrate", "measure_group"]

# The calibration's own size: 512 x 512 float32 (0.27 GFLOP) stays in cache, a 64 MiB copy does not.
_MATRIX = 512
_COPY_BYTES = 64 * 2**20
_CALIBRATION_REPEATS = 7


@dataclass(frozen=True, slots=True)
class Instruments:
    """What a measurement looks at: the time and the machine."""

    clock: Clock
    probe: Probe


class Observer(Interface):
    """Told what happens, as it happens."""

    def begin(self, case: str) -> None:
        """A burst of this case starts: its time limit runs."""
        ...

    def window(self, case: str, window: Window) -> None:
        """A burst ended."""
        ...

    def stop(self, case: str, stop: Stop) -> None:
        """Sampling of this case ended."""
        ...


@dataclass(slots=True)
class _Sampling:
    """One case while it is sampled."""

    step: Callable[[], None]
    iterations: int
    stopping: Stopping
    rounds: int = 0
    stopped: list[StopReason] = field(default_factory=list)


def measure_group(
    steps: Mapping[str, Callable[[], None]],
    block: int,
    seed: int,
    protocol: Protocol,
    instruments: Instruments,
    observer: Observer,
) -> None:
    """Samples all cases of a group in turns, in an order shuffled anew in each round.

    A round is one burst of every case, also of one that has its samples already: bursts of all variants
    stay side by side in time, which is what makes their ratio a paired one.
    """
    rng = np.random.default_rng(seed)
    names = [str(name) for name in rng.permutation(list(steps))]
    sampled = {}
    for name in names:
        iterations = _warm_up(name, steps[name], block, protocol, (instruments, observer))
        sampled[name] = _Sampling(steps[name], iterations, _stopping(protocol))
    while any(not state.stopped for state in sampled.values()):
        for name in map(str, rng.permutation(names)):
            _sample(name, sampled[name], block, protocol, (instruments, observer))


def _stopping(protocol: Protocol) -> Stopping:
    rules: list[Stopping] = [FixedCount(protocol.rounds), TimeLimit(protocol.case_seconds)]
    if protocol.relative_interval > 0:
        # Then the count is a cap, and a narrow interval may end the sampling earlier.
        rules.insert(0, RelativeInterval(protocol.relative_interval, protocol.confidence))
    return FirstOf(*rules)


def _sample(
    name: str, state: _Sampling, block: int, protocol: Protocol, context: tuple[Instruments, Observer]
) -> None:
    instruments, observer = context
    observer.begin(name)
    window = _burst(state.step, state.iterations, block, protocol, instruments)
    observer.window(name, window)
    state.rounds += 1
    state.stopping.add(window)
    reason = state.stopping.reason
    if reason is None and state.rounds >= protocol.max_rounds:
        reason = StopReason.ROUNDS
    if reason is not None and not state.stopped:
        state.stopped.append(reason)
        observer.stop(name, Stop(block, reason))


def _warm_up(
    name: str,
    step: Callable[[], None],
    block: int,
    protocol: Protocol,
    context: tuple[Instruments, Observer],
) -> int:
    """Bursts until two in a row agree, or the cap; gives the number of iterations that fill a burst.

    The first burst is one step, which may compile, allocate and build caches.
    """
    instruments, observer = context
    iterations, previous = 1, math.inf
    for _ in range(protocol.max_warmup_bursts):
        observer.begin(name)
        window = _burst(step, iterations, block, protocol, instruments)
        observer.window(name, Window(block, window.values, warmup=True, disturbance=window.disturbance))
        current = float(np.median(window.values))
        wanted = math.ceil(protocol.burst_ms / max(current, 1e-6))
        iterations = min(max(wanted, protocol.min_iterations), protocol.max_iterations)
        if abs(current / previous - 1) <= protocol.warmup_tolerance:
            break
        previous = current
    return iterations


def _burst(
    step: Callable[[], None], iterations: int, block: int, protocol: Protocol, instruments: Instruments
) -> Window:
    now = instruments.clock.now
    instruments.probe.start()
    times = [now()]
    for _ in range(iterations):
        step()
        times.append(now())
    disturbance = instruments.probe.stop()
    values = tuple(to_the_nanosecond(1e3 * (b - a)) for a, b in itertools.pairwise(times))
    reason = discard_reason(disturbance, times[-1] - times[0], protocol)
    return Window(block, values, discarded=reason, disturbance=disturbance)


def calibrate(block: int, clock: Clock) -> dict[str, Window]:
    """Times work that no change of the project changes: a matrix product, a large copy, and nothing at all.

    The last is the harness's own overhead a step. Milliseconds each.
    """
    matrix = np.full((_MATRIX, _MATRIX), 0.5, dtype=np.float32)
    product = np.empty_like(matrix)
    source = np.ones(_COPY_BYTES // 8)
    target = np.empty_like(source)
    work: dict[str, Callable[[], object]] = {
        "calibration_matmul": lambda: np.matmul(matrix, matrix, out=product),
        "calibration_copy": lambda: np.copyto(target, source),
        HARNESS_OVERHEAD: lambda: None,
    }
    windows = {}
    for name, action in work.items():
        action()
        times = [clock.now()]
        for _ in range(_CALIBRATION_REPEATS):
            action()
            times.append(clock.now())
        windows[name] = Window(
            block, tuple(to_the_nanosecond(1e3 * (b - a)) for a, b in itertools.pairwise(times))
        )
    return windows
