"""Calls of the registered operators; what they compute: `csrc/channel.h` and `csrc/references.h`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import paddle
from paddle import Tensor, _C_ops

from dyrelu.hyper import HyperFunction

__all__ = [
    "Map",
    "SpatialWeights",
    "convolved",
    "copied",
    "fused_ab",
    "fused_c",
    "parallel_relu",
    "suits",
]

_FLOATS = (paddle.float32, paddle.float64)
_HAS_GPU = bool(paddle.device.is_compiled_with_cuda())


class Map(IntEnum):
    """What the map over positions does; the numbers are those of `csrc/shape.h`."""

    RESIDUAL = 1
    SEED = 2
    PAPER = 3


@dataclass(frozen=True, slots=True)
class SpatialWeights:
    """The 1x1 convolution to one channel, and how its map is used."""

    weight: Tensor
    bias: Tensor
    map: Map
    tau: float


def suits(x: Tensor) -> bool:
    """Whether the operators take this tensor: float32 or float64, on the CPU."""
    return x.dtype in _FLOATS and not (_HAS_GPU and paddle.device.get_device() != "cpu")


def _run(operator: str, *arguments: Tensor | float | list[int]) -> Tensor:
    """The first output of a registered operator; the others are what its backward pass needs."""
    result: Tensor = _C_ops._run_custom_op(operator, *arguments)[0]  # type: ignore[attr-defined]  # from C++
    return result


def _fitting(operator: str, hyper: HyperFunction) -> str:
    """The operator that keeps nothing for a backward pass, where none is to be expected.

    A program traced in evaluation mode is deployed. A backward pass through it works all the same: what was
    not kept is computed again. Whether gradients are on says nothing there, as a trace is used again later.
    """
    if paddle.in_dynamic_mode():
        return operator if paddle.is_grad_enabled() else operator + "_result"
    return operator if hyper.training else operator + "_deployed"


def fused_ab(x: Tensor, hyper: HyperFunction, k: int) -> Tensor:
    """max over k of a_k * x + b_k, for x (N, C, ...) and the hyper function of variant A or B."""
    return _run(_fitting("dyrelu_ab", hyper), x, *_linears(hyper), k)


def fused_c(x: Tensor, hyper: HyperFunction, k: int, spatial: SpatialWeights) -> Tensor:
    """As `fused_ab`, with the map over positions of variant C; of (N, C, L), L is the last axis."""
    return _run(
        _fitting("dyrelu_c", hyper),
        x,
        *_linears(hyper),
        spatial.weight,
        spatial.bias,
        k,
        int(spatial.map),
        spatial.tau,
    )


def parallel_relu(x: Tensor) -> Tensor:
    """max(x, 0) by as many threads as the fused operators have; NaN gives NaN."""
    return _run("dyrelu_relu", x)


def copied(x: Tensor) -> Tensor:
    """x, copied by an operator of the same kind, which is what any foreign operator costs at least."""
    return _run("dyrelu_identity", x)


def convolved(x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]) -> Tensor:
    """The convolution of x (N, C, H, W) by weight (O, C, h, w), float32, by oneDNN on the CPU.

    The gradient of x is not computed where x wants none. Run to run the bits are the same, for one number of
    threads.
    """
    operator = "dyrelu_conv2d_first" if x.stop_gradient else "dyrelu_conv2d"
    return _run(operator, x, weight, list(stride), list(padding))


def _linears(hyper: HyperFunction) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    fc1, fc2 = hyper.fc1, hyper.fc2
    return fc1.weight, fc1.bias, fc2.weight, fc2.bias
