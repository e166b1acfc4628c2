"""A copy of its input: a reference for measuring, not one to train with, since the network becomes linear.

Its operator is made the way the dynamic variants' is and only copies. What an engine loses with it, by
leaving its own layouts and by not fusing a ReLU into a convolution, no operator in its place can win back.
Without that operator (no compiler, DYRELU_KERNEL=plain, a GPU, float16) it is `paddle.assign`, which an
engine may take out of the program, and measuring it says nothing of a foreign operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import paddle
from paddle import Tensor, nn

from dyrelu.activations.base import WithOperator
from dyrelu.kernels import copied

__all__ = ["OPTIONS", "Identity", "Options", "layer"]

OPTIONS: Final = ()


@dataclass(frozen=True, slots=True)
class Options:
    """A copy has no options."""


class Identity(WithOperator):
    """A copy of x, of any shape; the gradient is a copy of the result's. No parameters and no FLOPs."""

    def forward(self, x: Tensor) -> Tensor:
        return copied(x) if self.takes_fused(x) else paddle.assign(x)


def layer(channels: int, options: Options) -> nn.Layer:  # noqa: ARG001  # every variant is called alike
    """The layer of one site."""
    return Identity()
