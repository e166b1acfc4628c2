"""Presets are read loudly and changed by flags within their rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError, InputError, UsageError
from bench.presets import Changes, load_preset, preset_names, with_changes
from bench.presets.schema import ModelsSpec

pytestmark = pytest.mark.nopaddle

QUICK = (Path(__file__).parents[2] / "bench/presets/quick.toml").read_text()


@pytest.mark.parametrize("name", preset_names())
def test_every_shipped_preset_loads_and_plans(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    cases = preset.cases()
    assert len({case.key for case in cases}) == len(cases)
    if preset.train is not None:
        assert preset.train.target_source


def test_the_quick_preset_is_what_the_issue_asks_for() -> None:
    preset = load_preset("quick")
    assert preset.subjects[0].variants == ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c")
    assert preset.measure.batches == (1, 8, 32, 128)
    assert preset.measure.engines == ("eager", "inference")
    assert preset.train is not None
    assert preset.train.target == 0.97


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batches", "batchs", "unknown key 'batchs' in [measure]; it takes batches"),
        ("[train]", "[trian]", "unknown key 'trian' in the top level"),
        ("recipe", "recpie", "unknown key 'recpie' in [train]"),
        ("depth = 8", "depth = 0", "depth"),
        ("batches = [1,", "batches = [0,", "measure.batches"),
        ("blocks = 15", "blocks = nine", "not valid TOML"),
        ("batches = [1, 8", "batches = [8, 8", "names 8 twice"),
        ('family = "resnet_cifar"', 'family = "vgg"', "family"),
        ("classes = 10", "clases = 10", "unknown key 'clases' in [subjects]; it takes batches, classes"),
    ],
)
def test_a_mistake_in_a_file_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in QUICK
    path = tmp_path / "mine.toml"
    path.write_text(QUICK.replace(old, new))
    with pytest.raises(BenchError) as error:
        load_preset(str(path))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_preset_names_those_there_are() -> None:
    with pytest.raises(InputError, match=r"choose from cifar10, .*imagenet-shapes, .*quick, "):
        load_preset("qiuck")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (Changes(batches=(0,)), "--batch"),
        (Changes(batches=(-1,)), "--batch"),
        (Changes(batches=(4, 4)), "twice"),
        (Changes(threads=-1), "--threads"),
        (Changes(blocks=0), "--blocks"),
        (Changes(epochs=0), "--epochs"),
        (Changes(max_time=-1.0), "--max-time"),
        (Changes(models=("a:b",)), "--input"),
        (Changes(image=(3, 8, 8)), "--input"),
    ],
)
def test_a_flag_that_makes_no_sense_is_named(changes: Changes, said: str) -> None:
    with pytest.raises(UsageError) as error:
        with_changes(load_preset("quick"), changes)
    assert said in str(error.value)


def test_the_reference_stays_first() -> None:
    preset = with_changes(load_preset("quick"), Changes(variants=("dyrelu_b", "relu")))
    assert preset.subjects[0].variants == ("relu", "dyrelu_b")
    assert preset.reference == "relu"


def test_models_take_the_place_of_the_networks() -> None:
    changes = Changes(models=("pkg.a:Net", "pkg.b:Other"), image=(3, 8, 8))
    preset = with_changes(load_preset("quick"), changes)
    assert isinstance(preset.subjects[0], ModelsSpec)
    assert preset.subjects[0].variants == ("Net", "Other")
    assert preset.train is None
    both = with_changes(load_preset("quick"), Changes(models=("pkg.a:Net", "pkg.b:Net"), image=(3, 8, 8)))
    assert both.subjects[0].variants == ("pkg.a:Net", "pkg.b:Net")
