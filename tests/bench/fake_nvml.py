"""NVML without a driver: answers as the package `pynvml` does, and fails where it is told to.

Readings are replayed: each call takes the next value of a tuple, the last for ever. Error classes are built
as the package builds them, so that the tests need neither it nor a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar

__all__ = ["ERRORS", "FUNCTIONS", "FakeGpu", "FakeNvml", "NVMLError", "error"]

T = TypeVar("T")

# nvml.h, nvmlReturn_t, by the names that the package gives the classes.
ERRORS = {
    "Uninitialized": 1,
    "InvalidArgument": 2,
    "NotSupported": 3,
    "NoPermission": 4,
    "AlreadyInitialized": 5,
    "NotFound": 6,
    "InsufficientSize": 7,
    "InsufficientPower": 8,
    "DriverNotLoaded": 9,
    "Timeout": 10,
    "IrqIssue": 11,
    "LibraryNotFound": 12,
    "FunctionNotFound": 13,
    "CorruptedInforom": 14,
    "GpuIsLost": 15,
    "ResetRequired": 16,
    "OperatingSystem": 17,
    "LibRmVersionMismatch": 18,
    "InUse": 19,
    "Memory": 20,
    "NoData": 21,
    "VgpuEccNotSupported": 22,
    "InsufficientResources": 23,
    "FreqNotSupported": 24,
    "ArgumentVersionMismatch": 25,
    "Deprecated": 26,
    "NotReady": 27,
    "GpuNotFound": 28,
    "InvalidState": 29,
    "ResetTypeNotSupported": 30,
    "Unknown": 999,
}
FUNCTIONS = (
    "nvmlInit",
    "nvmlShutdown",
    "nvmlSystemGetDriverVersion",
    "nvmlDeviceGetCount",
    "nvmlDeviceGetHandleByIndex",
    "nvmlDeviceGetHandleByUUID",
    "nvmlDeviceGetUUID",
    "nvmlDeviceGetName",
    "nvmlDeviceGetPciInfo",
    "nvmlDeviceGetMigMode",
    "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetPowerUsage",
    "nvmlDeviceGetClockInfo",
    "nvmlDeviceGetTemperature",
    "nvmlDeviceGetCurrentClocksEventReasons",
    "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetComputeRunningProcesses",
    "nvmlDeviceGetComputeRunningProcesses_v2",
)


class NVMLError(Exception):
    """The base class; a code without a class of its own is one of these."""

    def __init__(self, value: int) -> None:
        super().__init__(value)
        self.value = value


class NVMLLibraryMismatchError(Exception):
    """Raised by the package's unversioned functions where the driver lacks their newest version."""


_CLASSES = {name: type(f"NVMLError_{name}", (NVMLError,), {}) for name in ERRORS}


def error(name: str) -> Exception:
    """The error of this name."""
    found: Exception = _CLASSES[name](ERRORS[name])
    return found


@dataclass(eq=False)
class FakeGpu:
    """A device and the readings that it replays. The defaults are of a V100 under a steady load."""

    uuid: str = "GPU-11111111-aaaa-4bbb-8ccc-000000000001"
    name: str = "Tesla V100-SXM2-32GB"
    bus: tuple[int, int, int] = (0, 0x3B, 0)
    mig: bool = False
    memory_total: int = 34_089_730_048
    memory_used: tuple[int, ...] = (451_018_752,)
    power_mw: tuple[int, ...] = (251_317,)
    sm_clock_mhz: tuple[int, ...] = (1_380,)
    temperature_c: tuple[int, ...] = (57,)
    reasons: tuple[int, ...] = (0,)
    processes: tuple[tuple[tuple[int, int | None], ...], ...] = ((),)
    positions: dict[str, int] = field(default_factory=dict)

    def replay(self, reading: str, values: tuple[T, ...]) -> T:
        """The next value."""
        position = self.positions.get(reading, 0)
        self.positions[reading] = position + 1
        return values[min(position, len(values) - 1)]

    @property
    def is_instance(self) -> bool:
        """Whether this is a MIG instance."""
        return self.uuid.startswith("MIG-")


class FakeNvml:
    """Stands for the module. `failing` maps a function to its error; `missing` ones don't exist at all."""

    NVMLError = NVMLError
    NVMLLibraryMismatchError = NVMLLibraryMismatchError
    NVMLError_FunctionNotFound = _CLASSES["FunctionNotFound"]

    def __init__(self, *gpus: FakeGpu, instances: tuple[FakeGpu, ...] = ()) -> None:
        self._gpus = gpus
        self._instances = instances
        self.failing: dict[str, Exception] = {}
        self.missing: set[str] = set()
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name not in FUNCTIONS or name in self.missing:
            raise AttributeError(f"module 'pynvml' has no attribute {name!r}")
        answer: Callable[..., Any] = getattr(self, f"_{name.removeprefix('nvml')}")

        def call(*arguments: Any) -> Any:
            self.calls.append(name)
            if name in self.failing:
                raise self.failing[name]
            return answer(*arguments)

        return call

    def _Init(self) -> None:
        pass

    def _Shutdown(self) -> None:
        pass

    def _SystemGetDriverVersion(self) -> str:
        return "535.104.05"

    def _DeviceGetCount(self) -> int:
        return len(self._gpus)

    def _DeviceGetHandleByIndex(self, index: int) -> FakeGpu:
        return self._gpus[index]

    def _DeviceGetHandleByUUID(self, uuid: str) -> FakeGpu:
        found = next((gpu for gpu in (*self._gpus, *self._instances) if gpu.uuid == uuid), None)
        if found is None:
            raise error("NotFound")
        return found

    def _DeviceGetUUID(self, handle: FakeGpu) -> str:
        return handle.uuid

    def _DeviceGetName(self, handle: FakeGpu) -> str:
        return handle.name

    def _DeviceGetPciInfo(self, handle: FakeGpu) -> SimpleNamespace:
        domain, bus, device = handle.bus
        return SimpleNamespace(domain=domain, bus=bus, device=device)

    def _DeviceGetMigMode(self, handle: FakeGpu) -> list[int]:
        if handle.is_instance:
            raise error("InvalidArgument")
        if "V100" in handle.name:
            raise error("NotSupported")
        return [int(handle.mig), int(handle.mig)]

    def _DeviceGetMemoryInfo(self, handle: FakeGpu) -> SimpleNamespace:
        return SimpleNamespace(total=handle.memory_total, used=handle.replay("memory", handle.memory_used))

    def _DeviceGetPowerUsage(self, handle: FakeGpu) -> int:
        return self._board(handle, "power", handle.power_mw)

    def _DeviceGetClockInfo(self, handle: FakeGpu, kind: int) -> int:
        assert kind == 1, "NVML_CLOCK_SM"
        return self._board(handle, "clock", handle.sm_clock_mhz)

    def _DeviceGetTemperature(self, handle: FakeGpu, sensor: int) -> int:
        assert sensor == 0, "NVML_TEMPERATURE_GPU"
        return self._board(handle, "temperature", handle.temperature_c)

    def _DeviceGetCurrentClocksEventReasons(self, handle: FakeGpu) -> int:
        return self._board(handle, "reasons", handle.reasons)

    def _DeviceGetCurrentClocksThrottleReasons(self, handle: FakeGpu) -> int:
        return self._board(handle, "reasons", handle.reasons)

    def _DeviceGetComputeRunningProcesses(self, handle: FakeGpu) -> list[SimpleNamespace]:
        found = handle.replay("processes", handle.processes)
        return [SimpleNamespace(pid=pid, usedGpuMemory=memory) for pid, memory in found]

    def _DeviceGetComputeRunningProcesses_v2(self, handle: FakeGpu) -> list[SimpleNamespace]:
        return self._DeviceGetComputeRunningProcesses(handle)

    @staticmethod
    def _board(handle: FakeGpu, reading: str, values: tuple[int, ...]) -> int:
        if handle.is_instance:
            raise error("NotSupported")
        return handle.replay(reading, values)
