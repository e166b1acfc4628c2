"""A model's state as named float32 arrays, the form in which it is averaged, saved and compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from paddle import nn

from dyrelu.errors import CheckpointError

__all__ = ["NamedArrays", "apply_state", "check_state", "state_of"]

NamedArrays = Mapping[str, npt.NDArray[np.float32]]
"""By structured name ("layer1.0.conv1.weight"), which is the same in every process."""

_NAMED = 3  # tensors that a message names before it only counts the rest


def state_of(model: nn.Layer) -> NamedArrays:
    """Copies of all parameters and batch-norm statistics."""
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def apply_state(model: nn.Layer, arrays: NamedArrays, source: str) -> None:
    """Fill `model` from arrays; `source` starts the sentence if they do not fit.

    Raises:
        CheckpointError: names or shapes differ; nothing was changed.
    """
    check_state(model, arrays, source)
    for name, tensor in model.state_dict().items():
        tensor.set_value(arrays[name])


def check_state(model: nn.Layer, arrays: NamedArrays, source: str) -> None:
    """Make sure that `apply_state` would succeed.

    Raises:
        CheckpointError: names or shapes differ.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    reshaped = [
        f"{name} {arrays[name].shape} where the model has {shape}"
        for name, shape in shapes.items()
        if name in arrays and arrays[name].shape != shape
    ]
    differences = [
        *_named("lacks", [name for name in shapes if name not in arrays]),
        *_named("also has", [name for name in arrays if name not in shapes]),
        *_named("differs in", reshaped),
    ]
    if differences:
        raise CheckpointError(
            f"{source} is of another architecture than this {type(model).__name__}: "
            f"it {'; it '.join(differences)}; build the model that it was saved from"
        )


def _named(verb: str, names: list[str]) -> list[str]:
    if not names:
        return []
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return [f"{verb} {', '.join(names[:_NAMED])}{rest}"]
