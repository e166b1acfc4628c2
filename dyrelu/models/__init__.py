"""The networks by name; the activation of every site is injected as `act_layer`.

    from dyrelu.activations import build
    from dyrelu.models import resnet18

    network = resnet18(act_layer=build("dyrelu_b"), num_classes=10, stem="cifar")

The ResNet functions take the fields of `ResNetConfig` as keywords, and have its defaults: ImageNet's stem and
1000 classes.
"""

from __future__ import annotations

from typing import TypedDict, Unpack

from dyrelu.models.blocks import ActivationLayer
from dyrelu.models.resnet import ResNet, ResNetConfig, Stem, StemName
from dyrelu.models.resnet_cifar import ResNetCIFAR, resnet_cifar
from dyrelu.models.sites import ResNetSites, resnet_sites

__all__ = [
    "ActivationLayer",
    "ResNet",
    "ResNetCIFAR",
    "ResNetConfig",
    "ResNetSites",
    "Stem",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnet_cifar",
    "resnet_sites",
    "resnext50_32x4d",
    "wide_resnet50_2",
]


class PlainOptions(TypedDict, total=False):
    """The fields of `ResNetConfig` that every depth takes."""

    num_classes: int
    stem: Stem | StemName
    in_channels: int
    with_pool: bool


class BottleneckOptions(PlainOptions, total=False):
    """Those that bottleneck networks take besides: base width of a group, and groups."""

    width: int
    groups: int


def resnet18(*, act_layer: ActivationLayer, **options: Unpack[PlainOptions]) -> ResNet:
    """ResNet-18: 17 activation sites, 512 features."""
    return ResNet(ResNetConfig(depth=18, **options), act_layer=act_layer)


def resnet34(*, act_layer: ActivationLayer, **options: Unpack[PlainOptions]) -> ResNet:
    """ResNet-34: 33 activation sites, 512 features."""
    return ResNet(ResNetConfig(depth=34, **options), act_layer=act_layer)


def resnet50(*, act_layer: ActivationLayer, **options: Unpack[BottleneckOptions]) -> ResNet:
    """ResNet-50: 49 activation sites, 2048 features."""
    return ResNet(ResNetConfig(depth=50, **options), act_layer=act_layer)


def resnet101(*, act_layer: ActivationLayer, **options: Unpack[BottleneckOptions]) -> ResNet:
    """ResNet-101: 100 activation sites, 2048 features."""
    return ResNet(ResNetConfig(depth=101, **options), act_layer=act_layer)


def resnet152(*, act_layer: ActivationLayer, **options: Unpack[BottleneckOptions]) -> ResNet:
    """ResNet-152: 151 activation sites, 2048 features."""
    return ResNet(ResNetConfig(depth=152, **options), act_layer=act_layer)


def wide_resnet50_2(*, act_layer: ActivationLayer, **options: Unpack[PlainOptions]) -> ResNet:
    """ResNet-50 with inner convolutions twice as wide (Zagoruyko & Komodakis 2016, arXiv 1605.07146)."""
    return ResNet(ResNetConfig(depth=50, width=128, **options), act_layer=act_layer)


def resnext50_32x4d(*, act_layer: ActivationLayer, **options: Unpack[PlainOptions]) -> ResNet:
    """ResNeXt-50 with 32 groups of 4 channels (Xie et al. 2017, arXiv 1611.05431, table 1)."""
    return ResNet(ResNetConfig(depth=50, width=4, groups=32, **options), act_layer=act_layer)
