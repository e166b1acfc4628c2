"""Recipes, the schedule and the random streams."""

from __future__ import annotations

import itertools
import math

import msgspec
import numpy as np
import pytest

from dyrelu.data import Augmentation, Flip, Padding
from dyrelu.errors import RecipeError
from dyrelu.training import Recipe, recipe, recipe_names
from dyrelu.training.epoch import plan_epoch, steps_per_epoch
from dyrelu.training.recipes import WeightsKind
from dyrelu.training.schedule import learning_rate
from dyrelu.training.streams import Stream, generator, name_key


@pytest.mark.parametrize("name", recipe_names())
def test_a_named_recipe_survives_json(name: str) -> None:
    known = recipe(name)
    assert known.name == name
    assert msgspec.json.decode(msgspec.json.encode(known), type=Recipe) == known


def test_the_standard_recipe_is_that_of_the_training_notes() -> None:
    standard = recipe("standard")
    assert (standard.momentum, standard.nesterov, standard.label_smoothing) == (0.9, True, 0.1)
    assert standard.augmentation.pad == 4
    assert standard.mirrors
    assert standard.weights_kind is WeightsKind.EMA


def test_overrides_take_builtins_and_values() -> None:
    crop = Augmentation(pad=2, padding=Padding.ZERO, flip=Flip.NONE)
    changed = recipe("standard", epochs=7, augmentation=crop)
    assert (changed.epochs, changed.augmentation) == (7, crop)
    assert recipe("standard", augmentation={"pad": 2, "padding": "zero", "flip": "none"}).augmentation == crop
    assert recipe("standard").epochs != 7


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"epoch": 3}, "unknown field `epoch`"),
        ({"epochs": "three"}, r"Expected `int`, got `str` - at `\$.epochs`"),
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": -1}, "batch_size must be at least 2"),
        ({"peak_learning_rate": 0.0}, "peak_learning_rate must be above 0"),
        ({"peak_learning_rate": math.nan}, "peak_learning_rate must be above 0, got nan"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"momentum": 0.0}, "nesterov must be false where momentum is 0"),
        ({"weight_decay": -0.1}, "weight_decay must be 0 or more"),
        ({"warmup": 1.0}, "warmup must be from 0 to below 1"),
        ({"label_smoothing": 1.0}, "label_smoothing must be"),
        ({"ema_decay": 1.0}, "ema_decay must be"),
        ({"ema_start": 1.0}, "ema_start must be"),
        ({"ema_interval": 0}, "ema_interval must be"),
        ({"hyper_lr_scale": 0.0}, "hyper_lr_scale must be"),
        ({"augmentation": {"pad": -1, "padding": "zero", "flip": "none"}}, "0 or more pixels, got -1"),
        (
            {"augmentation": {"pad": 1, "padding": "zero", "flip": "sideways"}},
            "Invalid enum value 'sideways'",
        ),
        ({"augmentation": {"pad": 1, "padding": "zero", "flip": "none", "x": 1}}, "unknown field `x`"),
    ],
)
def test_a_bad_override_gets_one_sentence(overrides: dict[str, object], sentence: str) -> None:
    with pytest.raises(RecipeError, match=sentence) as error:
        recipe("standard", **overrides)
    assert "'standard'" in str(error.value)


def test_an_unknown_recipe_lists_the_known() -> None:
    known = "standard, progressive, digits, seed"
    with pytest.raises(RecipeError, match=f"no recipe named 'fast': choose one of {known}"):
        recipe("fast")


def test_the_schedule_rises_to_the_peak_and_falls_to_zero() -> None:
    chosen = recipe("standard", epochs=10, warmup=0.2, peak_learning_rate=0.4)
    rates = [learning_rate(chosen, step, 5) for step in range(51)]
    assert rates[:10] == pytest.approx([0.04 * (step + 1) for step in range(10)])
    assert rates[10] == max(rates) == 0.4
    assert rates[30] == pytest.approx(0.2)
    assert rates[20] == pytest.approx(0.4 * (1 + math.cos(math.pi / 4)) / 2)
    assert all(later < earlier for earlier, later in itertools.pairwise(rates[10:]))
    assert rates[49] > 0
    assert rates[50] == pytest.approx(0)


def test_the_schedule_without_warm_up_starts_at_the_peak() -> None:
    chosen = recipe("standard", epochs=1, warmup=0.0)
    assert learning_rate(chosen, 0, 3) == chosen.peak_learning_rate


def test_streams_are_apart_and_repeat() -> None:
    draws = {
        keys: generator(*keys).random()  # type: ignore[arg-type]  # tuples of different lengths
        for keys in [
            (1, Stream.ORDER, 1),
            (1, Stream.ORDER, 2),
            (2, Stream.ORDER, 1),
            *((1, stream) for stream in Stream),
        ]
    }
    assert len(set(draws.values())) == len(draws)
    assert generator(1, Stream.ORDER, 1).random() == draws[1, Stream.ORDER, 1]
    assert name_key("conv.weight") == 1431202346


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    chosen = recipe("standard")
    first, again, next_ = (plan_epoch(chosen, 50, (8, 8), 3, epoch) for epoch in (1, 1, 2))
    assert sorted(first.order) == list(range(50))
    assert first.order.tolist() == again.order.tolist() != next_.order.tolist()
    assert first.draws.tops.tolist() == again.draws.tops.tolist() != next_.draws.tops.tolist()
    # Alternating: each image is mirrored in exactly one of two epochs in a row.
    mirrored_first = first.draws.mirrored[np.argsort(first.order)]
    mirrored_next = next_.draws.mirrored[np.argsort(next_.order)]
    assert (mirrored_first ^ mirrored_next).all()
    assert 0 < mirrored_first.sum() < 50


def test_a_batch_larger_than_the_data_is_refused() -> None:
    assert steps_per_epoch(recipe("standard", batch_size=20), 50) == 2
    with pytest.raises(RecipeError, match="batch_size 128 exceeds the 50 training images"):
        steps_per_epoch(recipe("standard"), 50)
