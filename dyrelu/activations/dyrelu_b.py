"""DyReLU-B: 2K coefficients for each channel of a sample (Chen et al. 2020, arXiv 2003.10027, section 3.3).

y_c = max_k((alpha_k + lambda_a * da_ck) * x_c + lambda_b * db_ck), the deltas shared by positions.
"""

from __future__ import annotations

from typing import Final

from paddle import Tensor

from dyrelu.activations.base import DynamicReLU
from dyrelu.functional import piecewise_max, split_coefficients, with_start
from dyrelu.hyper import HyperOptions
from dyrelu.kernels import fused_ab

__all__ = ["OPTIONS", "DyReLUB", "Options", "layer"]

OPTIONS: Final = ("reduction", "k", "zero_init", "min_hidden")

Options = HyperOptions


class DyReLUB(DynamicReLU):
    """Channel-wise; at C = 64, K = 2, R = 8 it has 2,824 parameters."""

    def __init__(self, channels: int, options: Options) -> None:
        super().__init__(channels, 2 * options.k * channels, options)

    def _activate(self, x: Tensor) -> Tensor:
        slopes, intercepts = split_coefficients(self.hyper(x), self.k)
        return piecewise_max(x, with_start(slopes), intercepts)

    def _activate_fused(self, x: Tensor) -> Tensor:
        return fused_ab(x, self.hyper, self.k)


def layer(channels: int, options: Options) -> DyReLUB:
    """The layer of one site."""
    return DyReLUB(channels, options)
