"""What each kind of layer costs, written down from its definition: the other way to count, beside the trace.

MACs and FLOPs of one call on the given shapes, by the convention of `bench.metrics.flops`. A formula covers
the layer with all that it calls (`whole`), or only what it does itself beside calling other layers. A kind
that has none is counted by its traced operators alone, and an audit says so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Cost", "Formula", "Shape", "elementwise", "formula_of", "nothing", "paddle_formulas"]

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cost:
    """MACs, and FLOPs with each MAC as two of them."""

    macs: int
    flops: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.macs + other.macs, self.flops + other.flops)


@dataclass(frozen=True, slots=True)
class Formula:
    """`cost` of a layer, its input's and its output's shape (batch axis included); `source` in words."""

    cost: Callable[[Any, Shape, Shape], Cost]
    source: str
    whole: bool = True


def formula_of(layer: Any, formulas: Mapping[str, Formula]) -> Formula | None:
    """The formula of a layer's kind, by the name of its class or of one that it has its `forward` from."""
    own = type(layer).forward
    kinds = (kind for kind in type(layer).__mro__ if getattr(kind, "forward", None) is own)
    names = (f"{kind.__module__}.{kind.__qualname__}" for kind in kinds)
    return next((formulas[name] for name in names if name in formulas), None)


def nothing(why: str) -> Formula:
    """Of a layer that does nothing beside calling others, or only moves data."""
    return Formula(lambda _layer, _inputs, _outputs: Cost(0, 0), why, whole=False)


def elementwise(flops: int, source: str) -> Formula:
    """So many operations for each element of the result."""
    return Formula(lambda _layer, _inputs, outputs: Cost(0, flops * math.prod(outputs)), source)


def _products(macs: int, added: int) -> Cost:
    return Cost(macs, 2 * macs + added)


def _convolution(layer: Any, _inputs: Shape, outputs: Shape) -> Cost:
    kernel = math.prod(layer.weight.shape[1:])  # inputs of a group, times the window
    out = math.prod(outputs)
    return _products(out * kernel, out if layer.bias is not None else 0)


def _transposed(layer: Any, inputs: Shape, outputs: Shape) -> Cost:
    spread = math.prod(layer.weight.shape[1:])
    return _products(math.prod(inputs) * spread, math.prod(outputs) if layer.bias is not None else 0)


def _linear(layer: Any, inputs: Shape, outputs: Shape) -> Cost:
    out = math.prod(outputs)
    return _products(out * inputs[-1], out if layer.bias is not None else 0)


def _own_statistics(layer: Any, inputs: Shape, _outputs: Shape) -> Cost:
    factors = [getattr(layer, name, None) for name in ("weight", "scale", "bias")]
    affine = sum(factor is not None for factor in factors)
    return Cost(0, (5 + affine) * math.prod(inputs))


def _input_elements(flops: int, source: str) -> Formula:
    return Formula(lambda _layer, inputs, _outputs: Cost(0, flops * math.prod(inputs)), source)


def paddle_formulas() -> dict[str, Formula]:
    """The formulas of Paddle's own layers, by the full name of their class."""
    convolution = Formula(_convolution, "each output: one MAC an input of its group and window; bias 1")
    transposed = Formula(_transposed, "each input: one MAC an output of its group and window; bias 1")
    norm = Formula(_own_statistics, "an element: mean 1, minus 1, squares 2, times 1; scale 1, shift 1")
    batch_norm = elementwise(2, "at inference one scale and one shift, with the statistics folded into them")
    pool = _input_elements(1, "each input is added or compared once")
    kinds: dict[tuple[str, ...], Formula] = {
        ("conv.Conv1D", "conv.Conv2D", "conv.Conv3D"): convolution,
        ("conv.Conv2DTranspose", "conv.Conv3DTranspose"): transposed,
        ("common.Linear",): Formula(_linear, "each output: one MAC an input; bias 1"),
        ("norm.BatchNorm1D", "norm.BatchNorm2D", "norm.BatchNorm3D"): batch_norm,
        ("norm.LayerNorm", "norm.GroupNorm", "norm.InstanceNorm2D"): norm,
        ("activation.ReLU",): elementwise(1, "one comparison"),
        ("activation.ReLU6", "activation.LeakyReLU"): elementwise(2, "two comparisons; one and a product"),
        ("activation.Sigmoid",): elementwise(4, "negate, exp, add, divide"),
        ("activation.Tanh", "activation.GELU"): elementwise(5, "from their definitions by exp and erf"),
        ("activation.Hardsigmoid",): elementwise(4, "clip(x + 3, 0, 6) / 6"),
        ("activation.Hardswish", "activation.Silu", "activation.Swish"): elementwise(5, "x times that"),
        ("activation.Softmax",): _input_elements(5, "largest, minus, exp, sum, divide"),
        ("pooling.AdaptiveAvgPool2D", "pooling.AvgPool2D", "pooling.MaxPool2D"): pool,
        ("common.Dropout", "common.Dropout2D", "common.Identity", "common.Flatten"): nothing("moves data"),
        ("container.Sequential", "container.LayerList"): nothing("calls its layers"),
    }
    return {
        f"paddle.nn.layer.{name}": formula for names, formula in kinds.items() for name in names
    } | _paddle_blocks()


def _paddle_blocks() -> dict[str, Formula]:
    """Networks of paddle.vision that the project measures: what they do beside calling layers."""
    place = "paddle.vision.models.mobilenetv2"

    def residual(layer: Any, _inputs: Shape, outputs: Shape) -> Cost:
        return Cost(0, math.prod(outputs) if layer.use_res_connect else 0)

    return {
        f"{place}.InvertedResidual": Formula(residual, "adds its input where shapes agree", whole=False),
        f"{place}.MobileNetV2": nothing("calls its layers, and flattens"),
    }
