"""A worker with real Paddle, first as it is here, then with a GPU's instruments put in."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import worker
from bench.case import Case, DType
from bench.device import Device, gpu_device, open_device
from bench.messages import BlockTask, CaseFacts, Event, FactsTask, GroupTask, Measured, Note, Request
from bench.metrics.gpu_memory import GpuMemory, gpu_ordinal, paddle_device
from bench.nvml import Nvml
from bench.presets.schema import ModelEntry, ModelsSpec
from bench.record import Protocol
from tests.bench.fake_gpu_device import Paddle3xCuda
from tests.bench.fake_nvml import FakeGpu, FakeNvml

GIB = 2**30
CASE = Case("models", "net", 1, (3, 8, 8), DType.FLOAT32, "eager")
PROTOCOL = Protocol(reference="net", rounds=2, burst_ms=1.0, max_warmup_bursts=2)
FACTS = FactsTask("models", "net", (CASE,))
BLOCK = BlockTask(0, calibrate=False, groups=(GroupTask(CASE.group, 1, (CASE,)),))


def run(task: FactsTask | BlockTask, folder: Path) -> list[Event]:
    spec = ModelsSpec((3, 8, 8), (ModelEntry("net", "tests.bench.faulty_models:Healthy"),))
    request = Request((spec,), PROTOCOL, 2, 0, str(folder), {}, task)
    events: list[Event] = []
    worker._Worker(request, events.append).run()
    return events


def windows(events: list[Event]) -> list[Measured]:
    return [event for event in events if isinstance(event, Measured)]


def test_on_the_cpu_nothing_speaks_of_a_gpu(tmp_path: Path) -> None:
    if gpu_ordinal(paddle_device()) is not None:
        pytest.skip("Paddle runs on a GPU here")
    assert len(open_device(threads=2).meters) == 1
    memory = GpuMemory(paddle_device().cuda, 0, None)
    memory.start()
    assert memory.facts() == ()
    events = [*run(FACTS, tmp_path), *run(BLOCK, tmp_path)]
    assert not any(isinstance(event, Note) for event in events)
    (facts,) = (event.facts for event in events if isinstance(event, CaseFacts))
    assert {fact.metric for fact in facts} == {"peak_resident", "peak_tensor"}
    found = [event.window.disturbance for event in windows(events)]
    assert found
    assert all(disturbance is not None and disturbance.gpu is None for disturbance in found)


def test_on_a_gpu_facts_windows_and_notes_have_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = (os.getpid(), GIB), (1, 2 * GIB)
    gpu = FakeGpu(processes=((own,), (own,), (own,), (own, other), (own,)))
    monkeypatch.setattr(worker, "open_device", lambda *_: fake_device(gpu))
    (facts,) = (event.facts for event in run(FACTS, tmp_path) if isinstance(event, CaseFacts))
    assert {fact.metric for fact in facts} >= {
        "peak_resident",
        "gpu_allocated_peak",
        "gpu_reserved_peak",
        "gpu_process_memory",
    }
    events = run(BLOCK, tmp_path)
    states = [event.window.disturbance and event.window.disturbance.gpu for event in windows(events)]
    assert states
    assert all(state is not None and state.power_w == 251.317 for state in states)
    assert [event.text for event in events if isinstance(event, Note)] == [
        "Process 1 was computing on the GPU as well (2.0 GiB): bursts beside it are discarded; end it, or "
        "choose another GPU with CUDA_VISIBLE_DEVICES."
    ]


def fake_device(gpu: FakeGpu) -> Device:
    cuda = Paddle3xCuda()
    cuda.run(weights=40, temporary=200)
    library = FakeNvml(gpu)
    return gpu_device(cuda, 0, Nvml(lambda: library), 2, lambda _: gpu.uuid.removeprefix("GPU-"))


def test_without_nvml_a_gpu_still_has_the_allocators_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent() -> object:
        raise ImportError("No module named 'pynvml'")

    cuda = Paddle3xCuda()
    cuda.run(weights=40, temporary=200)
    device = gpu_device(cuda, 0, Nvml(absent), 2)
    monkeypatch.setattr(worker, "open_device", lambda *_: device)
    events = run(FACTS, tmp_path)
    (facts,) = (event.facts for event in events if isinstance(event, CaseFacts))
    assert "gpu_allocated_peak" in {fact.metric for fact in facts}
    assert "gpu_process_memory" not in {fact.metric for fact in facts}
    assert [event.text for event in events if isinstance(event, Note)] == [
        "Unknown on the GPU: all measurements by NVML (nvidia-ml-py isn't installed: pip install "
        "'dyrelu-bench[gpu]')."
    ]
