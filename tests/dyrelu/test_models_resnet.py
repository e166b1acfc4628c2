"""ResNet, Wide ResNet and ResNeXt: sizes known from elsewhere, shapes, sites and stable names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import paddle
import pytest
from paddle import nn

from dyrelu import models
from dyrelu.activations import build, names
from dyrelu.activations.base import DynamicReLU
from dyrelu.errors import OptionError, ShapeError
from dyrelu.models import ResNet, ResNetConfig, Stem, resnet18, resnet50
from dyrelu.training.initialisation import hyper_layers

#: The CIFAR ResNet-18 of the reference figures: trainable parameters, and those with BN statistics.
REFERENCE_COUNTS = {
    "relu": (11_173_962, 11_183_562),
    "dyrelu_a": (11_351_062, 11_360_662),
    "dyrelu_b": (12_063_026, 12_072_626),
    "dyrelu_c": (12_066_947, 12_076_547),
}

#: ImageNet networks as Paddle's and torchvision's model tables state them: parameters and activation sites.
IMAGENET_COUNTS = {
    "resnet18": (11_689_512, 17),
    "resnet34": (21_797_672, 33),
    "resnet50": (25_557_032, 49),
    "resnet101": (44_549_160, 100),
    "resnet152": (60_192_808, 151),
    "wide_resnet50_2": (68_883_240, 49),
    "resnext50_32x4d": (25_028_904, 49),
}


def relu(channels: int) -> nn.Layer:  # noqa: ARG001  # the factory's protocol
    return nn.ReLU()


def trainable(network: nn.Layer) -> int:
    return sum(parameter.size for parameter in network.parameters() if not parameter.stop_gradient)


def features(network: nn.Layer, shape: tuple[int, ...]) -> list[int]:
    network.eval()
    with paddle.no_grad():
        return list(network(paddle.zeros(shape)).shape)


@pytest.mark.parametrize("name", REFERENCE_COUNTS)
def test_reference_parameter_counts(name: str) -> None:
    network = resnet18(act_layer=build(name), num_classes=10, stem="cifar")
    everything = sum(tensor.size for tensor in network.state_dict().values())
    assert (trainable(network), everything) == REFERENCE_COUNTS[name]


@pytest.mark.parametrize("name", IMAGENET_COUNTS)
def test_parameters_sites_and_shape_of_every_network(name: str) -> None:
    sites: list[int] = []

    def counted(channels: int) -> nn.Layer:
        sites.append(channels)
        return nn.ReLU()

    make: Callable[..., ResNet] = getattr(models, name)
    network = make(act_layer=counted)
    assert (trainable(network), len(sites)) == IMAGENET_COUNTS[name]
    assert features(network, (1, 3, 32, 32)) == [1, 1000]


@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize(
    ("options", "shape", "expected"),
    [
        ({"stem": "cifar", "num_classes": 10}, (2, 3, 16, 16), [2, 10]),
        ({"stem": "imagenet", "num_classes": 7}, (1, 3, 64, 48), [1, 7]),
        ({"stem": Stem.CIFAR, "num_classes": 3, "in_channels": 1}, (2, 1, 9, 9), [2, 3]),
        ({"stem": "cifar", "num_classes": 0}, (2, 3, 16, 16), [2, 512, 1, 1]),
        ({"stem": "cifar", "num_classes": -1, "with_pool": False}, (2, 3, 16, 16), [2, 512, 2, 2]),
        ({"stem": "imagenet", "num_classes": 0, "with_pool": False}, (1, 3, 64, 32), [1, 512, 2, 1]),
    ],
    ids=str,
)
def test_stems_heads_and_pools(
    name: str, options: models.PlainOptions, shape: tuple[int, ...], expected: list[int]
) -> None:
    assert features(resnet18(act_layer=build(name), **options), shape) == expected


def test_bottleneck_widths_and_groups() -> None:
    network = resnet50(act_layer=relu, num_classes=0, stem="cifar", width=8, groups=4)
    assert network.num_features == 2048
    assert features(network, (1, 3, 8, 8)) == [1, 2048, 1, 1]
    first = network.layer1[0]
    assert first.conv2.weight.shape == [32, 8, 3, 3]


def test_every_site_has_a_layer_of_its_own() -> None:
    network = resnet18(act_layer=build("dyrelu_b"), num_classes=10)
    layers = [layer for layer in network.sublayers() if isinstance(layer, DynamicReLU)]
    assert len({id(layer) for layer in layers}) == 17
    assert [layer.channels for layer in layers] == [64] * 5 + [128] * 4 + [256] * 4 + [512] * 4
    assert [layer.hidden for layer in layers] == [8] * 5 + [16] * 4 + [32] * 4 + [64] * 4


def trunk_names(network: nn.Layer) -> list[str]:
    own = tuple(f"{name}." for name in hyper_layers(network))
    return [name for name, _ in network.named_parameters() if not name.startswith(own)]


@pytest.mark.parametrize("make", [resnet18, resnet50, models.resnet_cifar])
def test_trunk_names_do_not_depend_on_the_variant(make: Callable[..., nn.Layer]) -> None:
    by_variant = [trunk_names(make(act_layer=build(name), num_classes=10)) for name in names()]
    assert all(trunk == by_variant[0] for trunk in by_variant)
    assert by_variant[0][:3] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert by_variant[0][-2:] == ["fc.weight", "fc.bias"]


def test_every_parameter_learns() -> None:
    network = resnet18(act_layer=build("dyrelu_c"), num_classes=4, stem="cifar")
    network(paddle.rand([2, 3, 8, 8])).square().sum().backward()
    learning = [(name, p.grad) for name, p in network.named_parameters() if not p.stop_gradient]
    assert [name for name, gradient in learning if gradient is None] == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"depth": 20}, r"depth 20 is not a ResNet: choose one of \[18, 34, 50, 101, 152\]"),
        ({"depth": 18, "stem": "tiny"}, "stem 'tiny' is unknown: choose 'cifar' or 'imagenet'"),
        ({"depth": 18, "in_channels": 0}, "in_channels must be at least 1, but is 0"),
        ({"depth": 50, "groups": -1}, "groups must be at least 1, but is -1"),
        ({"depth": 18, "width": 128}, "width 128 and groups 1 need bottleneck blocks: choose depth 50"),
        ({"depth": 18, "with_pool": False}, "a head needs pooled features: set num_classes=0"),
    ],
)
def test_a_bad_configuration_gets_a_sentence(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        ResNetConfig(**options)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (1, 3, 8), (3, 8, 8)], ids=str)
@pytest.mark.parametrize("make", [resnet18, models.resnet_cifar])
def test_a_bad_input_gets_a_sentence(make: Callable[..., nn.Layer], shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"does not fit: give \(N, 3, H, W\)"):
        make(act_layer=relu, num_classes=10)(paddle.zeros(shape))
