"""The activations of a ResNet alone: what they cost together without the network around them.

Each activation gets a constant input of the shape that it has in the network, read off the network itself.
One forward pass runs them one after the other, in the network's order.
"""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle import Tensor, nn

from dyrelu.errors import ShapeError
from dyrelu.models.blocks import ActivationLayer
from dyrelu.models.resnet import ResNet, ResNetConfig, Stem, StemName

__all__ = ["ResNetSites", "resnet_sites"]

Shape = tuple[int, ...]

_SEED = 20200319  # any, but always the same

#: (channels, height, width) of one CIFAR image.
_CIFAR_IMAGE = (3, 32, 32)


class ResNetSites(nn.Layer):
    """Activations with a standard normal input each, the same in every process: no network, nothing to train.

    (N, *image) -> (N, sites): of the given images only the number matters, and each column is the first
    element of one activation's result, which shows that it ran, no more. Inputs are made when a
    number of images comes for the first time in a row, outside of what is timed after a warm-up, and take as
    much memory as the results (2.2 MB an image for a CIFAR ResNet-18). They are no part of the layer's state.

    For eager mode. A trace has the inputs of the last number of images, which is 1 at first; it can't be
    saved, since its result does not depend on the images.
    Raises ShapeError for images of another shape, and for a trace with another or an open number of them.
    """

    def __init__(self, image: Shape, shapes: tuple[Shape, ...], *, act_layer: ActivationLayer) -> None:
        super().__init__()
        self.image = image
        self.shapes = shapes
        self.activations = nn.LayerList([act_layer(channels) for channels, *_ in shapes])
        self._draw(1, paddle.float32)

    @property
    def elements(self) -> int:
        """How many numbers all activations together read, and as many they write, for one image."""
        return sum(math.prod(shape) for shape in self.shapes)

    def forward(self, x: Tensor) -> Tensor:
        # Copies, since views would keep every result in memory until the last activation is done.
        firsts = [activation(given)[:, 0, 0, 0].clone() for activation, given in self._fed(x)]
        columns: Tensor = paddle.stack(firsts, axis=1)
        return columns

    @paddle.jit.not_to_static
    def _fed(self, x: Tensor) -> list[tuple[nn.Layer, Tensor]]:
        """Each activation with its input for as many images."""
        batch, *image = x.shape
        if tuple(image) != self.image:
            wanted = ", ".join(map(str, self.image))
            raise ShapeError(f"input of shape {list(x.shape)} does not fit: give (N, {wanted}).")
        inputs: list[Tensor] = self.buffers(include_sublayers=False)
        if inputs[0].shape[0] == batch:
            return list(zip(self.activations, inputs, strict=True))
        if not paddle.in_dynamic_mode():
            raise ShapeError(
                "activations without their network have inputs for a known number of images: run them in "
                "eager mode, or call the layer with as many images as the trace is for before tracing it."
            )
        self._draw(batch, inputs[0].dtype)
        return self._fed(x)

    def _draw(self, batch: int, dtype: paddle.dtype) -> None:
        """Makes the inputs anew; a smaller batch has the first of a larger one's images."""
        for index, shape in enumerate(self.shapes):
            rng = np.random.default_rng([_SEED, index])
            numbers = paddle.to_tensor(rng.standard_normal((batch, *shape), dtype=np.float32))
            self.register_buffer(f"input{index}", numbers.astype(dtype), persistable=False)


def resnet_sites(
    *,
    act_layer: ActivationLayer,
    depth: int = 18,
    stem: Stem | StemName = Stem.CIFAR,
    image: tuple[int, int, int] = _CIFAR_IMAGE,
) -> ResNetSites:
    """The activations of a ResNet of this depth and stem, for images (channels, height, width).

    Raises OptionError for a depth or stem that there is no ResNet for.
    """
    config = ResNetConfig(depth=depth, stem=stem, in_channels=image[0], num_classes=0)
    return ResNetSites(tuple(image), _shapes(config, image), act_layer=act_layer)


def _shapes(config: ResNetConfig, image: Shape) -> tuple[Shape, ...]:
    """The shapes of what the activations of this network are given, in the order in which they run."""
    seen: list[Shape] = []
    network = ResNet(config, act_layer=lambda _: _Witness(seen))
    network.eval()
    with paddle.no_grad():
        network(paddle.zeros([1, *image]))
    return tuple(seen)


class _Witness(nn.Layer):
    """In an activation's place it writes down what comes by, without the batch axis."""

    def __init__(self, seen: list[Shape]) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, x: Tensor) -> Tensor:
        self.seen.append(tuple(x.shape[1:]))
        return x
