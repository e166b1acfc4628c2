"""The learning rate as a pure function of the step: linear warm-up, then a cosine to zero."""

from __future__ import annotations

import math

from dyrelu.training.recipes import Recipe

__all__ = ["learning_rate"]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Learning rate of `step`, counted from 0 over the whole run.

    The warm-up rises in equal parts and its last step has the peak; the rest follows half a cosine
    (Loshchilov and Hutter 2017, arXiv 1608.03983, eq. 5 without restarts), whose zero lies one step after the
    last, so that no step is wasted.
    """
    steps = recipe.epochs * steps_per_epoch
    warmup = round(recipe.warmup * steps)
    if step < warmup:
        return recipe.peak_learning_rate * (step + 1) / warmup
    progress = (step - warmup) / (steps - warmup)
    return recipe.peak_learning_rate * (1 + math.cos(math.pi * progress)) / 2
