"""What each counter counts, as rules that give its totals to the last digit from our traced operators.

So a reason is not only said: `explained` has to equal what the tool itself gives, for every network.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from bench.metrics.flops import count
from bench.metrics.trace import LayerCall, TracedOperator
from bench.report.layout import bullets

__all__ = ["explained", "reasons"]


def explained(calls: Sequence[LayerCall]) -> dict[str, int]:
    """What each tool is expected to give for a network that was traced by layers."""
    found = {"paddle.flops": 0, "fvcore": 0, "calflops": 0}
    for call in calls:
        kind = type(call.layer).__name__
        for operator in call.operators:
            found["paddle.flops"] += _paddle(kind, operator)
            found["fvcore"] += _fvcore(operator)
            found["calflops"] += _calflops(kind, operator)
    return found


def _macs(operator: TracedOperator) -> int:
    return count([operator]).macs


def _bias(kind: str, operator: TracedOperator) -> int:
    """The addition of a convolution's bias."""
    # Paddle 2.6 has the longer name.
    added = operator.name in ("add", "elementwise_add")
    return _elements(operator.outputs) if kind == "Conv2D" and added else 0


def _elements(shapes: Sequence[tuple[int, ...]]) -> int:
    return math.prod(shapes[0])


def _paddle(kind: str, operator: TracedOperator) -> int:
    if kind in ("Conv2D", "Linear"):
        return _macs(operator) + _bias(kind, operator)
    if operator.name == "batch_norm":
        return 2 * _elements(operator.outputs)
    if kind == "AdaptiveAvgPool2D" and operator.name == "pool2d":
        return _elements(operator.inputs) + _elements(operator.outputs)
    return 0


def _fvcore(operator: TracedOperator) -> int:
    if operator.name == "batch_norm":
        return 2 * _elements(operator.outputs)
    return _elements(operator.inputs) if operator.name == "pool2d" else _macs(operator)


def _calflops(kind: str, operator: TracedOperator) -> int:
    if operator.name == "batch_norm":
        return 2 * _elements(operator.outputs)
    if operator.name in ("relu", "pool2d", "softmax"):
        return _elements(operator.inputs)
    return 2 * _macs(operator) + _bias(kind, operator)


def reasons(theirs: dict[str, Any]) -> str:
    """The rules in words."""
    found = theirs["fvcore"]["networks"]["dyrelu_c"]["left_out"]
    names = ", ".join(f"{name.removeprefix('aten::')} ({n})" for name, n in found.items())
    return bullets(
        (
            "**paddle.flops** adds MACs of convolutions and Linears (one each, not two) to FLOPs of batch "
            "norm (two an element), of a convolution's bias and of pooling layers (one for each input and "
            "output). "
            "ReLU layers count nothing. It sees layers alone: whatever a function does is left out, which of "
            "a DyReLU is all but its Linears and C's convolution: its pool, its coefficients, its maximum.",
            "**fvcore** counts a MAC as one, batch norm as two an element, pooling as one for each input, as "
            "a function too. Biases and ReLU are ignored, and all elementwise work is left out, which it "
            f"says: of the network with DyReLU-C {names}.",
            "**calflops** counts a MAC as two, batch norm as two an element, a convolution's bias, pooling, "
            "ReLU and softmax as one (layers and functions alike). The bias of a Linear is left out, and so "
            "is what is written with an operator's sign, as the sum of a residual block and the affine "
            "functions of a DyReLU are, and the sigmoid.",
            "**Ours** counts all of these: a MAC as two, softmax as five an element and the sigmoid as four, "
            "by the convention of `bench/metrics/flops.py`.",
        )
    )
