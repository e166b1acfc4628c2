"""Known extra work, with which a self-test slows one side: a slowdown that is really there, to be found.

The work is a fixed number of small NumPy operations after each step. The number is chosen once a case and
block, so that the work takes the wanted share of the step's own median time, both measured in turns: a
machine that changes its speed meanwhile changes both.
"""

from __future__ import annotations

import fnmatch
import statistics
from collections.abc import Callable
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from bench.clock import Clock

__all__ = ["Injection", "injected", "slowed_by"]

# Small enough to stay in the first cache beside what a model keeps there: 64 float32 are 256 bytes.
_ELEMENTS = 64
# A turn of calibration: long beside the clock, short beside a machine's changes of speed.
_TURN_S = 0.004
_TURNS = 9
_MOST_STEPS = 200
# Operations timed in one go; one alone takes less than reading the clock.
_OPERATIONS = 500


class Injection(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Extra work of `share` of a step's time (0.05 is 5%) for cases whose key matches the glob `cases`."""

    share: Annotated[float, Meta(gt=0, le=10)]
    cases: Annotated[str, Meta(min_length=1)] = "*"

    def concerns(self, case_key: str) -> bool:
        """Whether this case is slowed."""
        return fnmatch.fnmatchcase(case_key, self.cases)

    @property
    def sentence(self) -> str:
        """What every reader of such a suite must know."""
        which = "every case" if self.cases == "*" else f"cases matching {self.cases}"
        return (
            f"SLOWED ON PURPOSE: {which} did extra work of {100 * self.share:.3g}% of each step's own time, "
            "for a self-test; these times are no result of the models."
        )


def injected(
    step: Callable[[], None], case_key: str, injection: Injection | None, clock: Clock
) -> Callable[[], None]:
    """The step as it is to be timed: with extra work behind it where the injection concerns the case."""
    if injection is None or not injection.concerns(case_key):
        return step
    return slowed_by(injection.share, step, _Work(), clock)


def slowed_by(
    share: float, step: Callable[[], None], work: Callable[[int], None], clock: Clock
) -> Callable[[], None]:
    """The step with so much work behind it that it takes `share` of the step's own time.

    `work` does so many operations. Runs the step for some tens of milliseconds, at least twice a turn.
    """
    step()
    first = _timed(step, clock)
    steps = max(2, min(_MOST_STEPS, round(_TURN_S / max(first, 1e-9))))
    wanted = []
    for _ in range(_TURNS):
        own = statistics.median(_timed(step, clock) for _ in range(steps))
        unit = _timed(lambda: work(_OPERATIONS), clock) / _OPERATIONS
        wanted.append(share * own / max(unit, 1e-12))
    count = max(1, round(statistics.median(wanted)))

    def slowed() -> None:
        step()
        work(count)

    return slowed


class _Work:
    """So many additions of two small arrays in place: no allocation, nothing that leaves the cache."""

    def __init__(self) -> None:
        self._sum = np.zeros(_ELEMENTS, dtype=np.float32)
        self._one = np.zeros(_ELEMENTS, dtype=np.float32)

    def __call__(self, operations: int) -> None:
        add, total, one = np.add, self._sum, self._one
        for _ in range(operations):
            add(total, one, out=total)


def _timed(action: Callable[[], None], clock: Clock) -> float:
    start = clock.now()
    action()
    return clock.now() - start
