"""The hyper function: from pooled features of one sample to the coefficients of its activation.

Global average pool -> Linear(C, hidden) -> ReLU -> Linear(hidden, outputs) -> 2 * sigmoid - 1
(Chen et al. 2020, arXiv 2003.10027, section 3.2). One fused multiply-add counted as one, a sample costs
C * hidden + hidden * outputs of them in the two Linears.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import paddle
import paddle.nn.functional as F
from paddle import ParamAttr, Tensor, nn

from dyrelu.errors import OptionError

__all__ = ["HyperFunction", "HyperOptions", "xavier_uniform_", "zero_"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HyperOptions:
    """What the three dynamic variants have in common.

    `reduction` divides the channels to get the hidden units, `min_hidden` is their floor, `k` the number of
    affine functions; `zero_init` starts the last Linear at zero, which makes the deltas 0.
    Raises OptionError for a value outside its range.
    """

    reduction: int = 8
    k: int = 2
    zero_init: bool = False
    min_hidden: int = 1

    def __post_init__(self) -> None:
        for name, least in (("reduction", 1), ("k", 2), ("min_hidden", 1)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise OptionError(f"{name} must be a whole number of at least {least}, but is {value!r}.")
        if not isinstance(self.zero_init, bool):
            raise OptionError(f"zero_init must be True or False, but is {self.zero_init!r}.")


class HyperFunction(nn.Layer):
    """(N, C, H, W) features -> (N, outputs) deltas in [-1, 1]."""

    def __init__(self, channels: int, outputs: int, options: HyperOptions) -> None:
        super().__init__()
        self.hidden = max(options.min_hidden, channels // options.reduction)
        self.zero_init = options.zero_init
        xavier = nn.initializer.XavierUniform()
        last = nn.initializer.Constant(0.0) if options.zero_init else xavier
        self.fc1 = nn.Linear(channels, self.hidden, weight_attr=ParamAttr(initializer=xavier))
        self.fc2 = nn.Linear(self.hidden, outputs, weight_attr=ParamAttr(initializer=last))

    def forward(self, x: Tensor) -> Tensor:
        return paddle.scale(self.gate(x), scale=2.0, bias=-1.0)

    def gate(self, x: Tensor) -> Tensor:
        """The outputs before they are spread over [-1, 1]: sigmoids, (N, outputs) in [0, 1]."""
        # Paddle Inference has a oneDNN kernel for this pool and takes twice as long over `mean`.
        pooled = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return F.sigmoid(self.fc2(F.relu(self.fc1(pooled))))

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draws both weights from `rng`, as many numbers with `zero_init` as without; clears the biases."""
        for linear in (self.fc1, self.fc2):
            xavier_uniform_(linear.weight, *linear.weight.shape, rng=rng)
            zero_(linear.bias)
        if self.zero_init:
            zero_(self.fc2.weight)


def xavier_uniform_(parameter: Tensor, fan_in: int, fan_out: int, *, rng: np.random.Generator) -> None:
    """Fills a parameter from U(-b, b), b = sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010, eq. 16)."""
    bound = (6.0 / (fan_in + fan_out)) ** 0.5
    _set(parameter, rng.uniform(-bound, bound, size=parameter.shape))


def zero_(parameter: Tensor) -> None:
    """Fills a parameter with zeros."""
    _set(parameter, np.zeros(parameter.shape))


def _set(parameter: Tensor, values: npt.NDArray[np.float64]) -> None:
    parameter.set_value(values.astype(parameter.numpy().dtype))
