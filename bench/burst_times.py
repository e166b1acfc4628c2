"""The time of a step in each burst: all that estimates ask of most windows."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.units import Unit

__all__ = ["BurstTimes", "burst_times"]


class BurstTimes(NamedTuple):
    """Of each burst its block, whether it is discarded, and the time of a step in ms. Of one length."""

    block: NDArray[np.int64]
    discarded: NDArray[np.bool_]
    step_ms: NDArray[np.float64]


class _Window(Protocol):
    """What is asked of a `Window`."""

    @property
    def block(self) -> int: ...
    @property
    def values(self) -> Sequence[float]: ...
    @property
    def warmup(self) -> bool: ...
    @property
    def discarded(self) -> str: ...


def burst_times(windows: Iterable[_Window], unit: Unit) -> BurstTimes:
    """Those after warm-up: the exact sum of a burst's steps over their number."""
    measured = [window for window in windows if not window.warmup]
    every = [window.values for window in measured]
    means = np.array([math.fsum(values) / len(values) for values in every], dtype=np.float64)
    return BurstTimes(
        np.array([window.block for window in measured], dtype=np.int64),
        np.array([bool(window.discarded) for window in measured], dtype=np.bool_),
        unit.in_ms(means),
    )
