"""Denormal numbers of a model: values so small that processors may take a hundred times longer over them.

Eager Paddle computes with them, Paddle Inference flushes them to zero, so that weights or activations full of
them would say something of the weights and nothing of the network. Counted are float32 values that are not 0
and smaller in magnitude than the smallest normal one (IEEE 754, 2^-126).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Denormals", "denormals", "in_activations", "in_weights"]

Array = np.ndarray[Any, Any]
_SMALLEST_NORMAL = np.finfo(np.float32).tiny


@dataclass(frozen=True, slots=True)
class Denormals:
    """How many of how many numbers."""

    count: int
    of: int

    def __add__(self, other: Denormals) -> Denormals:
        return Denormals(self.count + other.count, self.of + other.of)


def denormals(arrays: Iterable[Array]) -> Denormals:
    """Of all these arrays together."""
    total = Denormals(0, 0)
    for array in arrays:
        size = np.abs(array)
        total += Denormals(int(((size > 0) & (size < _SMALLEST_NORMAL)).sum()), int(array.size))
    return total


def in_weights(model: Any) -> Denormals:
    """In everything that is saved with a layer."""
    tensors = {id(tensor): tensor for tensor in model.state_dict().values()}.values()
    return denormals(np.asarray(tensor.numpy()) for tensor in tensors)


def in_activations(model: Any, batch: Array) -> Denormals:
    """In the results of all layers for one batch. What several layers return counts once."""
    import paddle

    # Kept, so that no other tensor gets the place of one that was counted.
    found: dict[int, Any] = {}

    def look(_layer: Any, _inputs: Any, outputs: Any) -> None:
        results = outputs if isinstance(outputs, list | tuple) else [outputs]
        found.update((id(one), one) for one in results if isinstance(one, paddle.Tensor))

    # Also of layers that have others: the fused operator is given their weights, and doesn't call them.
    handles = [layer.register_forward_post_hook(look) for layer in model.sublayers(include_self=True)]
    try:
        with paddle.no_grad():
            model(paddle.to_tensor(batch))
    finally:
        for handle in handles:
            handle.remove()
    return denormals(np.asarray(one.numpy()) for one in found.values())
