"""DyReLU-A: one set of 2K coefficients for a whole sample (Chen et al. 2020, arXiv 2003.10027, section 3.3).

y = max_k((alpha_k + lambda_a * da_k) * x + lambda_b * db_k), the deltas shared by channels and positions.
"""

from __future__ import annotations

from typing import Final

from paddle import Tensor

from dyrelu.activations.base import DynamicReLU
from dyrelu.functional import piecewise_max, split_coefficients, with_start
from dyrelu.hyper import HyperOptions
from dyrelu.kernels import fused_ab

__all__ = ["OPTIONS", "DyReLUA", "Options", "layer"]

OPTIONS: Final = ("reduction", "k", "zero_init", "min_hidden")

Options = HyperOptions


class DyReLUA(DynamicReLU):
    """Spatial- and channel-shared; at C = 64, K = 2, R = 8 it has 556 parameters."""

    def __init__(self, channels: int, options: Options) -> None:
        super().__init__(channels, 2 * options.k, options)

    def _activate(self, x: Tensor) -> Tensor:
        shared = self.hyper(x)
        # Repeated for every channel, coefficients cost 1.8 times the ReLU network's time in Paddle Inference;
        # left at (N, 1, 1, 1) to broadcast they cost 16 times (ResNet-18, batch 8, 2 threads).
        per_channel = shared.unsqueeze(2).expand([-1, -1, self.channels]).flatten(1)
        slopes, intercepts = split_coefficients(per_channel, self.k)
        return piecewise_max(x, with_start(slopes), intercepts)

    def _activate_fused(self, x: Tensor) -> Tensor:
        return fused_ab(x, self.hyper, self.k)


def layer(channels: int, options: Options) -> DyReLUA:
    """The layer of one site."""
    return DyReLUA(channels, options)
