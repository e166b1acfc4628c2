"""Units and directions of measured quantities."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Direction", "Unit"]


class Unit(StrEnum):
    """What one unit of a value is. A MAC is one fused multiply-add and counts as two FLOPs."""

    MILLISECONDS = "ms"
    IMAGES_PER_SECOND = "images/s"
    BYTES = "bytes"
    COUNT = "count"
    MACS = "MACs"
    FLOPS = "FLOPs"


class Direction(StrEnum):
    """Which way a change is a gain."""

    LOWER_IS_BETTER = "lower"
    HIGHER_IS_BETTER = "higher"
