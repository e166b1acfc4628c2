"""Engines and batches of a subject's own, and ratio targets: read loudly, changed sensibly by flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.cli.options import resolve
from bench.errors import BenchError, UsageError
from bench.presets import Changes, Preset, load_preset, with_changes
from bench.ratio_target import TargetKind

pytestmark = pytest.mark.nopaddle

TWO = """
name = "two"
description = "two subjects"

[[subjects]]
kind = "dyrelu"
family = "resnet"
classes = 10
image = [3, 32, 32]
variants = ["relu", "dyrelu_a", "dyrelu_b"]

[[subjects]]
kind = "dyrelu"
family = "resnet_cifar"
depth = 8
classes = 10
image = [3, 32, 32]
variants = ["relu", "dyrelu_b"]
engines = ["eager"]
batches = [128, 32]

[measure]
batches = [1, 64]
engines = ["eager", "inference"]

[[targets]]
subject = "resnet18-cifar"
engine = "inference"
batch = 64
variants = ["dyrelu_a", "dyrelu_b"]
against = "relu"
metric = "throughput"
at_least = 0.9
source = "made up"
"""


def load(folder: Path, text: str = TWO) -> Preset:
    path = folder / "two.toml"
    path.write_text(text)
    return load_preset(str(path))


def groups(preset: Preset) -> list[tuple[str, str, int]]:
    return list(dict.fromkeys((case.subject, case.engine, case.batch) for case in preset.cases()))


def test_a_subject_may_have_engines_and_batches_of_its_own(tmp_path: Path) -> None:
    preset = load(tmp_path)
    assert groups(preset) == [
        ("resnet18-cifar", "eager", 1),
        ("resnet18-cifar", "eager", 64),
        ("resnet18-cifar", "inference", 1),
        ("resnet18-cifar", "inference", 64),
        ("resnet8-w16", "eager", 32),
        ("resnet8-w16", "eager", 128),
    ]
    assert preset.engines == ("eager", "inference")


def test_a_flag_takes_the_place_of_what_a_subject_has(tmp_path: Path) -> None:
    preset = with_changes(load(tmp_path), Changes(engines=("inference",)))
    assert {engine for _, engine, _ in groups(preset)} == {"inference"}
    assert ("resnet8-w16", "inference", 128) in groups(preset)
    preset = with_changes(load(tmp_path), Changes(batches=(8,)))
    assert [(subject, engine) for subject, engine, _ in groups(preset)] == [
        ("resnet18-cifar", "eager"),
        ("resnet18-cifar", "inference"),
        ("resnet8-w16", "eager"),
    ]
    assert {batch for _, _, batch in groups(preset)} == {8}


def test_flags_leave_the_targets_to_be_counted(tmp_path: Path) -> None:
    preset = load(tmp_path)
    assert with_changes(preset, Changes(batches=(8,), variants=("relu",))).targets == preset.targets
    models = Changes(models=("pkg.a:Net",), image=(3, 8, 8))
    assert with_changes(preset, models).targets == ()


def test_an_unknown_engine_of_a_subject_is_refused_before_anything_runs(tmp_path: Path) -> None:
    path = tmp_path / "two.toml"
    path.write_text(TWO.replace('engines = ["eager"]', 'engines = ["abacus"]'))
    with pytest.raises(UsageError, match="unknown engine 'abacus'"):
        resolve(str(path), Changes())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('engines = ["eager"]', 'engines = ["eager", "eager"]', "engines names eager twice"),
        ("batches = [128, 32]", "batches = [128, 128]", "batches names 128 twice"),
        ('engines = ["eager"]', "engines = []", "engines"),
        ("batches = [128, 32]", "batches = [0]", "batches"),
        (
            'subject = "resnet18-cifar"',
            'subject = "resnet19"',
            "target 1 names subject 'resnet19', which isn't measured there; choose from resnet18-cifar, ",
        ),
        (
            "batch = 64",
            "batch = 8",
            "target 1 names batch '8', which isn't measured there; choose from 1, 64",
        ),
        ('engine = "inference"', 'engine = "training"', "names engine 'training'"),
        (
            'subject = "resnet18-cifar"\nengine = "inference"',
            'subject = "resnet8-w16"\nengine = "inference"',
            "names engine 'inference', which isn't measured there; choose from eager",
        ),
        ('variants = ["dyrelu_a", "dyrelu_b"]', 'variants = ["dyrelu_z"]', "names variant 'dyrelu_z'"),
        ('variants = ["dyrelu_a", "dyrelu_b"]', "variants = []", "variants"),
        ('variants = ["dyrelu_a", "dyrelu_b"]', 'variants = ["dyrelu_a", "dyrelu_a"]', "dyrelu_a twice"),
        ('against = "relu"', 'against = "identity"', "names variant 'identity'"),
        ('against = "relu"', 'against = "dyrelu_a"', "sets 'dyrelu_a' against itself"),
        ('metric = "throughput"', 'metric = "accuracy"', "accuracy"),
        ("at_least = 0.9", "at_most = 0.9", "takes at_least, and no at_most"),
        (
            "at_least = 0.9",
            "at_leats = 0.9",
            "unknown key 'at_leats' in [targets]; it takes against, at_least",
        ),
        ('source = "made up"', "", "source"),
        ('source = "made up"', 'source = ""', "source"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert TWO.count(old) == 1
    with pytest.raises(BenchError) as error:
        load(tmp_path, TWO.replace(old, new))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_the_fused_operators_preset_holds_what_was_set_for_it() -> None:
    preset = load_preset("fused-operator")
    assert groups(preset) == [
        ("resnet18-cifar", "eager", 1),
        ("resnet18-cifar", "eager", 64),
        ("resnet18-cifar", "inference", 1),
        ("resnet18-cifar", "inference", 64),
        ("resnet8-w16", "training", 128),
        ("resnet18-cifar-sites", "eager", 64),
    ]
    bounds = {
        (t.engine, t.batch, t.against, t.metric.value, variant[-1]): t.bound
        for t in preset.targets
        for variant in t.variants
        if t.kind is TargetKind.TARGET
    }
    expected = {
        ("eager", 64, "relu", "throughput"): {"a": 1.0, "b": 1.0, "c": 0.95},
        ("inference", 64, "identity", "throughput"): {"a": 0.95, "b": 0.95, "c": 0.92},
        ("training", 128, "relu", "throughput"): {"a": 0.95, "b": 0.95, "c": 0.85},
        ("eager", 1, "relu", "throughput"): {"a": 0.92, "b": 0.92},
        ("inference", 1, "identity", "throughput"): {"a": 0.95, "b": 0.95, "c": 0.95},
        ("training", 128, "relu", "peak_tensor"): {"a": 1.5, "b": 1.5, "c": 1.55},
        ("eager", 64, "identity", "time"): {"a": 1.5, "b": 1.5, "c": 1.5},
    }
    assert bounds == {(*key, letter): b for key, found in expected.items() for letter, b in found.items()}


def test_the_fused_operators_preset_can_be_run() -> None:
    assert resolve("fused-operator", Changes()).engines == ("eager", "inference", "training")
