"""The networks of the preset `quick` without arguments, as a preset of anybody's models takes them."""

from __future__ import annotations

from paddle import nn

from dyrelu.activations import build
from dyrelu.models import resnet_cifar

__all__ = ["dyrelu_a", "dyrelu_b", "dyrelu_c", "relu"]


def _network(variant: str) -> nn.Layer:
    network = resnet_cifar(act_layer=build(variant), depth=8, width=16, in_channels=1)
    network.eval()
    return network


def relu() -> nn.Layer:
    """ReLU."""
    return _network("relu")


def dyrelu_a() -> nn.Layer:
    """Variant A."""
    return _network("dyrelu_a")


def dyrelu_b() -> nn.Layer:
    """Variant B."""
    return _network("dyrelu_b")


def dyrelu_c() -> nn.Layer:
    """Variant C."""
    return _network("dyrelu_c")
