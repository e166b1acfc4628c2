"""ResNet, Wide ResNet and ResNeXt with an injected activation (He et al. 2016, arXiv 1512.03385).

Conventions: NCHW float tensors; the head returns logits. The activation is a factory from channel count to
layer, for instance `dyrelu.activations.build("dyrelu_b")`; any callable that returns a layer will do.
Convolutions start from Paddle's default, which is He's normal initialisation over the fan-in.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from paddle import Tensor, nn

from dyrelu.errors import OptionError, ShapeError
from dyrelu.models.blocks import ActivationLayer, BasicBlock, BlockShape, Bottleneck, conv, make_stage

__all__ = ["ResNet", "ResNetConfig", "Stem", "StemName"]

StemName = Literal["cifar", "imagenet"]

STAGE_PLANES = (64, 128, 256, 512)

#: Blocks per stage (arXiv 1512.03385, table 1).
STAGE_DEPTHS: dict[int, tuple[int, int, int, int]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
SHALLOWEST_BOTTLENECK = 50


class Stem(Enum):
    """How the image enters: CIFAR keeps its 32x32, ImageNet is reduced fourfold."""

    CIFAR = "cifar"  # 3x3, stride 1, no pool
    IMAGENET = "imagenet"  # 7x7, stride 2, then 3x3 max-pool, stride 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """The shape of a network. `num_classes` <= 0 leaves out the head; `with_pool` False the pool before it.

    Raises OptionError for a depth, stem, width or group count that there is no network for.
    """

    depth: int
    num_classes: int = 1000
    stem: Stem | StemName = Stem.IMAGENET
    in_channels: int = 3
    width: int = 64
    groups: int = 1
    with_pool: bool = True

    def __post_init__(self) -> None:
        if self.depth not in STAGE_DEPTHS:
            raise OptionError(f"depth {self.depth} is not a ResNet: choose one of {sorted(STAGE_DEPTHS)}.")
        if self.stem not in {*Stem, *(stem.value for stem in Stem)}:
            raise OptionError(f"stem {self.stem!r} is unknown: choose 'cifar' or 'imagenet'.")
        for name in ("in_channels", "width", "groups"):
            if getattr(self, name) < 1:
                raise OptionError(f"{name} must be at least 1, but is {getattr(self, name)}.")
        if self.depth < SHALLOWEST_BOTTLENECK and (self.width, self.groups) != (64, 1):
            raise OptionError(
                f"width {self.width} and groups {self.groups} need bottleneck blocks: "
                f"choose depth {SHALLOWEST_BOTTLENECK} or more, or leave them at 64 and 1."
            )
        if self.num_classes > 0 and not self.with_pool:
            raise OptionError(
                "a head needs pooled features: set num_classes=0 to get the feature maps, "
                "or leave with_pool at True."
            )


class ResNet(nn.Layer):
    """Stem, four stages, pool, head.

    Shapes: (N, in_channels, H, W) -> (N, num_classes) logits; without head (N, F, 1, 1) pooled features, and
    without pool (N, F, h, w) maps, with F = `num_features` (512, or 2048 from depth 50 on).
    Raises ShapeError for an input with another number of axes or channels.
    """

    def __init__(self, config: ResNetConfig, *, act_layer: ActivationLayer) -> None:
        super().__init__()
        self.config = config
        block = BasicBlock if config.depth < SHALLOWEST_BOTTLENECK else Bottleneck
        self.num_features = STAGE_PLANES[-1] * block.expansion
        stem_planes = STAGE_PLANES[0]
        self.max_pool: nn.Layer | None = None
        if Stem(config.stem) is Stem.CIFAR:
            self.conv1 = conv(config.in_channels, stem_planes, 3)
        else:
            self.conv1 = conv(config.in_channels, stem_planes, 7, 2)
            self.max_pool = nn.MaxPool2D(3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2D(stem_planes)
        self.act1 = act_layer(stem_planes)
        in_channels = stem_planes
        for index, (planes, depth) in enumerate(zip(STAGE_PLANES, STAGE_DEPTHS[config.depth], strict=True)):
            stride = 1 if index == 0 else 2
            first = BlockShape(in_channels, planes, stride, config.groups, config.width)
            self.add_sublayer(f"layer{index + 1}", make_stage(block, first, depth, act_layer))
            in_channels = planes * block.expansion
        self.pool: nn.Layer | None = nn.AdaptiveAvgPool2D(1) if config.with_pool else None
        has_head = config.num_classes > 0
        self.fc: nn.Layer | None = nn.Linear(self.num_features, config.num_classes) if has_head else None

    def forward(self, x: Tensor) -> Tensor:
        if len(x.shape) != 4 or x.shape[1] != self.config.in_channels:
            raise ShapeError(
                f"input of shape {list(x.shape)} does not fit: give (N, {self.config.in_channels}, H, W)."
            )
        x = self.act1(self.bn1(self.conv1(x)))
        if self.max_pool is not None:
            x = self.max_pool(x)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        if self.pool is not None:
            x = self.pool(x)
        if self.fc is not None:
            x = self.fc(x.flatten(1))
        return x
