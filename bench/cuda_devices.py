"""Which GPU a program's device number means: CUDA's order is its own, so devices are joined by UUID.

The driver is asked first, since only it knows. Where it can't be, CUDA_VISIBLE_DEVICES is read as the CUDA
programming guide defines it (environment variables): indices, UUIDs or their unique beginnings, MIG UUIDs;
the first that names nothing ends the list.
"""

from __future__ import annotations

import ctypes
import os
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from bench.nvml import MIG_PREFIX, Gpu, Nvml

__all__ = ["Driver", "driver_uuid", "find_gpu", "visible_gpus"]

_GPU_PREFIX = "GPU-"
_VISIBLE = "CUDA_VISIBLE_DEVICES"
_ORDER = "CUDA_DEVICE_ORDER"
# By default CUDA counts the fastest GPU first, by a rule that it doesn't publish.
_BUS_ORDER = "PCI_BUS_ID"
_WHICH = "which GPU it is"

Driver = Callable[[int], str | None]


def driver_uuid(ordinal: int, load: Callable[[str], Any] = ctypes.CDLL) -> str | None:
    """The UUID of CUDA's device `ordinal`, 36 characters without prefix; None where it isn't told."""
    try:
        cuda = load("libcuda.so.1")
    except OSError:
        return None
    # The second form (CUDA 11.4) gives a MIG instance's own UUID, the first that of the GPU around it.
    ask = getattr(cuda, "cuDeviceGetUuid_v2", None) or getattr(cuda, "cuDeviceGetUuid", None)
    if ask is None or cuda.cuInit(0) != 0:
        return None
    device, found = ctypes.c_int(), (ctypes.c_ubyte * 16)()
    if cuda.cuDeviceGet(ctypes.byref(device), ordinal) != 0 or ask(ctypes.byref(found), device) != 0:
        return None
    return str(uuid.UUID(bytes=bytes(found)))


def find_gpu(
    nvml: Nvml, ordinal: int, driver: Driver = driver_uuid, environ: Mapping[str, str] = os.environ
) -> Gpu | None:
    """The GPU or MIG instance that CUDA calls `ordinal`; None, with a note, where that isn't certain."""
    if not nvml.working:
        return None
    told = driver(ordinal)
    if told is not None:
        found = nvml.look_up(f"{_GPU_PREFIX}{told}") or nvml.look_up(f"{MIG_PREFIX}{told}")
    else:
        visible = visible_gpus(nvml, environ)
        found = visible[ordinal] if visible is not None and ordinal < len(visible) else None
    if found is None:
        nvml.fail(_WHICH, f"set {_VISIBLE} to its UUID (nvidia-smi -L), or {_ORDER}={_BUS_ORDER}")
        return None
    if found.is_split():
        nvml.fail(_WHICH, f"the GPU is split by MIG: set {_VISIBLE} to the instance's MIG UUID")
        return None
    return found


def visible_gpus(nvml: Nvml, environ: Mapping[str, str] = os.environ) -> tuple[Gpu, ...] | None:
    """The GPUs that CUDA shows to a program, in CUDA's order; None where that order can't be known."""
    value = environ.get(_VISIBLE)
    every = nvml.gpus()
    ordered = _in_cuda_order(every, environ)
    if value is None:
        return ordered
    found: list[Gpu] = []
    for entry in map(str.strip, value.split(",")):
        if entry.isdecimal():
            if ordered is None:
                return None
            gpu = ordered[int(entry)] if int(entry) < len(ordered) else None
        else:
            gpu = _by_uuid(nvml, entry, every)
        if gpu is None:
            break
        found.append(gpu)
    return tuple(found)


def _in_cuda_order(gpus: tuple[Gpu, ...], environ: Mapping[str, str]) -> tuple[Gpu, ...] | None:
    if len(gpus) < 2:
        return gpus
    if environ.get(_ORDER) != _BUS_ORDER:
        return None
    places = {gpu: place for gpu in gpus if (place := gpu.bus()) is not None}
    return tuple(sorted(gpus, key=places.__getitem__)) if len(places) == len(gpus) else None


def _by_uuid(nvml: Nvml, entry: str, gpus: tuple[Gpu, ...]) -> Gpu | None:
    if entry.startswith(MIG_PREFIX):
        return nvml.look_up(entry)
    if not entry.startswith(_GPU_PREFIX):
        return None
    matches = [gpu for gpu in gpus if gpu.uuid.startswith(entry)]
    return matches[0] if len(matches) == 1 else None
