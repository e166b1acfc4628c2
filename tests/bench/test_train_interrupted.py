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
    deadline = time.monotonic() + 60
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "SignalInfo" not in errors
    assert "Traceback" not in errors
    assert errors.splitlines()[-1].startswith("dyrelu-bench: interrupted; what was finished is on disk")
    assert read_training_run(tmp_path / LOG).status == "interrupted"
    assert checkpoint.exists()
