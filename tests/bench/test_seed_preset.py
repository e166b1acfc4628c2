"""The seed preset: targets of each variant's own, the notes of its recipe, a start on the real archive."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bench.errors import InputError, UsageError
from bench.pipeline import Trained
from bench.presets import Changes, DyReLUSpec, load_preset, with_changes
from bench.report.comparison import common_target, comparison
from bench.report.plots.learning_curves import draw_learning_curves
from bench.report.sections import training_section
from bench.report.sentences import summary
from bench.report.table import Report, assemble
from bench.report.tables_csv import training_csv
from bench.subjects import DataSource, TrainingRequest, load_dataset, train
from bench.training_run import read_training_run, read_training_runs
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import Training, write_log

REFERENCE = {"relu": 0.9213, "dyrelu_a": 0.8759, "dyrelu_b": 0.9101, "dyrelu_c": 0.9245}
QUICK = (Path(__file__).parents[2] / "bench/presets/quick.toml").read_text()


def seed_like(folder: Path, variant: str = "relu", correct: int = 500) -> None:
    """A finished log as the seed recipe leaves it: test, not validation figures, notes, an epoch kept."""
    write_log(folder / "training", Training(variant, correct=correct, target=REFERENCE[variant]))
    path = max((folder / "training").iterdir())
    events = [json.loads(line) for line in path.read_text().splitlines()]
    for event in events:
        if event["event"] == "epoch":
            test = {"test_loss": event["validation_loss"], "test_accuracy": event["validation_accuracy"]}
            event.update(test, validation_loss=None, validation_accuracy=None)
        if event["event"] == "run_start":
            event["notes"] = ["The best epoch was *picked*."]
        if event["event"] == "run_stop":
            event["kept_epoch"] = 7
    kept = [event for event in events if event.get("split") != "validation"]
    path.write_text("".join(json.dumps(event) + "\n" for event in kept))


def report_of(folder: Path) -> Report:
    suite = build_suite(Plan(variants=("relu", "dyrelu_a"), slowness=(1.0, 1.4), target=0.9213))
    return assemble(suite, read_training_runs(folder / "training"))


def test_the_preset_is_the_notebooks_protocol() -> None:
    preset = load_preset("seed")
    subject, training = preset.subjects[0], preset.train
    assert isinstance(subject, DyReLUSpec)
    assert training is not None
    assert (subject.name, subject.image, subject.options.spatial) == ("resnet18-cifar", (3, 32, 32), "seed")
    assert subject.variants == tuple(REFERENCE)
    assert (training.dataset, training.recipe, training.seeds) == ("cifar10", "seed", (42,))
    assert {variant: training.target_of(variant) for variant in subject.variants} == REFERENCE


def test_a_variant_without_its_own_target_has_the_common_one() -> None:
    training = load_preset("quick").train
    assert training is not None
    assert training.target_of("dyrelu_a") == training.target == 0.97
    assert Trained("relu", 0, 0.97, 0.97).reached
    assert not Trained("relu", 0, 0.9699, 0.97).reached


def test_a_target_of_nobody_is_a_mistake_in_a_file_but_not_on_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(QUICK.replace("[measure]", "[train.targets]\ndyrelu_z = 0.5\n\n[measure]"))
    with pytest.raises(
        UsageError, match=r"train\.targets names 'dyrelu_z', which isn't trained; it takes relu,"
    ):
        load_preset(str(path))
    path.write_text(QUICK.replace("[measure]", "[train.targets]\nrelu = 1.5\n\n[measure]"))
    with pytest.raises(InputError, match=r"train\.targets"):
        load_preset(str(path))
    only = with_changes(load_preset("seed"), Changes(variants=("dyrelu_c",)))
    assert only.train is not None
    assert only.train.target_of("dyrelu_c") == 0.9245


def test_a_report_judges_each_variant_by_its_own_target(tmp_path: Path) -> None:
    seed_like(tmp_path, "relu", correct=500)  # 92.59%, of 92.13%
    seed_like(tmp_path, "dyrelu_a", correct=470)  # 87.04%, of 87.59%
    report = report_of(tmp_path)
    assert [row.reached for row in comparison(report)] == [True, False]
    assert common_target(report) is None
    said = "\n".join(summary(report))
    assert "**Target.** A test accuracy of each variant's own" in said
    assert "reached by relu (92.59%, target 92.13%); missed by dyrelu_a (87.04%, target 87.59%)" in said


def test_a_report_says_that_the_test_images_picked_the_epoch(tmp_path: Path) -> None:
    seed_like(tmp_path, "relu")
    report = report_of(tmp_path)
    text = training_section(report, {})
    assert r"- The best epoch was \*picked\*." in text
    assert "12 of 12, kept 7" in text
    labels = [axis.get_ylabel() for axis in draw_learning_curves(report).axes]
    assert labels == ["Loss", "Test accuracy (%)"]
    assert ",12,0." in training_csv(report)


@pytest.mark.slow
@pytest.mark.skipif("DYRELU_CIFAR10" not in os.environ, reason="DYRELU_CIFAR10 names no archive")
@pytest.mark.parametrize(("variant", "parameters"), [("relu", 11_173_962), ("dyrelu_c", 12_066_947)])
def test_the_preset_takes_two_steps_on_the_real_archive(
    tmp_path: Path, variant: str, parameters: int
) -> None:
    """Everything as the preset says, until an interruption; a whole run takes days on two cores."""
    import numpy as np
    from paddle import nn

    from dyrelu.training.distributed import Alone

    largest: list[float] = []

    class TwoSteps(Alone):
        def average_gradients(self, model: nn.Layer) -> None:
            if len(largest) == 2:
                raise KeyboardInterrupt
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            largest.append(max(float(np.abs(gradient.numpy()).max()) for gradient in gradients))

    preset = load_preset("seed")
    assert preset.train is not None
    request = TrainingRequest(preset.subjects[0], preset.train, variant, 42, tmp_path / "run", threads=1)
    dataset = load_dataset(preset.train, DataSource())
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (50_000, 0, 10_000)
    with pytest.raises(KeyboardInterrupt):
        train(request, dataset, False, lambda _progress: None, TwoSteps())
    assert all(0 < value < 100 for value in largest)
    run = read_training_run(request.folder / "training.jsonl")
    assert (run.status, run.train_images, run.planned_epochs) == ("interrupted", 50_000, 50)
    assert (run.target, run.trainable_parameters) == (REFERENCE[variant], parameters)
    assert "(best_on_test)" in run.notes[0]
    assert "All 50000 training images" in run.notes[1]
