"""A labelled image data set held in memory as uint8, and the split that carves out validation images."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dyrelu.errors import DataError

__all__ = [
    "Examples",
    "FloatImages",
    "ImageDataset",
    "Images",
    "Labels",
    "Normalisation",
    "content_digest",
    "stratified_split",
]

Images = npt.NDArray[np.uint8]
FloatImages = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Images (N, C, H, W) uint8 with labels (N,) int64; both arrays become read-only.

    Raises:
        DataError: the arrays' types, ranks or lengths do not fit.
    """

    images: Images
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(
                f"images must be uint8 of rank 4, got {self.images.dtype} of rank {self.images.ndim}"
            )
        if self.labels.dtype != np.int64 or self.labels.shape != (len(self.images),):
            raise DataError(
                f"labels must be {len(self.images)} int64 numbers, one an image, "
                f"got {self.labels.dtype} of shape {self.labels.shape}"
            )
        self.images.flags.writeable = False
        self.labels.flags.writeable = False

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, slots=True)
class Normalisation:
    """From stored pixels to network input: (pixel / scale - mean_c) / std_c, per channel c, in float32.

    `scale` is the largest pixel value that the data can hold (255 for bytes, 16 for the digits), so that mean
    and std are fractions of full scale whatever the data set.
    """

    scale: float
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images: Images) -> FloatImages:
        """Normalise (N, C, H, W) uint8 into a new contiguous float32 array of the same shape."""
        gain = np.array([1.0 / (self.scale * s) for s in self.std], dtype=np.float32)
        offset = np.array([m / s for m, s in zip(self.mean, self.std, strict=True)], dtype=np.float32)
        result: FloatImages = np.multiply(images, gain[:, None, None], dtype=np.float32)
        # In place: a second whole-batch temporary costs more than the subtraction itself.
        result -= offset[:, None, None]
        return result


@dataclass(frozen=True, slots=True)
class ImageDataset:
    """One data set, ready to train on: three disjoint parts and everything needed to say which data they are.

    `validation` may be empty; the other parts hold images.

    `digest` identifies the source content (sha256, hexadecimal), before any split; `split_seed` and the
    lengths of the parts then determine which image is in which part.
    """

    name: str
    classes: int
    train: Examples
    validation: Examples
    test: Examples
    normalisation: Normalisation
    digest: str
    split_seed: int

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W)."""
        _, channels, height, width = self.train.images.shape
        return channels, height, width


def content_digest(*arrays: npt.NDArray[np.generic]) -> str:
    """sha256 (hexadecimal) over the arrays' bytes in C order, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def stratified_split(
    labels: Labels, held_out: int, seed: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Split indices into (kept, held out), both ascending, with every class held out in proportion.

    Each class gives its proportional share rounded down; the images still missing come from the classes with
    the largest remainders (the largest-remainder method), ties to the smaller label.

    Args:
        labels: (N,) class of each image.
        held_out: how many images to hold out, 0 <= held_out < N.
        seed: which images of a class are taken; the same seed gives the same split on every machine.

    Raises:
        DataError: `held_out` is negative or leaves nothing.
    """
    if not 0 <= held_out < len(labels):
        raise DataError(
            f"cannot hold out {held_out} of {len(labels)} images: choose a number from 0 to {len(labels) - 1}"
        )
    classes, counts = np.unique(labels, return_counts=True)
    # Integers throughout, so that the shares don't hang on how a machine rounds.
    shares, remainders = np.divmod(counts * held_out, len(labels))
    missing = held_out - int(shares.sum())
    shares[np.argsort(-remainders, kind="stable")[:missing]] += 1
    rng = np.random.default_rng(seed)
    taken = [
        rng.permutation(np.flatnonzero(labels == label))[:share]
        for label, share in zip(classes, shares, strict=True)
    ]
    is_held_out = np.zeros(len(labels), dtype=bool)
    is_held_out[np.concatenate(taken)] = True
    return np.flatnonzero(~is_held_out), np.flatnonzero(is_held_out)
