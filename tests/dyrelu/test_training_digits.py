"""The package's own networks really learn, and are paired."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dyrelu.activations import build, names
from dyrelu.data import digits
from dyrelu.models import resnet_cifar
from dyrelu.training import TrainingJob, initialise, recipe, train
from dyrelu.training.state import state_of


@pytest.mark.parametrize("variant", ["relu", "dyrelu_b"])
def test_a_short_run_learns_the_digits(tmp_path: Path, variant: str) -> None:
    model = resnet_cifar(depth=8, width=16, act_layer=build(variant), num_classes=10, in_channels=1)
    chosen = recipe("digits", epochs=3)
    job = TrainingJob(
        dataset=digits.load(), recipe=chosen, seed=0, folder=tmp_path, variant=variant, threads=1
    )
    # A tenth would be chance; the recipe's full length is checked over many seeds elsewhere.
    assert train(model, job).accuracy > 0.93


@pytest.mark.parametrize("variant", names())
def test_every_variant_has_the_trunk_of_the_relu_network(variant: str) -> None:
    plain, dynamic = (
        resnet_cifar(depth=8, width=16, act_layer=build(name), num_classes=10, in_channels=1)
        for name in ("relu", variant)
    )
    initialise(plain, 7)
    initialise(dynamic, 7)
    trunk, all_of_it = state_of(plain), state_of(dynamic)
    assert set(trunk) <= set(all_of_it)
    for name, value in trunk.items():
        np.testing.assert_array_equal(value, all_of_it[name])
