"""A training in the command's own process, where Paddle is loaded, ended by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.training_run import read_training_run
from dyrelu.training.checkpoint import read_snapshot

# Sent by the process to itself when Paddle, whose handler is in place by then, imports its last part.
WHILE_IMPORTING = """
import os, signal, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == "paddle.vision":
            os.kill(os.getpid(), signal.SIGTERM)

sys.meta_path.insert(0, Sender())
sys.argv[1:] = ["train", "--variant", "relu", "--out", "run"]
from bench.cli import main
main()
"""
ROOT = Path(__file__).parents[2]
LOG = "run/training/relu-seed0/training.jsonl"


def train(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "bench", "train", "--variant", "relu", "--out", "run", *arguments]
    return subprocess.Popen(
        command,
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_answered_by_a_sentence_a_log_and_a_checkpoint(
    tmp_path: Path, sent: signal.Signals
) -> None:
    """Paddle's own handler of SIGTERM, which its import installs, would print a dump and end the process."""
    process = train(tmp_path, "--epochs", "2000")
    checkpoint = (tmp_path / LOG).parent / "checkpoint.safetensors"
    try:
        deadline = time.monotonic() + 60
        while not checkpoint.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(sent)
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, errors
    assert "SignalInfo" not in errors
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("dyrelu-bench: interrupted; what was finished is on disk")
    run = read_training_run(tmp_path / LOG)
    assert run.status == "interrupted"
    assert 1 <= read_snapshot(checkpoint).info.epoch <= len(run.epochs)


def test_a_signal_while_paddle_is_imported_waits(tmp_path: Path) -> None:
    """Also where NumPy has threads, which would take it: they begin while it is held."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    done = subprocess.run(
        [sys.executable, "-c", WHILE_IMPORTING],
        cwd=tmp_path,
        env=kept | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 130, done.stderr
    assert done.stderr.splitlines()[-1].startswith("dyrelu-bench: interrupted")
    assert "SignalInfo" not in done.stderr
