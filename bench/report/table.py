"""From a suite and its training runs to the rows that every output shows: one row a case, planned or not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.record import Session, Suite
from bench.report.rows import CaseRow, Setting, Status, session_rows
from bench.target_answers import Judged, judge
from bench.training_run import TrainingRun

__all__ = ["CaseRow", "Counts", "Panel", "Report", "Setting", "Status", "assemble", "counts"]


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

    @property
    def others(self) -> tuple[str, ...]:
        """The variants beside the reference that its rows have ratios to."""
        return tuple(dict.fromkeys(name for row in self.rows for name, _ in row.others))

    def row(self, variant: str, batch: int) -> CaseRow | None:
        """The row of one variant at one batch size, or None."""
        matches = (row for row in self.rows if row.case.variant == variant and row.case.batch == batch)
        return next(matches, None)


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that the renderers need, derived once. `unstarted` names training logs without a run.

    `targets` are the ratio targets that could be judged, each variant by itself.
    """

    suite: Suite
    runs: tuple[TrainingRun, ...]
    variants: tuple[str, ...]
    rows: tuple[CaseRow, ...]
    panels: tuple[Panel, ...]
    unstarted: tuple[str, ...] = ()
    targets: tuple[Judged, ...] = ()

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
    """Cases by outcome. The inconclusive ones were measured too, and count in both.

    `unavailable` are those of engines that aren't installed.
    """

    failed: int
    measured: int
    inconclusive: int
    missing: int
    unavailable: int = 0

    def __str__(self) -> str:
        line = (
            f"{self.failed} failed, {self.measured} measured, {self.inconclusive} inconclusive, "
            f"{self.missing} missing"
        )
        return f"{line}, {self.unavailable} without their engine" if self.unavailable else line


def counts(rows: Iterable[CaseRow]) -> Counts:
    """Counts rows by outcome; a skipped row counts as failed, unless its engine isn't installed."""
    found = list(rows)
    statuses = [row.status for row in found]
    inconclusive = statuses.count(Status.INCONCLUSIVE)
    unavailable = sum(row.lacks_engine for row in found)
    return Counts(
        failed=statuses.count(Status.SKIPPED) - unavailable,
        measured=statuses.count(Status.OK) + inconclusive,
        inconclusive=inconclusive,
        missing=statuses.count(Status.MISSING),
        unavailable=unavailable,
    )


def assemble(suite: Suite, runs: tuple[TrainingRun, ...], unstarted: tuple[str, ...] = ()) -> Report:
    """Joins plan, records and training runs. Variants keep their order, the reference comes first."""
    variants = _variant_order(suite, runs)
    rows = [row for session in suite.sessions for row in session_rows(suite, session, variants)]
    return Report(suite, runs, variants, tuple(rows), _panels(rows), unstarted, judge(suite))


def _variant_order(suite: Suite, runs: tuple[TrainingRun, ...]) -> tuple[str, ...]:
    seen = [case.variant for session in suite.sessions for case in session.planned]
    seen += [record.case.variant for record in suite.records]
    seen += [run.variant for run in runs]
    references = [session.protocol.reference for session in suite.sessions]
    return tuple(dict.fromkeys([*(name for name in references if name in seen), *seen]))


def _panels(rows: Iterable[CaseRow]) -> tuple[Panel, ...]:
    groups: dict[tuple[str, Setting, str], list[CaseRow]] = {}
    for row in rows:
        key = (_run(row.session), Setting.of(row.case), row.case.engine)
        groups.setdefault(key, []).append(row)
    runs = {run for run, _, _ in groups}
    settings = {setting for _, setting, _ in groups}
    found = []
    for (run, setting, engine), members in groups.items():
        parts = [engine]
        if len(settings) > 1:
            parts.append(str(setting))
        if len(runs) > 1:
            parts.append(run)
        # Each shard has its own batch sizes; the order inside one stays.
        members.sort(key=lambda row: row.case.batch)
        reference = members[0].session.protocol.reference
        found.append(Panel(", ".join(parts), reference, tuple(members)))
    return tuple(found)


def _run(session: Session) -> str:
    """What is shown in one panel: a session, or those shards of a run whose times can be compared."""
    return f"session {session.id}" if session.shard is None else f"environment {session.environment}"
