"""Squeeze-and-excitation, then a ReLU: a control for the dynamic variants (Hu et al. 2018, arXiv 1709.01507).

y_c = max(sigmoid(fc2(relu(fc1(pool(x)))))_c * x_c, 0), at every site of an activation. Pool, Linears and
hidden units are those of the dynamic variants' hyper function, but its C outputs only weigh the channels.
What a dynamic ReLU gains over this it owes to its coefficients; what both gain over a ReLU, to attention.
A NaN becomes 0, as in Paddle's ReLU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import paddle.nn.functional as F
from paddle import Tensor, nn

from dyrelu.activations.base import IMAGE_RANK, check_input
from dyrelu.hyper import HyperFunction, HyperOptions

__all__ = ["OPTIONS", "Options", "SqueezeExcitationReLU", "layer"]

OPTIONS: Final = ("reduction", "zero_init", "min_hidden")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """As of the dynamic variants; with `zero_init` every gate starts at 1/2, which is half a ReLU.

    Raises OptionError for a value outside its range.
    """

    reduction: int = 8
    zero_init: bool = False
    min_hidden: int = 1

    def __post_init__(self) -> None:
        self.of_hyper_function()

    def of_hyper_function(self) -> HyperOptions:
        """The same, as the hyper function takes them; its K says nothing here."""
        return HyperOptions(reduction=self.reduction, zero_init=self.zero_init, min_hidden=self.min_hidden)


class SqueezeExcitationReLU(nn.Layer):
    """At C = 64, R = 8 it has 1,096 parameters: C * h + h + h * C + C with h = C / R.

    Shapes: (N, C, L) or (N, C, H, W); the result has the input's. Raises ShapeError for any other.
    """

    def __init__(self, channels: int, options: Options) -> None:
        super().__init__()
        self.channels = channels
        self.reduction = options.reduction
        self.hyper = HyperFunction(channels, channels, options.of_hyper_function())

    @property
    def hidden(self) -> int:
        """Units between the two Linears."""
        return self.hyper.hidden

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draws both weights from `rng` (Xavier-uniform) and clears the biases, as dynamic variants do."""
        self.hyper.reset_parameters(rng)

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.channels)
        if len(x.shape) == IMAGE_RANK:
            return self._activate(x)
        return self._activate(x.unsqueeze(2)).squeeze(2)

    def _activate(self, x: Tensor) -> Tensor:
        return F.relu(x * self.hyper.gate(x).unsqueeze([2, 3]))

    def extra_repr(self) -> str:
        return f"channels={self.channels}, reduction={self.reduction}, hidden={self.hidden}"


def layer(channels: int, options: Options) -> SqueezeExcitationReLU:
    """The layer of one site."""
    return SqueezeExcitationReLU(channels, options)
