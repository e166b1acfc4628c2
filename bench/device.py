"""What a worker watches: meters of memory and a probe, for the device that Paddle runs on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from bench.cuda_devices import Driver, driver_uuid, find_gpu
from bench.disturbance import GpuProbe, LinuxProbe, Probe
from bench.metrics.gpu_memory import GpuMemory, gpu_ordinal, paddle_device
from bench.metrics.memory import PeakMemory
from bench.nvml import Nvml
from bench.record import Fact
from bench.turns import Waiter

__all__ = ["Device", "MemoryMeter", "gpu_device", "open_device"]


class MemoryMeter(Interface):
    """Peaks of memory between `start` and `facts`."""

    def start(self) -> None:
        """Resets the peaks."""
        ...

    def facts(self) -> tuple[Fact, ...]:
        """The peaks since `start`."""
        ...


@dataclass(frozen=True, slots=True)
class Device:
    """The instruments of one process. `notes` gives what a reader must know, when the work is done."""

    meters: tuple[MemoryMeter, ...]
    probe: Probe
    notes: Callable[[], tuple[str, ...]]

    def start(self) -> None:
        """Resets every peak of memory."""
        for meter in self.meters:
            meter.start()

    def facts(self) -> tuple[Fact, ...]:
        """The peaks since `start`."""
        # A look at the GPU that was just used, so that what can't be known is said before any block.
        self.probe.start()
        return tuple(fact for meter in self.meters for fact in meter.facts())


def open_device(threads: int, beside: Waiter | None = None) -> Device:
    """The instruments for the device that Paddle chose. Call it before a model is loaded.

    A worker that takes turns with this one (`beside`) disturbs nothing.
    """
    paddle = paddle_device()
    ordinal = gpu_ordinal(paddle)
    if ordinal is None:
        return Device((PeakMemory(),), LinuxProbe(threads, beside), tuple)
    return gpu_device(paddle.cuda, ordinal, Nvml(), threads, beside=beside)


def gpu_device(
    cuda: Any,
    ordinal: int,
    nvml: Nvml,
    threads: int,
    driver: Driver = driver_uuid,
    beside: Waiter | None = None,
) -> Device:
    """The instruments for a GPU: `cuda` is the module `paddle.device.cuda`, `ordinal` its device number."""
    gpu = find_gpu(nvml, ordinal, driver)
    probe = GpuProbe(LinuxProbe(threads, beside), gpu, beside=beside)
    meters = (PeakMemory(), GpuMemory(cuda, ordinal, gpu))
    return Device(meters, probe, lambda: (*nvml.notes, *probe.notes))
