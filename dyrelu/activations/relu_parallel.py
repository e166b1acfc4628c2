"""A ReLU by an operator made as the dynamic variants' is: a reference for measuring, not one to train with.

Paddle's ReLU runs on one thread of a CPU, and a ratio to it flatters every operator that runs on all of them.
This one has the same threads and vectors as the fused operator. Without that (no compiler,
DYRELU_KERNEL=plain, a GPU, float16) it is Paddle's own ReLU, and measuring it says nothing new.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import paddle.nn.functional as F
from paddle import Tensor, nn

from dyrelu.activations.base import WithOperator
from dyrelu.kernels import parallel_relu

__all__ = ["OPTIONS", "Options", "ParallelReLU", "layer"]

OPTIONS: Final = ()


@dataclass(frozen=True, slots=True)
class Options:
    """A ReLU has no options."""


class ParallelReLU(WithOperator):
    """max(x, 0) of any shape; no parameters.

    The operator turns a NaN into NaN, Paddle's ReLU turns it into 0. The gradient is taken from the result,
    the only tensor that is kept; at 0 it is 0.
    """

    def forward(self, x: Tensor) -> Tensor:
        return parallel_relu(x) if self.takes_fused(x) else F.relu(x)


def layer(channels: int, options: Options) -> nn.Layer:  # noqa: ARG001  # every variant is called alike
    """The layer of one site."""
    return ParallelReLU()
