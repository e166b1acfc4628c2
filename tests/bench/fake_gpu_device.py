"""Paddle's device modules as they are on a GPU: of 2.6, of 3.x, and of the wheel without GPU support."""

from __future__ import annotations

__all__ = ["CpuWheelCuda", "Device3x", "Device26", "Paddle3xCuda", "Paddle26Cuda"]

MIB = 2**20


class CpuWheelCuda:
    """`paddle.device.cuda` of the CPU wheel: each function is there and refuses."""

    def max_memory_allocated(self, device: int) -> int:
        raise ValueError(f"max_memory_allocated({device}) is not supported in CPU-only PaddlePaddle")

    max_memory_reserved = max_memory_allocated
    reset_max_memory_allocated = max_memory_allocated
    reset_max_memory_reserved = max_memory_allocated

    def empty_cache(self) -> None:
        """Does nothing, as there."""


class Paddle26Cuda:
    """`paddle.device.cuda` of 2.6: peaks can't be reset, and its events give no times, so there are none."""

    def __init__(self, ordinal: int = 0) -> None:
        self.ordinal = ordinal
        self.live = 0
        self.pool = 0
        self.peak_live = 0
        self.peak_pool = 0
        self.waits = 0

    def run(self, weights: int, temporary: int) -> None:
        """What a model does to the allocator: `weights` stay, `temporary` is freed again; MiB."""
        self.live += weights * MIB
        used = self.live + temporary * MIB
        self.pool = max(self.pool, used)
        self.peak_live = max(self.peak_live, used)
        self.peak_pool = max(self.peak_pool, self.pool)

    def max_memory_allocated(self, device: int) -> int:
        assert device == self.ordinal
        return self.peak_live

    def max_memory_reserved(self, device: int) -> int:
        assert device == self.ordinal
        return self.peak_pool

    def empty_cache(self) -> None:
        self.pool = self.live

    def synchronize(self) -> None:
        self.waits += 1


class Paddle3xCuda(Paddle26Cuda):
    """`paddle.device.cuda` of 3.x, where a peak falls to the present level when it is reset."""

    def reset_max_memory_allocated(self, device: int) -> None:
        assert device == self.ordinal
        self.peak_live = self.live

    def reset_max_memory_reserved(self, device: int) -> None:
        assert device == self.ordinal
        self.peak_pool = self.pool


class Device26:
    """`paddle.device` with only what 2.6 and its predecessors share."""

    def __init__(self, name: str, cuda: Paddle26Cuda) -> None:
        self.cuda = cuda
        self._name = name

    def get_device(self) -> str:
        return self._name


class Device3x(Device26):
    """`paddle.device` of 2.6 and later: it waits by itself, and refuses on the CPU."""

    def synchronize(self) -> None:
        if self._name == "cpu":
            raise TypeError("device should be gpu, xpu, ")
        self.cuda.waits += 100
