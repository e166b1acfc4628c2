"""Training killed at random moments, or stopped by a full disk, ends in the weights of an undisturbed run."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dyrelu.errors import CheckpointError
from dyrelu.training import Progress, read_log, train
from dyrelu.training.checkpoint import read_snapshot
from dyrelu.training.log import Epoch, LogWriter, RunStop, Status
from tests.dyrelu.kills import EPOCHS
from tests.dyrelu.training_support import TinyNet, tiny_job

REPOSITORY = Path(__file__).parents[2]
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PADDLE_")}
SEED = 20_030


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The training process, past its imports."""
    started = folder.parent / "started"
    started.unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.dyrelu.kills", str(folder)],
        cwd=REPOSITORY,
        env=ALONE | {"OMP_NUM_THREADS": "1"},
        stderr=subprocess.DEVNULL,
    )
    while not started.exists():
        assert process.poll() is None
        time.sleep(0.005)
    return process


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A folder of an undisturbed run, and its seconds without the imports."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    begin = time.monotonic()
    assert process.wait(120) == 0
    return folder, time.monotonic() - begin


def comparable(folder: Path) -> list[dict[str, object]]:
    """The log's events without what the clock decides."""
    clocked = {"seconds", "images_per_second"}
    lines = (folder / "training.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in clocked} for line in lines]


def assert_same_run(folder: Path, whole: Path) -> None:
    weights = "weights.safetensors"
    assert (folder / weights).read_bytes() == (whole / weights).read_bytes()
    assert comparable(folder) == comparable(whole)
    events = read_log(folder / "training.jsonl")
    assert [event.epoch for event in events if isinstance(event, Epoch)] == list(range(1, EPOCHS + 1))
    assert sum(isinstance(event, RunStop) for event in events) == 1


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_ends_in_the_same_weights(
    tmp_path: Path, whole: tuple[Path, float], kills: int
) -> None:
    """Each attempt is killed after a random part of an undisturbed run's time, so that some get an epoch
    further, some nowhere, and some to the end; a run that got to the end is compared and begun anew.
    """
    rng = random.Random(SEED)
    folders = (tmp_path / f"run{number}" for number in itertools.count())
    folder = next(folders)
    done = 0
    while done < kills:
        process = start(folder)
        time.sleep(rng.uniform(0, 0.9 * whole[1]))
        process.kill()
        if process.wait(30) == -signal.SIGKILL:
            done += 1
        else:
            assert_same_run(folder, whole[0])
            folder = next(folders)
    assert start(folder).wait(120) == 0
    assert_same_run(folder, whole[0])


def test_a_checkpoint_of_another_architecture_and_a_truncated_one_get_one_sentence(
    tmp_path: Path, whole: tuple[Path, float]
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(whole[0], folder)
    job = replace(tiny_job(folder), folder=folder)
    with pytest.raises(CheckpointError, match=r"was made with another variant, .*: resume with the same"):
        train(TinyNet(), job, resume=True)
    checkpoint = folder / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    process = subprocess.run(
        [sys.executable, "-m", "tests.dyrelu.kills", str(folder)],
        cwd=REPOSITORY,
        env=ALONE,
        capture_output=True,
        text=True,
    )
    last = process.stderr.splitlines()[-1]
    assert (process.returncode, "is truncated or no safetensors file" in last) == (1, True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB; without the right to mount one, none."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(disk)]
    if (
        os.geteuid() != 0
        or shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True).returncode
    ):
        pytest.skip("needs the right to mount a tmpfs")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_disk_gets_one_sentence_and_the_run_goes_on_when_there_is_room(
    tmp_path: Path, small_disk: Path
) -> None:
    undisturbed, job = tiny_job(tmp_path / "whole"), tiny_job(small_disk / "run")
    train(TinyNet(), undisturbed)

    def fill_in_the_second_epoch(progress: Progress) -> None:
        if progress.epoch == 2:
            fill(small_disk)

    with pytest.raises(
        CheckpointError, match=r"cannot write .* \(No space left on device\): .*free some space"
    ):
        train(TinyNet(), job, on_progress=fill_in_the_second_epoch)
    assert read_snapshot(job.checkpoint).info.epoch == 1
    with pytest.raises(CheckpointError, match="No space left on device"):
        train(TinyNet(), job, resume=True)
    assert read_snapshot(job.checkpoint).info.epoch == 1
    (small_disk / "filler").unlink()
    train(TinyNet(), job, resume=True)
    assert job.weights.read_bytes() == undisturbed.weights.read_bytes()


def outcome(writer: LogWriter, event: RunStop) -> str:
    try:
        writer.write(event)
    except CheckpointError as error:
        return str(error)
    return ""


def test_a_log_line_that_does_not_fit_leaves_nothing_behind(small_disk: Path) -> None:
    log = small_disk / "training.jsonl"
    stop = RunStop(status=Status.FAILED, seconds=1.0, accuracy=None, target_reached=None)
    with LogWriter(log) as writer:
        writer.write(stop)
        fill(small_disk)
        # The block that the log has already takes some more lines.
        attempts = [outcome(writer, stop) for _ in range(200)]
        assert "No space left on device" in attempts[-1]
        whole_lines = log.read_bytes()
        assert whole_lines.count(b"\n") == 1 + attempts.count("")
        (small_disk / "filler").unlink()
        writer.write(stop)
    assert log.read_bytes().startswith(whole_lines)
    assert set(read_log(log)) == {stop}
    assert log.read_bytes().endswith(b"}\n")


LIMITED_RUN = """
import resource, sys
from pathlib import Path
from dyrelu.errors import CheckpointError
from dyrelu.training import train
from tests.dyrelu.training_support import TinyNet, tiny_job

def limit(progress):
    if progress.epoch == 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, resource.RLIM_INFINITY))

try:
    train(TinyNet(), tiny_job(Path(sys.argv[1])), on_progress=limit)
except CheckpointError as error:
    sys.exit(str(error))
"""


def test_a_file_size_limit_is_met_like_a_full_disk(tmp_path: Path) -> None:
    undisturbed, job = tiny_job(tmp_path / "whole"), tiny_job(tmp_path / "run")
    train(TinyNet(), undisturbed)
    command = [sys.executable, "-c", LIMITED_RUN, str(job.folder)]
    process = subprocess.run(command, cwd=REPOSITORY, env=ALONE, capture_output=True, text=True)
    assert process.returncode == 1
    assert "(File too large): " in process.stderr.splitlines()[-1]
    assert read_snapshot(job.checkpoint).info.epoch == 1
    train(TinyNet(), job, resume=True)
    assert job.weights.read_bytes() == undisturbed.weights.read_bytes()
