"""Units and directions of measured quantities."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NS_A_MS", "Direction", "Unit"]

# Nanoseconds in a millisecond.
NS_A_MS = 1e6


_Times = TypeVar("_Times", float, "NDArray[np.float64]")


class Unit(StrEnum):
    """What one unit of a value is. A MAC is one fused multiply-add and counts as two FLOPs."""

    MILLISECONDS = "ms"
    NANOSECONDS = "ns"
    IMAGES_PER_SECOND = "images/s"
    BYTES = "bytes"
    COUNT = "count"
    MACS = "MACs"
    FLOPS = "FLOPs"

    def in_ms(self, time: _Times) -> _Times:
        """A time in this unit, or an array of them, in ms."""
        return time / NS_A_MS if self is Unit.NANOSECONDS else time


class Direction(StrEnum):
    """Which way a change is a gain."""

    LOWER_IS_BETTER = "lower"
    HIGHER_IS_BETTER = "higher"
