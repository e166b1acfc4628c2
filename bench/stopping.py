"""When to stop sampling. Objects that are fed bursts and say when, and why, it is enough."""

from __future__ import annotations

import statistics as plain
from typing import Protocol

from bench.record import StopReason, Window
from bench.statistics import median_estimate

__all__ = ["FirstOf", "FixedCount", "RelativeInterval", "Stopping", "TimeLimit"]


class Stopping(Protocol):
    """Fed every burst of a case, discarded ones too; `reason` is None until it is enough."""

    def add(self, window: Window) -> None:
        """Takes one more burst."""
        ...

    @property
    def reason(self) -> StopReason | None:
        """Why to stop now, or None to go on."""
        ...


class FixedCount:
    """Stops after `count` bursts that may be used."""

    def __init__(self, count: int) -> None:
        self._left = count

    def add(self, window: Window) -> None:
        """Takes one more burst."""
        self._left -= not window.discarded

    @property
    def reason(self) -> StopReason | None:
        """COUNT once there are enough."""
        return StopReason.COUNT if self._left <= 0 else None


class RelativeInterval:
    """Stops once the interval of the bursts' median is narrower than `target`, a share of the median."""

    def __init__(self, target: float, confidence: float) -> None:
        self._target = target
        self._confidence = confidence
        self._means: list[float] = []

    def add(self, window: Window) -> None:
        """Takes one more burst."""
        if not window.discarded:
            self._means.append(plain.fmean(window.values))

    @property
    def reason(self) -> StopReason | None:
        """INTERVAL once it is narrow enough; never with too few bursts for an interval."""
        estimate = median_estimate(self._means, self._confidence)
        if not estimate.has_interval:
            return None
        narrow = estimate.high - estimate.low <= self._target * estimate.value
        return StopReason.INTERVAL if narrow else None


class TimeLimit:
    """Stops once a case's own bursts took `seconds` in all; others' turns don't count."""

    def __init__(self, seconds: float) -> None:
        self._left_ms = seconds * 1e3

    def add(self, window: Window) -> None:
        """Takes one more burst."""
        self._left_ms -= sum(window.values)

    @property
    def reason(self) -> StopReason | None:
        """TIME once it is spent."""
        return StopReason.TIME if self._left_ms <= 0 else None


class FirstOf:
    """Stops as soon as one of several rules does, with its reason."""

    def __init__(self, *rules: Stopping) -> None:
        self._rules = rules

    def add(self, window: Window) -> None:
        """Hands the burst to every rule."""
        for rule in self._rules:
            rule.add(window)

    @property
    def reason(self) -> StopReason | None:
        """The first rule's reason that has one."""
        return next((rule.reason for rule in self._rules if rule.reason is not None), None)
