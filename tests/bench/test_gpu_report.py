"""From a GPU that throttles and is shared to the report: probe, discarded bursts, suite file, tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from bench.case import Case, Condition, DType
from bench.disturbance import GpuProbe, discard_reason
from bench.environment import Accelerator
from bench.measure import Instruments, measure_group
from bench.metrics.gpu_memory import GpuMemory
from bench.nvml import Nvml
from bench.record import (
    SCHEMA_VERSION,
    Bound,
    Disturbance,
    GpuState,
    Protocol,
    Record,
    Series,
    Session,
    Suite,
    Window,
)
from bench.report import write_report
from bench.storage import load_suite
from bench.units import Direction, Unit
from tests.bench.fake_gpu_device import Paddle26Cuda
from tests.bench.fake_nvml import FUNCTIONS, FakeGpu, FakeNvml, error
from tests.bench.fakes import QUIET, FakeClock, FakeProbe, Recorder
from tests.bench.suites import environment
from tests.bench.training_logs import write_run

pytestmark = pytest.mark.nopaddle

PID, OTHER = 4000, 5000
GIB = 2**30
OWN = ((PID, GIB),)
SHARED = (*OWN, (OTHER, 3 * GIB))
PROTOCOL = Protocol(reference="relu", blocks=6, rounds=3, min_iterations=1, burst_ms=5.0)
HOT = 0x40  # hardware thermal slowdown
GPU = FakeGpu().uuid


def probe_of(gpu: FakeGpu, library: FakeNvml | None = None) -> tuple[GpuProbe, Nvml]:
    library = library or FakeNvml(gpu)
    nvml = Nvml(lambda: library)
    return GpuProbe(FakeProbe(QUIET), nvml.gpus()[0], PID), nvml


def window_of(probe: GpuProbe) -> GpuState:
    probe.start()
    state = probe.stop().gpu
    assert state is not None
    return state


def test_a_window_has_the_state_after_its_last_step() -> None:
    gpu = FakeGpu(power_mw=(60_000, 250_000), temperature_c=(40, 61), processes=(OWN,))
    probe, nvml = probe_of(gpu)
    assert window_of(probe) == GpuState(250.0, 1380, 61, (), 0)
    assert (nvml.notes, probe.notes) == ((), ())


@pytest.mark.parametrize("reasons", [(HOT, 0), (0, HOT), (HOT, HOT)])
def test_throttling_before_or_after_counts(reasons: tuple[int, ...]) -> None:
    probe, _ = probe_of(FakeGpu(reasons=reasons, processes=(OWN,)))
    assert window_of(probe).throttle == ("hardware thermal slowdown",)


def test_another_process_is_counted_and_named() -> None:
    probe, _ = probe_of(FakeGpu(processes=(OWN, SHARED)))
    assert window_of(probe).foreign_processes == 1
    assert probe.notes == (
        f"Process {OTHER} was computing on the GPU as well (3.0 GiB): bursts beside it are discarded; end "
        "it, or choose another GPU with CUDA_VISIBLE_DEVICES.",
    )


@pytest.mark.parametrize("listed", [(), ((OTHER, GIB),)], ids=["an empty list", "the host's numbers"])
def test_a_list_without_ourselves_tells_nothing_of_others(listed: tuple[tuple[int, int], ...]) -> None:
    probe, nvml = probe_of(FakeGpu(processes=(listed,)))
    assert window_of(probe).foreign_processes is None
    assert probe.notes == ()
    assert "other processes (NVML doesn't list this one, as in a container" in nvml.notes[0]


def test_a_gpu_that_falls_off_the_bus_leaves_unknowns() -> None:
    library = FakeNvml(FakeGpu(processes=(OWN,)))
    probe, nvml = probe_of(FakeGpu(), library)
    library.failing = dict.fromkeys(FUNCTIONS, error("GpuIsLost"))
    assert window_of(probe) == GpuState()
    assert len(nvml.notes) == 1


def test_a_gpu_that_nvml_does_not_know_is_unknown() -> None:
    assert window_of(GpuProbe(FakeProbe(QUIET), None)) == GpuState()


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (GpuState(), ""),
        (GpuState(250.0, 1380, 61, (), 0), ""),
        (GpuState(throttle=("software power cap",)), "throttled: software power cap"),
        (
            GpuState(throttle=("power brake", "hardware slowdown"), foreign_processes=2),
            "throttled: power brake, hardware slowdown",
        ),
        (GpuState(foreign_processes=1), "1 foreign process on the GPU"),
        (GpuState(foreign_processes=3), "3 foreign processes on the GPU"),
    ],
)
def test_discard_reasons(state: GpuState, reason: str) -> None:
    assert discard_reason(msgspec.structs.replace(QUIET, gpu=state), 1.0, PROTOCOL) == reason


def test_files_without_a_gpu_are_as_they_were() -> None:
    text = msgspec.json.encode(QUIET)
    assert b"gpu" not in text
    old = b'{"steal":0.0,"pressure":0.1,"involuntary_switches":2,"load":1.0}'
    assert msgspec.json.decode(old, type=Disturbance) == Disturbance(0.0, 0.1, 2, 1.0)


def sampled(gpu: FakeGpu) -> tuple[dict[str, list[Window]], tuple[str, ...]]:
    """Six blocks of two variants on this GPU, of which the second takes 1.5 times the first's time."""
    windows: dict[str, list[Window]] = {"relu": [], "dyrelu_b": []}
    probe, nvml = probe_of(gpu)
    for block in range(PROTOCOL.blocks):
        clock, recorder = FakeClock(), Recorder()
        steps = {"relu": clock.step(0.002), "dyrelu_b": clock.step(0.003)}
        measure_group(steps, block, block, PROTOCOL, Instruments(clock, probe), recorder)
        for variant, window in recorder.windows:
            windows[variant].append(window)
    return windows, (*nvml.notes, *probe.notes)


def gpu_suite(gpu: FakeGpu, cuda: Paddle26Cuda) -> Suite:
    """A session on this GPU. `cuda` has run the model already."""
    windows, notes = sampled(gpu)
    library = FakeNvml(FakeGpu(memory_used=(GIB, 2 * GIB)))  # the own process isn't listed
    facts = GpuMemory(cuda, 0, Nvml(lambda: library).gpus()[0], PID).facts()
    device = Accelerator(GPU, gpu.name, gpu.memory_total, "535.104.05")
    machine = msgspec.structs.replace(environment(), accelerators=(device,))
    records = tuple(_record(variant, found, facts) for variant, found in windows.items())
    session = Session(
        id="s1",
        environment=machine.fingerprint,
        protocol=PROTOCOL,
        preset="gpu",
        command="dyrelu-bench run --preset gpu",
        started="2025-03-01T12:00:00Z",
        warnings=notes,
        planned=tuple(record.case for record in records),
    )
    return Suite(SCHEMA_VERSION, {machine.fingerprint: machine}, (session,), records)


def _record(variant: str, windows: Sequence[Window], facts: tuple[msgspec.Struct, ...]) -> Record:
    series = Series("latency", Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, tuple(windows))
    case = Case("resnet18", variant, 8, (3, 32, 32), DType.FLOAT32, "eager")
    return Record(case, Condition(2, "plain", "random"), "s1", facts=facts, series=(series,))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> tuple[Suite, str]:
    """The GPU gets too hot for three readings of the first block, and a process comes by in the third."""
    cuda = Paddle26Cuda()
    cuda.run(weights=43, temporary=100)
    # A window is two readings; a block has 4 warm-up bursts, and 6 that count where nothing disturbs.
    gpu = FakeGpu(
        power_mw=(248_000, 251_000),
        temperature_c=(*range(50, 72), 68),
        reasons=(*[1] * 10, HOT, HOT, 0x80, 0),
        processes=(*[OWN] * 60, SHARED, OWN),
    )
    run = write_run(tmp_path_factory.mktemp("gpu"), gpu_suite(gpu, cuda))
    write_report(run)
    return load_suite(run), (run / "report.md").read_text()


def rows_of(text: str, title: str) -> list[list[str]]:
    lines = text[text.index(title) :].splitlines()[1:]
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def test_the_suite_keeps_the_state_of_every_window(report: tuple[Suite, str]) -> None:
    suite, _ = report
    windows = [window for record in suite.records for window in record.series[0].windows]
    states = [window.disturbance.gpu for window in windows if window.disturbance is not None]
    assert len(states) == len(windows)
    assert all(state is not None and state.sm_clock_mhz == 1380 for state in states)
    assert sum(bool(window.discarded) for window in windows) == 3


def test_the_report_counts_throttled_and_shared_bursts_by_reason(report: tuple[Suite, str]) -> None:
    header, *rows = rows_of(report[1], "### Discarded bursts")
    assert header == ["Engine", "Reason", "Bursts", "Share"]
    assert [row[1:3] for row in rows] == [
        ["foreign process on the GPU", "1"],
        ["throttled: hardware thermal slowdown", "1"],
        ["throttled: power brake", "1"],
    ]
    assert "the clocks were held down" in report[1]


def test_the_report_shows_the_gpus_state(report: tuple[Suite, str]) -> None:
    header, row = rows_of(report[1], "## GPU\n")
    cells = dict(zip(header, row, strict=True))
    assert cells["Engine"] == "eager"
    assert cells["Batch"] == "8"
    assert cells["Power (median)"] == "251 W"
    assert cells["SM clock (median)"] == "1,380 MHz"
    assert cells["Temperature"].endswith("–71 °C")
    assert cells["Throttled bursts"] == f"{100 * 2 / int(cells['Bursts']):.1f}%"
    assert cells["Other processes (most at once)"] == "1"


def test_the_report_shows_gpu_memory_with_its_labels(report: tuple[Suite, str]) -> None:
    suite, text = report
    assert {fact.bound for fact in suite.records[0].facts} == {Bound.CUMULATIVE_PEAK, Bound.EXACT}
    header, first, _ = rows_of(text, "### Memory: eager")
    assert header[2:] == ["GPU peak allocated", "GPU peak reserved", "GPU memory of the process"]
    assert [cell.split(" MiB")[0] for cell in first[2:]] == ["143.0", "143.0", "1,024.0"]
    assert "Cumulative: the process's peak up to here" in text
    assert f"Device-level: what all programs hold on {GPU}, less the same before" in text


def test_the_report_names_device_and_other_process(report: tuple[Suite, str]) -> None:
    text = report[1]
    assert f"Tesla V100-SXM2-32GB, 31.7 GiB, driver 535.104.05, {GPU}" in text
    assert f"Process {OTHER} was computing on the GPU as well (3.0 GiB)" in text


def test_unknown_is_said_and_not_zero(tmp_path: Path) -> None:
    instance = FakeGpu(uuid="MIG-1", processes=(OWN,))
    cuda = Paddle26Cuda()
    cuda.run(weights=43, temporary=100)
    run = write_run(tmp_path, gpu_suite(instance, cuda))
    write_report(run)
    text = (run / "report.md").read_text()
    assert rows_of(text, "## GPU\n")[1][3:] == ["unknown", "unknown", "unknown", "unknown", "0"]
    assert "a MIG instance has none of its own" in text
    assert "### Discarded bursts" not in text
