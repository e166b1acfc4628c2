"""What the machine did while a window was taken, and whether the window may count."""

from __future__ import annotations

import os
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol as Interface

import msgspec

from bench.cores import own_cores
from bench.foreign_work import ForeignWork, read_ticks
from bench.nvml import Gpu, GpuProcess
from bench.record import Disturbance, GpuState, Protocol
from bench.turns import Waiter

__all__ = ["GpuProbe", "LinuxProbe", "Probe", "discard_reason"]

_UNKNOWN = -1.0
_STEAL_FIELD = 8  # of a line of /proc/stat


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
    """Reads /proc/stat (time that the hypervisor gave to others), the work of other processes, CPU pressure
    and our own involuntary switches.
    """

    def __init__(self, threads: int, beside: Waiter | None = None) -> None:
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")
        # Of a machine's many cores only as many matter as we have threads.
        self._cores = max(1, min(threads, len(os.sched_getaffinity(0))))
        self._own = own_cores()
        self._others = ForeignWork(threads, beside)
        self._start = self._read()

    def start(self) -> None:
        """Begins a window."""
        self._others.start()
        self._start = self._read()

    def stop(self) -> Disturbance:
        """Ends the window."""
        before, after = self._start, self._read()
        foreign = self._others.share()
        wall = max(after.wall_s - before.wall_s, 1e-9)
        stolen_s = (after.steal_ticks - before.steal_ticks) / self._ticks_per_second
        return Disturbance(
            steal=round(stolen_s / (wall * self._cores), 4) if after.steal_ticks >= 0 else _UNKNOWN,
            pressure=round((after.pressure_us - before.pressure_us) / 1e6 / wall, 4)
            if after.pressure_us >= 0
            else _UNKNOWN,
            involuntary_switches=after.switches - before.switches,
            load=round(os.getloadavg()[0], 2),
            foreign=_UNKNOWN if foreign is None else round(foreign, 4),
        )

    def _steal_ticks(self) -> int:
        ticks = read_ticks((_STEAL_FIELD,), self._own)
        return -1 if ticks is None else ticks

    def _read(self) -> _Counters:
        return _Counters(
            wall_s=time.perf_counter(),
            steal_ticks=self._steal_ticks(),
            pressure_us=_pressure_us(),
            switches=resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw,
        )


class GpuProbe:
    """Watches the machine by another probe and the GPU by NVML, outside the timed steps.

    `gpu` None is a GPU that NVML doesn't know: its state is unknown. `pid` is this process. A worker that
    takes turns with this one (`beside`) is on the GPU as well, and rests.
    """

    def __init__(
        self, machine: Probe, gpu: Gpu | None, pid: int | None = None, beside: Waiter | None = None
    ) -> None:
        self._beside = beside or Waiter()
        self._machine = machine
        self._gpu = gpu
        self._pid = os.getpid() if pid is None else pid
        self._start = GpuState()
        self._foreign: dict[int, GpuProcess] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence for every other process that was seen on the GPU."""
        return tuple(
            f"Process {other.pid} was computing on the GPU as well ({_memory(other)}): bursts beside it are "
            "discarded; end it, or choose another GPU with CUDA_VISIBLE_DEVICES."
            for other in self._foreign.values()
        )

    def start(self) -> None:
        """Begins a window."""
        self._start = self._read()
        self._machine.start()

    def stop(self) -> Disturbance:
        """Ends the window."""
        disturbance = self._machine.stop()
        before, after = self._start, self._read()
        known = [state.throttle for state in (before, after) if state.throttle is not None]
        others = [s.foreign_processes for s in (before, after) if s.foreign_processes is not None]
        state = msgspec.structs.replace(
            after,
            throttle=tuple(dict.fromkeys(name for names in known for name in names)) if known else None,
            foreign_processes=max(others, default=None),
        )
        return msgspec.structs.replace(disturbance, gpu=state)

    def _read(self) -> GpuState:
        if self._gpu is None:
            return GpuState()
        return GpuState(
            # The load's own figures first: they fade while the rest is asked for.
            throttle=self._gpu.throttle(),
            sm_clock_mhz=self._gpu.sm_clock_mhz(),
            power_w=self._gpu.power_w(),
            temperature_c=self._gpu.temperature_c(),
            foreign_processes=self._others(self._gpu),
        )

    def _others(self, gpu: Gpu) -> int | None:
        """None where NVML doesn't list this process either: then no number in its list can be trusted."""
        found = gpu.processes()
        if found is None:
            return None
        if all(process.pid != self._pid for process in found):
            gpu.fail(
                "other processes",
                "NVML doesn't list this one, as in a container: start it with the host's process numbers",
            )
            return None
        own = (self._pid, self._beside.pid)
        others = {process.pid: process for process in found if process.pid not in own}
        self._foreign = others | self._foreign
        return len(others)


def _memory(process: GpuProcess) -> str:
    known = process.memory_bytes
    return "memory unknown" if known is None else f"{known / 2**30:.1f} GiB"


def discard_reason(disturbance: Disturbance, wall_s: float, protocol: Protocol) -> str:
    """Why a window must not count; empty where it may.

    Pressure is judged only where others' work is unknown, since an engine's own threads cause it as well; and
    switches only where pressure is unknown too, since a thread can be switched out without having waited.
    """
    if disturbance.steal > protocol.max_steal:
        return f"steal {disturbance.steal:.0%}"
    if disturbance.foreign > protocol.max_foreign:
        return f"other processes on our cores {disturbance.foreign:.0%}"
    if disturbance.foreign < 0 and disturbance.pressure > protocol.max_pressure:
        return f"CPU pressure {disturbance.pressure:.0%}"
    if disturbance.foreign < 0 and disturbance.pressure < 0:
        rate = disturbance.involuntary_switches / max(wall_s, 1e-9)
        if rate > protocol.max_switches_per_second:
            return f"{rate:.0f} involuntary context switches a second"
    return "" if disturbance.gpu is None else _gpu_reason(disturbance.gpu)


def _gpu_reason(gpu: GpuState) -> str:
    """What is unknown discards nothing; the session's warnings say that it is unknown."""
    if gpu.throttle:
        return f"throttled: {', '.join(gpu.throttle)}"
    if gpu.foreign_processes:
        plural = "es" if gpu.foreign_processes > 1 else ""
        return f"{gpu.foreign_processes} foreign process{plural} on the GPU"
    return ""


def _pressure_us() -> int:
    try:
        with Path("/proc/pressure/cpu").open() as file:
            return int(file.readline().rpartition("total=")[2])
    except (OSError, ValueError):
        return -1
