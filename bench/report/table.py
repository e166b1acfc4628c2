"""From a suite and its training runs to the rows that every output shows: one row a case, planned or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bench.case import Case, DType
from bench.quality import CaseResult, case_result, ratio_to_reference
from bench.record import Fact, Record, Session, Suite
from bench.statistics import Estimate
from bench.training_run import TrainingRun

__all__ = ["CaseRow", "Counts", "Panel", "Report", "Setting", "Status", "assemble", "counts"]


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

    def __str__(self) -> str:
        return f"{self.subject}, {'×'.join(map(str, self.image))}, {self.dtype.value}"


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case of one session. `result` is None where it gave no time.

    `ratio` is the throughput over the reference's, paired inside blocks: None for the reference itself and
    where either side has no times. `ratio_reason` says why a ratio can't be believed, or why there is none.
    """

    case: Case
    session: Session
    record: Record | None
    status: Status
    reason: str
    result: CaseResult | None
    ratio: Estimate | None
    ratio_reason: str

    @property
    def is_reference(self) -> bool:
        """Whether the others are compared with this one."""
        return self.case.variant == self.session.protocol.reference

    def fact(self, metric: str) -> Fact | None:
        """The fact of this name, or None."""
        if self.record is None:
            return None
        return next((fact for fact in self.record.facts if fact.metric == metric), None)


@dataclass(frozen=True, slots=True)
class Panel:
    """The rows of one engine (of one session and setting): one table, and one panel of a plot."""

    label: str
    reference: str
    rows: tuple[CaseRow, ...]

    @property
    def setting(self) -> Setting:
        """The setting of its rows."""
        return Setting.of(self.rows[0].case)

    @property
    def batches(self) -> tuple[int, ...]:
        """Every batch size of the panel, ascending."""
        return tuple(sorted({row.case.batch for row in self.rows}))

    @property
    def variants(self) -> tuple[str, ...]:
        """In the report's order."""
        return tuple(dict.fromkeys(row.case.variant for row in self.rows))

    def row(self, variant: str, batch: int) -> CaseRow | None:
        """The row of one variant at one batch size, or None."""
        matches = (row for row in self.rows if row.case.variant == variant and row.case.batch == batch)
        return next(matches, None)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the renderers need, derived once. `unstarted` names training logs without a run."""

    suite: Suite
    runs: tuple[TrainingRun, ...]
    variants: tuple[str, ...]
    rows: tuple[CaseRow, ...]
    panels: tuple[Panel, ...]
    unstarted: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The variant that others are compared with; empty for a suite without sessions."""
        return self.suite.sessions[0].protocol.reference if self.suite.sessions else ""

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Every setting, in order of appearance."""
        return tuple(dict.fromkeys(Setting.of(row.case) for row in self.rows))


@dataclass(frozen=True, slots=True)
class Counts:
    """Cases by outcome. The inconclusive ones were measured too, and count in both."""

    failed: int
    measured: int
    inconclusive: int
    missing: int

    def __str__(self) -> str:
        return (
            f"{self.failed} failed, {self.measured} measured, {self.inconclusive} inconclusive, "
            f"{self.missing} missing"
        )


def counts(rows: Iterable[CaseRow]) -> Counts:
    """Counts rows by outcome; a skipped row counts as failed, whatever the reason."""
    statuses = [row.status for row in rows]
    inconclusive = statuses.count(Status.INCONCLUSIVE)
    return Counts(
        failed=statuses.count(Status.SKIPPED),
        measured=statuses.count(Status.OK) + inconclusive,
        inconclusive=inconclusive,
        missing=statuses.count(Status.MISSING),
    )


def assemble(suite: Suite, runs: tuple[TrainingRun, ...], unstarted: tuple[str, ...] = ()) -> Report:
    """Joins plan, records and training runs. Variants keep their order, the reference comes first."""
    variants = _variant_order(suite, runs)
    rows = [row for session in suite.sessions for row in _session_rows(suite, session, variants)]
    return Report(suite, runs, variants, tuple(rows), _panels(rows), unstarted)


def _variant_order(suite: Suite, runs: tuple[TrainingRun, ...]) -> tuple[str, ...]:
    seen = [case.variant for session in suite.sessions for case in session.planned]
    seen += [record.case.variant for record in suite.records]
    seen += [run.variant for run in runs]
    references = [session.protocol.reference for session in suite.sessions]
    return tuple(dict.fromkeys([*(name for name in references if name in seen), *seen]))


def _session_rows(suite: Suite, session: Session, variants: tuple[str, ...]) -> list[CaseRow]:
    records = {record.case: record for record in suite.records if record.session == session.id}
    results = {case: case_result(record, session.protocol) for case, record in records.items()}
    cases = list(dict.fromkeys([*session.planned, *records]))
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
    return [_row(case, session, records, results) for case in cases]


def _row(
    case: Case, session: Session, records: dict[Case, Record], results: dict[Case, CaseResult]
) -> CaseRow:
    record = records.get(case)
    result = results.get(case)
    status, reason = _status(record, result)
    ratio, ratio_reason = _ratio(case, session, records, results)
    timed = status in (Status.OK, Status.INCONCLUSIVE)
    return CaseRow(case, session, record, status, reason, result if timed else None, ratio, ratio_reason)


def _status(record: Record | None, result: CaseResult | None) -> tuple[Status, str]:
    if record is None or result is None:
        return (
            Status.MISSING,
            "planned, but there is no record: the run was cut short, finish it with --resume",
        )
    if record.skipped is not None:
        return Status.SKIPPED, f"{record.skipped.kind.value}: {record.skipped.message}"
    if result.latency_ms.n == 0:
        return Status.MISSING, "no time was recorded: finish the run with --resume"
    if result.inconclusive:
        return Status.INCONCLUSIVE, result.inconclusive
    return Status.OK, ""


def _ratio(
    case: Case, session: Session, records: dict[Case, Record], results: dict[Case, CaseResult]
) -> tuple[Estimate | None, str]:
    """The ratio and what is wrong with it."""
    name = session.protocol.reference
    if case.variant == name or case not in results or results[case].latency_ms.n == 0:
        return None, ""
    same_group = (other for other in records if other.variant == name and other.group == case.group)
    reference = next(same_group, None)
    if reference is None or results[reference].latency_ms.n == 0:
        return None, f"{name} has no time here"
    found = ratio_to_reference(records[case], records[reference], session.protocol)
    if found.n == 0:
        return None, f"no block ran both this variant and {name} whole"
    if results[case].inconclusive:
        return found, results[case].inconclusive
    if results[reference].inconclusive:
        return found, f"{name} is inconclusive here: {results[reference].inconclusive}"
    if not found.has_interval:
        return found, f"{found.n} paired blocks are too few for an interval"
    return found, ""


def _panels(rows: Iterable[CaseRow]) -> tuple[Panel, ...]:
    groups: dict[tuple[str, Setting, str], list[CaseRow]] = {}
    for row in rows:
        key = (row.session.id, Setting.of(row.case), row.case.engine)
        groups.setdefault(key, []).append(row)
    sessions = {session for session, _, _ in groups}
    settings = {setting for _, setting, _ in groups}
    found = []
    for (session, setting, engine), members in groups.items():
        parts = [engine]
        if len(settings) > 1:
            parts.append(str(setting))
        if len(sessions) > 1:
            parts.append(f"session {session}")
        reference = members[0].session.protocol.reference
        found.append(Panel(", ".join(parts), reference, tuple(members)))
    return tuple(found)
