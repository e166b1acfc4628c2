"""Ratios of a case to another of its group, and what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.quality import CaseResult, ratio_to_reference, time_ratio
from bench.ratio_target import TargetMetric
from bench.record import Bound, Fact, Protocol, Record
from bench.statistics import Estimate

__all__ = ["Ratio", "Timed", "fact_ratio", "timed_ratio"]


@dataclass(frozen=True, slots=True)
class Timed:
    """A record, and what it says of time."""

    record: Record
    result: CaseResult

    @property
    def has_time(self) -> bool:
        """Whether any block gave one."""
        return self.result.latency_ms.n > 0


@dataclass(frozen=True, slots=True)
class Ratio:
    """`reason` says why there is no estimate, or why it can't be believed; empty where it can.

    A ratio of facts has no interval: its ends are NaN.
    """

    estimate: Estimate | None
    reason: str = ""


def timed_ratio(
    own: Timed, other: Timed | None, name: str, protocol: Protocol, metric: TargetMetric
) -> Ratio:
    """A ratio of throughputs or of times, paired inside blocks, of a case that has times.

    `name` is the variant that `other` is of, or would be.
    """
    if other is None or not other.has_time:
        return Ratio(None, f"{name} has no time here")
    derive = time_ratio if metric is TargetMetric.TIME else ratio_to_reference
    found = derive(own.record, other.record, protocol)
    if found.n == 0:
        return Ratio(None, f"no block ran both this variant and {name} whole")
    if own.result.inconclusive:
        return Ratio(found, own.result.inconclusive)
    if other.result.inconclusive:
        return Ratio(found, f"{name} is inconclusive here: {other.result.inconclusive}")
    if not found.has_interval:
        return Ratio(found, f"{found.n} paired blocks are too few for an interval")
    return Ratio(found)


def fact_ratio(own: Record, other: Record, metric: str) -> Ratio:
    """The ratio of a fact of two records."""
    pair = [_fact(record, metric) for record in (own, other)]
    for record, fact in zip((own, other), pair, strict=True):
        if fact is None or fact.value <= 0:
            return Ratio(None, f"{record.case.variant} has no {metric} here")
    mine, theirs = (fact for fact in pair if fact is not None)
    found = Estimate(mine.value / theirs.value, math.nan, math.nan, 1)
    bounds = {mine.bound, theirs.bound} - {Bound.EXACT, Bound.PEAK}
    return Ratio(found, f"of values that are only known as {min(bounds)}" if bounds else "")


def _fact(record: Record, metric: str) -> Fact | None:
    return next((fact for fact in record.facts if fact.metric == metric), None)
