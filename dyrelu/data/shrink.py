"""Smaller images for the first part of a training: the mean over the area that each new pixel covers."""

from __future__ import annotations

import msgspec
import numpy as np
import numpy.typing as npt

__all__ = ["SmallFirst", "shrink"]

_Floats = npt.NDArray[np.float32]


class SmallFirst(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Images of `size` pixels a side for the first `share` of all epochs, rounded to whole ones.

    A step on them takes (size / full size)^2 of the time, and what a network learns from them is most of what
    it needs (Howard's progressive resizing, in Coleman et al., "DAWNBench", 2018).

    Raises:
        ValueError: `size` is below 1, or `share` not from 0 to 1.
    """

    size: int
    share: float

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"small_first size must be at least 1 pixel, got {self.size}")
        if not 0 <= self.share <= 1:
            raise ValueError(f"small_first share must be from 0 to 1, got {self.share}")

    def applies(self, epoch: int, epochs: int) -> bool:
        """Whether `epoch` (from 1) of so many has the small images."""
        return epoch <= round(self.share * epochs)


def shrink(images: _Floats, size: int) -> _Floats:
    """(N, C, H, W) float32 to (N, C, size, size), with 1 <= size <= min(H, W).

    Pixel i covers [i, i + 1) * H / size of the image and is the mean of what it covers, parts of pixels by
    their parts (OpenCV's INTER_AREA), so that nothing between the samples is lost or aliased.
    """
    rows, columns = (_areas(extent, size) for extent in images.shape[2:])
    shrunk: _Floats = np.matmul(rows, images @ columns.T)
    return shrunk


def _areas(extent: int, size: int) -> _Floats:
    """(size, extent): the part that each old line has in each new one."""
    step = extent / size
    starts = step * np.arange(size)[:, None]
    lines = np.arange(extent)
    covered = np.minimum(starts + step, lines + 1) - np.maximum(starts, lines)
    areas: _Floats = (np.clip(covered, 0, None) / step).astype(np.float32)
    return areas
