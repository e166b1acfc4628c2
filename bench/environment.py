"""The machine and the software of a measurement."""

from __future__ import annotations

import hashlib
import platform
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec
import psutil
from msgspec import Meta

from bench.cuda_devices import visible_gpus
from bench.nvml import Nvml

__all__ = ["Accelerator", "Environment", "accelerators", "collect"]

# Packages whose version can change a figure or a picture.
_PACKAGES = (
    "dyrelu-bench",
    "paddlepaddle",
    "paddlepaddle-gpu",
    "numpy",
    "scipy",
    "pandas",
    "tabulate",
    "matplotlib",
    "safetensors",
    "scikit-learn",
)
# Of optional engines: those that are installed are recorded, and part of the fingerprint.
_ENGINE_PACKAGES = ("onnxruntime", "openvino", "paddle2onnx")
# Of the others, the ones that can change a time: part of the fingerprint.
_TIMED_PACKAGES = ("paddlepaddle", "paddlepaddle-gpu", "numpy")
_ISA_FLAGS = ("avx2", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd", "sve")


Bytes = Annotated[int, Meta(ge=0, le=2**60)]


class Accelerator(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A GPU or MIG instance, identified by its UUID. `memory_bytes` None is unknown."""

    uuid: str
    name: str
    memory_bytes: Bytes | None
    driver: str


class Environment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a measurement was taken. Times of two different fingerprints are never compared."""

    cpu: str
    architecture: str
    logical_cores: int
    physical_cores: int
    memory_bytes: Bytes
    isa: tuple[str, ...]
    frequency_governor: str
    virtual: bool
    system: str
    python: str
    packages: tuple[tuple[str, str], ...]
    accelerators: tuple[Accelerator, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over everything here that changes times.

        Memory counts in whole GiB, since kernels reserve a little more or less at each boot.
        """
        versions = dict(self.packages)
        parts = (
            self.cpu,
            self.architecture,
            str(self.logical_cores),
            str(round(self.memory_bytes / 2**30)),
            ",".join(self.isa),
            ".".join(self.python.split(".")[:2]),
            *(f"{name}={versions.get(name, '')}" for name in _TIMED_PACKAGES),
            *(f"{name}={versions[name]}" for name in _ENGINE_PACKAGES if name in versions),
            *(device.uuid for device in self.accelerators),
        )
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def collect() -> Environment:
    """Describes this machine without importing Paddle."""
    info = _cpu_info()
    flags = set(info.get("flags", info.get("Features", "")).split())
    return Environment(
        cpu=info.get("model name", platform.processor() or "unknown"),
        architecture=platform.machine(),
        logical_cores=len(psutil.Process().cpu_affinity()) or psutil.cpu_count() or 1,
        physical_cores=psutil.cpu_count(logical=False) or 1,
        memory_bytes=psutil.virtual_memory().total,
        isa=tuple(flag for flag in _ISA_FLAGS if flag in flags),
        frequency_governor=_read(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")) or "unknown",
        virtual="hypervisor" in flags,
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
        packages=tuple(
            (name, version) for name in (*_PACKAGES, *_ENGINE_PACKAGES) if (version := _version(name))
        ),
        accelerators=accelerators(Nvml()),
    )


def accelerators(nvml: Nvml) -> tuple[Accelerator, ...]:
    """The GPUs that CUDA shows to this process, or all where its order isn't known; ends NVML's session.

    Empty where there is no driver or nvidia-ml-py isn't installed.
    """
    if not nvml.working:
        return ()
    visible = visible_gpus(nvml)
    gpus = nvml.gpus() if visible is None else visible
    driver = nvml.driver() if gpus else ""
    found = tuple(Accelerator(gpu.uuid, gpu.name(), gpu.memory_total_bytes(), driver) for gpu in gpus)
    nvml.close()
    return found


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _cpu_info() -> dict[str, str]:
    """First processor's fields of /proc/cpuinfo; empty where there is none."""
    fields: dict[str, str] = {}
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            break
        fields[name.strip()] = value.strip()
    return fields


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
