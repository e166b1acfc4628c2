"""What variants have in common: the inputs that they take, an operator of their own, a hyper function."""

from __future__ import annotations

import numpy as np
from paddle import Tensor, nn

from dyrelu.errors import ShapeError
from dyrelu.hyper import HyperFunction, HyperOptions
from dyrelu.kernels import Kernel, choose, suits

__all__ = ["DynamicReLU", "WithOperator", "check_input"]

SEQUENCE_RANK = 3  # (N, C, L)
IMAGE_RANK = 4  # (N, C, H, W)


def check_input(x: Tensor, channels: int) -> None:
    """Raises ShapeError for what is neither (N, channels, L) nor (N, channels, H, W)."""
    if len(x.shape) not in (SEQUENCE_RANK, IMAGE_RANK) or x.shape[1] != channels:
        raise ShapeError(
            f"input of shape {list(x.shape)} does not fit an activation of {channels} channels: "
            f"give (N, {channels}, L) or (N, {channels}, H, W)."
        )


class WithOperator(nn.Layer):
    """An activation of two formulations: one C++ operator, or Paddle's own operators.

    The operator does the work on the CPU, where `dyrelu.kernels` has it, for float32 and float64. Which
    formulation a layer takes is settled when it is made.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernel = choose()

    def takes_fused(self, x: Tensor) -> bool:
        """Whether this input goes through the operator."""
        return self.kernel is Kernel.FUSED and suits(x)

    def spell_out(self) -> None:
        """From now on uses Paddle's own operators, whose work a trace of the program shows."""
        self.kernel = Kernel.PLAIN

    def extra_repr(self) -> str:
        return f"kernel={self.kernel.value}"


class DynamicReLU(WithOperator):
    """An activation whose coefficients a hyper function makes from its input: y = max_k(a_k * x + b_k).

    Shapes: (N, C, L) or (N, C, H, W), float, any N; the result has the shape of the input, and no sample's
    result depends on another sample. A NaN gives NaN. An infinite input has no defined result: at the start
    the second slope is 0, and 0 * inf is NaN.
    Raises ShapeError for another number of axes or channels.
    """

    def __init__(self, channels: int, outputs: int, options: HyperOptions) -> None:
        super().__init__()
        self.channels = channels
        self.k = options.k
        self.reduction = options.reduction
        self.hyper = HyperFunction(channels, outputs, options)

    @property
    def hidden(self) -> int:
        """Units between the two Linears of the hyper function."""
        return self.hyper.hidden

    def reset_parameters(self, rng: np.random.Generator) -> None:
        """Draws every weight of the layer from `rng` (Xavier-uniform) and clears the biases.

        It gives the hyper functions a random stream of their own, which keeps variants paired by seed.
        """
        self.hyper.reset_parameters(rng)

    def forward(self, x: Tensor) -> Tensor:
        check_input(x, self.channels)
        if self.takes_fused(x):
            return self._activate_fused(x)
        if len(x.shape) == IMAGE_RANK:
            return self._activate(x)
        # A sequence is an image of one row, so that "the last axis" means the same to both.
        return self._activate(x.unsqueeze(2)).squeeze(2)

    def _activate(self, x: Tensor) -> Tensor:
        """The activation of (N, C, H, W)."""
        raise NotImplementedError

    def _activate_fused(self, x: Tensor) -> Tensor:
        """The activation of (N, C, L) or (N, C, H, W) by the fused operator."""
        raise NotImplementedError

    def extra_repr(self) -> str:
        sizes = f"channels={self.channels}, k={self.k}, reduction={self.reduction}, hidden={self.hidden}"
        return f"{sizes}, {super().extra_repr()}"
