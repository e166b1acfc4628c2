"""The small ResNet family for 32x32 images (He et al. 2016, arXiv 1512.03385, section 4.2).

Depth 6n+2: a 3x3 stem, three stages of n basic blocks with width, 2*width and 4*width channels, pool, head.
Where the shape changes, the shortcut is a 1x1 convolution, as in MLPerf Tiny's ResNet-8 (here with a batch
norm), and not the paper's zero padding.
"""

from __future__ import annotations

from paddle import Tensor, nn

from dyrelu.activations import ActivationFactory
from dyrelu.errors import OptionError, ShapeError
from dyrelu.models.blocks import ActivationLayer, BasicBlock, BlockShape, conv, make_stage

__all__ = ["MIN_HIDDEN", "ResNetCIFAR", "resnet_cifar"]

STAGES = 3
LAYERS_PER_DEPTH_STEP = 2 * STAGES  # a basic block has two convolutions

#: With 16 channels a reduction of 8 leaves a hyper function 2 hidden units, too few to tell images apart.
MIN_HIDDEN = 4


class ResNetCIFAR(nn.Layer):
    """Stem, three stages, pool, head: (N, in_channels, H, W) -> (N, num_classes) logits.

    Raises ShapeError for an input with another number of axes or channels.
    """

    def __init__(
        self, blocks: int, width: int, *, act_layer: ActivationLayer, num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.conv1 = conv(in_channels, width, 3)
        self.bn1 = nn.BatchNorm2D(width)
        self.act1 = act_layer(width)
        channels = width
        for index in range(STAGES):
            planes = width * 2**index
            first = BlockShape(channels, planes, stride=1 if index == 0 else 2)
            self.add_sublayer(f"layer{index + 1}", make_stage(BasicBlock, first, blocks, act_layer))
            channels = planes
        self.num_features = channels
        self.pool = nn.AdaptiveAvgPool2D(1)
        self.fc: nn.Layer | None = nn.Linear(channels, num_classes) if num_classes > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        if len(x.shape) != 4 or x.shape[1] != self.in_channels:
            raise ShapeError(
                f"input of shape {list(x.shape)} does not fit: give (N, {self.in_channels}, H, W)."
            )
        x = self.act1(self.bn1(self.conv1(x)))
        x = self.pool(self.layer3(self.layer2(self.layer1(x))))
        return x if self.fc is None else self.fc(x.flatten(1))


def resnet_cifar(
    *,
    act_layer: ActivationLayer,
    depth: int = 8,
    width: int = 16,
    num_classes: int = 10,
    in_channels: int = 3,
) -> ResNetCIFAR:
    """ResNet-8, -14, -20, ... of a given width; `num_classes` <= 0 leaves out the head.

    A factory from `dyrelu.activations.build` that does not set `min_hidden` gets `MIN_HIDDEN`.
    Raises OptionError for a depth that is not 6n+2, or for fewer than one channel.
    """
    blocks, rest = divmod(depth - 2, LAYERS_PER_DEPTH_STEP)
    if blocks < 1 or rest:
        raise OptionError(f"depth {depth} is not 6n+2: choose 8, 14, 20 or the like.")
    if width < 1 or in_channels < 1:
        raise OptionError(f"width and in_channels must be at least 1, but are {width} and {in_channels}.")
    if isinstance(act_layer, ActivationFactory):
        act_layer = act_layer.with_defaults(min_hidden=MIN_HIDDEN)
    return ResNetCIFAR(blocks, width, act_layer=act_layer, num_classes=num_classes, in_channels=in_channels)
