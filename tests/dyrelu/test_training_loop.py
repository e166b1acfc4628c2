"""Whole runs on tiny data: the log, resuming after every kind of death, and what goes wrong."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dyrelu.errors import CheckpointError, RecipeError
from dyrelu.training import (
    DivergenceError,
    Progress,
    Target,
    TrainingJob,
    TrainingResult,
    evaluate,
    load_weights,
    read_log,
    train,
)
from dyrelu.training.checkpoint import Snapshot, write_snapshot
from dyrelu.training.log import Epoch, EvalAccuracy, EvalAugmentation, RunStart, RunStop, SplitName, Status
from dyrelu.training.recipes import WeightsKind
from dyrelu.training.state import state_of
from tests.dyrelu.training_support import TinyNet, tiny_job

REPOSITORY = Path(__file__).parents[2]


class Killed(Exception):
    """Stands for the death of the process."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainingResult:
    """An uninterrupted run of three epochs, 8 steps each."""
    return train(TinyNet(), tiny_job(tmp_path_factory.mktemp("whole")))


def comparable(log: Path) -> list[dict[str, object]]:
    """The log's events without what the clock decides."""
    clocked = {"seconds", "images_per_second"}
    return [
        {key: value for key, value in json.loads(line).items() if key not in clocked}
        for line in log.read_text().splitlines()
    ]


def assert_same_run(job: TrainingJob, whole: TrainingResult) -> None:
    assert job.weights.read_bytes() == whole.weights.read_bytes()
    assert comparable(job.log) == comparable(whole.log)


def test_the_log_of_a_run(whole: TrainingResult) -> None:
    events = read_log(whole.log)
    assert [type(event).__name__ for event in events] == [
        *("RunStart", "Seed", "Epoch", "Epoch", "Epoch"),
        *("EvalAccuracy",) * 5,
        "RunStop",
    ]
    start, stop = events[0], events[-1]
    assert isinstance(start, RunStart)
    assert isinstance(stop, RunStop)
    assert (start.images.train, start.images.validation, start.images.test) == (70, 20, 30)
    assert start.trainable_parameters == 9 * 6 + 6 + 6 * 2 + 6 * 6 + 6 + 6 * 3 + 3
    assert set(start.libraries) == {"paddle", "numpy", "dyrelu-bench"}
    assert start.target is None
    epochs = [event for event in events if isinstance(event, Epoch)]
    assert [event.epoch for event in epochs] == [1, 2, 3]
    assert epochs[0].learning_rate == pytest.approx(0.1)
    assert all(np.isfinite([e.loss, e.validation_loss, e.images_per_second, e.seconds]).all() for e in epochs)
    scores = [event for event in events if isinstance(event, EvalAccuracy)]
    assert [(s.split, s.augmentation) for s in scores] == [
        (SplitName.TRAIN, EvalAugmentation.NONE),
        (SplitName.VALIDATION, EvalAugmentation.NONE),
        (SplitName.VALIDATION, EvalAugmentation.FLIP),
        (SplitName.TEST, EvalAugmentation.NONE),
        (SplitName.TEST, EvalAugmentation.FLIP),
    ]
    assert [s.images for s in scores] == [70, 20, 20, 30, 30]
    assert all(s.accuracy == s.correct / s.images and s.weights is WeightsKind.EMA for s in scores)
    assert (stop.status, stop.accuracy, stop.target_reached) == (Status.FINISHED, scores[3].accuracy, None)
    assert whole.accuracy == scores[3].accuracy


def test_the_log_holds_no_absolute_path(whole: TrainingResult) -> None:
    assert not re.search(r'"/|:\\\\', whole.log.read_text())


def test_the_kept_weights_are_those_evaluated(whole: TrainingResult) -> None:
    net = TinyNet()
    assert load_weights(net, whole.weights).variant == "tiny"
    data = tiny_job(whole.weights.parent).dataset
    found = evaluate(net, data.test.images, data.test.labels, data.normalisation)
    assert found.accuracy == whole.accuracy


def test_a_run_repeats_bit_for_bit(tmp_path: Path, whole: TrainingResult) -> None:
    job = tiny_job(tmp_path)
    net = TinyNet()
    train(net, job)
    assert_same_run(job, whole)
    assert not net.training
    load_weights(other := TinyNet(), job.weights)
    for name, value in state_of(net).items():
        np.testing.assert_array_equal(value, state_of(other)[name])


@pytest.mark.parametrize("death", [1, 2, 3, 4, 5, 6])
def test_a_run_that_dies_at_a_step_resumes_bit_for_bit(
    tmp_path: Path, whole: TrainingResult, death: int
) -> None:
    job = tiny_job(tmp_path)
    reports = itertools.count(1)

    def die(_progress: Progress) -> None:
        if next(reports) == death % 4:
            raise Killed

    # Two lives that end, wherever they are by then, before the one that goes through.
    for _ in range(2):
        try:
            train(TinyNet(), job, resume=True, on_progress=die)
        except Killed:
            reports = itertools.count(1)
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_death_between_log_and_checkpoint_repeats_the_epoch(
    tmp_path: Path, whole: TrainingResult, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    job = tiny_job(tmp_path)
    calls = itertools.count(1)

    def die(path: Path, snapshot: Snapshot) -> None:
        if next(calls) == epoch:
            raise Killed
        write_snapshot(path, snapshot)

    monkeypatch.setattr("dyrelu.training.loop.write_snapshot", die)
    with pytest.raises(Killed):
        train(TinyNet(), job)
    monkeypatch.undo()
    with job.log.open("ab") as log:
        log.write(b'{"event":"epoch","epo')  # a line that a kill cut short
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)


def test_a_death_during_the_last_evaluation_resumes(
    tmp_path: Path, whole: TrainingResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = tiny_job(tmp_path)

    def die(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("dyrelu.training.final.save_weights", die)
    with pytest.raises(Killed):
        train(TinyNet(), job)
    monkeypatch.undo()
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)
    # A finished run resumes to itself.
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)


KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from dyrelu.training import train
from tests.dyrelu.training_support import TinyNet, tiny_job

def die(progress):
    if progress.epoch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

TinyNet()  # shifts Paddle's automatic parameter names
train(TinyNet(), tiny_job(Path(sys.argv[1])), on_progress=die)
"""


def test_a_killed_process_resumes_bit_for_bit(tmp_path: Path, whole: TrainingResult) -> None:
    job = tiny_job(tmp_path)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(tmp_path)], cwd=REPOSITORY, timeout=120, env=dict(os.environ)
    )
    assert killed.returncode == -signal.SIGKILL
    assert Counter(type(event) for event in read_log(job.log))[Epoch] == 1
    assert not job.weights.exists()
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)


def test_an_interruption_is_logged_and_passed_on(tmp_path: Path, whole: TrainingResult) -> None:
    job = tiny_job(tmp_path)

    def interrupt(progress: Progress) -> None:
        if progress.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TinyNet(), job, on_progress=interrupt)
    stop = read_log(job.log)[-1]
    assert isinstance(stop, RunStop)
    assert (stop.status, stop.accuracy) == (Status.INTERRUPTED, None)
    assert job.checkpoint.exists()
    train(TinyNet(), job, resume=True)
    assert_same_run(job, whole)


def test_a_loss_that_is_no_number_fails_with_a_remedy(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, peak_learning_rate=1e30)
    with pytest.raises(
        DivergenceError, match=r"the loss became (nan|inf) in epoch 1 .*lower peak_learning_rate"
    ):
        train(TinyNet(), job)
    stop = read_log(job.log)[-1]
    assert isinstance(stop, RunStop)
    assert stop.status is Status.FAILED


@pytest.mark.parametrize(("value", "reached"), [(0.0, True), (1.01, False)])
def test_the_target_is_decided_on_plain_test_accuracy(tmp_path: Path, value: float, reached: bool) -> None:
    target = Target(value=value, source="this test")
    job = replace(tiny_job(tmp_path, epochs=1), target=target, options={"k": 2})
    assert train(TinyNet(), job).target_reached is reached
    start, stop = read_log(job.log)[0], read_log(job.log)[-1]
    assert isinstance(start, RunStart)
    assert isinstance(stop, RunStop)
    assert (start.target, start.options, stop.target_reached) == (target, {"k": 2}, reached)
    assert Target(value=0.97, source="").reached_by(0.97)


def test_without_average_and_flip_the_final_weights_are_kept(tmp_path: Path) -> None:
    crop = {"pad": 1, "padding": "zero", "flip": "none"}
    job = tiny_job(tmp_path, epochs=1, ema_decay=0.0, augmentation=crop)
    train(TinyNet(), job)
    scores = [event for event in read_log(job.log) if isinstance(event, EvalAccuracy)]
    assert [s.split for s in scores] == list(SplitName)
    assert {s.weights for s in scores} == {WeightsKind.FINAL}


def test_progress_and_times_come_from_the_clock_given(tmp_path: Path) -> None:
    ticks = itertools.count()
    seen: list[Progress] = []
    job = tiny_job(tmp_path, epochs=2)
    train(TinyNet(), job, on_progress=seen.append, clock=lambda: float(next(ticks)))
    assert [(p.epoch, p.epochs, p.step, p.steps) for p in seen] == [(1, 2, 8, 8), (2, 2, 8, 8)]
    first = seen[0]
    assert 0 < first.reader_cost < first.batch_cost
    assert first.images_per_second == pytest.approx(8 / first.batch_cost)
    assert first.eta_seconds == pytest.approx(8 * first.batch_cost)
    assert seen[1].eta_seconds == 0
    stop = read_log(job.log)[-1]
    assert isinstance(stop, RunStop)
    assert stop.seconds.is_integer()


def test_a_folder_in_use_is_refused_and_untouched(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, epochs=1)
    train(TinyNet(), job)
    before = job.log.read_bytes()
    with pytest.raises(CheckpointError, match="holds a training run already: resume it or choose"):
        train(TinyNet(), job)
    others = {
        "seed": replace(job, seed=4),
        "recipe": replace(job, recipe=tiny_job(tmp_path, epochs=2).recipe),
        "variant": replace(job, variant="other"),
        "threads": replace(job, threads=2),
        "dataset_digest": replace(job, dataset=replace(job.dataset, digest="1")),
    }
    for name, other in others.items():
        with pytest.raises(CheckpointError, match=f"was made with another {name}:"):
            train(TinyNet(), other, resume=True)
    with pytest.raises(CheckpointError, match="another architecture"):
        train(TinyNet(channels=5), job, resume=True)
    assert job.log.read_bytes() == before


def test_a_damaged_run_gets_one_sentence(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, epochs=2)
    train(TinyNet(), job)
    lines = job.log.read_bytes().splitlines(keepends=True)
    job.log.write_bytes(b"".join(lines[:2] + lines[3:]))
    with pytest.raises(CheckpointError, match="does not hold the epochs 1 to 2"):
        train(TinyNet(), job, resume=True)
    job.log.write_bytes(b"not json\n" + b"".join(lines))
    with pytest.raises(CheckpointError, match=r"line 1 of .* is no training event"):
        train(TinyNet(), job, resume=True)
    job.checkpoint.write_bytes(job.checkpoint.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="is truncated"):
        train(TinyNet(), job, resume=True)


def test_an_unusable_folder_and_too_large_a_batch_get_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match=r"cannot write .*choose a writable folder"):
        train(TinyNet(), tiny_job(tmp_path / "file"))
    with pytest.raises(RecipeError, match="batch_size 71 exceeds the 70 training images"):
        train(TinyNet(), tiny_job(tmp_path / "new", batch_size=71))
    assert not (tmp_path / "new").exists()
