"""Exact accuracy: correct over all images of the set, not a mean of batch means."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn

from dyrelu.data.dataset import Images, Labels, Normalisation

__all__ = ["EVALUATION_BATCH", "Score", "evaluate", "logits_of", "score"]

EVALUATION_BATCH = 500
"""Images a forward pass: large enough to amortise calls, small enough for a ResNet-50 on CIFAR to stay under
a gigabyte of activations."""

Logits = npt.NDArray[np.float32]


class Score(NamedTuple):
    """How many of how many images got their label."""

    correct: int
    images: int

    @property
    def accuracy(self) -> float:
        """A fraction from 0 to 1."""
        return self.correct / self.images


def logits_of(
    model: nn.Layer,
    images: Images,
    normalisation: Normalisation,
    *,
    flip: bool = False,
    batch_size: int = EVALUATION_BATCH,
) -> Logits:
    """The model's outputs (N, classes) float32 in evaluation mode; the mode it was in is restored.

    Args:
        model: takes (B, C, H, W) float32 and gives (B, classes).
        images: (N, C, H, W) uint8, N >= 1.
        normalisation: from stored pixels to network input.
        flip: average the logits of each image and its mirror image (test-time augmentation).
        batch_size: images a forward pass.
    """
    was_training = model.training
    model.eval()
    try:
        with paddle.no_grad():
            parts = [
                _forward(model, normalisation(images[start : start + batch_size]), flip)
                for start in range(0, len(images), batch_size)
            ]
    finally:
        if was_training:
            model.train()
    return np.concatenate(parts)


def evaluate(
    model: nn.Layer,
    images: Images,
    labels: Labels,
    normalisation: Normalisation,
    *,
    flip: bool = False,
) -> Score:
    """Top-1 score of `model` on `images`; arguments as in `logits_of`."""
    return score(logits_of(model, images, normalisation, flip=flip), labels)


def score(logits: Logits, labels: Labels) -> Score:
    """Count the images whose largest logit is at their label; the first of equal logits counts."""
    return Score(int((logits.argmax(axis=1) == labels).sum()), len(labels))


def _forward(model: nn.Layer, inputs: npt.NDArray[np.float32], flip: bool) -> Logits:
    logits: Logits = model(paddle.to_tensor(inputs)).numpy()
    if flip:
        mirrored: Logits = model(paddle.to_tensor(np.ascontiguousarray(inputs[..., ::-1]))).numpy()
        logits = (logits + mirrored) / np.float32(2)
    return logits
