"""Time, injected everywhere, so that tests need none to pass."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["Clock", "WallClock"]


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
