"""Crops of random area and shape, enlarged back to the image's size: whole batches, without a loop.

The rules of the box are those documented for `paddle.vision.transforms.RandomResizedCrop` (first described by
Szegedy et al. 2015, arXiv 1409.4842, section 6): up to ten tries of an area and an aspect ratio, rounded to
whole pixels; the first box that fits is placed uniformly; where none fits, the largest centred box of an
allowed shape. The random numbers are our own, so one seed does not give the same boxes as Paddle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from dyrelu.data.dataset import Images

__all__ = ["Boxes", "ResizedCrop", "crop_and_resize", "draw_boxes"]

_TRIES: Final = 10

_Integers = npt.NDArray[np.intp]
_Floats = npt.NDArray[np.float32]


class ResizedCrop(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What boxes may be cut out: `scale` bounds the share of the image's area, uniform; `ratio` bounds width
    by height, uniform in its logarithm. The defaults are Paddle's.

    Raises:
        ValueError: a range is reversed or out of its limits.
    """

    scale: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.scale[0] <= self.scale[1] <= 1:
            raise ValueError(f"resized_crop scale must rise within 0 to 1, got {self.scale}")
        if not 0 < self.ratio[0] <= self.ratio[1] < math.inf:
            raise ValueError(f"resized_crop ratio must rise and be above 0, got {self.ratio}")


@dataclass(frozen=True, slots=True)
class Boxes:
    """Parts of N images, in pixels: corner and extent, each (N,), inside the image."""

    tops: _Integers
    lefts: _Integers
    heights: _Integers
    widths: _Integers

    def __getitem__(self, part: slice) -> Boxes:
        return Boxes(self.tops[part], self.lefts[part], self.heights[part], self.widths[part])


def draw_boxes(crop: ResizedCrop, count: int, size: tuple[int, int], rng: np.random.Generator) -> Boxes:
    """Draw the boxes of `count` images of `size` (H, W).

    Every image takes the same number of random numbers, however many tries it needs.
    """
    height, width = size
    areas = rng.uniform(*crop.scale, size=(_TRIES, count)) * (height * width)
    low, high = map(math.log, crop.ratio)
    ratios = np.exp(rng.uniform(low, high, size=(_TRIES, count)))
    widths = np.rint(np.sqrt(areas * ratios)).astype(np.intp)
    heights = np.rint(np.sqrt(areas / ratios)).astype(np.intp)
    fits = (widths > 0) & (widths <= width) & (heights > 0) & (heights <= height)
    first = fits.argmax(axis=0), np.arange(count)
    any_fits = fits.any(axis=0)
    largest = _largest(crop, height, width)
    heights = np.where(any_fits, heights[first], largest[0])
    widths = np.where(any_fits, widths[first], largest[1])
    places = rng.random((2, count))
    tops = np.where(any_fits, (places[0] * (height - heights + 1)).astype(np.intp), (height - heights) // 2)
    lefts = np.where(any_fits, (places[1] * (width - widths + 1)).astype(np.intp), (width - widths) // 2)
    return Boxes(tops, lefts, heights, widths)


def _largest(crop: ResizedCrop, height: int, width: int) -> tuple[int, int]:
    """The largest extent (H, W) of an allowed shape, but for rounding."""
    shape = width / height
    if shape < crop.ratio[0]:
        return round(width / crop.ratio[0]), width
    if shape > crop.ratio[1]:
        return height, round(height * crop.ratio[1])
    return height, width


def crop_and_resize(images: Images, boxes: Boxes) -> Images:
    """Cut out each box and enlarge it to the image's own size; (N, C, H, W) uint8 to the same.

    Bilinear between pixel centres, as OpenCV and PIL do it: output pixel i lies at
    (i + 1/2) * box / size - 1/2 of the box, and what lies over the box's edge is the edge's pixel. A box
    never exceeds its image, so there is nothing to smooth away. Results are rounded to whole numbers.
    """
    height, width = images.shape[2:]
    rows = _interpolation(boxes.tops, boxes.heights, height)
    columns = _interpolation(boxes.lefts, boxes.widths, width)
    # Two products of small matrices a channel: faster than gathering four neighbours of every pixel.
    resized: _Floats = rows[:, None] @ images.astype(np.float32) @ columns[:, None].swapaxes(2, 3)
    return np.rint(resized, out=resized).astype(np.uint8)


def _interpolation(starts: _Integers, extents: _Integers, size: int) -> _Floats:
    """(N, size, size): how much of each input line (last axis) goes into each output line."""
    lines = np.arange(size, dtype=np.float32)
    places = (lines + 0.5) * (extents[:, None] / size) - 0.5
    inside = starts[:, None] + np.clip(places, 0, extents[:, None] - 1)
    weights: npt.NDArray[np.float64] = 1 - np.abs(inside[:, :, None] - lines)
    return np.maximum(weights, 0, out=weights).astype(np.float32)
