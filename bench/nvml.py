"""The GPU's own instruments, read through NVML; what isn't answered becomes "unknown", said once.

Knows neither Paddle nor CUDA. The library (package `nvidia-ml-py`, module `pynvml`) is optional and injected.
Not run on a GPU here: tested against a fake that answers, and fails, as NVML is documented to.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["MIG_PREFIX", "Gpu", "GpuProcess", "Nvml", "load_pynvml", "throttle_names"]

MIG_PREFIX = "MIG-"

# nvml.h, nvmlClocksEventReasons (until driver 535: nvmlClocksThrottleReasons). What holds a clock down:
_THROTTLE_BITS = {
    0x004: "software power cap",
    0x008: "hardware slowdown",
    0x010: "sync boost",
    0x020: "software thermal slowdown",
    0x040: "hardware thermal slowdown",
    0x080: "power brake",
    0x200: "board limit",
    0x400: "reliability",
}
# And what a user or an idle GPU chose: idle, application clocks, display clocks. No throttling.
_HARMLESS_BITS = 0x001 | 0x002 | 0x100
_SM_CLOCK = 1  # nvml.h, NVML_CLOCK_SM
_CHIP_SENSOR = 0  # nvml.h, NVML_TEMPERATURE_GPU

_REMEDIES = {
    "LibraryNotFound": "install the NVIDIA driver; a container needs its utility capability "
    "(NVIDIA_DRIVER_CAPABILITIES=compute,utility)",
    "DriverNotLoaded": "load the NVIDIA driver; nvidia-smi says what is wrong with it",
    "LibRmVersionMismatch": "the driver was updated while loaded: restart the machine",
    "NotSupported": "this GPU doesn't tell",
    "FunctionNotFound": "update the NVIDIA driver",
    "NoPermission": "ask the administrator for access to the GPU's counters",
    "GpuIsLost": "the GPU has fallen off the bus: restart the machine",
    "ResetRequired": "the GPU has to be reset by the administrator",
    "InsufficientPower": "connect the GPU's external power cables",
}
_OTHER_REMEDY = "nvidia-smi may say more"
_EVERYTHING = "all measurements by NVML"
# The instance or the index isn't there: an answer where something is looked up, an error elsewhere.
_ABSENT = ("NotFound", "InvalidArgument")


def load_pynvml() -> Any:
    """The module `pynvml`. Raises ImportError where nvidia-ml-py isn't installed."""
    return importlib.import_module("pynvml")


def throttle_names(mask: int) -> tuple[str, ...]:
    """What holds the clocks down, from NVML's bit mask, by name; bits that have none here by number."""
    unknown = mask & ~_HARMLESS_BITS & ~sum(_THROTTLE_BITS)
    names = [name for bit, name in _THROTTLE_BITS.items() if mask & bit]
    return (*names, f"unknown reason {unknown:#x}") if unknown else tuple(names)


@dataclass(frozen=True, slots=True)
class GpuProcess:
    """A process with a compute context on the GPU; `memory_bytes` None where NVML doesn't tell."""

    pid: int
    memory_bytes: int | None


class Nvml:
    """One session with NVML. Nothing here raises: what fails is None, and `notes` says what and why.

    `load` gives the library, and may raise ImportError.
    """

    def __init__(self, load: Callable[[], Any] = load_pynvml) -> None:
        self._failures: dict[str, dict[str, None]] = {}
        self._library: Any = None
        self.working = False
        try:
            self._library = load()
        except ImportError:
            self.fail(_EVERYTHING, "nvidia-ml-py isn't installed: pip install 'dyrelu-bench[gpu]'")
            return
        _, error = self.attempt(("nvmlInit",))
        self.working = not error
        if error:
            self.fail(_EVERYTHING, _reason(error))

    def close(self) -> None:
        """Ends the session."""
        if self.working:
            self.attempt(("nvmlShutdown",))
            self.working = False

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence for each reason for which something is unknown."""
        return tuple(
            f"Unknown on the GPU: {', '.join(quantities)} ({reason})."
            for reason, quantities in self._failures.items()
        )

    def fail(self, quantity: str, reason: str) -> None:
        """Notes that a quantity is unknown, and why; the same twice is one note."""
        self._failures.setdefault(reason, {})[quantity] = None

    def attempt(self, functions: Sequence[str], *arguments: Any) -> tuple[Any, str]:
        """What the first function that driver and package know answers, and the error's name where it fails.

        Functions get new names with new drivers, so several can be given, the newest first. Without a note.
        """
        name = "FunctionNotFound"
        for function in functions:
            try:
                return getattr(self._library, function)(*arguments), ""
            except (AttributeError, self._library.NVMLError, *self._mismatch()) as error:
                name = _name(error)
            if name != "FunctionNotFound":
                break
        return None, name

    def ask(self, quantity: str, functions: Sequence[str], *arguments: Any) -> Any:
        """Like `attempt`; None with a note where it fails."""
        answer, error = self.attempt(functions, *arguments)
        if error:
            self.fail(quantity, _reason(error))
        return answer

    def look_up(self, uuid: str) -> Gpu | None:
        """The GPU or MIG instance of this UUID; None where there is none, without a note."""
        handle, error = self.attempt(("nvmlDeviceGetHandleByUUID",), uuid)
        if error and error not in _ABSENT:
            self.fail("which GPU it is", _reason(error))
        return None if error else Gpu(self, handle, uuid)

    def gpus(self) -> tuple[Gpu, ...]:
        """Every whole GPU that can be read, in NVML's order."""
        found = []
        for index in range(self.ask("number of GPUs", ("nvmlDeviceGetCount",)) or 0):
            handle = self.ask(f"GPU {index}", ("nvmlDeviceGetHandleByIndex",), index)
            uuid = None if handle is None else self.ask(f"GPU {index}", ("nvmlDeviceGetUUID",), handle)
            if uuid is not None:
                found.append(Gpu(self, handle, uuid))
        return tuple(found)

    def driver(self) -> str:
        """The driver's version; "unknown" where it isn't told."""
        return str(self.ask("driver version", ("nvmlSystemGetDriverVersion",)) or "unknown")

    def _mismatch(self) -> tuple[type[Exception], ...]:
        """The package hides a function that the driver lacks behind a class that is no NVMLError."""
        found = getattr(self._library, "NVMLLibraryMismatchError", None)
        return () if found is None else (found,)


class Gpu:
    """One GPU, or one MIG instance. Every reading is None where it is unknown."""

    def __init__(self, nvml: Nvml, handle: Any, uuid: str) -> None:
        self.uuid = uuid
        self._nvml = nvml
        self._handle = handle

    def fail(self, quantity: str, reason: str) -> None:
        """Notes that a quantity is unknown, and why."""
        self._nvml.fail(quantity, reason)

    def is_split(self) -> bool:
        """Whether this is a whole GPU in MIG mode, whose figures are the sum of its instances."""
        mode, error = self._nvml.attempt(("nvmlDeviceGetMigMode",), self._handle)
        # GPUs without MIG answer NotSupported.
        return not error and bool(mode[0])

    def name(self) -> str:
        """The product's name."""
        return str(self._ask("name", "nvmlDeviceGetName") or "unknown")

    def bus(self) -> tuple[int, int, int] | None:
        """PCI domain, bus and device, by which CUDA counts with CUDA_DEVICE_ORDER=PCI_BUS_ID."""
        info = self._ask("place on the bus", "nvmlDeviceGetPciInfo")
        return None if info is None else (int(info.domain), int(info.bus), int(info.device))

    def memory_total_bytes(self) -> int | None:
        """All of its memory."""
        info = self._ask("memory", "nvmlDeviceGetMemoryInfo")
        return info and int(info.total)

    def memory_used_bytes(self) -> int | None:
        """What all processes together hold."""
        info = self._ask("memory", "nvmlDeviceGetMemoryInfo")
        return info and int(info.used)

    def power_w(self) -> float | None:
        """The board's power in watts, which NVML gives in milliwatts (averaged over 1 s on some boards)."""
        milliwatts = self._board("power", "nvmlDeviceGetPowerUsage")
        return None if milliwatts is None else milliwatts / 1000.0

    def sm_clock_mhz(self) -> int | None:
        """The clock of the multiprocessors now."""
        megahertz = self._board("SM clock", "nvmlDeviceGetClockInfo", _SM_CLOCK)
        return None if megahertz is None else int(megahertz)

    def temperature_c(self) -> int | None:
        """The chip's temperature in degrees Celsius."""
        degrees = self._board("temperature", "nvmlDeviceGetTemperature", _CHIP_SENSOR)
        return None if degrees is None else int(degrees)

    def throttle(self) -> tuple[str, ...] | None:
        """What holds the clocks down now, by name; empty where nothing does."""
        names = ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons")
        if self._is_mig_noted("throttle reasons"):
            return None
        mask = self._nvml.ask("throttle reasons", names, self._handle)
        return None if mask is None else throttle_names(int(mask))

    def processes(self) -> tuple[GpuProcess, ...] | None:
        """The processes that compute here; a display server, which always runs, only draws."""
        names = ("nvmlDeviceGetComputeRunningProcesses", "nvmlDeviceGetComputeRunningProcesses_v2")
        found = self._nvml.ask("processes", names, self._handle)
        return None if found is None else tuple(GpuProcess(each.pid, each.usedGpuMemory) for each in found)

    def _board(self, quantity: str, function: str, *arguments: int) -> Any:
        """A reading of the board, which isn't asked for an instance: the whole board's would mislead."""
        return None if self._is_mig_noted(quantity) else self._ask(quantity, function, *arguments)

    def _is_mig_noted(self, quantity: str) -> bool:
        is_instance = self.uuid.startswith(MIG_PREFIX)
        if is_instance:
            self.fail(quantity, "a MIG instance has none of its own; measure on a whole GPU to have it")
        return is_instance

    def _ask(self, quantity: str, function: str, *arguments: Any) -> Any:
        return self._nvml.ask(quantity, (function,), self._handle, *arguments)


def _name(error: Exception) -> str:
    """NVMLError_GpuIsLost is GpuIsLost; a code that the package doesn't know has no class of its own."""
    kind = type(error).__name__
    if kind == "NVMLError":
        return f"error {getattr(error, 'value', 'without a code')}"
    prefix, underscore, name = kind.partition("_")
    return name if prefix == "NVMLError" and underscore else "FunctionNotFound"


def _reason(name: str) -> str:
    return f"NVML says {name}: {_REMEDIES.get(name, _OTHER_REMEDY)}"
