"""Peaks of memory while a case runs: what the process holds, and what its tensors hold."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path

from bench.record import Bound, Fact
from bench.units import Unit

__all__ = ["TENSOR_PEAK", "PeakMemory", "steady_tensor_peak"]

TENSOR_PEAK = "peak_tensor"
# Steps that a steady peak is the smallest of, and the time after which the fewest are enough.
_STEPS = 12
_FEWEST_STEPS = 3
_STEPS_S = 1.0
_CLEAR_PEAK = "5"  # proc(5): writing 5 to clear_refs resets the peak resident size


class PeakMemory:
    """Peaks between `start` and `facts`.

    `peak_resident`: largest resident set of the process (bytes), everything in it included. `peak_tensor`:
    largest sum of live tensors on the host (bytes), as Paddle's allocator counts them. A peak that can't be
    reset is the largest since the process started, and says so; so does every resident peak but the first,
    since a process keeps what an earlier case made it take.
    """

    def __init__(self) -> None:
        self._starts = 0
        self._resident_reset = False
        self._tensor_reset = False

    def start(self) -> None:
        """Resets the peaks, where the kernel and Paddle let us."""
        self._starts += 1
        try:
            Path("/proc/self/clear_refs").write_text(_CLEAR_PEAK)
            self._resident_reset = True
        except OSError:
            self._resident_reset = False
        self._tensor_reset = _reset_tensor_peak()

    def facts(self) -> tuple[Fact, ...]:
        """The peaks since `start`."""
        facts = [
            Fact(
                "peak_resident",
                Unit.BYTES,
                _peak_resident(self._resident_reset),
                _bound(self._resident_reset and self._starts == 1),
            )
        ]
        tensors = _peak_tensor()
        if tensors is not None:
            facts.append(Fact(TENSOR_PEAK, Unit.BYTES, tensors, _bound(self._tensor_reset)))
        return tuple(facts)


def steady_tensor_peak(step: Callable[[], None]) -> int | None:
    """Smallest peak of tensors (bytes) among some steps; None where the peak can't be reset.

    Paddle Inference frees tensors in a thread of its own, now and then late: of one program on one input the
    peak of most steps was the same to the byte, and that of some up to three times as large.
    """
    if not _reset_tensor_peak():
        return None
    peaks: list[int] = []
    begun = time.monotonic()
    while len(peaks) < _FEWEST_STEPS or (len(peaks) < _STEPS and time.monotonic() - begun < _STEPS_S):
        _reset_tensor_peak()
        step()
        peak = _peak_tensor()
        if peak is None:
            return None
        peaks.append(peak)
    return min(peaks)


def _bound(was_reset: bool) -> Bound:
    return Bound.PEAK if was_reset else Bound.CUMULATIVE_PEAK


def _peak_resident(was_reset: bool) -> int:
    """VmHWM follows the reset; getrusage doesn't."""
    if was_reset:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _peak_tensor() -> int | None:
    # Paddle shows its host statistics only here, in 2.6 and 3.3 alike.
    from paddle.base import core

    read = getattr(core, "host_memory_stat_peak_value", None)
    return int(read("Allocated", 0)) if read else None


def _reset_tensor_peak() -> bool:
    from paddle.base import core

    reset = getattr(core, "host_memory_stat_reset_peak_value", None)
    if reset is None:
        return False
    reset("Allocated", 0)
    return True
