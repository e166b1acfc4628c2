"""Whether a session's ratio targets are met: one answer a target and variant, never more than is known."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from bench.case import DType
from bench.errors import ExitStatus
from bench.quality import case_result
from bench.ratio_target import RatioTarget, TargetKind, TargetMetric
from bench.ratios import Ratio, Timed, fact_ratio, timed_ratio
from bench.record import Record, Session, Suite

__all__ = ["Answer", "Judged", "judge", "left_out", "targets_status"]


class Answer(StrEnum):
    """What the measured ratio says of the bound.

    `met`: the interval's unfavourable end meets it (a fact has no interval, and meets it or doesn't).
    `met (not proven)`: the ratio itself does, but the interval reaches across, or there is none to believe.
    `not met (not refuted)`: the ratio doesn't, but the interval reaches across, or there is none to believe.
    `missed`: the whole interval lies on the wrong side. `no value`: there is no ratio at all.
    """

    MET = "met"
    NOT_PROVEN = "met (not proven)"
    NOT_REFUTED = "not met (not refuted)"
    MISSED = "missed"
    NO_VALUE = "no value"


@dataclass(frozen=True, slots=True)
class Judged:
    """One variant under one target in one session."""

    session: Session
    target: RatioTarget
    variant: str
    ratio: Ratio
    answer: Answer

    @property
    def fails(self) -> bool:
        """Whether it fails the run: a target that is missed, or that has no value to be judged by."""
        return self.target.kind is TargetKind.TARGET and self.answer in (Answer.MISSED, Answer.NO_VALUE)


def judge(suite: Suite) -> tuple[Judged, ...]:
    """Every target whose cases its session planned, in the preset's order."""
    found = []
    for session in suite.sessions:
        records = [record for record in suite.records if record.session == session.id]
        for target, variant in _planned(session):
            ratio = _ratio(target, variant, session, records)
            found.append(Judged(session, target, variant, ratio, _answer(target, ratio)))
    return tuple(found)


def left_out(suite: Suite) -> int:
    """How many variants under targets no session judged, since their cases were left out.

    Each counts once: of the shards of one run, every session knows all targets and plans its part.
    """
    every = {
        (target, variant)
        for session in suite.sessions
        for target in session.ratio_targets
        for variant in target.variants
    }
    return len(every - {pair for session in suite.sessions for pair in _planned(session)})


def targets_status(judged: Iterable[Judged]) -> ExitStatus:
    """What the targets make of a run; one that is neither met nor refuted fails nothing."""
    return ExitStatus.TARGET_MISSED if any(one.fails for one in judged) else ExitStatus.DONE


def missed_targets(suite: Suite) -> Iterator[str]:
    """A sentence for each ratio target that the suite misses."""
    for one in judge(suite):
        if one.fails:
            yield f"{one.variant}: {one.target.metric.value} {one.answer.value}"


def _planned(session: Session) -> Iterator[tuple[RatioTarget, str]]:
    """Each target with each of its variants of which both sides were to be measured."""
    cases = {
        (case.subject, case.engine, case.batch, case.variant)
        for case in session.planned
        if case.dtype is DType.FLOAT32
    }
    for target in session.ratio_targets:
        place = (target.subject, target.engine, target.batch)
        for variant in target.variants:
            if {(*place, variant), (*place, target.against)} <= cases:
                yield target, variant


def _ratio(target: RatioTarget, variant: str, session: Session, records: Iterable[Record]) -> Ratio:
    place = (target.subject, target.engine, target.batch)
    group = {
        record.case.variant: record
        for record in records
        if (record.case.subject, record.case.engine, record.case.batch) == place
        and record.case.dtype is DType.FLOAT32
    }
    own, other = group.get(variant), group.get(target.against)
    if own is None or other is None:
        name = variant if own is None else target.against
        return Ratio(None, f"{name} was planned, but has no record: finish the run with --resume")
    if target.metric is TargetMetric.PEAK_TENSOR:
        return fact_ratio(own, other, target.metric.value)
    for record in (own, other):
        if record.skipped is not None:
            return Ratio(None, f"{record.case.variant} was not measured ({record.skipped.kind.value})")
    protocol = session.protocol
    mine, theirs = (Timed(record, case_result(record, protocol)) for record in (own, other))
    if not mine.has_time:
        return Ratio(None, f"{variant} has no time here")
    return timed_ratio(mine, theirs, target.against, protocol, target.metric)


def _answer(target: RatioTarget, ratio: Ratio) -> Answer:
    found = ratio.estimate
    if found is None:
        return Answer.NO_VALUE
    # A fact is what it is; of samples the interval speaks.
    ends = (found.low, found.high) if found.has_interval else (found.value, found.value)
    met = [target.met_by(end) for end in ends]
    sure = not ratio.reason and (found.has_interval or target.metric is TargetMetric.PEAK_TENSOR)
    if sure and all(met):
        return Answer.MET
    if sure and not any(met):
        return Answer.MISSED
    return Answer.NOT_PROVEN if target.met_by(found.value) else Answer.NOT_REFUTED
