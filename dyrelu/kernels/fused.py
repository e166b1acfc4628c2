"""Calls of the registered operators; what they compute is said in `csrc/channel.h`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import paddle
from paddle import Tensor, _C_ops

from dyrelu.hyper import HyperFunction

__all__ = ["OPERATORS", "Map", "SpatialWeights", "fused_ab", "fused_c", "suits"]

OPERATORS = ("dyrelu_ab", "dyrelu_c")

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


def _run(operator: str, *arguments: Tensor | float) -> Tensor:
    """The first output of a registered operator."""
    result: Tensor = _C_ops._run_custom_op(operator, *arguments)[0]  # type: ignore[attr-defined]  # from C++
    return result


def fused_ab(x: Tensor, hyper: HyperFunction, k: int) -> Tensor:
    """max over k of a_k * x + b_k, for x (N, C, ...) and the hyper function of variant A or B."""
    return _run("dyrelu_ab", x, *_linears(hyper), k)


def fused_c(x: Tensor, hyper: HyperFunction, k: int, spatial: SpatialWeights) -> Tensor:
    """As `fused_ab`, with the map over positions of variant C; of (N, C, L), L is the last axis."""
    return _run(
        "dyrelu_c",
        x,
        *_linears(hyper),
        spatial.weight,
        spatial.bias,
        k,
        int(spatial.map),
        spatial.tau,
    )


def _linears(hyper: HyperFunction) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return hyper.fc1.weight, hyper.fc1.bias, hyper.fc2.weight, hyper.fc2.bias
