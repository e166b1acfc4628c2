"""Bytes that an operator moves, from the shapes of its operands.

Convention: every input is read once and every output is written once, whatever a cache saves or an algorithm
repeats, in elements of four bytes. An operator that only gives a tensor another shape moves nothing, nor do
constants of the program, which eager mode passes as attributes. What a fused layer moves is its inputs, its
parameters and its result, once each: what passes between its phases is its own affair.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.metrics.trace import TracedOperator

__all__ = ["ELEMENT_BYTES", "bytes_moved"]

ELEMENT_BYTES = 4  # float32, the one type that is measured
_VIEWS = frozenset(
    (
        *("data", "feed", "fetch", "parameter", "constant", "set_parameter", "shadow_output", "yield"),
        *("full", "full_int_array", "full_with_tensor", "fill_constant", "shape", "shape64", "share_data"),
        *("reshape", "flatten", "flatten_contiguous_range", "squeeze", "unsqueeze", "numel", "size"),
    )
)
# A list of tensors has no shape: whoever makes it of tensors reads them, whoever takes it apart writes them.
_READS_ONLY = frozenset(("combine",))
_WRITES_ONLY = frozenset(("split",))


def bytes_moved(operators: Iterable[TracedOperator]) -> int:
    """Reads and writes of these operators together."""
    return sum(_bytes_of(operator) for operator in operators)


def _bytes_of(operator: TracedOperator) -> int:
    if operator.name in _VIEWS:
        return 0
    read = [shape for i, shape in enumerate(operator.inputs) if i not in operator.constant]
    shapes = ([] if operator.name in _WRITES_ONLY else read) + (
        [] if operator.name in _READS_ONLY else list(operator.outputs)
    )
    # No axes is a list of tensors or a number; an open axis is a buffer that is not used when inferring.
    known = (math.prod(shape) for shape in shapes if shape and min(shape) >= 0)
    return ELEMENT_BYTES * sum(known)
