"""The seed recipe, part by part, against the definitions of the notebook that it repeats."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import paddle
import pytest

from dyrelu.data import Examples, Flip, ImageDataset, ResizedCrop, cifar10, digits
from dyrelu.errors import RecipeError
from dyrelu.training import TrainingJob, evaluate, load_weights, read_log, recipe, run_notes, train
from dyrelu.training.checkpoint import read_snapshot
from dyrelu.training.epoch import steps_per_epoch
from dyrelu.training.job import Progress
from dyrelu.training.log import Epoch, EvalAccuracy, RunStart, RunStop, SplitName
from dyrelu.training.losses import smoothed_cross_entropy
from dyrelu.training.optimiser import build_optimiser, parameter_groups
from dyrelu.training.recipes import Selection, WeightsKind
from dyrelu.training.schedule import learning_rate
from tests.dyrelu.training_support import TinyNet, tiny_dataset, tiny_job

SEED = recipe("seed")


def without_validation() -> ImageDataset:
    """No validation images, and test labels by chance, so that no epoch is sure to be the best."""
    data = tiny_dataset()
    none = Examples(data.validation.images[:0], data.validation.labels[:0])
    labels = np.random.default_rng(4).integers(0, 3, len(data.test))
    return replace(data, validation=none, test=Examples(data.test.images, labels))


def best_job(folder: Path, **overrides: object) -> TrainingJob:
    """A tiny run that picks its epoch on the test images."""
    fields: dict[str, object] = {
        "epochs": 6,
        "ema_decay": 0.0,
        "select": "best_on_test",
        "validation_images": 0,
        **overrides,
    }
    return replace(tiny_job(folder, **fields), dataset=without_validation())


def test_the_figures_are_the_notebooks() -> None:
    assert (SEED.epochs, SEED.batch_size, SEED.peak_learning_rate, SEED.warmup) == (50, 256, 0.1, 0.0)
    assert (SEED.momentum, SEED.nesterov, SEED.weight_decay) == (0.9, False, 5e-4)
    assert SEED.augmentation.resized_crop == ResizedCrop(scale=(0.08, 1.0), ratio=(3 / 4, 4 / 3))
    assert SEED.augmentation.flip is Flip.RANDOM
    assert (SEED.select, SEED.validation_images, SEED.weights_kind) == (
        Selection.BEST_ON_TEST,
        0,
        WeightsKind.BEST,
    )


def test_every_other_recipe_keeps_the_last_epoch_and_spares_the_test_images() -> None:
    assert {recipe(name).select for name in ("standard", "digits")} == {Selection.LAST}


@pytest.mark.parametrize("step", [0, 1, 194, 195, 4874, 4875, 9748, 9749])
def test_the_schedule_is_paddles_cosine_per_step(step: int) -> None:
    steps = 50_000 // 256
    assert steps_per_epoch(SEED, 50_000) == steps == 195
    scheduler = paddle.optimizer.lr.CosineAnnealingDecay(learning_rate=0.1, T_max=steps * 50)
    for _ in range(step):
        scheduler.step()
    # Called, since `get_lr` would already give the next; Paddle's recursion rounds at every step.
    assert learning_rate(SEED, step, steps) == pytest.approx(scheduler(), rel=1e-8, abs=1e-12)


def test_the_loss_is_a_blend_of_the_labels_and_the_mean_over_classes() -> None:
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(7, 10)).astype(np.float32) * 4, rng.integers(0, 10, 7)
    log_p = values - np.log(np.exp(values.astype(np.float64)).sum(axis=1, keepdims=True))
    expected = (0.9 * -log_p[np.arange(7), labels] + 0.1 * -log_p.mean(axis=1)).mean()
    loss = smoothed_cross_entropy(paddle.to_tensor(values), paddle.to_tensor(labels), SEED.label_smoothing)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_everything_is_decayed_at_one_rate() -> None:
    net = TinyNet()
    groups = parameter_groups(net, decay_everything=SEED.decay_everything)
    trainable = [name for name, p in net.named_parameters() if not p.stop_gradient]
    assert sorted(itertools.chain(*groups.values())) == sorted(trainable)
    assert all(is_decayed for _, is_decayed in groups)
    assert SEED.hyper_lr_scale == 1.0


def test_a_step_is_that_of_paddles_plain_momentum() -> None:
    ours, theirs = TinyNet(), TinyNet()
    theirs.set_state_dict(ours.state_dict())
    other = paddle.optimizer.Momentum(
        learning_rate=0.1, momentum=0.9, parameters=theirs.parameters(), weight_decay=5e-4
    )
    optimiser = build_optimiser(ours, SEED)
    inputs = paddle.to_tensor(np.random.default_rng(0).normal(size=(8, 1, 6, 6)).astype(np.float32))
    for _ in range(3):
        for net, its in ((ours, optimiser), (theirs, other)):
            net(inputs).square().mean().backward()
            its.set_lr(0.1)
            its.step()
            its.clear_grad()
    for name, value in theirs.state_dict().items():
        np.testing.assert_allclose(ours.state_dict()[name].numpy(), value.numpy(), rtol=1e-6, atol=1e-7)


def test_inputs_are_scaled_to_minus_one_to_one() -> None:
    job = replace(tiny_job(Path("unused")), recipe=SEED)
    images = np.array([0, 51, 255], dtype=np.uint8).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(job.normalisation(images).ravel(), [-1, -0.6, 1], rtol=1e-6)
    own = replace(job, recipe=recipe("standard"))
    assert own.normalisation is own.dataset.normalisation


def test_the_first_of_the_best_epochs_is_kept(tmp_path: Path) -> None:
    job = best_job(tmp_path)
    result = train(TinyNet(), job)
    events = read_log(job.log)
    accuracies = [event.test_accuracy for event in events if isinstance(event, Epoch)]
    assert None not in accuracies
    best = int(np.argmax(np.array(accuracies, dtype=float)))
    stop = events[-1]
    assert isinstance(stop, RunStop)
    # The run is only a test if the last epoch is not the one to keep.
    assert accuracies[-1] != accuracies[best]
    assert (stop.kept_epoch, result.accuracy) == (best + 1, accuracies[best])
    net = TinyNet()
    assert load_weights(net, job.weights).kind is WeightsKind.BEST
    test = job.dataset.test
    assert evaluate(net, test.images, test.labels, job.normalisation).accuracy == accuracies[best]
    # Training the same run up to that epoch alone is another schedule: interrupt it there instead.
    stopped = best_job(tmp_path / "stopped")

    def stop_behind_the_best(progress: Progress) -> None:
        if progress.epoch == best + 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TinyNet(), stopped, on_progress=stop_behind_the_best)
    at_best = read_snapshot(stopped.checkpoint).weights
    for name, tensor in net.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), at_best[name])


def test_the_recipe_runs_whole_and_repeats(tmp_path: Path) -> None:
    jobs = [
        replace(
            tiny_job(tmp_path / name),
            recipe=recipe("seed", epochs=2, batch_size=8),
            dataset=without_validation(),
        )
        for name in ("first", "again")
    ]
    results = [train(TinyNet(), job) for job in jobs]
    assert jobs[0].weights.read_bytes() == jobs[1].weights.read_bytes()
    assert results[0].accuracy == results[1].accuracy


@pytest.mark.parametrize("death", [2, 4, 6])
def test_a_resumed_run_keeps_the_same_epoch(tmp_path: Path, death: int) -> None:
    whole, job = best_job(tmp_path / "whole"), best_job(tmp_path / "resumed")
    train(TinyNet(), whole)

    def die(progress: Progress) -> None:
        if progress.epoch == death:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TinyNet(), job, on_progress=die)
    train(TinyNet(), job, resume=True)
    assert job.weights.read_bytes() == whole.weights.read_bytes()


def test_the_log_says_what_a_reader_must_know(tmp_path: Path) -> None:
    job = best_job(tmp_path, epochs=1)
    train(TinyNet(), job)
    start, epoch = read_log(job.log)[0], read_log(job.log)[2]
    assert isinstance(start, RunStart)
    assert isinstance(epoch, Epoch)
    assert start.recipe.select is Selection.BEST_ON_TEST
    assert (start.images.train, start.images.validation) == (70, 0)
    assert (
        "keeps the best epoch's weights (best_on_test), so its test accuracy is optimistic" in start.notes[0]
    )
    assert "All 70 training images are trained on" in start.notes[1]
    assert (epoch.validation_loss, epoch.validation_accuracy) == (None, None)
    scores = [event for event in read_log(job.log) if isinstance(event, EvalAccuracy)]
    assert {score.split for score in scores} == {SplitName.TRAIN, SplitName.TEST}


def test_an_ordinary_run_has_nothing_to_say(tmp_path: Path) -> None:
    job = tiny_job(tmp_path, epochs=1)
    train(TinyNet(), job)
    start = read_log(job.log)[0]
    assert isinstance(start, RunStart)
    assert (start.notes, start.ranks) == ([], 1)
    assert b"test_accuracy" not in job.log.read_bytes()
    assert run_notes(job.recipe, job.dataset) == ()


def test_another_rate_than_the_recipes_is_said() -> None:
    slow = recipe("standard", hyper_lr_scale=0.1)
    said = "The learning rate of hyper functions is 0.1 of the trunk's, where the standard recipe has 0.25."
    assert run_notes(slow, tiny_dataset()) == (said,)


def test_another_split_than_the_recipes_is_refused(tmp_path: Path) -> None:
    job = replace(best_job(tmp_path), dataset=tiny_dataset())
    with pytest.raises(
        RecipeError, match=r"holds out 0 validation images and the data 20: .*validation_images=0"
    ):
        train(TinyNet(), job)


def test_all_training_images_can_train() -> None:
    data, usual = digits.load(validation_images=0), digits.load()
    assert (len(data.train), len(data.validation)) == (1257, 0)
    np.testing.assert_array_equal(data.test.images, usual.test.images)
    assert cifar10.VALIDATION_IMAGES == 5000


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"ema_decay": 0.9}, "ema_decay must be 0 beside best_on_test, got 0.9"),
        ({"validation_images": -1}, "validation_images must be 0 or more"),
        ({"scaling": {"mean": 0.5, "std": 0.0}}, "scaling std must be above 0, got 0.0"),
        (
            {"augmentation": {**{"pad": 1, "padding": "zero", "flip": "none"}, "resized_crop": {}}},
            "pad must be 0",
        ),
        ({"select": "best_on_train"}, "Invalid enum value 'best_on_train'"),
    ],
)
def test_a_bad_override_gets_one_sentence(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence):
        recipe("seed", **overrides)
