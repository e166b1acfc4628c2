"""Initial weights from NumPy streams keyed by seed and name, so that all variants share one trunk.

Paddle's global generator is not used: its numbers depend on how many layers were built before, hence on the
variant.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
from paddle import nn

from dyrelu.errors import RecipeError
from dyrelu.training.streams import Stream, generator, name_key

__all__ = ["HasHyperFunction", "hyper_layers", "initialise"]


@runtime_checkable
class HasHyperFunction(Protocol):
    """What tells an activation with a hyper function of its own from the trunk's layers."""

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draw the layer's initial parameters from `rng`."""


def hyper_layers(model: nn.Layer) -> dict[str, HasHyperFunction]:
    """The activations with a hyper function, by structured name; layers inside one belong to it."""
    found: dict[str, HasHyperFunction] = {}
    for name, layer in model.named_sublayers():
        if isinstance(layer, HasHyperFunction) and not name.startswith(tuple(f"{outer}." for outer in found)):
            found[name] = layer
    return found


def initialise(model: nn.Layer, seed: int) -> None:
    """Give every parameter and running statistic its initial value, in place.

    Convolutions: He-normal by fan-out (He et al. 2015, arXiv 1502.01852, eq. 14), bias 0. Batch norm: 1 and
        0, running mean 0 and variance 1. Linear: uniform within 1/sqrt(fan_in), weight and bias. A
        parameter's numbers depend on the seed and its structured name alone. Hyper functions draw theirs from
        a stream of their own, keyed by the activation's name.

    Raises:
        RecipeError: the trunk has parameters of a kind that none of these rules covers.
    """
    hyper = hyper_layers(model)
    for name, layer in hyper.items():
        layer.reset_parameters(generator(seed, Stream.HYPER, name_key(name)))
    prefixes = tuple(f"{name}." for name in hyper)
    for name, layer in model.named_sublayers(include_self=True):
        if name not in hyper and not name.startswith(prefixes):
            _initialise_layer(layer, name, seed)


def _initialise_layer(layer: nn.Layer, name: str, seed: int) -> None:
    own = dict(layer.named_parameters(include_sublayers=False))
    for short_name, parameter in own.items():
        full_name = f"{name}.{short_name}" if name else short_name
        rng = generator(seed, Stream.TRUNK, name_key(full_name))
        parameter.set_value(_initial_value(layer, short_name, full_name, tuple(parameter.shape), rng))


def _initial_value(
    layer: nn.Layer, short_name: str, full_name: str, shape: tuple[int, ...], rng: np.random.Generator
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    match layer:
        case nn.Conv2D() | nn.Conv1D() if short_name == "weight":
            # Stored as (out, in / groups, *kernel); an input reaches only the outputs of its own group.
            fan_out = shape[0] * math.prod(shape[2:]) / layer._groups
            return rng.normal(0.0, math.sqrt(2.0 / fan_out), shape).astype(np.float32)
        case nn.Conv2D() | nn.Conv1D():
            return np.zeros(shape, dtype=np.float32)
        case nn.BatchNorm2D() | nn.BatchNorm1D():
            # Paddle lists the running statistics among the parameters.
            return np.full(shape, short_name in ("weight", "_variance"), dtype=np.float32)
        case nn.Linear():
            # Paddle stores a Linear's weight as (in, out).
            bound = 1.0 / math.sqrt(layer.weight.shape[0])
            return rng.uniform(-bound, bound, shape).astype(np.float32)
        case _:
            raise RecipeError(
                f"no initialisation is known for {full_name} of a {type(layer).__name__}: "
                "give that layer a reset_parameters(rng)"
            )
