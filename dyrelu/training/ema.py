"""An exponential moving average of all of a model's state over the tail of training."""

from __future__ import annotations

import paddle
from paddle import nn

from dyrelu.training.recipes import Recipe
from dyrelu.training.state import NamedArrays

__all__ = ["MovingAverage"]


class MovingAverage:
    """Averages parameters and batch-norm statistics alike, so that the statistics fit the averaged weights.

    The average starts as a copy at the first update (no bias correction is needed then) and moves every
    `ema_interval` steps by average = d * average + (1 - d) * state with d = ema_decay ** ema_interval.
    """

    def __init__(self, model: nn.Layer, recipe: Recipe, steps: int) -> None:
        self._state = model.state_dict()
        self._decay = recipe.ema_decay**recipe.ema_interval
        self._interval = recipe.ema_interval
        self._first_step = int(recipe.ema_start * steps) if recipe.ema_decay > 0 else None
        self._last_step = steps - 1
        self._average: dict[str, paddle.Tensor] = {}

    @paddle.no_grad()
    def update(self, step: int) -> None:
        """Take in the state after `step` (from 0), if it is one of those that count; the last always is."""
        if self._first_step is None or step < self._first_step:
            return
        if (step - self._first_step) % self._interval and step != self._last_step:
            return
        if not self._average:
            self._average = {name: tensor.clone() for name, tensor in self._state.items()}
            return
        for name, tensor in self._state.items():
            average = self._average[name]
            paddle.assign(average * self._decay + tensor * (1.0 - self._decay), average)

    def arrays(self) -> NamedArrays:
        """The average by structured name; empty before the first update."""
        return {name: tensor.numpy() for name, tensor in self._average.items()}

    def restore(self, saved: NamedArrays) -> None:
        """Continue from a saved average."""
        self._average = {name: paddle.to_tensor(array) for name, array in saved.items()}
