"""What a variant may cost beside another: a bound on a ratio, set by a preset and kept in its results."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

__all__ = ["RatioTarget", "TargetKind", "TargetMetric"]

Name = Annotated[str, Meta(min_length=1)]
Bound = Annotated[float, Meta(gt=0, le=1e6)]


class TargetMetric(StrEnum):
    """What the ratio is of, a variant's over that of the one it stands against.

    `throughput` is images/s and has a least value; `time` (of a step) and `peak_tensor` (bytes, the fact of
    that name) have a largest one.
    """

    THROUGHPUT = "throughput"
    TIME = "time"
    PEAK_TENSOR = "peak_tensor"


class TargetKind(StrEnum):
    """How much depends on it: a target that is missed fails the run, an aim is shown and fails nothing."""

    TARGET = "target"
    AIM = "aim"


class RatioTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A bound on the ratio of each of `variants` to `against`, in one group of cases.

    `source` says where the bound comes from, `note` what else a reader must know. Exactly one of `at_least`
    and `at_most` is given, the one that fits the metric; raises ValueError otherwise.
    """

    subject: Name
    engine: Name
    batch: Annotated[int, Meta(ge=1, le=1_000_000)]
    variants: Annotated[tuple[Name, ...], Meta(min_length=1)]
    against: Name
    metric: TargetMetric
    source: Name
    at_least: Bound | None = None
    at_most: Bound | None = None
    kind: TargetKind = TargetKind.TARGET
    note: str = ""

    def __post_init__(self) -> None:
        fits, other = ("at_least", "at_most") if self.is_lower_bound else ("at_most", "at_least")
        if getattr(self, fits) is None or getattr(self, other) is not None:
            raise ValueError(f"a target of {self.metric.value} takes {fits}, and no {other}")

    @property
    def is_lower_bound(self) -> bool:
        """Whether more is better."""
        return self.metric is TargetMetric.THROUGHPUT

    @property
    def bound(self) -> float:
        """The ratio that is enough, just so."""
        return next(bound for bound in (self.at_least, self.at_most) if bound is not None)

    def met_by(self, ratio: float) -> bool:
        """Whether this ratio is on the right side; the bound itself is."""
        return ratio >= self.bound if self.is_lower_bound else ratio <= self.bound
