"""Denormal numbers are found where they are, and what trained and random weights cost is set side by side."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import paddle
import pytest
from paddle import nn

from bench.metrics.denormals import Denormals, denormals, in_activations, in_weights
from bench.presets import load_preset
from tests.bench.suites import Plan, build_suite
from tests.peers.weights import answers, page, plan

SMALL = np.float32(1e-40)


def test_only_what_is_small_and_not_zero_counts() -> None:
    array = np.array([0.0, SMALL, -SMALL, np.finfo(np.float32).tiny, 1.0], dtype=np.float32)
    assert denormals([array, array]) == Denormals(4, 10)
    assert denormals([]) == Denormals(0, 0)


def test_they_are_found_in_weights_and_in_activations() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    weight = np.array([[1.0, SMALL], [0.0, 1.0]], dtype=np.float32)
    model[0].weight.set_value(weight)
    model[0].bias.set_value(np.zeros(2, dtype=np.float32))
    assert in_weights(model) == Denormals(1, 6)
    # Both layers' results for one image: (1, 1e-40) twice; a processor that flushes gives 0 instead.
    found = in_activations(model, np.array([[1.0, 0.0]], dtype=np.float32))
    assert found.of == 4
    assert found.count in (0, 2)
    assert not model[1]._forward_post_hooks
    assert paddle.is_grad_enabled()


def test_trained_and_random_weights_are_one_group_and_their_ratio_is_paired() -> None:
    names = ("relu trained", "relu random", "dyrelu_b trained", "dyrelu_b random")
    found = answers(build_suite(Plan(variants=names, slowness=(1.0, 1.0, 1.1, 1.0), batches=(1, 8))))
    assert [(a.variant, a.engine, a.batch) for a in found][:2] == [
        ("relu", "eager", 1),
        ("dyrelu_b", "eager", 1),
    ]
    assert all(a.ratio.n == 9 for a in found)
    assert found[1].ratio.value == pytest.approx(1.1, rel=0.05)
    text = page(found, {"relu trained": (Denormals(0, 10), Denormals(3, 20))})
    assert "3 of 20" in text
    assert "Of 8 pairs" in text


def test_without_a_trained_folder_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="dyrelu-bench train"):
        plan(tmp_path, load_preset("quick").measure)


def test_the_plan_has_every_variant_twice_in_one_group(tmp_path: Path) -> None:
    for variant in ("relu", "dyrelu_a", "dyrelu_b", "dyrelu_c"):
        weights = tmp_path / "training" / f"{variant}-seed0" / "weights.safetensors"
        weights.parent.mkdir(parents=True)
        weights.touch()
    preset = plan(tmp_path, msgspec.structs.replace(load_preset("quick").measure, batches=(8,)))
    assert len({case.group for case in preset.cases()}) == 2  # one an engine
    assert len(preset.cases()) == 16
