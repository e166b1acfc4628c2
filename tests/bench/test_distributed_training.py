"""`dyrelu-bench train` under Paddle's launcher: one clear sentence and a usable checkpoint after a death."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.training_run import TrainingRun, read_training_run
from tests.dyrelu.launching import REPOSITORY, launch, ranks_below

PROGRAM = """
import sys
from bench.cli import main
main()
"""


def train(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Two processes of the command; the installed script is no part of a source tree, so one like it."""
    script = folder / "dyrelu_bench_script.py"
    script.write_text(PROGRAM)
    return launch(folder, str(script), "train", "--variant", "relu", "--out", str(folder / "run"), *arguments)


def log_of(folder: Path) -> Path:
    return folder / "run/training/relu-seed0/training.jsonl"


def wait_for_epoch(folder: Path, process: subprocess.Popen[str]) -> None:
    checkpoint = log_of(folder).parent / "checkpoint.safetensors"
    deadline = time.monotonic() + 60
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)


def finished(folder: Path, process: subprocess.Popen[str]) -> TrainingRun:
    output, _ = process.communicate(timeout=200)
    run = read_training_run(log_of(folder))
    assert run.status == "finished", output
    return run


def kill_one(folder: Path, rank: int) -> tuple[int, str]:
    """A job of which one process is killed after an epoch; its status and output."""
    process = train(folder, "--epochs", "6")
    wait_for_epoch(folder, process)
    ranks_below(process)[rank].kill()
    output, _ = process.communicate(timeout=60)
    return process.returncode, output


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A job whose second process was killed: its folder, status and output."""
    folder = tmp_path_factory.mktemp("killed")
    return folder, *kill_one(folder, 1)


def test_a_killed_process_ends_the_job_with_a_sentence_and_a_checkpoint(
    killed: tuple[Path, int, str],
) -> None:
    folder, status, output = killed
    assert status != 0
    # A launcher that ends a process shows no more of what it says, but writes it down.
    log = (folder / "log/workerlog.0").read_text()
    said = [line for line in log.splitlines() if line.startswith("dyrelu-bench: ")]
    # Whichever comes first: the survivor finds the other gone, or the launcher ends it.
    assert said, output + log
    assert "SignalInfo" not in log
    assert "process 0 of 2 lost another process (" in said[0] or "interrupted" in said[0]
    assert "resume" in said[0]
    run = read_training_run(log_of(folder))
    assert run.status in ("failed", "interrupted")
    assert "batch-norm statistics are local" in run.notes[0]
    assert "batch-norm statistics are local" in output


def test_a_job_of_one_process_may_not_go_on_with_it(killed: tuple[Path, int, str]) -> None:
    folder = killed[0]
    command = [sys.executable, "-m", "bench", "train", "--variant", "relu", "--epochs", "6"]
    alone = subprocess.run(
        [*command, "--out", str(folder / "run"), "--resume"],
        cwd=REPOSITORY,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert alone.returncode == 2
    assert "was made with another" in alone.stderr
    assert "number of processes" in alone.stderr


@pytest.mark.slow
def test_where_the_first_process_is_killed_the_second_says_so_in_its_log(tmp_path: Path) -> None:
    status, _ = kill_one(tmp_path, 0)
    assert status != 0
    said = (tmp_path / "log/workerlog.1").read_text()
    assert "dyrelu-bench: process 1 of 2 lost another process (" in said or "interrupted" in said
    assert "Traceback" not in said
    assert (log_of(tmp_path).parent / "checkpoint.safetensors").exists()


@pytest.mark.slow
def test_a_resumed_job_ends_in_the_weights_of_an_undisturbed_one(
    tmp_path: Path, killed: tuple[Path, int, str]
) -> None:
    folder = killed[0]
    undisturbed = finished(tmp_path, train(tmp_path, "--epochs", "6"))
    resumed = finished(folder, train(folder, "--epochs", "6", "--resume"))
    assert [epoch.loss for epoch in resumed.epochs] == [epoch.loss for epoch in undisturbed.epochs]
    weights = "weights.safetensors"
    assert (log_of(folder).parent / weights).read_bytes() == (log_of(tmp_path).parent / weights).read_bytes()


@pytest.mark.slow
def test_two_processes_reach_the_quick_presets_target(tmp_path: Path) -> None:
    process = train(tmp_path)
    run = finished(tmp_path, process)
    assert run.target_reached
    assert process.returncode == 0
    assert "2 processes" in run.notes[0]


def test_only_train_can_be_distributed(tmp_path: Path) -> None:
    several = {"PADDLE_TRAINER_ID": "0", "PADDLE_TRAINERS_NUM": "2", "PADDLE_LOCAL_SIZE": "2"}
    process = subprocess.run(
        [sys.executable, "-m", "bench", "suite", "--out", str(tmp_path / "run")],
        cwd=REPOSITORY,
        env=os.environ | several,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 2
    assert "only train can be distributed" in process.stderr
    assert not (tmp_path / "run").exists()
