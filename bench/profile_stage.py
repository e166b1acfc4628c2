"""A profile from its plan: ceilings and counts first, then randomised blocks, each on disk when done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.clock import Clock
from bench.errors import WorkerError
from bench.facts_stage import take_facts
from bench.journal import (
    CalibrationEntry,
    CeilingsEntry,
    FactsEntry,
    Journal,
    LayersEntry,
    ProfileEntry,
)
from bench.messages import (
    Begin,
    Calibrated,
    CaseFailed,
    GroupDone,
    GroupTask,
    Lost,
    Note,
    ProfileTask,
)
from bench.plan import Context
from bench.profile_messages import (
    CeilingsFound,
    CeilingsTask,
    LayersCounted,
    LayersTask,
    Profiled,
    ProfiledOnce,
)
from bench.profile_record import Burst, Mode, ModeBlock, Part, TimelineEvent
from bench.record import Failure, FailureKind
from bench.runner import Progress
from bench.schedule import block_tasks

__all__ = ["run_profile"]

# A case that failed in so many blocks is not tried again.
_TRIES = 2


def run_profile(
    context: Context, fingerprint: str, fresh_ceilings: bool, clock: Clock, progress: Progress
) -> int:
    """Does what the journal lacks; gives how many blocks are done.

    Parity comes before any time, as in any other measurement. The machine's ceilings are those that are kept
    under its fingerprint, or fresh ones.
    """
    started = clock.now()
    limit, blocks = context.plan.max_time_s, context.plan.protocol.blocks
    take_facts(context, lambda done, total: progress.advance("facts", done, total))
    _find_ceilings(context, CeilingsTask(fingerprint, fresh_ceilings))
    _count_layers(context)
    for block in range(blocks):
        if limit and clock.now() - started >= limit:
            return block
        progress.advance("blocks", block, blocks)
        _run_block(context, block)
    progress.advance("blocks", blocks, blocks)
    return blocks


def _find_ceilings(context: Context, task: CeilingsTask) -> None:
    journal = context.journal
    if any(isinstance(entry, CeilingsEntry) for entry in journal.entries):
        return
    for event in context.events(task):
        match event:
            case CeilingsFound():
                journal.append(CeilingsEntry(event.ceilings))
                if event.note:
                    journal.note(event.note)
            case Lost():
                journal.note(f"The machine's ceilings could not be measured: {event.message}.")
            case _:
                pass


def _count_layers(context: Context) -> None:
    """A model that ends its process while it is traced costs its own counts, and no other's."""
    journal = context.journal
    known = {entry.case for entry in journal.entries if isinstance(entry, LayersEntry)}
    left = [case for case in context.plan.cases if case.key not in known]
    while left:
        current = left[0].key
        for event in context.events(LayersTask(tuple(left))):
            match event:
                case Begin():
                    current = event.case
                case LayersCounted():
                    _keep_counts(journal, event)
                    left = [case for case in left if case.key != event.case]
                case Lost():
                    _keep_counts(journal, LayersCounted(current, reason=event.message))
                    left = [case for case in left if case.key != current]
                case Note():
                    journal.note(event.text)
                case _:
                    pass


def _keep_counts(journal: Journal, found: LayersCounted) -> None:
    if found.reason:
        journal.note(f"{found.case}: layers could not be counted ({found.reason}): times stand alone.")
    journal.append(LayersEntry(found.case, found.layers, found.operators))


@dataclass(slots=True)
class _Group:
    """What a group gave so far, by case."""

    bursts: dict[tuple[str, Mode], list[Burst]] = field(default_factory=dict)
    names: dict[tuple[str, Mode], tuple[str, ...]] = field(default_factory=dict)
    missing: dict[str, dict[Mode, str]] = field(default_factory=dict)
    parts: dict[str, tuple[Part, ...]] = field(default_factory=dict)
    timelines: dict[str, tuple[TimelineEvent, ...]] = field(default_factory=dict)

    def add(self, event: Profiled) -> None:
        """Takes a burst; columns that an earlier burst didn't have come behind those that it had."""
        key = (event.case, event.mode)
        names = tuple(dict.fromkeys((*self.names.get(key, ()), *event.names)))
        values = dict(zip(event.names, event.columns, strict=True))
        self.names[key] = names
        row = tuple(values.get(name, 0.0) for name in names) if values else ()
        self.bursts.setdefault(key, []).append(Burst(event.window, row))

    def once(self, event: ProfiledOnce) -> None:
        """Takes what a case shows once."""
        self.missing[event.case] = event.missing
        self.parts[event.case] = event.parts
        self.timelines[event.case] = event.timeline

    def modes(self, block: int) -> dict[str, tuple[ModeBlock, ...]]:
        """By case, every row as long as the names."""
        found: dict[str, list[ModeBlock]] = {}
        for (case, mode), bursts in self.bursts.items():
            names = self.names[case, mode]
            padded = tuple(
                Burst(burst.window, burst.columns + (0.0,) * (len(names) - len(burst.columns)))
                if burst.columns
                else burst
                for burst in bursts
            )
            found.setdefault(case, []).append(ModeBlock(block, mode, names, padded))
        return {case: tuple(blocks) for case, blocks in found.items()}


def _run_block(context: Context, block: int) -> None:
    """Times what the journal lacks of a block, with a new worker wherever one is lost."""
    plan, journal = context.plan, context.journal
    without = _given_up(journal)
    done = {e.group for e in journal.entries if isinstance(e, ProfileEntry) and e.block == block}
    tasks = [task for task in block_tasks(plan.cases, plan.protocol.seed, block) if task.key not in done]
    left = _still_whole(tasks, without)
    failures: dict[str, Failure] = {}
    while left:
        before = len(journal.entries) + len(failures)
        lost = _run_worker(
            context, ProfileTask(block, not _calibrated(journal, block), tuple(left)), failures
        )
        finished = {e.group for e in journal.entries if isinstance(e, ProfileEntry) and e.block == block}
        left = _still_whole([task for task in left if task.key not in finished], set(failures))
        if lost is not None and left and len(journal.entries) + len(failures) == before:
            raise WorkerError(f"a worker could not start on block {block}: {lost.message}")
    for task in tasks:
        own = {case.key: failures[case.key] for case in task.cases if case.key in failures}
        if len(own) == len(task.cases):
            journal.append(ProfileEntry(block, task.key, {}, {}, {}, {}, own, unpaired=True))


def _given_up(journal: Journal) -> set[str]:
    """Cases without a right output, and those that failed too often: each try may cost a whole time limit."""
    out = {e.case for e in journal.entries if isinstance(e, FactsEntry) and e.failure is not None}
    failed = [key for e in journal.entries if isinstance(e, ProfileEntry) for key in e.failures]
    return out | {key for key in failed if failed.count(key) >= _TRIES}


def _still_whole(tasks: Sequence[GroupTask], gone: set[str]) -> list[GroupTask]:
    """The tasks without the cases that are gone; one without any case is none."""
    cut = (
        GroupTask(task.key, task.seed, tuple(case for case in task.cases if case.key not in gone))
        for task in tasks
    )
    return [task for task in cut if task.cases]


def _calibrated(journal: Journal, block: int) -> bool:
    return any(isinstance(entry, CalibrationEntry) and entry.block == block for entry in journal.entries)


def _run_worker(context: Context, task: ProfileTask, failures: dict[str, Failure]) -> Lost | None:
    """Runs one worker over groups. A case that it is lost in goes into `failures`; the result is a loss that
    was at no case.
    """
    group, current = _Group(), ""
    for event in context.events(task):
        match event:
            case Begin():
                current = event.case
            case Profiled():
                group.add(event)
            case ProfiledOnce():
                group.once(event)
            case CaseFailed():
                failures[event.case] = event.failure
                group = _Group()
            case GroupDone():
                if group.bursts:
                    context.journal.append(_entry(task, event.key, group, failures))
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


def _entry(task: ProfileTask, key: str, group: _Group, failures: dict[str, Failure]) -> ProfileEntry:
    """A finished group. Where a worker was lost in it, its cases ran in different processes: no pairs."""
    own = {case: failure for case, failure in failures.items() if case.rpartition("/")[0] == key}
    lost = any(failure.kind in (FailureKind.DIED, FailureKind.TIMEOUT) for failure in own.values())
    return ProfileEntry(
        block=task.block,
        group=key,
        modes=group.modes(task.block),
        missing=group.missing,
        parts=group.parts,
        timelines=group.timelines,
        failures=own,
        unpaired=lost,
    )
