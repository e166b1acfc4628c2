"""What the layer microbenchmarks call: one activation at one site, forward, or forward and backward.

The sites are those of a CIFAR ResNet-18, 17 activations of four distinct shapes. The batch is the environment
variable `DYRELU_MICROBENCH_BATCH` (images, default 8).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import paddle

from dyrelu.activations import build

__all__ = ["BATCH_VARIABLE", "CALLS", "SITES", "batch_from_environment", "forward_call", "training_call"]

BATCH_VARIABLE = "DYRELU_MICROBENCH_BATCH"
DEFAULT_BATCH = "8"

#: Channels and side of the square map, in the network's order.
SITES = ((64, 32), (128, 16), (256, 8), (512, 4))


def batch_from_environment() -> int:
    """Images per call; ValueError for anything but a positive whole number."""
    text = os.environ.get(BATCH_VARIABLE, DEFAULT_BATCH)
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{BATCH_VARIABLE} must be a positive whole number, but is {text!r}.")
    return int(text)


def forward_call(variant: str, shape: tuple[int, int, int, int]) -> Callable[[], paddle.Tensor]:
    """The layer's forward pass without gradients."""
    layer = build(variant)(shape[1])
    layer.eval()
    x = paddle.randn(shape)

    def call() -> paddle.Tensor:
        with paddle.no_grad():
            result: paddle.Tensor = layer(x)
        return result

    return call


def training_call(variant: str, shape: tuple[int, int, int, int]) -> Callable[[], paddle.Tensor]:
    """The layer's forward and backward pass to input and parameters; returns the input's gradient."""
    layer = build(variant)(shape[1])
    x = paddle.randn(shape)
    x.stop_gradient = False
    upstream = paddle.randn(shape)

    def call() -> paddle.Tensor:
        x.clear_gradient()
        layer.clear_gradients()
        layer(x).backward(upstream)
        assert x.grad is not None
        return x.grad

    return call


CALLS = {"forward": forward_call, "forward+backward": training_call}
