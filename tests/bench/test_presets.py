"""Presets are read loudly and changed by flags within their rules."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.errors import BenchError, InputError, UsageError
from bench.presets import Changes, load_preset, preset_names, with_changes
from bench.presets.schema import DyReLUSpec, ModelsSpec, Options

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


@pytest.mark.parametrize("name", ["cifar10-controls", "cifar10-a-study-zero", "cifar10-a-study-slow"])
def test_the_studies_train_what_cifar10_trains(name: str) -> None:
    main, study = load_preset("cifar10"), load_preset(name)
    assert main.train is not None
    assert study.train is not None
    own = {"seeds": main.train.seeds, "hyper_lr_scale": main.train.hyper_lr_scale}
    assert msgspec.structs.replace(study.train, **own) == main.train
    network, other = main.subjects[0], study.subjects[0]
    assert isinstance(other, DyReLUSpec)
    own = {"variants": network.variants, "options": getattr(network, "options", None)}
    assert msgspec.structs.replace(other, **own) == network


def test_each_arm_of_the_study_of_a_changes_one_thing() -> None:
    main, zero, slow = map(load_preset, ("cifar10", "cifar10-a-study-zero", "cifar10-a-study-slow"))
    options = [preset.subjects[0].options for preset in (main, zero, slow)]  # type: ignore[union-attr]  # ours
    assert options == [Options(), Options(zero_init=True), Options()]
    scales = [preset.train.hyper_lr_scale for preset in (main, zero, slow) if preset.train]
    assert scales == [None, None, 0.1]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batches", "batchs", "unknown key 'batchs' in [measure]; it takes batches"),
        ("[train]", "[trian]", "unknown key 'trian' in the top level"),
        ("recipe", "recpie", "unknown key 'recpie' in [train]"),
        ("depth = 8", "depth = 0", "depth"),
        ("batches = [1,", "batches = [0,", "measure.batches"),
        ("blocks = 15", "blocks = nine", "not valid TOML"),
        ("seeds = [0]", "seeds = [0]\nhyper_lr_scale = 0", "train.hyper_lr_scale"),
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
