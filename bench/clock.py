"""Time, injected everywhere, so that tests need none to pass."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "WallClock", "to_the_nanosecond"]


class Clock(Protocol):
    """Seconds since an arbitrary start; never goes back."""

    def now(self) -> float:
        """The time in seconds."""
        ...


class WallClock:
    """The monotonic clock with the finest resolution that Python has."""

    def now(self) -> float:
        """The time in seconds."""
        return time.perf_counter()


def to_the_nanosecond(ms: float) -> float:
    """A time in ms as finely as clocks tell it; never zero, since a time must have a logarithm."""
    return max(round(ms, 6), 1e-6)
