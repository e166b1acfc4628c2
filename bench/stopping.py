"""When to stop sampling. Objects that are fed samples and say when, and why, it is enough."""

from __future__ import annotations

from typing import Protocol

from bench.clock import Clock
from bench.record import StopReason
from bench.statistics import median_estimate

__all__ = ["FirstOf", "FixedCount", "RelativeInterval", "Stopping", "TimeLimit"]


class Stopping(Protocol):
    """Fed every accepted sample; `reason` is None until it is enough."""

    def add(self, sample: float) -> None:
        """Takes one more sample."""
        ...

    @property
    def reason(self) -> StopReason | None:
        """Why to stop now, or None to go on."""
        ...


class FixedCount:
    """Stops after `count` samples."""

    def __init__(self, count: int) -> None:
        self._left = count

    def add(self, sample: float) -> None:  # noqa: ARG002 - the count alone matters here
        """Takes one more sample."""
        self._left -= 1

    @property
    def reason(self) -> StopReason | None:
        """COUNT once there are enough."""
        return StopReason.COUNT if self._left <= 0 else None


class RelativeInterval:
    """Stops once the median's interval is narrower than `target` (a share of the median)."""

    def __init__(self, target: float, confidence: float) -> None:
        self._target = target
        self._confidence = confidence
        self._samples: list[float] = []

    def add(self, sample: float) -> None:
        """Takes one more sample."""
        self._samples.append(sample)

    @property
    def reason(self) -> StopReason | None:
        """INTERVAL once it is narrow enough; never with too few samples for an interval."""
        estimate = median_estimate(self._samples, self._confidence)
        if not estimate.has_interval:
            return None
        narrow = estimate.high - estimate.low <= self._target * estimate.value
        return StopReason.INTERVAL if narrow else None


class TimeLimit:
    """Stops `seconds` after its first sample was asked for, however many there are."""

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.now() + seconds

    def add(self, sample: float) -> None:
        """Takes one more sample."""

    @property
    def reason(self) -> StopReason | None:
        """TIME once it is over."""
        return StopReason.TIME if self._clock.now() >= self._end else None


class FirstOf:
    """Stops as soon as one of several rules does, with its reason."""

    def __init__(self, *rules: Stopping) -> None:
        self._rules = rules

    def add(self, sample: float) -> None:
        """Hands the sample to every rule."""
        for rule in self._rules:
            rule.add(sample)

    @property
    def reason(self) -> StopReason | None:
        """The first rule's reason that has one."""
        return next((rule.reason for rule in self._rules if rule.reason is not None), None)
