"""The second stage: one randomised block, with a new worker wherever one is lost."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from dataclasses import dataclass, field

from bench.case import Case
from bench.errors import WorkerError
from bench.journal import CalibrationEntry, ExaminationEntry, FactsEntry, GroupEntry, Journal
from bench.messages import (
    Begin,
    BlockTask,
    Calibrated,
    CaseFailed,
    GroupDone,
    GroupTask,
    Lost,
    Measured,
    Note,
    Stopped,
)
from bench.plan import Context
from bench.record import Failure, FailureKind, Stop, Window
from bench.schedule import block_tasks

__all__ = ["Turn", "block_turns", "run_block"]

# A case that failed in this many blocks is not tried again: each try may cost a whole time limit.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class Turn:
    """A worker is about to work on this group, for which it has given so many bursts that are no warm-up."""

    group: str
    bursts: int


@dataclass(slots=True)
class _Group:
    """What a group gave so far."""

    order: list[str] = field(default_factory=list)
    windows: dict[str, list[Window]] = field(default_factory=dict)
    stops: dict[str, Stop] = field(default_factory=dict)

    @property
    def bursts(self) -> int:
        """Bursts that are no warm-up."""
        return sum(not window.warmup for windows in self.windows.values() for window in windows)

    def add(self, case: str, window: Window) -> None:
        """Takes a burst; the first of each case gives the order."""
        if case not in self.windows:
            self.order.append(case)
        self.windows.setdefault(case, []).append(window)

    def clear(self) -> None:
        """Forgets samples that were interleaved with a case that is gone."""
        self.order.clear()
        self.windows.clear()
        self.stops.clear()


def run_block(context: Context, block: int) -> None:
    """Times what the journal lacks of a block."""
    for _ in block_turns(context, block):
        pass


def block_turns(context: Context, block: int) -> Generator[Turn, None, None]:
    """The same in steps: says what the worker is about to work on, which it does when asked to go on."""
    plan, journal = context.plan, context.journal
    excluded = _given_up(journal) | _failed_examination(journal, plan.cases) | plan.withheld
    cut = [_without(task, excluded) for task in block_tasks(plan.cases, plan.protocol.seed, block)]
    left = _unfinished(journal, block, [task for task in cut if task.cases])
    failures: dict[str, Failure] = {}
    while left:
        before = len(journal.entries)
        task = BlockTask(block, not _calibrated(journal, block), tuple(left))
        idle = yield from _run_worker(context, task, failures)
        left = _after_loss(journal, block, _unfinished(journal, block, left), failures)
        if idle is not None and left and len(journal.entries) == before:
            raise WorkerError(f"a worker could not start on block {block}: {idle.message}")


def _unfinished(journal: Journal, block: int, tasks: list[GroupTask]) -> list[GroupTask]:
    groups = (entry for entry in journal.entries if isinstance(entry, GroupEntry))
    done = {entry.group for entry in groups if entry.block == block}
    return [task for task in tasks if task.key not in done]


def _calibrated(journal: Journal, block: int) -> bool:
    return any(isinstance(entry, CalibrationEntry) and entry.block == block for entry in journal.entries)


def _after_loss(
    journal: Journal, block: int, left: list[GroupTask], failures: dict[str, Failure]
) -> list[GroupTask]:
    """The groups to go on with, without the lost cases; one that has no other case is finished with."""
    for task in left:
        if not _without(task, failures).cases:
            own = {case.key: failures[case.key] for case in task.cases}
            journal.append(GroupEntry(block, task.key, (), {}, {}, own, unpaired=True))
    return [rest for task in left if (rest := _without(task, failures)).cases]


def _run_worker(
    context: Context, task: BlockTask, failures: dict[str, Failure]
) -> Generator[Turn, None, Lost | None]:
    """Runs one worker over groups, a turn at a time. A case that it is lost in goes into `failures`.

    The result is the loss of a worker that was at no case: nobody's fault.
    """
    group, current = _Group(), ""
    for event in context.events(task):
        match event:
            case Begin():
                current = event.case
                yield Turn(_group_of(current), group.bursts)
            case Measured():
                group.add(event.case, event.window)
            case Stopped():
                group.stops[event.case] = event.stop
            case CaseFailed():
                failures[event.case] = event.failure
                group.clear()
            case GroupDone():
                context.journal.append(_entry(task.block, event.key, group, failures))
                group, current = _Group(), ""
            case Calibrated():
                context.journal.append(CalibrationEntry(event.block, event.windows))
            case Note():
                context.journal.note(event.text)
            case Lost() if current:
                failures[current] = Failure(event.kind, event.message, task.block)
            case Lost():
                return event
            case _:
                pass
    return None


def _entry(block: int, key: str, group: _Group, failures: dict[str, Failure]) -> GroupEntry:
    """A finished group. Where a worker was lost in it, its cases ran in different processes: no pairs."""
    own = {case: failure for case, failure in failures.items() if _group_of(case) == key}
    lost = any(failure.kind in (FailureKind.DIED, FailureKind.TIMEOUT) for failure in own.values())
    return GroupEntry(
        block=block,
        group=key,
        order=tuple(group.order),
        windows={case: tuple(windows) for case, windows in group.windows.items()},
        stops=dict(group.stops),
        failures=own,
        unpaired=lost,
    )


def _given_up(journal: Journal) -> set[str]:
    """Cases without a right output, and those that failed too often."""
    out: set[str] = set()
    failed: dict[str, int] = {}
    for entry in journal.entries:
        if isinstance(entry, FactsEntry) and entry.failure is not None:
            out.add(entry.case)
        elif isinstance(entry, GroupEntry):
            for key in entry.failures:
                failed[key] = failed.get(key, 0) + 1
    return out | {key for key, times in failed.items() if times >= _TRIES}


def _failed_examination(journal: Journal, cases: Iterable[Case]) -> set[str]:
    """Cases of a variant and engine that gave other classes for the test images than they have to."""
    failed = [
        entry
        for entry in journal.entries
        if isinstance(entry, ExaminationEntry) and entry.failure is not None
    ]
    return {case.key for case in cases if any(entry.concerns(case) for entry in failed)}


def _group_of(case_key: str) -> str:
    """A case's key is its group's, a slash and its variant (whose own slashes are quoted)."""
    return case_key.rpartition("/")[0]


def _without(task: GroupTask, keys: Iterable[str]) -> GroupTask:
    gone = set(keys)
    return GroupTask(task.key, task.seed, tuple(case for case in task.cases if case.key not in gone))
