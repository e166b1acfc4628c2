"""Batch-norm statistics for a network that was never trained.

With the initial mean 0 and variance 1 a deep residual network's features grow from block to block (a
ResNet-50 gave outputs of 1e7), the hyper functions' sigmoids are all but switches, and a rounding error turns
into another output. Nobody runs such a network. One pass over random images gives every layer the statistics
of its own features, as training would, and outputs of the order of 1.

Where the last maps are single pixels, a batch norm has one value an image: of eight images that differ by
little, some channel's variance is next to nothing, and dividing by its root turns rounding errors into
outputs. MobileNetV2 with DyReLU-B at 32x32, whose input was moved by one rounding, gave outputs that differed
by 5e-3 of the largest after 8 images, and by 2e-5 after 128. With DyReLU-A, whose slopes multiply through all
layers, nine of ten images then stay below 1e-4, and single ones reach 8e-4
(tests/dyrelu/test_training_calibration.py).
"""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle import nn

__all__ = ["calibrate_batch_norm"]

# Small images have small maps, and are cheap: 128 of 32x32, 8 of 224x224.
_PIXELS = 128 * 32 * 32
_FEWEST, _MOST = 8, 128
_SEED = 20151211  # any, but always the same


def calibrate_batch_norm(model: nn.Layer, image: tuple[int, ...]) -> int:
    """Sets running statistics that were never trained to those of one batch of standard normal images.

    Args:
        model: changed in place, and left in evaluation mode.
        image: shape of one input, without the batch axis.

    Returns:
        How many batch norms were set: all of them, or none if the statistics of any are not 0 and 1.
    """
    norms = [layer for layer in model.sublayers() if isinstance(layer, nn.layer.norm._BatchNormBase)]
    if not norms or any(_is_trained(layer) for layer in norms):
        return 0
    images = min(max(_PIXELS // math.prod(image[1:]), _FEWEST), _MOST)
    batch = np.random.default_rng(_SEED).standard_normal((images, *image), dtype=np.float32)
    momenta = [layer._momentum for layer in norms]
    # running = momentum * running + (1 - momentum) * batch: with 0 it is the batch's own.
    for layer in norms:
        layer._momentum = 0.0
    paddle.seed(_SEED)  # dropout draws from here
    model.train()
    try:
        with paddle.no_grad():
            model(paddle.to_tensor(batch))
    finally:
        model.eval()
        for layer, momentum in zip(norms, momenta, strict=True):
            layer._momentum = momentum
    return len(norms)


def _is_trained(layer: nn.Layer) -> bool:
    return bool(np.any(layer._mean.numpy() != 0.0) or np.any(layer._variance.numpy() != 1.0))
