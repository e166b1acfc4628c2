"""Two workers at once, of which only one works: bursts of both sides lie side by side in time.

A machine changes its speed within seconds and by more than what is to be found, so that two workers that run
one after the other can't be told apart by it. Here a worker that is about to work says so, is stopped, and
goes on when its next event is asked for. Stopped, not only waiting: an OpenMP thread that has nothing to do
goes on looking for work for a while, on a core that the other worker's threads want.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import time
from dataclasses import dataclass

__all__ = ["Bell", "Seat", "Turns", "Waiter"]

_SCHEDULED_CPU = 2  # CPUCLOCK_SCHED of the kernel: nanoseconds of all threads


@dataclass(slots=True)
class Seat:
    """Where one of two workers sits. `pid` is its process number, 0 while nobody sits there."""

    pid: int = 0


@dataclass(frozen=True, slots=True)
class Turns:
    """A worker's own seat, and that of the one with which it takes turns; `same_core` puts both on one."""

    own: Seat
    beside: Seat
    same_core: bool = False


class Bell:
    """The runner's end: stops one worker and calls it again."""

    def __init__(self, turns: Turns) -> None:
        self._turns = turns
        self.descriptor, self._writer = os.pipe()

    def seat(self, pid: int) -> None:
        """The worker has started, and holds the reading end."""
        os.close(self.descriptor)
        self.descriptor = -1
        self._turns.own.pid = pid

    def stop(self) -> None:
        """It is the other's turn."""
        self._signal(signal.SIGSTOP)

    def call(self) -> None:
        """Its turn; it learns who sits beside it."""
        self._signal(signal.SIGCONT)
        # A worker that has died is reported by what it left, not by the pipe that it broke.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, b"%d\n" % self._turns.beside.pid)

    def take_down(self) -> None:
        """The worker has gone."""
        self._turns.own.pid = 0
        for descriptor in (self.descriptor, self._writer):
            if descriptor >= 0:
                os.close(descriptor)

    def _signal(self, number: signal.Signals) -> None:
        # Of nobody's seat: group 0 would be the runner's own.
        if self._turns.own.pid <= 0:
            return
        # The worker leads a process group, since what it started must rest as well.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._turns.own.pid, number)


class Waiter:
    """The worker's end. Without a descriptor every turn is its own, and nobody sits beside it.

    `pid` is the other worker's process number, and `met_at` (time.perf_counter) when it came to be that.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._calls = None if descriptor is None else os.fdopen(descriptor, "rb", buffering=0)
        self._before = 0.0
        self._spent = 0.0
        self.pid = 0
        self.met_at = -math.inf

    def wait(self) -> None:
        """Returns when it is this worker's turn. Raises SystemExit where nobody will ever call."""
        if self._calls is None:
            return
        line = self._calls.readline()
        if not line:
            raise SystemExit("the runner is gone")
        if int(line) != self.pid:
            self.pid = int(line)
            self.met_at = time.perf_counter()
            self._before = _cpu_s(self.pid) or 0.0

    def spent_s(self) -> float:
        """CPU seconds that the other worker has spent since `met_at`: no foreign work."""
        now = _cpu_s(self.pid)
        if now is not None:
            self._spent += max(now - self._before, 0.0)
            self._before = now
        return self._spent


def _cpu_s(pid: int) -> float | None:
    """CPU time of another process, to the nanosecond; None where there is no such process (any more).

    The clock's number is made as clock_getcpuclockid(3) makes it.
    """
    if pid <= 0:
        return None
    try:
        return time.clock_gettime((~pid << 3) | _SCHEDULED_CPU)
    except OSError:
        return None
