"""How much CPU time others take while we measure.

The kernel's CPU pressure doesn't tell: an engine whose own threads wait for each other's cores shows pressure
on a machine where nothing else runs. So the time of all processes is compared with our own.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cores import own_cores
from bench.turns import Waiter

__all__ = ["ForeignWork", "read_ticks"]

_ACCOUNT = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage")  # nanoseconds of all tasks, in the root group
_STAT = Path("/proc/stat")
# Clock ticks are 10 ms: a share of 4% is told from none only over a span like this.
_TICK_SPAN_S = 0.25
# In a container the account may be the container's own, which knows nothing of others.
_WHOLE_MACHINE = 0.8
# Fields of /proc/stat's first line: user, nice, system, irq and softirq are work; idle, iowait, steal not.
_WORK_FIELDS = (1, 2, 3, 6, 7)


@dataclass(frozen=True, slots=True)
class _Reading:
    wall_s: float
    machine_s: float
    own_s: float


class ForeignWork:
    """Watches windows. `share` is what others took of the time that our threads wanted, 0 to 1.

    A worker that takes turns with this one (`beside`) is no other.
    """

    def __init__(self, threads: int, beside: Waiter | None = None) -> None:
        self._beside = beside or Waiter()
        self._ticks = os.sysconf("SC_CLK_TCK")
        cores = len(os.sched_getaffinity(0))
        # What goes on where we may not work is nobody's disturbance, and only ticks are counted by core.
        self._own = own_cores()
        self._threads = max(1, min(threads, cores))
        # Others may work on the cores that we leave free.
        self._spare = cores - self._threads
        account, stat = _account_s(), self._stat_s()
        whole = account is not None and stat is not None and account > _WHOLE_MACHINE * stat
        self._precise = whole and self._own is None
        self._readings: deque[_Reading] = deque()
        self._note()

    def start(self) -> None:
        """Begins a window."""
        # Of what whoever sits beside us now did before we met, nothing is known.
        if self._beside.met_at > self._readings[-1].wall_s:
            self._readings.clear()
        self._note()

    def share(self) -> float | None:
        """Ends the window; None where this machine doesn't tell."""
        self._note()
        last = self._readings[-1]
        first = self._first(last)
        if last.machine_s < 0 or first.machine_s < 0:
            return None
        wall = max(last.wall_s - first.wall_s, 1e-9)
        others = (last.machine_s - first.machine_s) - (last.own_s - first.own_s)
        return min(max(others / wall - self._spare, 0.0) / self._threads, 1.0)

    def _first(self, last: _Reading) -> _Reading:
        """Where the judged span begins: with the window, or as long ago as ticks need."""
        if self._precise:
            return self._readings[-2]
        while len(self._readings) > 2 and last.wall_s - self._readings[1].wall_s >= _TICK_SPAN_S:
            self._readings.popleft()
        return self._readings[0]

    def _note(self) -> None:
        if self._precise and len(self._readings) > 1:
            self._readings.popleft()
        own_s = time.process_time() + self._beside.spent_s()
        self._readings.append(_Reading(time.perf_counter(), self._machine_s(), own_s))

    def _machine_s(self) -> float:
        seconds = _account_s() if self._precise else self._stat_s()
        return -1.0 if seconds is None else seconds

    def _stat_s(self) -> float | None:
        ticks = read_ticks(_WORK_FIELDS, self._own)
        return None if ticks is None else ticks / self._ticks


def read_ticks(fields: Sequence[int], cores: frozenset[int] | None = None) -> int | None:
    """Clock ticks of these fields of /proc/stat, of some cores or of all; None where it doesn't say."""
    names = {"cpu"} if cores is None else {f"cpu{core}" for core in cores}
    try:
        with _STAT.open() as file:
            lines = [line.split() for line in file if line.startswith("cpu")]
        found = [line for line in lines if line[0] in names]
        return sum(int(line[index]) for line in found for index in fields) if found else None
    except (OSError, IndexError, ValueError):
        return None


def _account_s() -> float | None:
    try:
        return int(_ACCOUNT.read_text()) / 1e9
    except (OSError, ValueError):
        return None
