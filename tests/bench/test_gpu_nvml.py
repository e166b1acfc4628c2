"""Reading the GPU: figures, units, throttling by name, MIG, and every error that NVML documents."""

from __future__ import annotations

import os

import pytest

from bench.environment import accelerators
from bench.metrics.gpu_memory import GpuMemory
from bench.nvml import Gpu, GpuProcess, Nvml, load_pynvml, throttle_names
from tests.bench import fake_nvml
from tests.bench.fake_gpu_device import CpuWheelCuda
from tests.bench.fake_nvml import ERRORS, FUNCTIONS, FakeGpu, FakeNvml, NVMLError, error

pytestmark = pytest.mark.nopaddle

GIB = 2**30
# The readings that each function feeds, and that are unknown when it fails.
READS = {
    "nvmlDeviceGetMemoryInfo": "memory_used_bytes",
    "nvmlDeviceGetPowerUsage": "power_w",
    "nvmlDeviceGetClockInfo": "sm_clock_mhz",
    "nvmlDeviceGetTemperature": "temperature_c",
    "nvmlDeviceGetCurrentClocksEventReasons": "throttle",
    "nvmlDeviceGetComputeRunningProcesses": "processes",
}
NEWER_NAMES = {
    "nvmlDeviceGetCurrentClocksEventReasons": "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetComputeRunningProcesses": "nvmlDeviceGetComputeRunningProcesses_v2",
}


def busy_gpu() -> FakeGpu:
    return FakeGpu(processes=(((os.getpid(), GIB),),))


def opened(library: FakeNvml) -> Nvml:
    return Nvml(lambda: library)


def only(nvml: Nvml) -> Gpu:
    (gpu,) = nvml.gpus()
    return gpu


def readings(gpu: Gpu) -> dict[str, object]:
    return {name: getattr(gpu, name)() for name in READS.values()}


def test_figures_come_in_our_units() -> None:
    nvml = opened(FakeNvml(busy_gpu()))
    assert readings(only(nvml)) == {
        "memory_used_bytes": 451_018_752,
        "power_w": 251.317,
        "sm_clock_mhz": 1380,
        "temperature_c": 57,
        "throttle": (),
        "processes": (GpuProcess(os.getpid(), GIB),),
    }
    assert nvml.notes == ()


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("function", READS)
def test_every_error_of_a_reading_makes_it_unknown_and_is_named_once(function: str, name: str) -> None:
    library = FakeNvml(busy_gpu())
    nvml = opened(library)
    gpu = only(nvml)
    good = readings(gpu)
    library.failing = dict.fromkeys((function, NEWER_NAMES.get(function, function)), error(name))
    assert readings(gpu) == good | {READS[function]: None}
    readings(gpu)
    assert len(nvml.notes) == 1
    assert f"NVML says {name}: " in nvml.notes[0]


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_no_error_of_any_call_escapes(function: str, name: str) -> None:
    own = FakeGpu(memory_used=(GIB, 2 * GIB), processes=(((os.getpid(), GIB),),))
    library = FakeNvml(own, FakeGpu(uuid="GPU-2", memory_used=(GIB, 2 * GIB)))
    library.failing = {function: error(name)}
    nvml = opened(library)
    gpus = nvml.gpus()
    meters = [GpuMemory(CpuWheelCuda(), 0, gpu) for gpu in gpus]
    facts = [meter.facts() for meter in meters]
    for gpu in gpus:
        readings(gpu)
        gpu.is_split()
        gpu.bus()
    nvml.look_up("GPU-2")
    found = accelerators(nvml)
    # Nothing that failed may pass for a zero.
    assert all(fact.value > 0 for taken in facts for fact in taken)
    assert all(device.memory_bytes != 0 for device in found)
    silent = {"nvmlShutdown", "nvmlDeviceGetMigMode", *NEWER_NAMES.values()}
    absent = function == "nvmlDeviceGetHandleByUUID" and name in ("NotFound", "InvalidArgument")
    renamed = function in NEWER_NAMES and name == "FunctionNotFound"
    assert bool(nvml.notes) is not (function in silent or absent or renamed)
    assert all(f"NVML says {name}: " in note for note in nvml.notes)


@pytest.mark.parametrize("name", ERRORS)
def test_without_a_session_nothing_is_asked(name: str) -> None:
    library = FakeNvml(busy_gpu())
    library.failing = {"nvmlInit": error(name)}
    nvml = opened(library)
    assert not nvml.working
    assert accelerators(nvml) == ()
    assert library.calls == ["nvmlInit"]
    assert nvml.notes[0].startswith(f"Unknown on the GPU: all measurements by NVML (NVML says {name}: ")


def test_several_unknown_quantities_with_one_reason_are_one_note() -> None:
    library = FakeNvml(busy_gpu())
    nvml = opened(library)
    gpu = only(nvml)
    library.failing = dict.fromkeys(FUNCTIONS, error("GpuIsLost"))
    readings(gpu)
    assert nvml.notes == (
        "Unknown on the GPU: memory, power, SM clock, temperature, throttle reasons, processes (NVML says "
        "GpuIsLost: the GPU has fallen off the bus: restart the machine).",
    )


def test_a_code_that_the_package_does_not_know_is_named_by_number() -> None:
    library = FakeNvml(busy_gpu())
    nvml = opened(library)
    library.failing = {"nvmlDeviceGetPowerUsage": NVMLError(77)}
    assert only(nvml).power_w() is None
    assert "NVML says error 77: nvidia-smi may say more" in nvml.notes[0]


@pytest.mark.parametrize("newer", NEWER_NAMES)
def test_an_older_package_or_driver_is_asked_by_the_older_name(newer: str) -> None:
    for failing in (error("FunctionNotFound"), fake_nvml.NVMLLibraryMismatchError("driver too old")):
        library = FakeNvml(busy_gpu())
        nvml = opened(library)
        library.failing = {newer: failing}
        assert readings(only(nvml))[READS[newer]] is not None
        assert nvml.notes == ()
    library = FakeNvml(busy_gpu())
    library.missing = {newer}
    assert readings(only(opened(library)))[READS[newer]] is not None


def test_a_function_that_nothing_has_is_unknown() -> None:
    library = FakeNvml(busy_gpu())
    library.missing = set(NEWER_NAMES) | set(NEWER_NAMES.values())
    nvml = opened(library)
    gpu = only(nvml)
    assert gpu.throttle() is None
    assert gpu.processes() is None
    assert "throttle reasons, processes (NVML says FunctionNotFound: update" in nvml.notes[0]


def test_without_the_package_the_note_says_how_to_get_it() -> None:
    def absent() -> object:
        raise ImportError("No module named 'pynvml'")

    nvml = Nvml(absent)
    assert not nvml.working
    assert accelerators(nvml) == ()
    assert "pip install 'dyrelu-bench[gpu]'" in nvml.notes[0]


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (0x000, ()),
        (0x001 | 0x002 | 0x100, ()),  # idle, application clocks, display clocks: chosen, not forced
        (0x004, ("software power cap",)),
        (0x008 | 0x040, ("hardware slowdown", "hardware thermal slowdown")),
        (0x001 | 0x020, ("software thermal slowdown",)),
        (0x080, ("power brake",)),
        (0x4000, ("unknown reason 0x4000",)),
    ],
)
def test_throttling_has_names_and_choices_are_none(mask: int, names: tuple[str, ...]) -> None:
    assert throttle_names(mask) == names


def test_a_mig_instance_has_no_board_and_says_so() -> None:
    instance = FakeGpu(
        uuid="MIG-22222222-aaaa-4bbb-8ccc-000000000002",
        name="NVIDIA A100-SXM4-40GB MIG 3g.20gb",
        memory_total=20 * GIB,
        processes=(((os.getpid(), GIB),),),
    )
    whole = FakeGpu(name="NVIDIA A100-SXM4-40GB", mig=True)
    library = FakeNvml(whole, instances=(instance,))
    nvml = opened(library)
    gpu = nvml.look_up(instance.uuid)
    assert gpu is not None
    assert readings(gpu) == {
        "memory_used_bytes": 451_018_752,
        "power_w": None,
        "sm_clock_mhz": None,
        "temperature_c": None,
        "throttle": None,
        "processes": (GpuProcess(os.getpid(), GIB),),
    }
    assert nvml.notes == (
        "Unknown on the GPU: power, SM clock, temperature, throttle reasons (a MIG instance has none of its "
        "own; measure on a whole GPU to have it).",
    )
    assert "nvmlDeviceGetPowerUsage" not in library.calls
    assert only(nvml).is_split()
    assert not gpu.is_split()


def test_an_environment_lists_what_cuda_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = FakeGpu(uuid="GPU-1"), FakeGpu(uuid="GPU-2", name="NVIDIA A100", bus=(0, 0x1A, 0))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("CUDA_DEVICE_ORDER", raising=False)
    every = accelerators(opened(FakeNvml(first, second)))
    assert [device.uuid for device in every] == ["GPU-1", "GPU-2"]
    assert (every[0].name, every[0].memory_bytes) == ("Tesla V100-SXM2-32GB", 34_089_730_048)
    assert every[0].driver == "535.104.05"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-2")
    assert [device.uuid for device in accelerators(opened(FakeNvml(first, second)))] == ["GPU-2"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert accelerators(opened(FakeNvml(first, second))) == ()


def test_the_fake_is_like_the_package() -> None:
    pynvml = pytest.importorskip("pynvml")
    real = {kind.__name__.removeprefix("NVMLError_"): kind for kind in pynvml.NVMLError.__subclasses__()}
    assert {name: pynvml.nvmlExceptionClass(code).__name__ for name, code in ERRORS.items()} == {
        name: kind.__name__ for name, kind in real.items()
    }
    assert all(callable(getattr(pynvml, function)) for function in FUNCTIONS)
    assert (pynvml.NVML_CLOCK_SM, pynvml.NVML_TEMPERATURE_GPU) == (1, 0)
    constants = {
        "SwPowerCap": ("software power cap",),
        "HwSlowdown": ("hardware slowdown",),
        "SyncBoost": ("sync boost",),
        "SwThermalSlowdown": ("software thermal slowdown",),
        "HwThermalSlowdown": ("hardware thermal slowdown",),
        "HwPowerBrakeSlowdown": ("power brake",),
        "GpuIdle": (),
        "ApplicationsClocksSetting": (),
        "DisplayClockSetting": (),
        "None": (),
    }
    for name, expected in constants.items():
        assert throttle_names(getattr(pynvml, f"nvmlClocksEventReason{name}")) == expected


def test_the_real_package_without_a_driver_degrades() -> None:
    pytest.importorskip("pynvml")
    nvml = Nvml(load_pynvml)
    if nvml.working:
        pytest.skip("there is an NVIDIA driver here")
    assert accelerators(nvml) == ()
    assert "LibraryNotFound" in nvml.notes[0] or "DriverNotLoaded" in nvml.notes[0]
