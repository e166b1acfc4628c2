"""A tiny data set and network for the training tests: a run of two epochs takes a fraction of a second."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import paddle
from paddle import nn

from dyrelu.data import Augmentation, Examples, Flip, ImageDataset, Normalisation, Padding
from dyrelu.training import Recipe, TrainingJob, recipe


class TinyDynamic(nn.Layer):
    """A stand-in for a dynamic activation: it owns parameters and draws them itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc = nn.Linear(channels, channels)

    def reset_parameters(self, rng: np.random.Generator) -> None:
        bound = 1 / math.sqrt(self.fc.weight.shape[0])
        self.fc.weight.set_value(rng.uniform(-bound, bound, self.fc.weight.shape).astype(np.float32))
        self.fc.bias.set_value(rng.uniform(-bound, bound, self.fc.bias.shape).astype(np.float32))

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        slope = nn.functional.sigmoid(self.fc(x.mean(axis=[2, 3])))
        result: paddle.Tensor = nn.functional.relu(x) - nn.functional.relu(-x) * slope.unsqueeze([2, 3])
        return result


class TinyNet(nn.Layer):
    """conv, batch norm, activation, pool, linear."""

    def __init__(self, *, dynamic: bool = True, channels: int = 6) -> None:
        super().__init__()
        self.conv = nn.Conv2D(1, channels, 3, padding=1)
        self.bn = nn.BatchNorm2D(channels)
        self.act = TinyDynamic(channels) if dynamic else nn.ReLU()
        self.head = nn.Linear(channels, 3)

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        logits: paddle.Tensor = self.head(self.act(self.bn(self.conv(x))).mean(axis=[2, 3]))
        return logits


def tiny_dataset() -> ImageDataset:
    """Three classes told apart by brightness, with noise; 70 + 20 + 30 images of 6x6."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Examples:
        labels = np.arange(count, dtype=np.int64) % 3
        noise = rng.integers(0, 40, size=(count, 1, 6, 6))
        return Examples((labels[:, None, None, None] * 70 + noise).astype(np.uint8), labels)

    return ImageDataset(
        name="tiny",
        classes=3,
        train=part(70),
        validation=part(20),
        test=part(30),
        normalisation=Normalisation(scale=255, mean=(0.35,), std=(0.25,)),
        digest="0" * 64,
        split_seed=5,
    )


def tiny_recipe(**overrides: object) -> Recipe:
    """Everything switched on that a resume has to get right: momentum, decay, average, crops and flips."""
    augmentation = Augmentation(pad=1, padding=Padding.REFLECT, flip=Flip.ALTERNATING)
    fields: dict[str, object] = {
        "epochs": 3,
        "batch_size": 8,
        "warmup": 1 / 3,
        "ema_decay": 0.9,
        "ema_start": 0.4,
        "ema_interval": 2,
        "augmentation": augmentation,
    }
    return recipe("standard", **{**fields, **overrides})


def tiny_job(folder: Path, **overrides: object) -> TrainingJob:
    """A job on the tiny data; overrides are recipe fields."""
    return TrainingJob(
        dataset=tiny_dataset(),
        recipe=tiny_recipe(**overrides),
        seed=3,
        folder=folder,
        variant="tiny",
        threads=1,
    )
