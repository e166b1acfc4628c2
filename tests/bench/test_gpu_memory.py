"""Memory on a GPU, waiting for one, and the predictor on one: Paddle 2.6, Paddle 3 and the CPU wheel."""

from __future__ import annotations

import pytest

from bench.engines.eager import synchroniser
from bench.engines.inference import run_and_wait, use_gpu
from bench.metrics.gpu_memory import GpuMemory, gpu_ordinal
from bench.nvml import Gpu, Nvml
from bench.record import Bound, Fact
from bench.units import Unit
from tests.bench.fake_gpu_device import (
    MIB,
    CpuWheelCuda,
    Device3x,
    Device26,
    Paddle3xCuda,
    Paddle26Cuda,
)
from tests.bench.fake_nvml import FakeGpu, FakeNvml, error

pytestmark = pytest.mark.nopaddle

PID = 4000
OTHER = 5000


def used() -> Paddle3xCuda:
    """After a model ran."""
    cuda = Paddle3xCuda()
    cuda.run(weights=40, temporary=200)
    return cuda


def meter(cuda: object, gpu: FakeGpu | None = None) -> tuple[GpuMemory, Nvml]:
    library = FakeNvml(*([gpu] if gpu else []))
    nvml = Nvml(lambda: library)
    found: Gpu | None = next(iter(nvml.gpus()), None)
    return GpuMemory(cuda, 0, found, PID), nvml


def by_name(facts: tuple[Fact, ...]) -> dict[str, Fact]:
    assert all(fact.unit is Unit.BYTES for fact in facts)
    return {fact.metric: fact for fact in facts}


def test_paddle_3_gives_each_case_its_own_peak() -> None:
    cuda = Paddle3xCuda()
    memory, _ = meter(cuda)
    memory.start()
    cuda.run(weights=40, temporary=200)
    first = by_name(memory.facts())
    memory.start()
    cuda.run(weights=0, temporary=30)
    second = by_name(memory.facts())
    assert first.keys() == {"gpu_allocated_peak", "gpu_reserved_peak"}
    assert first["gpu_allocated_peak"].value == 240 * MIB
    assert second["gpu_allocated_peak"].value == 70 * MIB
    # The pool of the case before was given back first.
    assert second["gpu_reserved_peak"].value == 70 * MIB
    assert {fact.bound for fact in (*first.values(), *second.values())} == {Bound.PEAK}


def test_paddle_26_can_not_reset_and_says_so() -> None:
    cuda = Paddle26Cuda()
    memory, _ = meter(cuda)
    memory.start()
    cuda.run(weights=40, temporary=200)
    memory.start()
    cuda.run(weights=0, temporary=30)
    facts = by_name(memory.facts())
    assert facts["gpu_allocated_peak"].value == 240 * MIB
    assert {fact.bound for fact in facts.values()} == {Bound.CUMULATIVE_PEAK}


def test_a_wheel_without_gpu_support_has_no_such_facts() -> None:
    memory, _ = meter(CpuWheelCuda())
    memory.start()
    assert memory.facts() == ()


def test_an_engine_that_the_allocator_does_not_count_gives_no_zero() -> None:
    memory, nvml = meter(Paddle3xCuda(), FakeGpu(processes=(((PID, 612 * MIB),),)))
    assert by_name(memory.facts()).keys() == {"gpu_process_memory"}
    assert "allocator peaks (Paddle's allocator doesn't count this engine)" in nvml.notes[0]


def test_nvml_counts_the_own_process() -> None:
    gpu = FakeGpu(processes=(((OTHER, 900 * MIB), (PID, 612 * MIB)),))
    memory, nvml = meter(used(), gpu)
    memory.start()
    fact = by_name(memory.facts())["gpu_process_memory"]
    assert fact.value == 612 * MIB
    assert "Of this process on GPU-11111111" in fact.note
    assert nvml.notes == ()


@pytest.mark.parametrize(
    "processes",
    [(), ((OTHER, 612 * MIB),), ((PID, None),)],
    ids=["none is listed", "numbers of the host", "listed without its memory"],
)
def test_where_the_own_share_is_hidden_the_growth_of_the_device_is_labelled(
    processes: tuple[tuple[int, int | None], ...],
) -> None:
    gpu = FakeGpu(memory_used=(450 * MIB, 1062 * MIB), processes=(processes,))
    memory, nvml = meter(used(), gpu)
    memory.start()
    fact = by_name(memory.facts())["gpu_process_memory"]
    assert fact.value == 612 * MIB
    assert fact.note.startswith("Device-level: what all programs hold on GPU-11111111")
    assert "less the same before the model was loaded" in fact.note
    assert nvml.notes == ()


@pytest.mark.parametrize("now", [450, 300])
def test_a_device_that_did_not_grow_gives_no_zero(now: int) -> None:
    memory, nvml = meter(used(), FakeGpu(memory_used=(450 * MIB, now * MIB)))
    assert "gpu_process_memory" not in by_name(memory.facts())
    assert "memory of the process (the device's use didn't grow" in nvml.notes[0]


def test_nothing_is_made_up_where_nvml_fails() -> None:
    library = FakeNvml(FakeGpu())
    library.failing = dict.fromkeys(
        ("nvmlDeviceGetMemoryInfo", "nvmlDeviceGetComputeRunningProcesses"), error("NoPermission")
    )
    nvml = Nvml(lambda: library)
    memory = GpuMemory(used(), 0, nvml.gpus()[0], PID)
    assert by_name(memory.facts()).keys() == {"gpu_allocated_peak", "gpu_reserved_peak"}
    assert nvml.notes == (
        "Unknown on the GPU: memory, processes (NVML says NoPermission: ask the administrator for access to "
        "the GPU's counters).",
    )


@pytest.mark.parametrize(
    ("name", "ordinal"), [("cpu", None), ("gpu:0", 0), ("gpu:3", 3), ("gpu", 0), ("xpu:0", None)]
)
def test_only_a_gpu_has_an_ordinal(name: str, ordinal: int | None) -> None:
    assert gpu_ordinal(Device3x(name, Paddle3xCuda())) == ordinal


def test_waiting_uses_what_the_version_has() -> None:
    older, newer = Paddle26Cuda(), Paddle3xCuda()
    for device in (Device26("gpu:0", older), Device3x("gpu:0", newer)):
        wait = synchroniser(device)
        assert wait is not None
        wait()
    assert (older.waits, newer.waits) == (1, 100)
    assert synchroniser(Device3x("cpu", newer)) is None


def test_a_predictors_step_ends_when_the_gpu_has_finished() -> None:
    order: list[str] = []
    step = run_and_wait(lambda: order.append("run"), lambda: order.append("wait"))
    step()
    assert order == ["run", "wait"]

    def run() -> None:
        order.append("run")

    assert run_and_wait(run, None) is run


def test_the_predictor_goes_where_paddle_is() -> None:
    class Config:
        calls: tuple[int, ...] = ()

        def enable_use_gpu(self, pool_mib: int, device: int) -> None:
            self.calls = (pool_mib, device)

    config = Config()
    use_gpu(config, None)
    assert config.calls == ()
    use_gpu(config, 2)
    assert config.calls == (1, 2)
