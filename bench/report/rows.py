"""One row a case, planned or not: what became of it, and its ratios to others of its group."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from bench.case import Case, DType
from bench.quality import CaseResult, case_result
from bench.ratio_target import TargetMetric
from bench.ratios import Ratio, Timed, timed_ratio
from bench.record import Fact, FailureKind, Record, Session, Suite
from bench.statistics import Estimate

__all__ = ["CaseRow", "Setting", "Status", "session_rows"]


class Status(StrEnum):
    """What became of a case."""

    OK = "ok"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Setting:
    """What all variants of one comparison share."""

    subject: str
    image: tuple[int, ...]
    dtype: DType

    @classmethod
    def of(cls, case: Case) -> Setting:
        """The setting of a case."""
        return cls(case.subject, case.image, case.dtype)

    def is_retyped(self, other: Setting | None) -> bool:
        """Whether it is the same networks as the other's, computed in another type."""
        return (
            other is not None and self != other and (self.subject, self.image) == (other.subject, other.image)
        )

    def __str__(self) -> str:
        return f"{self.subject}, {'×'.join(map(str, self.image))}, {self.dtype.value}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case of one session. `result` is None where it gave no time.

    `ratio` is the throughput over the reference's, paired inside blocks: None for the reference itself and
    where either side has no times. `ratio_reason` says why a ratio can't be believed, or why there is none.
    `others` are the ratios to further variants that a target sets this group's against.
    """

    case: Case
    session: Session
    record: Record | None
    status: Status
    reason: str
    result: CaseResult | None
    ratio: Estimate | None
    ratio_reason: str
    others: tuple[tuple[str, Ratio], ...] = ()

    @property
    def is_reference(self) -> bool:
        """Whether the others are compared with this one."""
        return self.case.variant == self.session.protocol.reference

    @property
    def lacks_engine(self) -> bool:
        """Whether there is no time because the engine isn't installed."""
        skipped = self.record.skipped if self.record else None
        return skipped is not None and skipped.kind is FailureKind.UNAVAILABLE

    def fact(self, metric: str) -> Fact | None:
        """The fact of this name, or None."""
        if self.record is None:
            return None
        return next((fact for fact in self.record.facts if fact.metric == metric), None)


def session_rows(suite: Suite, session: Session, variants: tuple[str, ...]) -> list[CaseRow]:
    """Every case of a session, by setting, engine, batch and variant (in the order of `variants`)."""
    protocol = session.protocol
    timed = {
        record.case: Timed(record, case_result(record, protocol))
        for record in suite.records
        if record.session == session.id
    }
    cases = list(dict.fromkeys([*session.planned, *timed]))
    engines = list(dict.fromkeys(case.engine for case in cases))
    settings = list(dict.fromkeys(Setting.of(case) for case in cases))
    cases.sort(
        key=lambda case: (
            settings.index(Setting.of(case)),
            engines.index(case.engine),
            case.batch,
            variants.index(case.variant),
        )
    )
    return [_row(case, session, timed) for case in cases]


def _row(case: Case, session: Session, timed: dict[Case, Timed]) -> CaseRow:
    found = timed.get(case)
    status, reason = _status(found, _gap(session, timed))
    ratio = _ratio_to(session.protocol.reference, case, session, timed)
    has_result = found is not None and status in (Status.OK, Status.INCONCLUSIVE)
    return CaseRow(
        case=case,
        session=session,
        record=found.record if found else None,
        status=status,
        reason=reason,
        result=found.result if found and has_result else None,
        ratio=ratio.estimate,
        ratio_reason=ratio.reason,
        others=tuple((name, _ratio_to(name, case, session, timed)) for name in _others(case, session)),
    )


def _others(case: Case, session: Session) -> tuple[str, ...]:
    """The variants beside the reference that targets of this subject and engine set others against."""
    planned = {one.variant for one in session.planned if one.group == case.group}
    return tuple(
        dict.fromkeys(
            target.against
            for target in session.ratio_targets
            if (target.subject, target.engine) == (case.subject, case.engine)
            and target.metric is not TargetMetric.PEAK_TENSOR
            and target.against in planned - {session.protocol.reference}
        )
    )


def _gap(session: Session, timed: dict[Case, Timed]) -> str:
    """Why a planned case may have no record."""
    if session.shard is not None and not timed:
        return f"shard {session.shard} is lost: run it, and merge again"
    return "planned, but there is no record: the run was cut short, finish it with --resume"


def _status(found: Timed | None, gap: str) -> tuple[Status, str]:
    if found is None:
        return Status.MISSING, gap
    if (skipped := found.record.skipped) is not None:
        return Status.SKIPPED, f"{skipped.kind.value}: {skipped.message}"
    if not found.has_time:
        return Status.MISSING, "no time was recorded: finish the run with --resume"
    if found.result.inconclusive:
        return Status.INCONCLUSIVE, found.result.inconclusive
    return Status.OK, ""


def _ratio_to(name: str, case: Case, session: Session, timed: dict[Case, Timed]) -> Ratio:
    """A ratio of throughputs, and what is wrong with it; neither for the variant itself or without a time."""
    own = timed.get(case)
    if case.variant == name or own is None or not own.has_time:
        return Ratio(None)
    other = timed.get(msgspec.structs.replace(case, variant=name))
    return timed_ratio(own, other, name, session.protocol, TargetMetric.THROUGHPUT)
