"""The networks that are measured side by side, each made by a factory without arguments (`preset.toml`)."""

from __future__ import annotations

from dyrelu.activations import build
from dyrelu.models import ResNet, resnet18
from dyrelu.models.blocks import ActivationLayer
from tests.studies.notebook.layers import ChannelWise, Spatial

__all__ = [
    "notebook_b",
    "notebook_c",
    "ours_b",
    "ours_c",
    "relu",
    "relu_stock_stem",
]

_CLASSES = 10


def relu() -> ResNet:
    """ResNet-18 with ReLU and the 3x3 stem that all the others have."""
    return _cifar(build("relu"))


def relu_stock_stem() -> ResNet:
    """ResNet-18 with ReLU and ImageNet's stem: what the notebook timed as its plain network."""
    return resnet18(act_layer=build("relu"), num_classes=_CLASSES, stem="imagenet")


def notebook_b() -> ResNet:
    """Variant B by transposes and five axes."""
    return _cifar(ChannelWise)


def notebook_c() -> ResNet:
    """Variant C by transposes and five axes, with a softmax over rows: what the notebook timed as C."""
    return _cifar(Spatial)


def ours_b() -> ResNet:
    """This project's B, on whatever kernel there is."""
    return _cifar(build("dyrelu_b"))


def ours_c() -> ResNet:
    """This project's C with the notebook's softmax, on whatever kernel there is."""
    return _cifar(build("dyrelu_c", spatial="seed"))


def _cifar(act_layer: ActivationLayer) -> ResNet:
    return resnet18(act_layer=act_layer, num_classes=_CLASSES, stem="cifar")
