"""Which GPU it is: CUDA's numbers against NVML's, joined by UUID, and never by an order that isn't sure."""

from __future__ import annotations

import ctypes
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from bench.cuda_devices import driver_uuid, find_gpu, visible_gpus
from bench.nvml import Nvml
from tests.bench.fake_nvml import ERRORS, FakeGpu, FakeNvml, error

pytestmark = pytest.mark.nopaddle

A = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6"
B = "GPU-8932f000-aaaa-4106-c12f-20bd9faed9f6"
C = "GPU-1b2c3d4e-0000-4106-c12f-20bd9faed9f6"
MIG = "MIG-5c89852c-d268-5e2a-8bb5-ba0c7be5bb5c"
OLD_MIG = f"MIG-{A}/1/0"
BUS_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}


def machine() -> FakeNvml:
    """Three unlike GPUs, which NVML doesn't list in the order of the bus, and two MIG instances."""
    return FakeNvml(
        FakeGpu(uuid=A, name="NVIDIA A100-SXM4-40GB", bus=(0, 0xAF, 0)),
        FakeGpu(uuid=B, name="Tesla V100-SXM2-32GB", bus=(0, 0x3B, 0)),
        FakeGpu(uuid=C, name="Tesla T4", bus=(1, 0x02, 0)),
        instances=(FakeGpu(uuid=MIG), FakeGpu(uuid=OLD_MIG)),
    )


def opened(library: FakeNvml | None = None) -> Nvml:
    library = library or machine()
    return Nvml(lambda: library)


def shown(environ: dict[str, str]) -> list[str] | None:
    found = visible_gpus(opened(), environ)
    return None if found is None else [gpu.uuid for gpu in found]


@pytest.mark.parametrize(
    ("visible", "uuids"),
    [
        (None, [B, A, C]),
        ("0,1,2", [B, A, C]),
        ("2,0", [C, B]),
        ("1", [A]),
        ("0,2,-1,1", [B, C]),  # the example of the programming guide: what is invalid ends the list
        ("0,9,1", [B]),
        (" 2 , 1 ", [C, A]),
        (f"{C},{A}", [C, A]),
        ("GPU-1b2c,GPU-8932f9", [C, A]),
        ("GPU-8932f,0", []),  # the beginning of two
        (MIG, [MIG]),
        (OLD_MIG, [OLD_MIG]),
        ("MIG-nowhere", []),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_cuda_visible_devices_as_the_guide_defines_it(visible: str | None, uuids: list[str]) -> None:
    setting = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert shown(BUS_ORDER | setting) == uuids


def test_indices_are_not_believed_where_cuda_counts_the_fastest_first() -> None:
    assert shown({"CUDA_VISIBLE_DEVICES": "0"}) is None
    assert shown({}) is None
    assert shown({"CUDA_VISIBLE_DEVICES": f"{C},GPU-8932f9"}) == [C, A]
    alone = visible_gpus(opened(FakeNvml(FakeGpu(uuid=A))), {"CUDA_VISIBLE_DEVICES": "0"})
    assert alone is not None
    assert [gpu.uuid for gpu in alone] == [A]


def test_indices_are_not_believed_where_a_place_on_the_bus_is_unknown() -> None:
    library = machine()
    library.failing = {"nvmlDeviceGetPciInfo": error("NotSupported")}
    nvml = opened(library)
    assert visible_gpus(nvml, BUS_ORDER) is None
    assert "place on the bus (NVML says NotSupported" in nvml.notes[0]


def find(ordinal: int, told: str | None, environ: dict[str, str], nvml: Nvml | None = None) -> str | None:
    found = find_gpu(nvml or opened(), ordinal, lambda _: told, environ)
    return found and found.uuid


def test_the_drivers_word_comes_before_the_variables() -> None:
    assert find(0, C.removeprefix("GPU-"), {"CUDA_VISIBLE_DEVICES": "0"}) == C
    assert find(0, MIG.removeprefix("MIG-"), {"CUDA_VISIBLE_DEVICES": "0"}) == MIG


def test_the_programs_number_counts_the_visible_ones() -> None:
    setting = BUS_ORDER | {"CUDA_VISIBLE_DEVICES": "2,0"}
    assert [find(ordinal, None, setting) for ordinal in (0, 1, 2)] == [C, B, None]


@pytest.mark.parametrize("told", [None, "00000000-0000-4000-8000-000000000000"])
def test_what_is_not_certain_is_unknown_with_the_remedy(told: str | None) -> None:
    nvml = opened()
    assert find(0, told, {}, nvml) is None
    assert nvml.notes == (
        "Unknown on the GPU: which GPU it is (set CUDA_VISIBLE_DEVICES to its UUID (nvidia-smi -L), or "
        "CUDA_DEVICE_ORDER=PCI_BUS_ID).",
    )


def test_a_gpu_that_mig_splits_is_not_measured_as_a_whole() -> None:
    library = FakeNvml(FakeGpu(uuid=A, name="NVIDIA A100-SXM4-40GB", mig=True))
    nvml = opened(library)
    assert find(0, A.removeprefix("GPU-"), {}, nvml) is None
    assert "split by MIG: set CUDA_VISIBLE_DEVICES to the instance's MIG UUID" in nvml.notes[0]


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_of_the_look_up_leaves_it_unknown(name: str) -> None:
    library = machine()
    library.failing = {"nvmlDeviceGetHandleByUUID": error(name)}
    nvml = opened(library)
    assert find(0, C.removeprefix("GPU-"), {}, nvml) is None
    assert name in ("NotFound", "InvalidArgument") or f"NVML says {name}: " in nvml.notes[0]
    assert any("which GPU it is" in note for note in nvml.notes)


class FakeCuda:
    """libcuda: functions fill in what they are given by reference and return a status."""

    def __init__(self, known: dict[int, str], init: int = 0) -> None:
        self._known = known
        self._init = init

    def cuInit(self, flags: int) -> int:
        assert flags == 0
        return self._init

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:
        device._obj.value = 40 + ordinal
        return 0 if ordinal in self._known else 101

    def _uuid(self, found: Any, device: ctypes.c_int) -> int:
        found._obj[:] = uuid.UUID(self._known[device.value - 40]).bytes
        return 0


class NewCuda(FakeCuda):
    cuDeviceGetUuid_v2 = FakeCuda._uuid

    def cuDeviceGetUuid(self, found: Any, device: ctypes.c_int) -> int:
        raise AssertionError(f"gives the GPU around an instance: {found} {device}")


class OldCuda(FakeCuda):
    cuDeviceGetUuid = FakeCuda._uuid


def loader(library: object) -> Callable[[str], object]:
    def load(name: str) -> object:
        assert name == "libcuda.so.1"
        return library

    return load


@pytest.mark.parametrize("kind", [NewCuda, OldCuda])
def test_the_driver_is_asked_for_the_uuid(kind: type[FakeCuda]) -> None:
    digits = {0: C.removeprefix("GPU-"), 1: A.removeprefix("GPU-")}
    load = loader(kind(digits))
    assert [driver_uuid(ordinal, load) for ordinal in (0, 1, 2)] == [digits[0], digits[1], None]


def test_a_driver_that_says_nothing_is_none() -> None:
    def absent(name: str) -> object:
        raise OSError(f"{name}: cannot open shared object file")

    assert driver_uuid(0, absent) is None
    assert driver_uuid(0, loader(NewCuda({0: A.removeprefix("GPU-")}, init=100))) is None
    assert driver_uuid(0, loader(FakeCuda({}))) is None
