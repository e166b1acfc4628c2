"""The first stage: facts and parity, one process a variant and engine."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from bench import engines
from bench.case import Case
from bench.errors import WorkerError
from bench.journal import FactsEntry, VariantEntry
from bench.messages import Begin, CaseFacts, CaseFailed, FactsTask, Lost, ModelFacts, Note
from bench.plan import Context
from bench.record import Failure

__all__ = ["take_facts"]


def take_facts(context: Context, advance: Callable[[int, int], None]) -> None:
    """Takes what the journal lacks. `advance` is told how many of how many processes are done."""
    withheld = context.plan.withheld
    tasks = _tasks(tuple(case for case in context.plan.cases if case.key not in withheld))
    for number, task in enumerate(tasks):
        advance(number, len(tasks))
        left: FactsTask | None = _still_to_do(context, task)
        while left is not None:
            _run_worker(context, left)
            left = _still_to_do(context, task)
    advance(len(tasks), len(tasks))


def _tasks(cases: tuple[Case, ...]) -> list[FactsTask]:
    """By subject, variant and engine, batches ascending.

    First each variant by itself, in a process whose memory nobody reads: counting traces the model, random
    weights are settled, programs exported. Then the engines that leave reference outputs, also where they
    aren't to be timed.
    """
    used: dict[str, dict[str, None]] = {}
    for case in cases:
        used.setdefault(case.subject, {})[case.engine] = None
    variants = dict.fromkeys((case.subject, case.variant, case.image) for case in cases)
    references = (
        msgspec.structs.replace(case, engine=engines.engine(case.engine).reference) for case in cases
    )
    grouped: dict[tuple[str, str, str], list[Case]] = {}
    for case in dict.fromkeys((*references, *cases)):
        grouped.setdefault((case.engine, case.subject, case.variant), []).append(case)
    return [
        *(
            FactsTask(subject, variant, (), image, tuple(used[subject]))
            for subject, variant, image in variants
        ),
        *(
            FactsTask(subject, variant, tuple(sorted(found, key=lambda case: case.batch)))
            for (_, subject, variant), found in grouped.items()
        ),
    ]


def _still_to_do(context: Context, task: FactsTask) -> FactsTask | None:
    """The task without what the journal holds; None where that is all of it."""
    entries = context.journal.entries
    known = {entry.case for entry in entries if isinstance(entry, FactsEntry)}
    counted = {(entry.subject, entry.variant) for entry in entries if isinstance(entry, VariantEntry)}
    cases = tuple(case for case in task.cases if case.key not in known)
    image = () if (task.subject, task.variant) in counted else task.image
    return msgspec.structs.replace(task, cases=cases, image=image) if cases or image else None


def _run_worker(context: Context, task: FactsTask) -> None:
    """Runs one worker. A case that it is lost in gets its entry here, so that the next goes on behind it.

    A worker that is lost between cases is nobody's fault: what is left is tried again, but not for ever.
    """
    journal = context.journal
    before = len(journal.entries)
    current: str | None = None
    for event in context.events(task):
        match event:
            case Begin():
                current = event.case
            case CaseFacts():
                journal.append(FactsEntry(event.case, event.facts))
                current = None
            case CaseFailed():
                journal.append(FactsEntry(event.case, failure=event.failure))
                current = None
            case ModelFacts():
                journal.append(VariantEntry(event.subject, event.variant, event.facts, event.kernel))
            case Note():
                journal.note(event.text)
            case Lost() if current:
                journal.append(FactsEntry(current, failure=Failure(event.kind, event.message)))
            case Lost() if current == "":
                journal.note(f"{task.variant}: parameters and FLOPs could not be counted: {event.message}")
                journal.append(VariantEntry(task.subject, task.variant, ()))
            case Lost() if len(journal.entries) == before:
                raise WorkerError(f"a worker could not start on {task.variant}: {event.message}")
            case _:
                pass
