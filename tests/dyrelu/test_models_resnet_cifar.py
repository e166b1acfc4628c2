"""The small CIFAR family: sizes, shapes, the floor of hidden units, and a whole network traced and saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import paddle
import pytest
from paddle.static import InputSpec

from dyrelu.activations import OptionValue, build, names
from dyrelu.activations.base import DynamicReLU
from dyrelu.errors import OptionError
from dyrelu.models import ResNetCIFAR, resnet_cifar


def hidden_units(network: ResNetCIFAR) -> list[int]:
    return [layer.hidden for layer in network.sublayers() if isinstance(layer, DynamicReLU)]


def test_parameters_of_resnet8() -> None:
    def block(inputs: int, outputs: int) -> int:
        shortcut = 0 if inputs == outputs else inputs * outputs + 2 * outputs
        return 9 * inputs * outputs + 9 * outputs * outputs + 2 * 2 * outputs + shortcut

    expected = 9 * 3 * 16 + 2 * 16 + block(16, 16) + block(16, 32) + block(32, 64) + 64 * 10 + 10
    network = resnet_cifar(act_layer=build("relu"))
    assert sum(p.size for p in network.parameters() if not p.stop_gradient) == expected == 78_042


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(("depth", "width"), [(8, 16), (14, 4), (20, 8)])
def test_shape(name: str, depth: int, width: int) -> None:
    network = resnet_cifar(depth=depth, width=width, act_layer=build(name), num_classes=7, in_channels=1)
    assert network(paddle.rand([3, 1, 8, 8])).shape == [3, 7]


def test_depth_counts_the_layers() -> None:
    network = resnet_cifar(depth=20, width=4, act_layer=build("dyrelu_a"))
    assert len(hidden_units(network)) == 19


def test_without_head() -> None:
    network = resnet_cifar(act_layer=build("dyrelu_b"), num_classes=0)
    assert network(paddle.rand([2, 3, 16, 16])).shape == [2, network.num_features, 1, 1]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [4, 4, 4, 4, 4, 8, 8]),
        ({"min_hidden": 1}, [2, 2, 2, 4, 4, 8, 8]),
        ({"min_hidden": 6}, [6, 6, 6, 6, 6, 8, 8]),
    ],
)
def test_floor_of_hidden_units(options: dict[str, OptionValue], expected: list[int]) -> None:
    assert hidden_units(resnet_cifar(act_layer=build("dyrelu_b", **options))) == expected


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"depth": 10}, "depth 10 is not 6n\\+2: choose 8, 14, 20"),
        ({"depth": 2}, "depth 2 is not 6n\\+2"),
        ({"width": 0}, "width and in_channels must be at least 1, but are 0 and 3"),
    ],
)
def test_a_bad_option_gets_a_sentence(options: dict[str, int], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        resnet_cifar(act_layer=build("relu"), **options)


@pytest.mark.parametrize("name", names())
def test_saved_network_takes_any_batch_and_size(name: str, tmp_path: Path) -> None:
    network = resnet_cifar(act_layer=build(name))
    network.eval()
    path = str(tmp_path / "network")
    paddle.jit.save(network, path, input_spec=[InputSpec([None, 3, None, None], "float32")])
    loaded = paddle.jit.load(path)
    for shape in [(1, 3, 8, 8), (16, 3, 12, 10)]:
        x = paddle.rand(shape)
        np.testing.assert_allclose(loaded(x).numpy(), network(x).numpy(), rtol=1e-4, atol=1e-5)
