"""A maximum of K affine functions for each channel, the same for every sample: a control for DyReLU-B.

y_c = max_k(a_c^k * x_c + b_c^k) with learned a and b (maxout over affine pieces, Goodfellow et al. 2013,
arXiv 1302.4389, here of one input each). It is DyReLU-B without pool and Linears. What B gains over this it
owes to coefficients that follow the input; what both gain over a ReLU, to slopes and intercepts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from paddle import ParamAttr, Tensor, nn

from dyrelu.activations.base import check_input
from dyrelu.functional import piecewise_max, with_start
from dyrelu.hyper import HyperOptions, zero_

__all__ = ["OPTIONS", "Options", "StaticMaxout", "layer"]

OPTIONS: Final = ("k",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`k` is the number of affine functions. Raises OptionError for a value outside its range."""

    k: int = 2

    def __post_init__(self) -> None:
        HyperOptions(k=self.k)  # the dynamic variants' own check


class StaticMaxout(nn.Layer):
    """At C = 64, K = 2 it has 256 parameters: 2 * K * C.

    `departures` from a ReLU has one axis: a^1 - 1 of all channels, a^2, ..., a^K, then b^1, ..., b^K, as
    DyReLU-B's deltas are laid out. All are 0 at the start. With one axis they are not decayed, like the
    biases of a hyper function (a decay would pull towards a ReLU). Nothing bounds them, as B's deltas are.
    Shapes: (N, C, L) or (N, C, H, W); the result has the input's. Raises ShapeError for any other.
    """

    def __init__(self, channels: int, options: Options) -> None:
        super().__init__()
        self.channels = channels
        self.k = options.k
        self.departures = self.create_parameter(
            [2 * options.k * channels], attr=ParamAttr(initializer=nn.initializer.Constant(0.0))
        )

    def reset_parameters(self, rng: np.random.Generator) -> None:  # noqa: ARG002  # all are called alike
        """Makes the layer a ReLU; nothing is drawn. It sorts the layer with the hyper functions, so that it
        is trained at their learning rate.
        """
        zero_(self.departures)

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.channels)
        positions = [1] * (len(x.shape) - 2)
        parts = self.departures.reshape([1, 2 * self.k * self.channels, *positions]).split(2 * self.k, axis=1)
        return piecewise_max(x, with_start(parts[: self.k]), parts[self.k :])

    def extra_repr(self) -> str:
        return f"channels={self.channels}, k={self.k}"


def layer(channels: int, options: Options) -> StaticMaxout:
    """The layer of one site."""
    return StaticMaxout(channels, options)
