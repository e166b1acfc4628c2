"""Real worker processes, real failures: each costs its own row and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.blocks import latency_series
from bench.quality import block_values
from bench.record import Bound, FailureKind, Record, Suite
from bench.storage import load_suite
from bench.units import Unit

ROOT = Path(__file__).parents[2]
MODULE = "tests.bench.faulty_models"


def run_models(out: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench", "run", "--input", "3,8,8", "--out", str(out), *flags]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        timeout=300,
    )


def models(*names: str) -> list[str]:
    return [flag for name in names for flag in ("--model", f"{MODULE}:{name}")]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    out = tmp_path_factory.mktemp("faulty") / "run"
    names = ("Healthy", "Killed", "Hanging", "Hungry", "LateKilled", "Raising", "Strange", "NotANumber")
    names += ("Exiting", "Scribbling")
    sizes = ("--batch", "1", "--batch", "2", "--blocks", "3", "--engine", "eager", "--timeout", "8")
    return out, run_models(out, *models(*names), *sizes)


@pytest.fixture(scope="module")
def suite(run: tuple[Path, subprocess.CompletedProcess[str]]) -> Suite:
    assert run[1].returncode == 5, run[1].stderr
    return load_suite(run[0])


def record(suite: Suite, variant: str, batch: int) -> Record:
    return next(r for r in suite.records if (r.case.variant, r.case.batch) == (variant, batch))


@pytest.mark.parametrize(
    ("variant", "kind", "said"),
    [
        ("Killed", FailureKind.DIED, "SIGKILL"),
        ("Hanging", FailureKind.TIMEOUT, "no result within 8 s"),
        ("Hungry", FailureKind.OUT_OF_MEMORY, "40000000000000"),
        ("Raising", FailureKind.ERROR, "this layer takes no pairs"),
        ("Exiting", FailureKind.ERROR, "sys.exit(3)"),
        ("Scribbling", FailureKind.DIED, "wrote on its channel"),
    ],
)
def test_each_failure_has_its_row_and_reason(
    suite: Suite, variant: str, kind: FailureKind, said: str
) -> None:
    skipped = record(suite, variant, 2).skipped
    assert skipped is not None
    assert skipped.kind is kind
    assert said in skipped.message


def test_the_rest_of_the_run_is_complete(suite: Suite) -> None:
    for variant in ("Healthy", "Killed", "Hanging", "Hungry", "LateKilled", "Raising", "Strange", "Exiting"):
        each = record(suite, variant, 1)
        assert each.skipped is None, variant
        assert sorted(block_values(each, suite.sessions[0].protocol)) == [0, 1, 2]
        assert {fact.metric for fact in each.facts} >= {"macs", "flops", "parameters_total", "peak_resident"}
    assert record(suite, "Healthy", 2).skipped is None


def test_a_worker_lost_while_timing_leaves_its_group_unpaired(suite: Suite) -> None:
    late = record(suite, "LateKilled", 2)
    assert [(failure.kind, failure.block) for failure in late.failures] == [
        (FailureKind.DIED, 0),
        (FailureKind.DIED, 1),
    ]
    assert record(suite, "Healthy", 2).unpaired == (0, 1)
    assert record(suite, "Healthy", 1).unpaired == ()


def test_no_finite_output_is_no_result(suite: Suite) -> None:
    skipped = record(suite, "NotANumber", 1).skipped
    assert skipped is not None
    assert skipped.kind is FailureKind.PARITY


def test_an_unknown_operator_is_named(suite: Suite) -> None:
    flops = next(fact for fact in record(suite, "Strange", 1).facts if fact.metric == "flops")
    assert flops.bound is Bound.AT_LEAST
    assert "cumsum" in flops.note


def test_samples_are_raw_and_warm_up_is_marked(suite: Suite) -> None:
    series = latency_series(record(suite, "Healthy", 1))
    assert series is not None
    assert any(window.warmup for window in series.windows)
    assert series.unit is Unit.NANOSECONDS
    assert all(isinstance(value, int) and value > 0 for window in series.windows for value in window.values)
    assert {window.block for window in series.windows} == {0, 1, 2}
    assert {s.metric for s in suite.sessions[0].calibration} >= {"calibration_matmul", "calibration_copy"}


def test_the_report_shows_every_reason(
    run: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, process = run
    report = (out / "report.md").read_text()
    for said in (
        "SIGKILL",
        "no result within 8 s",
        "out of memory",
        "takes no pairs",
        "cumsum",
        "not finite",
    ):
        assert said in report
    assert str(out) not in report
    assert "Traceback" not in process.stderr
    # Seven at batch 2, NotANumber at both.
    assert process.stdout.strip().splitlines()[-1].startswith("9 failed, 11 measured")


def test_an_engine_with_another_output_is_not_timed(tmp_path: Path) -> None:
    process = run_models(tmp_path / "run", *models("Healthy", "Moody"), "--batch", "1", "--blocks", "1")
    assert process.returncode == 5, process.stderr
    skipped = {
        (r.case.variant, r.case.engine): r.skipped.kind
        for r in load_suite(tmp_path / "run").records
        if r.skipped is not None
    }
    assert skipped == {("Moody", "inference"): FailureKind.PARITY}


@pytest.mark.parametrize(
    ("factory", "said"),
    [
        ("no_such_module:x", "can't be imported"),
        (f"{MODULE}:no_such_factory", "has no callable"),
        (f"{MODULE}:not_a_layer", "returned int, not a paddle.nn.Layer"),
        (f"{MODULE}:raises", "no weights here"),
        (f"{MODULE}:Pair", "returns a tuple, not one tensor"),
    ],
)
def test_a_model_that_cannot_be_built_is_a_row_with_the_reason(
    tmp_path: Path, factory: str, said: str
) -> None:
    flags = ("--model", factory, "--batch", "1", "--blocks", "1", "--engine", "eager")
    process = run_models(tmp_path / "run", *flags)
    assert process.returncode == 5
    assert "Traceback" not in process.stderr
    assert said in (tmp_path / "run/report.md").read_text()


def test_no_worker_outlives_a_runner_that_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench", "run", "--input", "3,8,8", "--out", str(tmp_path / "run")]
    runner = subprocess.Popen(
        [*command, *models("Hanging"), "--batch", "2", "--engine", "eager"],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not (children := psutil.Process(runner.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(4)  # until it hangs in its first step, where it writes nothing
    runner.kill()
    runner.wait()
    gone, alive = psutil.wait_procs(children, timeout=20)
    assert gone
    assert alive == []
