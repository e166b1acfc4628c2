"""The best epoch's weights, for the one way of selecting that needs them."""

from __future__ import annotations

from dyrelu.training.state import NamedArrays

__all__ = ["BestEpoch"]


class BestEpoch:
    """Keeps the weights (batch-norm statistics included) of the epoch with the most right answers; of equals,
    the first.
    """

    def __init__(self) -> None:
        self.epoch = 0
        self.correct = -1
        self.weights: NamedArrays = {}

    def offer(self, epoch: int, correct: int, weights: NamedArrays) -> None:
        """Take the epoch if it is better than those before."""
        if correct > self.correct:
            self.restore(epoch, correct, weights)

    def restore(self, epoch: int, correct: int, weights: NamedArrays) -> None:
        """Continue from what a checkpoint has."""
        self.epoch, self.correct, self.weights = epoch, correct, weights
