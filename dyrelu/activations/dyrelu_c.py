"""DyReLU-C: variant B with a map over positions (Chen et al. 2020, arXiv 2003.10027, section 3.3).

z = conv1x1(x) to one channel; pi = min(gamma * softmax(z / tau), 1) with gamma = H * W / 3. Three modes:

| mode | softmax over | result |
|---|---|---|
| `residual` | H * W | max_k(alpha_k * x + pi * (lambda_a * da_k * x + lambda_b * db_k)) |
| `paper` | H * W | pi * max_k(a_k * x + b_k), which for pi >= 0 is the paper's scaling of a and b |
| `seed` | the last axis | as `residual` |

`residual` leaves a plain ReLU where pi is small, and so is safe after a shortcut's addition. `seed` repeats
an earlier implementation to reproduce its figures: pi is 1 nearly everywhere, so it is variant B in effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn

from dyrelu.activations.base import DynamicReLU
from dyrelu.errors import OptionError
from dyrelu.functional import modulated_max, piecewise_max, split_coefficients, with_start
from dyrelu.hyper import HyperOptions, xavier_uniform_, zero_
from dyrelu.kernels import Map, fused_c
from dyrelu.kernels.fused import SpatialWeights

__all__ = ["OPTIONS", "DyReLUC", "Options", "SpatialMode", "layer"]

OPTIONS: Final = ("reduction", "k", "zero_init", "min_hidden", "spatial", "tau")

GAMMA_DIVISOR = 3.0  # gamma = H * W / 3: at most a third of all positions reach pi = 1


class SpatialMode(Enum):
    """What the softmax runs over and what pi scales; see the table above."""

    RESIDUAL = "residual"
    PAPER = "paper"
    SEED = "seed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(HyperOptions):
    """`tau` is the temperature of the softmax. With `zero_init` the mode `paper` starts at pi * ReLU."""

    spatial: str = SpatialMode.RESIDUAL.value
    tau: float = 10.0

    def __post_init__(self) -> None:
        HyperOptions.__post_init__(self)  # a slotted dataclass is made anew, which breaks a bare super()
        choices = [mode.value for mode in SpatialMode]
        if self.spatial not in choices:
            raise OptionError(f"spatial {self.spatial!r} is unknown: choose one of {', '.join(choices)}.")
        if isinstance(self.tau, bool) or not isinstance(self.tau, int | float) or not 0 < self.tau < np.inf:
            raise OptionError(f"tau must be a positive number, but is {self.tau!r}.")


class DyReLUC(DynamicReLU):
    """Channel-wise and spatial; at C = 64, K = 2, R = 8 it has 2,889 parameters."""

    def __init__(self, channels: int, options: Options) -> None:
        super().__init__(channels, 2 * options.k * channels, options)
        self.spatial = SpatialMode(options.spatial)
        self.tau = options.tau
        xavier = ParamAttr(initializer=nn.initializer.XavierUniform())
        self.spatial_conv = nn.Conv2D(channels, 1, 1, weight_attr=xavier)

    def reset_parameters(self, rng: np.random.Generator) -> None:
        super().reset_parameters(rng)
        xavier_uniform_(self.spatial_conv.weight, self.channels, 1, rng=rng)
        zero_(self.spatial_conv.bias)

    def _activate(self, x: Tensor) -> Tensor:
        slopes, intercepts = split_coefficients(self.hyper(x), self.k)
        pi = self._spatial_map(x)
        if paddle.in_dynamic_mode():
            # Eager operators are slow where the broadcast axis is in the middle: with pi repeated for every
            # channel ResNet-18 takes 1.13 times the ReLU network's time instead of 1.36, and training a
            # ResNet-8 1.4 instead of 2.0. Paddle Inference is the other way round (1.9 against 1.4).
            pi = pi.expand_as(x)
        if self.spatial is SpatialMode.PAPER:
            return pi * piecewise_max(x, with_start(slopes), intercepts)
        return modulated_max(x, slopes, intercepts, pi)

    def _activate_fused(self, x: Tensor) -> Tensor:
        conv, used = self.spatial_conv, Map[self.spatial.name]
        return fused_c(x, self.hyper, self.k, SpatialWeights(conv.weight, conv.bias, used, self.tau))

    def _spatial_map(self, x: Tensor) -> Tensor:
        """pi, (N, 1, H, W) in [0, 1]."""
        z = self.spatial_conv(x)
        height, width = z.shape[2:]
        scores = z * (1.0 / self.tau)
        if self.spatial is SpatialMode.SEED:
            shares = F.softmax(scores, axis=-1)
        else:
            shares = F.softmax(scores.flatten(1), axis=-1).reshape([-1, 1, height, width])
        return paddle.clip(shares * (height * width) * (1.0 / GAMMA_DIVISOR), max=1.0)


def layer(channels: int, options: Options) -> DyReLUC:
    """The layer of one site."""
    return DyReLUC(channels, options)
