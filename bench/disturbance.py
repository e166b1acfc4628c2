"""What the machine did while a window was taken, and whether the window may count."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

from bench.record import Disturbance, Protocol

__all__ = ["LinuxProbe", "Probe", "discard_reason"]

_UNKNOWN = -1.0


class Probe(Interface):
    """Watches the machine: `start` before a window, `stop` after it."""

    def start(self) -> None:
        """Begins a window."""
        ...

    def stop(self) -> Disturbance:
        """Ends the window and says what happened in it."""
        ...


@dataclass(frozen=True, slots=True)
class _Counters:
    wall_s: float
    steal_ticks: int
    pressure_us: int
    switches: int


class LinuxProbe:
    """Reads /proc/stat (time that the hypervisor gave to others), /proc/pressure/cpu and rusage."""

    def __init__(self) -> None:
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        self._cores = os.cpu_count() or 1
        self._start = self._read()

    def start(self) -> None:
        """Begins a window."""
        self._start = self._read()

    def stop(self) -> Disturbance:
        """Ends the window."""
        before, after = self._start, self._read()
        wall = max(after.wall_s - before.wall_s, 1e-9)
        stolen_s = (after.steal_ticks - before.steal_ticks) / self._ticks_per_second
        return Disturbance(
            steal=round(stolen_s / (wall * self._cores), 4) if after.steal_ticks >= 0 else _UNKNOWN,
            pressure=round((after.pressure_us - before.pressure_us) / 1e6 / wall, 4)
            if after.pressure_us >= 0
            else _UNKNOWN,
            involuntary_switches=after.switches - before.switches,
            load=round(os.getloadavg()[0], 2),
        )

    @staticmethod
    def _read() -> _Counters:
        return _Counters(
            wall_s=time.perf_counter(),
            steal_ticks=_steal_ticks(),
            pressure_us=_pressure_us(),
            switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        )


def discard_reason(disturbance: Disturbance, wall_s: float, protocol: Protocol) -> str:
    """Why a window must not count; empty where it may.

    Switches are judged only where the kernel reports no pressure: pressure is the better witness, since a
    thread can be switched out without anybody having waited.
    """
    if disturbance.steal > protocol.max_steal:
        return f"steal {disturbance.steal:.0%}"
    if disturbance.pressure > protocol.max_pressure:
        return f"CPU pressure {disturbance.pressure:.0%}"
    if disturbance.pressure < 0:
        rate = disturbance.involuntary_switches / max(wall_s, 1e-9)
        if rate > protocol.max_switches_per_second:
            return f"{rate:.0f} involuntary context switches a second"
    return ""


def _steal_ticks() -> int:
    try:
        with Path("/proc/stat").open() as file:
            return int(file.readline().split()[8])
    except (OSError, IndexError, ValueError):
        return -1


def _pressure_us() -> int:
    try:
        with Path("/proc/pressure/cpu").open() as file:
            return int(file.readline().rpartition("total=")[2])
    except (OSError, ValueError):
        return -1
