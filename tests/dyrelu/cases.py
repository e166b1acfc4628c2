"""The dynamic variants paired with their oracles, and layers whose parameters the oracle shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import paddle

from dyrelu.activations import OptionValue, build
from dyrelu.activations.base import DynamicReLU
from tests.dyrelu.oracle import Array, Definition

__all__ = ["CASES", "Case", "Pair", "gradient", "make_pair", "random_input"]

FloatType = Literal["float32", "float64"]

#: Reaches pi = 1 at some positions of a small map and not at others, which tau = 10 does not.
SHARP_TAU = 0.5

ORACLE_NAMES = {
    "hyper.fc1.weight": "w1",
    "hyper.fc1.bias": "b1",
    "hyper.fc2.weight": "w2",
    "hyper.fc2.bias": "b2",
    "spatial_conv.weight": "wz",
    "spatial_conv.bias": "bz",
}


@dataclass(frozen=True, slots=True)
class Case:
    """A variant, its options and what it is defined to be."""

    variant: str
    options: dict[str, OptionValue]
    definition: Definition

    def __str__(self) -> str:
        return "-".join([self.variant, *(f"{key}={value}" for key, value in self.options.items())])


@dataclass(frozen=True, slots=True)
class Pair:
    """A layer, and its parameters as the oracle's arrays in float64."""

    layer: DynamicReLU
    parameters: dict[str, Array]


def _cases() -> list[Case]:
    cases = []
    for k in (2, 3):
        cases.append(Case("dyrelu_a", {"k": k}, Definition(per_channel=False, k=k)))
        cases.append(Case("dyrelu_b", {"k": k}, Definition(per_channel=True, k=k)))
        for mode in ("residual", "paper", "seed"):
            for tau in (10.0, SHARP_TAU):
                definition = Definition(per_channel=True, k=k, spatial=mode, tau=tau)
                cases.append(Case("dyrelu_c", {"k": k, "spatial": mode, "tau": tau}, definition))
    return cases


CASES = _cases()


def make_pair(case: Case, channels: int, dtype: FloatType, seed: int = 0) -> Pair:
    """A layer of which every parameter is random, biases too, so that none of them goes untested."""
    layer = build(case.variant, **case.options, reduction=2, min_hidden=2)(channels)
    assert isinstance(layer, DynamicReLU)
    layer.to(dtype=dtype)
    rng = np.random.default_rng(seed)
    parameters = {}
    for name, parameter in layer.named_parameters():
        parameter.set_value(rng.standard_normal(parameter.shape).astype(dtype))
        values = parameter.numpy().astype(np.float64)
        parameters[ORACLE_NAMES[name]] = values.ravel() if name.startswith("spatial") else values
    return Pair(layer, parameters)


def random_input(shape: tuple[int, ...], dtype: FloatType, seed: int = 1) -> paddle.Tensor:
    """A standard normal tensor that wants its gradient."""
    values = np.random.default_rng(seed).standard_normal(shape).astype(dtype)
    return paddle.to_tensor(values, stop_gradient=False)


def gradient(tensor: paddle.Tensor) -> Array:
    """The gradient that a backward pass has left on a tensor."""
    assert tensor.grad is not None
    return np.array(tensor.grad.numpy())
