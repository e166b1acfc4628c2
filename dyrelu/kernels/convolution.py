"""Convolutions by oneDNN where a network is trained on the CPU.

Paddle's own convolution in eager mode there is a matrix product of unfolded images, several times slower.
Only who trains asks for this: a network that is measured keeps Paddle's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final, TypeGuard

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from dyrelu.errors import KernelError
from dyrelu.kernels.choice import Choice, Kernel, demanded, settle
from dyrelu.kernels.fused import convolved

__all__ = ["onednn_convolutions", "settle_convolution", "suits_onednn"]

_METHOD: Final = "forward"  # what a layer runs; set on the layer itself it hides the class's
_CHECKED = (3, 20, 65, 63)  # large enough that each sample is a part of its own, and no channels fill vectors
_CHECKED_OUT = 24
_TOLERANCE = 1e-4  # relative to the largest; sums of up to 12285 float32, in another order


def settle_convolution() -> Choice:
    """Whose convolutions training takes: oneDNN's with `Kernel.FUSED`, Paddle's own with `Kernel.PLAIN`.

    `DYRELU_KERNEL` decides as it does for activations; on a GPU Paddle's own serve. Builds if it has to.

    Raises KernelError where DYRELU_KERNEL=fused can't be had, OptionError for an unknown value of it.
    """
    choice = settle()
    if choice.kernel is Kernel.PLAIN or paddle.device.get_device() != "cpu":
        return Choice(Kernel.PLAIN, choice.reason)
    reason = _failure()
    if reason and demanded() is Kernel.FUSED:
        raise KernelError(reason)
    return Choice(Kernel.PLAIN, reason) if reason else choice


@contextmanager
def onednn_convolutions(model: nn.Layer) -> Iterator[Choice]:
    """Inside, `model`'s convolutions run as `settle_convolution` says.

    Gives what they run on, which is Paddle's own too where oneDNN's operator takes none of them.

    Only their `forward` is another; parameters, names and classes stay, and afterwards all is as it was. A
    convolution or an input that oneDNN's operator does not take (`suits_onednn`) keeps Paddle's.
    """
    choice = settle_convolution()
    layers = model.sublayers(include_self=True) if choice.kernel is Kernel.FUSED else []
    taken = [layer for layer in layers if suits_onednn(layer)]
    try:
        for layer in taken:
            setattr(layer, _METHOD, _forward(layer))
        yield choice if taken else Choice(Kernel.PLAIN, choice.reason)
    finally:
        for layer in taken:
            layer.__dict__.pop(_METHOD, None)


def suits_onednn(layer: nn.Layer) -> TypeGuard[nn.Conv2D]:
    """Whether this is a convolution of images that the operator computes: without bias, groups, dilation or
    padding that is not the same on opposite sides; one that came with a `forward` of its own is left alone.
    """
    return (
        type(layer) is nn.Conv2D
        and _METHOD not in layer.__dict__
        and layer.bias is None
        and layer._groups == 1
        and layer._data_format == "NCHW"
        and layer._padding_mode == "zeros"
        and list(layer._dilation) == [1, 1]
        and _padding(layer) is not None
    )


def _padding(layer: nn.Conv2D) -> tuple[int, int] | None:
    """Pixels above and below, left and right; None where it is something else."""
    match layer._padding:
        case int(both):
            return both, both
        case [int(rows), int(columns)]:
            return rows, columns
    return None


def _forward(layer: nn.Conv2D) -> Callable[[Tensor], Tensor]:
    own, padding = layer.forward, _padding(layer)
    assert padding is not None  # it suits
    stride = (layer._stride[0], layer._stride[1])

    def forward(x: Tensor) -> Tensor:
        if x.dtype != paddle.float32 or layer.weight.dtype != paddle.float32 or x.shape[0] == 0:
            result: Tensor = own(x)
            return result
        return convolved(x, layer.weight, stride, padding)

    return forward


@cache
def _failure() -> str:
    """Why the operator can't be used; empty where its results and gradients are those of Paddle's."""
    advice = "set DYRELU_KERNEL=plain to do without it, and report the processor."
    try:
        with paddle.enable_grad():
            differs = not all(_agrees(stride, kernel) for stride, kernel in ((1, 3), (2, 3), (1, 1)))
    except (RuntimeError, ValueError, OSError) as error:  # which one depends on how Paddle fails
        words = str(error).strip().splitlines() or [type(error).__name__]
        return f"oneDNN's convolution can't be run ({words[-1]}): {advice}"
    return f"oneDNN's convolution does not compute what Paddle's does: {advice}" if differs else ""


def _agrees(stride: int, kernel: int) -> bool:
    rng = np.random.default_rng(0)
    x, weight = (
        paddle.to_tensor(rng.standard_normal(shape, np.float32), place=paddle.CPUPlace(), stop_gradient=False)
        for shape in (_CHECKED, (_CHECKED_OUT, _CHECKED[1], kernel, kernel))
    )
    outcomes = []
    for convolution in (F.conv2d, lambda x, w, _, s, p: convolved(x, w, (s, s), (p, p))):
        y = convolution(x, weight, None, stride, kernel // 2)
        outcomes.append([y, *paddle.grad([y.square().sum()], [x, weight])])
    # Written so that NaN fails.
    return all(
        float((expected - actual).abs().max()) < _TOLERANCE * float(expected.abs().max())
        for expected, actual in zip(*outcomes, strict=True)
    )
