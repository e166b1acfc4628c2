"""MACs and FLOPs of one forward pass on one image, counted from traced operators.

One fused multiply-add counts as one MAC and as two FLOPs. Per element of output unless said otherwise: add,
multiply, maximum, comparison, exp, log, root, power 1; sigmoid 4; tanh and GELU 5; softmax 5 per element of
input; BatchNorm at inference 2; layer, group and instance norm 5 per element, 7 with scale and shift; pooling
and other reductions 1 per element of input; moving data 0. An operator in none of the tables is unknown: it
is named, and the count is then a lower bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from bench.metrics.trace import TracedOperator, trace
from bench.record import Bound, Fact
from bench.units import Unit

__all__ = ["Count", "count", "flop_facts"]


@dataclass(frozen=True, slots=True)
class Count:
    """Totals of one image; `unknown` names operators that no table knows, each once, sorted."""

    macs: int
    flops: int
    unknown: tuple[str, ...]


def flop_facts(model: Any, image: tuple[int, ...]) -> tuple[Fact, ...]:
    """`macs` and `flops` of a fresh layer (tracing uses it up) on one image of this shape."""
    total = count(trace(model, image))
    bound = Bound.AT_LEAST if total.unknown else Bound.EXACT
    note = f"not counted, since unknown: {', '.join(total.unknown)}" if total.unknown else ""
    return (
        Fact("macs", Unit.MACS, total.macs, bound, note),
        Fact("flops", Unit.FLOPS, total.flops, bound, note),
    )


def count(operators: Iterable[TracedOperator]) -> Count:
    """Adds up a traced program."""
    macs = flops = 0
    unknown = set()
    for operator in operators:
        if operator.name in _FREE:
            continue
        if operator.name in _MACS:
            products = _MACS[operator.name](operator)
            macs += products
            flops += 2 * products + (_addition(operator) if operator.name == "addmm" else 0)
        elif operator.name in _PER_OUTPUT:
            flops += _PER_OUTPUT[operator.name] * _elements(operator.outputs[:1])
        elif operator.name in _PER_INPUT:
            flops += _PER_INPUT[operator.name] * _elements(operator.inputs[:1])
        elif operator.name in _NORMS:
            flops += _normalisation(operator)
        elif operator.name == "scale":
            flops += _scale(operator)
        else:
            unknown.add(operator.name)
    return Count(macs, flops, tuple(sorted(unknown)))


def _elements(shapes: tuple[tuple[int, ...], ...]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _convolution(operator: TracedOperator) -> int:
    """Each output element sums over the kernel and its group's inputs; filter (out, in/groups, *kernel)."""
    return _elements(operator.outputs[:1]) * math.prod(operator.inputs[1][1:])


def _transposed_convolution(operator: TracedOperator) -> int:
    """Each input element is spread over the kernel and outputs; filter (in, out/groups, *kernel)."""
    return _elements(operator.inputs[:1]) * math.prod(operator.inputs[1][1:])


def _matrix_product(operator: TracedOperator) -> int:
    """Output elements times the contracted length."""
    left = operator.inputs[0]
    transposed = bool(operator.attributes.get("transpose_x") or operator.attributes.get("trans_x"))
    contracted = left[-2] if transposed and len(left) > 1 else left[-1]
    return _elements(operator.outputs[:1]) * contracted


def _sum_of_products(operator: TracedOperator) -> int:
    """addmm, beta * input + alpha * (x @ y): output elements times y's rows; y is the last input."""
    return _elements(operator.outputs[:1]) * operator.inputs[-1][-2]


def _addition(operator: TracedOperator) -> int:
    """What addmm does beside its product: the addition, and each factor that is not 1."""
    # Paddle 2.6 writes them large.
    factors = (float(operator.attributes.get(name, 1.0)) for name in ("alpha", "Alpha", "beta", "Beta"))
    return (1 + sum(factor != 1.0 for factor in factors)) * _elements(operator.outputs[:1])


def _normalisation(operator: TracedOperator) -> int:
    """By the input's own statistics, per element: 1 for the mean's sum, 1 to subtract it, 2 for the sum of
    squares, 1 to multiply by the inverse deviation, and 1 each for scale and shift where there are any.

    What is done once a group (roots, divisions) is left out.
    """
    affine = sum(bool(shape) for shape in operator.inputs[1:3])
    return (5 + affine) * _elements(operator.inputs[:1])


def _scale(operator: TracedOperator) -> int:
    """scale * x + bias: one for each of the two that is not trivial (times 1, plus 0).

    A factor that the program computes (None) counts as a multiplication.
    """
    bias = float(operator.attributes.get("bias", 0.0))
    factor = operator.attributes.get("scale")
    work = int(bias != 0.0) + int(factor is None or float(factor) != 1.0)
    return work * _elements(operator.outputs[:1])


_MACS: dict[str, Callable[[TracedOperator], int]] = {
    "conv2d": _convolution,
    "conv3d": _convolution,
    "depthwise_conv2d": _convolution,
    "conv2d_transpose": _transposed_convolution,
    "conv3d_transpose": _transposed_convolution,
    "depthwise_conv2d_transpose": _transposed_convolution,
    "matmul": _matrix_product,
    "mul": _matrix_product,
    "bmm": _matrix_product,
    "mv": _matrix_product,
    "dot": _matrix_product,
    "addmm": _sum_of_products,
}
_NORMS = frozenset(("layer_norm", "group_norm", "instance_norm"))
_PER_OUTPUT = {
    **dict.fromkeys(
        ("add", "subtract", "multiply", "divide", "maximum", "minimum", "relu", "abs", "square"), 1
    ),
    **dict.fromkeys(
        (
            "elementwise_add",
            "elementwise_sub",
            "elementwise_mul",
            "elementwise_div",
            "elementwise_max",
            "elementwise_min",
        ),
        1,
    ),
    **dict.fromkeys(("greater_than", "less_than", "greater_equal", "less_equal", "equal", "where"), 1),
    # An elementary function is one operation, as inside the sigmoid's four: negate, exp, add, divide.
    **dict.fromkeys(("exp", "log", "sqrt", "floor", "pow", "elementwise_pow"), 1),
    # A root and a division.
    "rsqrt": 2,
    # (e - 1) / (e + 1) with e = exp(2 x).
    "tanh": 5,
    # x * 0.5 * (1 + erf(x / sqrt(2))), erf as one operation; its approximation counts as what it stands for.
    "gelu": 5,
    # Two comparisons; a comparison and a multiplication.
    **dict.fromkeys(("clip", "relu6", "leaky_relu", "prelu"), 2),
    "batch_norm": 2,
    "sigmoid": 4,
    # x * sigmoid(x); clip(x + 3, 0, 6) / 6 and that times x.
    **dict.fromkeys(("silu", "swish"), 5),
    "hardsigmoid": 4,
    "hard_sigmoid": 4,  # as Paddle 2.6 names it, and the next
    "hardswish": 5,
    "hard_swish": 5,
}
_PER_INPUT = {
    **dict.fromkeys(("pool2d", "mean", "reduce_mean", "sum", "reduce_sum", "max", "reduce_max"), 1),
    "softmax": 5,
}
# Moves, makes or names data.
_FREE = frozenset(
    (
        "data",
        "feed",
        "fetch",
        "parameter",
        "constant",
        "combine",
        "slice",
        "split",
        "set_parameter",
        "shadow_output",
        "full",
        "full_int_array",
        "full_with_tensor",
        "fill_constant",
        "assign",
        "assign_value",
        "share_data",
        "cast",
        "shape",
        "shape64",
        "reshape",
        "flatten",
        "flatten_contiguous_range",
        "squeeze",
        "unsqueeze",
        "transpose",
        "concat",
        "stack",
        "unstack",
        "unbind",
        "split_with_num",
        "expand",
        "expand_as",
        "tile",
        "gather",
        "pad",
        "pad3d",
        "strided_slice",
        "dropout",
        "yield",
        "pixel_shuffle",
        "channel_shuffle",
        "nearest_interp",
        "embedding",
        "lookup_table",
        "roll",
        "flip",
        "unfold",
        "arange",
        "full_like",
        "numel",
        "eye",
        "tril",
        # As Paddle 2.6 calls triangles, full_like, arange and numel.
        "tril_triu",
        "fill_any_like",
        "range",
        "size",
        "triu",
    )
)
