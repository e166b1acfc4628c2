"""What a comparison of two sides found: the nouns that it is written, gated and kept with.

A ratio is time of the new side over time of the base, so more than 1 is slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bench.case import Case
from bench.record import FailureKind
from bench.statistics import Estimate
from bench.units import Unit
from bench.verdict import Rule, Verdict

__all__ = ["Basis", "Comparison", "Delta", "FactChange", "RowStatus", "Status"]


class Basis(StrEnum):
    """What a delta rests on."""

    BLOCKS = "paired blocks of one session"
    REFERENCE = "ratio to the reference"
    CALIBRATION = "ratio to the calibration"


class Status(StrEnum):
    """Of cases that can't be judged, or failed in part."""

    NEW = "new"
    MISSING = "missing"
    FAILED = "failed"
    REFUSED = "conditions differ"


@dataclass(frozen=True, slots=True)
class Delta:
    """The change of one case's time. `ratio` is new over base, with the interval that the verdict rests on.

    `level` is that interval's confidence, raised by the correction for many cells; `p_value` is corrected
    too, so that it is at most alpha exactly where the verdict is slower or faster. `theta` is the threshold
    of the verdict. `reason` says why it is inconclusive, else it is empty; `blocks_needed` is the number that
    it names, of blocks that would probably settle it. `left_out` counts blocks that were too disturbed, cut
    by a lost worker or without a partner. `base_ms` and `new_ms` are each side's median time of a step, NaN
    where there is none.
    """

    case: Case
    metric: str
    basis: Basis
    ratio: Estimate
    p_value: float
    verdict: Verdict
    reason: str = ""
    level: float = 0.95
    theta: float = 0.02
    blocks_needed: int | None = None
    left_out: int = 0
    base_ms: float = float("nan")
    new_ms: float = float("nan")


@dataclass(frozen=True, slots=True)
class FactChange:
    """A fact on both sides. `changed` allows for the tolerance of peaks that an operating system counts.

    `note` says what a reader must know, such as the tolerance, or why the two values can't be laid beside
    each other where they aren't `comparable`.
    """

    case: Case
    metric: str
    unit: Unit
    base: float
    new: float
    changed: bool
    note: str = ""
    comparable: bool = True


@dataclass(frozen=True, slots=True)
class RowStatus:
    """A case that can't be judged, and why. `failure` is set where the new side failed.

    A case that failed in some blocks only has a delta as well, of the others. `base_timed` tells a time that
    was lost from one that there never was.
    """

    case: Case
    status: Status
    reason: str
    failure: FailureKind | None = None
    base_timed: bool = True


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides compared under one rule. `base` and `new` name them: files, commits, interpreters.

    `same_environment` is false where only ratios inside each side could be compared. `notes` are whole
    sentences that a reader must know before believing the figures. `fact_names` are those of all facts that
    either side knows, compared or not.
    """

    base: str
    new: str
    rule: Rule
    deltas: tuple[Delta, ...]
    facts: tuple[FactChange, ...] = ()
    rows: tuple[RowStatus, ...] = ()
    notes: tuple[str, ...] = ()
    same_environment: bool = True
    fact_names: tuple[str, ...] = ()

    @property
    def regressions(self) -> tuple[Delta, ...]:
        """What became slower, worst first."""
        found = [delta for delta in self.deltas if delta.verdict is Verdict.SLOWER]
        return tuple(sorted(found, key=lambda delta: (-delta.ratio.value, delta.case.key)))

    @property
    def improvements(self) -> tuple[Delta, ...]:
        """What became faster, best first."""
        found = [delta for delta in self.deltas if delta.verdict is Verdict.FASTER]
        return tuple(sorted(found, key=lambda delta: (delta.ratio.value, delta.case.key)))

    @property
    def inconclusive(self) -> tuple[Delta, ...]:
        """What could not be decided, in the order of the cases."""
        return tuple(delta for delta in self.deltas if delta.verdict is Verdict.INCONCLUSIVE)

    @property
    def changed_facts(self) -> tuple[FactChange, ...]:
        """Facts that differ, in the order of the cases."""
        return tuple(fact for fact in self.facts if fact.changed)

    def with_status(self, status: Status) -> tuple[RowStatus, ...]:
        """The cases of one status."""
        return tuple(row for row in self.rows if row.status is status)

    @property
    def missing(self) -> tuple[RowStatus, ...]:
        """Cases of the base that the new side lacks, or that were planned and not measured."""
        return self.with_status(Status.MISSING)

    @property
    def failed(self) -> tuple[RowStatus, ...]:
        """Cases that the new side could not measure, or not in all blocks, and with a reason for it."""
        return self.with_status(Status.FAILED)

    def last_line(self) -> str:
        """The counts; what is seldom there (failed, refused, new) is counted where it is there."""
        line = (
            f"{len(self.regressions)} regressions, {len(self.deltas)} compared, "
            f"{len(self.inconclusive)} inconclusive, {len(self.missing)} missing"
        )
        seldom = (
            ("failed", Status.FAILED),
            ("refused", Status.REFUSED),
            ("new", Status.NEW),
        )
        counted = [(word, len(self.with_status(status))) for word, status in seldom]
        return line + "".join(f", {count} {word}" for word, count in counted if count)
