"""Runs a plan: facts first, then randomised blocks, each finished piece on disk before the next begins.

Reads no arguments, prints nothing and touches no Paddle: workers do the work, an observer is told of it, and
what came out is in the journal, from which `assemble` makes records.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol as Interface

import msgspec

from bench.case import Case
from bench.clock import Clock
from bench.journal import CalibrationEntry, Entry, FactsEntry, GroupEntry, Journal, NoteEntry, VariantEntry
from bench.launch import Launch
from bench.messages import (
    Begin,
    BlockTask,
    Calibrated,
    CaseFacts,
    CaseFailed,
    FactsTask,
    GroupDone,
    GroupTask,
    Lost,
    Measured,
    ModelFacts,
    Note,
    Request,
    Stopped,
)
from bench.presets.schema import SubjectSpec
from bench.record import Failure, FailureKind, Protocol, Stop, Window
from bench.schedule import block_tasks

__all__ = ["Plan", "Progress", "Runner"]

# A case that failed in this many blocks is not tried again: each try may cost a whole time limit.
_TRIES = 2
_REFERENCE_ENGINE = "eager"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `folder` is where exported programs go; `max_time_s` 0 is no limit."""

    subjects: tuple[SubjectSpec, ...]
    cases: tuple[Case, ...]
    protocol: Protocol
    threads: int
    memory_limit: int
    folder: str
    weights: dict[str, str]
    max_time_s: float


class Progress(Interface):
    """Told how far the run is."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` pieces of a stage are finished."""
        ...


@dataclass(slots=True)
class _Group:
    """What a group gave so far in the block that is running."""

    order: list[str] = field(default_factory=list)
    windows: dict[str, list[Window]] = field(default_factory=dict)
    stops: dict[str, Stop] = field(default_factory=dict)

    def clear(self) -> None:
        """Forgets samples that were interleaved with a case that is gone."""
        self.order.clear()
        self.windows.clear()
        self.stops.clear()


class Runner:
    """One session. `run` may be called on a journal that an interrupted session left."""

    def __init__(
        self, plan: Plan, journal: Journal, launch: Launch, clock: Clock, progress: Progress
    ) -> None:
        self._plan = plan
        self._journal = journal
        self._launch = launch
        self._clock = clock
        self._progress = progress
        self._entries: list[Entry] = list(journal.read())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything in the journal."""
        return tuple(self._entries)

    def run(self) -> None:
        """Takes the facts, then times blocks until they are done or the time is over."""
        started = self._clock.now()
        self._take_facts()
        blocks = self._plan.protocol.blocks
        for block in range(blocks):
            elapsed = self._clock.now() - started
            if self._plan.max_time_s and elapsed >= self._plan.max_time_s:
                self._note(
                    f"Stopped after {block} of {blocks} blocks, since the time limit of "
                    f"{self._plan.max_time_s / 60:g} minutes was over: raise --max-time for narrower "
                    "intervals."
                )
                break
            self._progress.advance("blocks", block, blocks)
            self._run_block(block)
        else:
            self._progress.advance("blocks", blocks, blocks)

    def _append(self, entry: Entry) -> None:
        self._journal.append(entry)
        self._entries.append(entry)

    def _note(self, text: str) -> None:
        if NoteEntry(text) not in self._entries:
            self._append(NoteEntry(text))

    def _take_facts(self) -> None:
        """One process a variant and engine; eager comes first, since it leaves the reference outputs."""
        tasks = _facts_tasks(self._plan.cases)
        for number, task in enumerate(tasks):
            self._progress.advance("facts", number, len(tasks))
            left: FactsTask | None = self._still_to_do(task)
            while left is not None:
                left = self._facts_worker(left)
        self._progress.advance("facts", len(tasks), len(tasks))

    def _still_to_do(self, task: FactsTask) -> FactsTask | None:
        """The task without what the journal holds; None where that is all of it."""
        known = {entry.case for entry in self._entries if isinstance(entry, FactsEntry)}
        counted = {(e.subject, e.variant) for e in self._entries if isinstance(e, VariantEntry)}
        cases = tuple(case for case in task.cases if case.key not in known)
        image = () if (task.subject, task.variant) in counted else task.image
        return FactsTask(task.subject, task.variant, cases, image) if cases or image else None

    def _facts_worker(self, task: FactsTask) -> FactsTask | None:
        """Runs one worker; gives what is left when it is gone, without the case that it was lost in."""
        current = task.cases[0].key if task.cases else ""
        for event in self._launch(self._request(task)):
            match event:
                case Begin():
                    current = event.case
                case CaseFacts():
                    self._append(FactsEntry(event.case, event.facts))
                case CaseFailed():
                    self._append(FactsEntry(event.case, failure=event.failure))
                case ModelFacts():
                    self._append(VariantEntry(event.subject, event.variant, event.facts))
                case Note():
                    self._note(event.text)
                case Lost() if current:
                    self._append(FactsEntry(current, failure=Failure(event.kind, event.message)))
                case Lost():
                    self._note(f"{task.variant}: parameters and FLOPs could not be counted: {event.message}")
                    self._append(VariantEntry(task.subject, task.variant, ()))
                case _:
                    pass
        return self._still_to_do(task)

    def _run_block(self, block: int) -> None:
        """Times what the block still lacks, with a new worker wherever one was lost."""
        tasks = {task.key: task for task in block_tasks(self._plan.cases, self._plan.protocol.seed, block)}
        finished = [e.group for e in self._entries if isinstance(e, GroupEntry) and e.block == block]
        excluded = self._given_up()
        failures: dict[str, Failure] = {}
        left = {
            key: cut
            for key, task in tasks.items()
            if key not in finished and (cut := _without(task, excluded)).cases
        }
        calibrated = any(isinstance(e, CalibrationEntry) and e.block == block for e in self._entries)
        suspects: set[str] = set()
        while left:
            lost = self._block_worker(BlockTask(block, not calibrated, tuple(left.values())), failures)
            calibrated = True
            done = [e.group for e in self._entries if isinstance(e, GroupEntry) and e.block == block]
            left = {key: task for key, task in left.items() if key not in done}
            if lost is not None and left:
                suspects.add(lost)
                left = self._after_loss(block, left, suspects, failures)

    def _after_loss(
        self, block: int, left: dict[str, GroupTask], suspects: set[str], failures: dict[str, Failure]
    ) -> dict[str, GroupTask]:
        """The groups to go on with: the lost case is out; a group that has no other is finished with."""
        cut = {key: _without(task, suspects) for key, task in left.items()}
        for key, task in cut.items():
            if not task.cases:
                own = {case.key: failures[case.key] for case in left[key].cases if case.key in failures}
                self._append(GroupEntry(block, key, (), {}, {}, own, unpaired=True))
        return {key: task for key, task in cut.items() if task.cases}

    def _block_worker(self, task: BlockTask, failures: dict[str, Failure]) -> str | None:
        """Runs one worker over groups. Gives the case in which it was lost, if it was."""
        group, current = _Group(), task.groups[0].cases[0].key
        waiting = {case.key: part.key for part in task.groups for case in part.cases}
        for event in self._launch(self._request(task)):
            match event:
                case Begin():
                    current = event.case
                case Measured():
                    if event.case not in group.windows:
                        group.order.append(event.case)
                    group.windows.setdefault(event.case, []).append(event.window)
                case Stopped():
                    group.stops[event.case] = event.stop
                case CaseFailed():
                    failures[event.case] = event.failure
                    group.clear()
                case GroupDone():
                    own = {k: f for k, f in failures.items() if _group_of(k) == event.key}
                    lost = any(f.kind in (FailureKind.DIED, FailureKind.TIMEOUT) for f in own.values())
                    self._append(_group_entry(task.block, event.key, group, own, lost))
                    group = _Group()
                case Calibrated():
                    self._append(CalibrationEntry(event.block, event.windows))
                case Lost():
                    key = current if current in waiting else next(iter(waiting))
                    failures[key] = Failure(event.kind, event.message, task.block)
                    return key
                case _:
                    pass
        return None

    def _given_up(self) -> set[str]:
        """Cases without a right output, and those that failed too often."""
        out = {e.case for e in self._entries if isinstance(e, FactsEntry) and e.failure is not None}
        failed: dict[str, int] = {}
        for entry in self._entries:
            if isinstance(entry, GroupEntry):
                for key in entry.failures:
                    failed[key] = failed.get(key, 0) + 1
        return out | {key for key, times in failed.items() if times >= _TRIES}

    def _request(self, task: FactsTask | BlockTask) -> Request:
        plan = self._plan
        return Request(
            subjects=plan.subjects,
            protocol=plan.protocol,
            threads=plan.threads,
            memory_limit=plan.memory_limit,
            folder=plan.folder,
            weights=plan.weights,
            task=task,
        )


def _group_of(case_key: str) -> str:
    """A case's key is its group's, a slash and its variant (whose own slashes are quoted)."""
    return case_key.rpartition("/")[0]


def _group_entry(block: int, key: str, group: _Group, failures: dict[str, Failure], lost: bool) -> GroupEntry:
    return GroupEntry(
        block=block,
        group=key,
        order=tuple(group.order),
        windows={case: tuple(windows) for case, windows in group.windows.items()},
        stops=dict(group.stops),
        failures=failures,
        unpaired=lost,
    )


def _without(task: GroupTask, keys: Iterable[str]) -> GroupTask:
    gone = set(keys)
    return GroupTask(task.key, task.seed, tuple(case for case in task.cases if case.key not in gone))


def _facts_tasks(cases: tuple[Case, ...]) -> list[FactsTask]:
    """By subject, variant and engine, batches ascending; eager first, also where it isn't to be timed."""
    references = (msgspec.structs.replace(case, engine=_REFERENCE_ENGINE) for case in cases)
    grouped: dict[tuple[str, str, str], list[Case]] = {}
    for case in dict.fromkeys((*references, *cases)):
        grouped.setdefault((case.engine, case.subject, case.variant), []).append(case)
    return [
        FactsTask(
            subject,
            variant,
            tuple(sorted(found, key=lambda case: case.batch)),
            image=found[0].image if engine == _REFERENCE_ENGINE else (),
        )
        for (engine, subject, variant), found in grouped.items()
    ]
