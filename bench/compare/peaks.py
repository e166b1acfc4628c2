"""Which facts the same program never shows twice."""

from __future__ import annotations

from bench.record import Bound

__all__ = ["PEAKS", "repeats"]

PEAKS = (Bound.PEAK, Bound.CUMULATIVE_PEAK)
# What the kernel or the driver counts for a whole process, in pages and pools, not what the network holds:
# the same program shows a little more or less each time.
_COUNTED_OUTSIDE = ("peak_resident", "gpu_process_memory")
# Engines that free tensors in a thread of their own, sometimes late: even the smallest peak still moves.
_FREEING_LATE = ("inference",)


def repeats(metric: str, bound: Bound, engine: str) -> bool:
    """Whether the same program shows the same value each time, so that any difference is one of the code."""
    return metric not in _COUNTED_OUTSIDE and not (bound in PEAKS and engine in _FREEING_LATE)
