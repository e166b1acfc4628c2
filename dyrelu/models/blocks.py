"""The residual blocks that both ResNet families are made of.

Every activation site has a layer of its own, made by the injected factory, because a dynamic activation has
parameters. Names of trunk parameters (`conv*`, `bn*`, `shortcut*`) do not depend on the activation: training
initialises them by name, so that variants start from the same trunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from paddle import Tensor, nn

__all__ = ["ActivationLayer", "BasicBlock", "BlockShape", "Bottleneck", "conv", "make_stage"]

#: Makes the activation of one site from its channel count.
ActivationLayer = Callable[[int], nn.Layer]


@dataclass(frozen=True, slots=True)
class BlockShape:
    """What a block maps: `in_channels` at full size to `planes * expansion` at 1/`stride` of it.

    `group_width` is the width of one of `groups` in the inner convolution when `planes` is 64 (the convention
    of Wide ResNet and ResNeXt: 64x1 is the plain network, 128x1 is wide, 4x32 is ResNeXt).
    """

    in_channels: int
    planes: int
    stride: int = 1
    groups: int = 1
    group_width: int = 64


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2D:
    """A "same"-padded convolution without bias, since a batch norm follows each."""
    return nn.Conv2D(
        in_channels,
        out_channels,
        kernel,
        stride=stride,
        padding=kernel // 2,
        groups=groups,
        bias_attr=False,
    )


class _Residual(nn.Layer):
    """The shortcut of both blocks: identity, or 1x1 convolution and batch norm where shapes differ."""

    expansion: ClassVar[int]

    def __init__(self, shape: BlockShape) -> None:
        super().__init__()
        out_channels = shape.planes * self.expansion
        self.shortcut: nn.Layer | None = None
        if shape.stride != 1 or shape.in_channels != out_channels:
            self.shortcut = nn.Sequential(
                conv(shape.in_channels, out_channels, 1, shape.stride), nn.BatchNorm2D(out_channels)
            )

    def _identity(self, x: Tensor) -> Tensor:
        return x if self.shortcut is None else self.shortcut(x)


class BasicBlock(_Residual):
    """conv3x3 - bn - act - conv3x3 - bn - (+ shortcut) - act (He et al. 2016, arXiv 1512.03385, fig. 5 left).

    Shapes: (N, in_channels, H, W) -> (N, planes, ceil(H / stride), ceil(W / stride)).
    """

    expansion: ClassVar[int] = 1

    def __init__(self, shape: BlockShape, act_layer: ActivationLayer) -> None:
        super().__init__(shape)
        planes = shape.planes
        self.conv1 = conv(shape.in_channels, planes, 3, shape.stride)
        self.bn1 = nn.BatchNorm2D(planes)
        self.act1 = act_layer(planes)
        self.conv2 = conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2D(planes)
        self.act2 = act_layer(planes)

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        activated: Tensor = self.act2(out + self._identity(x))
        return activated


class Bottleneck(_Residual):
    """1x1 - 3x3 - 1x1, each with batch norm; three activations (arXiv 1512.03385, fig. 5 right).

    The stride sits on the 3x3 convolution (the "v1.5" form), as in Paddle's and torchvision's networks.
    Shapes: (N, in_channels, H, W) -> (N, 4 * planes, ceil(H / stride), ceil(W / stride)).
    """

    expansion: ClassVar[int] = 4

    def __init__(self, shape: BlockShape, act_layer: ActivationLayer) -> None:
        super().__init__(shape)
        inner = shape.planes * shape.group_width // 64 * shape.groups
        out_channels = shape.planes * self.expansion
        self.conv1 = conv(shape.in_channels, inner, 1)
        self.bn1 = nn.BatchNorm2D(inner)
        self.act1 = act_layer(inner)
        self.conv2 = conv(inner, inner, 3, shape.stride, shape.groups)
        self.bn2 = nn.BatchNorm2D(inner)
        self.act2 = act_layer(inner)
        self.conv3 = conv(inner, out_channels, 1)
        self.bn3 = nn.BatchNorm2D(out_channels)
        self.act3 = act_layer(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        out = self.act1(self.bn1(self.conv1(x)))
        out = self.act2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        activated: Tensor = self.act3(out + self._identity(x))
        return activated


def make_stage(
    block: type[BasicBlock] | type[Bottleneck], first: BlockShape, depth: int, act_layer: ActivationLayer
) -> nn.Sequential:
    """`depth` blocks in a row; only the first of them changes size or channels."""
    following = BlockShape(
        first.planes * block.expansion, first.planes, groups=first.groups, group_width=first.group_width
    )
    return nn.Sequential(*(block(first if i == 0 else following, act_layer) for i in range(depth)))
