"""Training with oneDNN's convolutions: as good as with Paddle's, as repeatable, and said in the log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from paddle import nn

from dyrelu.activations import build
from dyrelu.data import digits
from dyrelu.kernels import Kernel, using
from dyrelu.models import resnet_cifar
from dyrelu.training import Progress, TrainingJob, evaluate, read_log, recipe, train
from dyrelu.training.log import RunStart
from dyrelu.training.notes import Convolution, resumed_note, run_notes
from tests.dyrelu.kernel_support import needs_compiler, run_python
from tests.dyrelu.test_kernels_build import hidden_compiler
from tests.dyrelu.training_support import tiny_job

pytestmark = needs_compiler


class Killed(Exception):
    """Stands for the death of the process."""


def network(classes: int = 3, width: int = 8) -> nn.Layer:
    return resnet_cifar(act_layer=build("relu"), depth=8, width=width, num_classes=classes, in_channels=1)


def start_of(job: TrainingJob) -> RunStart:
    start = read_log(job.log)[0]
    assert isinstance(start, RunStart)
    return start


def dying_in_epoch(last: int) -> Callable[[Progress], None]:
    def die(progress: Progress) -> None:
        if progress.epoch == last:
            raise Killed

    return die


def test_either_convolution_learns_the_digits_equally_well(tmp_path: Path) -> None:
    """Sums in another order end in other accuracies: of one seed by up to 1.5 points, to either side."""
    dataset, gains = digits.load(), []
    for seed in range(3):
        accuracies = {}
        for kernel in Kernel:
            job = TrainingJob(
                dataset=dataset,
                recipe=recipe("digits", epochs=3),
                seed=seed,
                folder=tmp_path / f"{kernel.value}{seed}",
                variant="relu",
                threads=1,
            )
            with using(kernel):
                accuracies[kernel] = train(network(10, 16), job).accuracy
            expected = Convolution.ONEDNN if kernel is Kernel.FUSED else Convolution.PADDLE
            assert start_of(job).convolution is expected
            assert tuple(start_of(job).notes) == run_notes(job.recipe, dataset)
            assert accuracies[kernel] > 0.9
        gains.append(accuracies[Kernel.FUSED] - accuracies[Kernel.PLAIN])
    # Of single pairs the standard deviation is 1.4 points, so that of three's mean 0.8.
    assert abs(np.mean(gains)) <= 0.02


def test_the_network_comes_back_as_it_was(tmp_path: Path) -> None:
    model, job = network(), tiny_job(tmp_path, epochs=1)
    with using(Kernel.FUSED):
        accuracy = train(model, job).accuracy
    assert not [layer for layer in model.sublayers() if "forward" in layer.__dict__]
    test = job.dataset.test
    assert evaluate(model, test.images, test.labels, job.normalisation).accuracy == pytest.approx(accuracy)


def test_an_interrupted_run_ends_as_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, job = tiny_job(tmp_path / "whole"), tiny_job(tmp_path / "killed")
    with using(Kernel.FUSED):
        train(network(), whole)
        with pytest.raises(Killed):
            train(network(), job, on_progress=dying_in_epoch(2))
        train(network(), job, resume=True)
    assert job.weights.read_bytes() == whole.weights.read_bytes()
    assert start_of(job) == start_of(whole)


def test_going_on_with_another_convolution_is_noted_each_time(tmp_path: Path) -> None:
    job = tiny_job(tmp_path)
    with using(Kernel.FUSED), pytest.raises(Killed):
        train(network(), job, on_progress=dying_in_epoch(2))
    before = start_of(job)
    with using(Kernel.PLAIN), pytest.raises(Killed):
        train(network(), job, resume=True, on_progress=dying_in_epoch(3))
    first = resumed_note(1, Convolution.ONEDNN, Convolution.PADDLE)
    assert first.startswith("Trained with oneDNN's convolutions up to epoch 1 and resumed with Paddle's own")
    assert tuple(start_of(job).notes) == (*before.notes, first)
    assert start_of(job).convolution is Convolution.PADDLE
    with using(Kernel.FUSED):
        train(network(), job, resume=True)
    second = resumed_note(2, Convolution.PADDLE, Convolution.ONEDNN)
    assert tuple(start_of(job).notes) == (*before.notes, first, second)
    assert start_of(job).convolution is Convolution.ONEDNN
    names = [type(event).__name__ for event in read_log(job.log)]
    assert names[:5] == ["RunStart", "Seed", "Epoch", "Epoch", "Epoch"]
    assert names[-1] == "RunStop"


def test_a_log_from_before_says_paddle(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, epochs=1)
    with using(Kernel.FUSED):
        train(network(), job)
    lines = job.log.read_text().splitlines(keepends=True)
    fields = json.loads(lines[0])
    del fields["convolution"]
    job.log.write_text("".join([json.dumps(fields) + "\n", *lines[1:]]))
    assert start_of(job).convolution is Convolution.PADDLE


TRAINING = """
import sys
from pathlib import Path
from dyrelu.training import train
from tests.dyrelu.test_training_convolution import network, start_of
from tests.dyrelu.training_support import tiny_job
job = tiny_job(Path(sys.argv[1]), epochs=1)
train(network(), job)
print(start_of(job).convolution.value)
"""


def test_without_a_compiler_paddles_own_train_with_one_warning(tmp_path: Path) -> None:
    code = f"import sys; sys.argv = ['', {str(tmp_path / 'run')!r}]\n{TRAINING}"
    hidden = hidden_compiler(tmp_path)
    done = run_python(code, **hidden)
    assert done.stdout.strip() == "paddle", done.stderr
    assert done.stderr.count("RuntimeWarning: training runs on Paddle's own convolutions") == 1
    assert "install g++" in done.stderr
    silent = run_python(code.replace("run'", "other'"), **hidden | {"DYRELU_KERNEL": "plain"})
    assert silent.stdout.strip() == "paddle"
    assert "RuntimeWarning" not in silent.stderr


def test_both_convolutions_start_from_the_same_loss(tmp_path: Path) -> None:
    losses = []
    for kernel in Kernel:
        seen: list[float] = []
        job = tiny_job(tmp_path / kernel.value, epochs=1)
        with using(kernel):
            train(network(), job, on_progress=lambda progress, seen=seen: seen.append(progress.loss))
        losses.append(seen)
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)
