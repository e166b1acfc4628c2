"""The test images that a preset's networks were trained for, in a file that every worker reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.presets.schema import Training
from bench.subjects.training import DataSource, load_dataset, recipe_of

__all__ = ["TestImages", "leave_test_images"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class TestImages:
    """Images (N, C, H, W) uint8 and their labels (N,); inputs are images * gain - offset, by channel."""

    images: Array
    labels: Array
    gain: Array
    offset: Array

    @classmethod
    def read(cls, file: Path) -> TestImages:
        """What `leave_test_images` left."""
        with np.load(file) as arrays:
            return cls(arrays["images"], arrays["labels"], arrays["gain"], arrays["offset"])

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, size: int) -> Iterator[Array]:
        """Network inputs (B, C, H, W) float32, in order; the last batch may be smaller."""
        for start in range(0, len(self), size):
            images = self.images[start : start + size]
            yield np.multiply(images, self.gain, dtype=np.float32) - self.offset


def leave_test_images(training: Training, source: DataSource, file: Path) -> None:
    """Writes the test images of a preset's data set, scaled as its recipe says, where nobody did.

    Raises DyReLUError where they can't be had.
    """
    if file.exists():
        return
    from dyrelu.training.job import normalisation_of

    dataset = load_dataset(training, source)
    normalisation = normalisation_of(dataset, recipe_of(training))
    zeros = np.zeros((1, dataset.image_shape[0], 1, 1), dtype=np.uint8)
    offset = -normalisation(zeros)
    gain = normalisation(zeros + np.uint8(1)) + offset
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"part-{file.name}")
    np.savez(part, images=dataset.test.images, labels=dataset.test.labels, gain=gain, offset=offset)
    part.replace(file)
