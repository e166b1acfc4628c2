"""Peaks of GPU memory while a case runs: what Paddle's allocator gave out and holds, and what NVML sees.

NVML's figure >= reserved >= allocated: the context, libraries and freed memory that stays pooled make the
difference. Not run on a GPU here; tested against fakes of Paddle 2.6's and 3.x's device and of NVML.
"""

from __future__ import annotations

import os
from typing import Any

from bench.nvml import Gpu
from bench.record import Bound, Fact
from bench.units import Unit

__all__ = ["GpuMemory", "gpu_ordinal", "paddle_device"]

# Fact and the allocator's function, whose reset only Paddle 3 has.
_PEAKS = (
    ("gpu_allocated_peak", "max_memory_allocated"),
    ("gpu_reserved_peak", "max_memory_reserved"),
)
_PROCESS = "gpu_process_memory"


def paddle_device() -> Any:
    """The module `paddle.device`."""
    import paddle

    return paddle.device


def gpu_ordinal(device: Any) -> int | None:
    """The number of the GPU that Paddle runs on, as CUDA counts the visible ones; None on anything else.

    `device` is the module `paddle.device`.
    """
    kind, _, ordinal = str(device.get_device()).partition(":")
    return int(ordinal or 0) if kind == "gpu" else None


class GpuMemory:
    """Peaks between `start` and `facts`; make it before the model is loaded, since it reads the level then.

    `gpu_allocated_peak`: largest sum of live tensors on the GPU (bytes). `gpu_reserved_peak`: largest pool
    that Paddle's allocator held. `gpu_process_memory`: what NVML counts for this process after the last
    step, or, where NVML doesn't tell that, the growth of the whole device's use, labelled so.
    Where a peak can't be reset (Paddle 2.6) it is the largest since the process started, and says so.
    `cuda` is the module `paddle.device.cuda`, `gpu` None where NVML doesn't know the device.
    """

    def __init__(self, cuda: Any, ordinal: int, gpu: Gpu | None, pid: int | None = None) -> None:
        self._cuda = cuda
        self._ordinal = ordinal
        self._gpu = gpu
        self._pid = os.getpid() if pid is None else pid
        self._level = gpu.memory_used_bytes() if gpu else None
        self._bound = Bound.CUMULATIVE_PEAK

    def start(self) -> None:
        """Resets the peaks where Paddle can."""
        resets = [f"reset_{function}" for _, function in _PEAKS]
        if not all(hasattr(self._cuda, reset) for reset in resets):
            return
        try:
            # Freed memory of the case before would count as reserved in this one.
            self._cuda.empty_cache()
            for reset in resets:
                getattr(self._cuda, reset)(self._ordinal)
        except (ValueError, AssertionError):
            return
        self._bound = Bound.PEAK

    def facts(self) -> tuple[Fact, ...]:
        """The peaks since `start`."""
        return (*self._allocator(), *self._process())

    def _allocator(self) -> tuple[Fact, ...]:
        """Paddle's own figures; without GPU support, or without a GPU, there are none."""
        try:
            peaks = {metric: int(getattr(self._cuda, function)(self._ordinal)) for metric, function in _PEAKS}
        except (ValueError, AssertionError):
            return ()
        if not all(peaks.values()) and self._gpu is not None:
            # A model that ran has tensors there.
            self._gpu.fail("allocator peaks", "Paddle's allocator doesn't count this engine")
        return tuple(Fact(name, Unit.BYTES, peak, self._bound) for name, peak in peaks.items() if peak)

    def _process(self) -> tuple[Fact, ...]:
        if self._gpu is None:
            return ()
        for process in self._gpu.processes() or ():
            if process.pid == self._pid and process.memory_bytes is not None:
                note = f"Of this process on {self._gpu.uuid}, read from NVML after the last step."
                return (Fact(_PROCESS, Unit.BYTES, process.memory_bytes, note=note),)
        used = self._gpu.memory_used_bytes()
        if used is None or self._level is None:
            return ()
        if used <= self._level:
            # A loaded model holds memory: without growth something else moved the device's use.
            reason = "the device's use didn't grow: other programs freed memory; end them and measure again"
            self._gpu.fail("memory of the process", reason)
            return ()
        note = (
            f"Device-level: what all programs hold on {self._gpu.uuid}, less the same before the model was "
            "loaded, since NVML doesn't tell this process's own share (in a container it may not)."
        )
        return (Fact(_PROCESS, Unit.BYTES, used - self._level, note=note),)
