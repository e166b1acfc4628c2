"""The first stage: facts and parity, on random inputs and test images, one process a variant and engine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping

import msgspec

from bench import engines
from bench.case import Case, DType
from bench.errors import WorkerError
from bench.journal import ExaminationEntry, FactsEntry, VariantEntry
from bench.messages import (
    Begin,
    CaseFacts,
    CaseFailed,
    Examination,
    Examined,
    FactsTask,
    Lost,
    ModelFacts,
    Note,
)
from bench.plan import Context
from bench.record import Failure, FailureKind

__all__ = ["fact_turns", "take_facts"]

# Test images a step: few enough to need little memory, enough not to spend the time on calls.
_LARGEST_BATCH = 100
_SMALLEST_BATCH = 20


def take_facts(context: Context, advance: Callable[[int, int], None]) -> None:
    """Takes what the journal lacks. `advance` is told how many of how many processes are done."""
    for _ in fact_turns(context, advance):
        pass


def fact_turns(context: Context, advance: Callable[[int, int], None]) -> Generator[None, None, None]:
    """The same in steps. A worker that has been started goes on working between them."""
    withheld = context.plan.withheld
    cases = tuple(case for case in context.plan.cases if case.key not in withheld)
    tasks = _tasks(cases, context.plan.test_images)
    for number, task in enumerate(tasks):
        advance(number, len(tasks))
        left: FactsTask | None = _still_to_do(context, task)
        while left is not None:
            before = len(context.journal.entries)
            yield from _run_worker(context, left)
            # A worker of an older revision leaves undone what it doesn't know.
            done_nothing = len(context.journal.entries) == before
            left = None if done_nothing else _still_to_do(context, task)
    advance(len(tasks), len(tasks))


def _tasks(cases: tuple[Case, ...], test_images: Mapping[str, str]) -> list[FactsTask]:
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
        msgspec.structs.replace(case, engine=engines.engine(case.engine).reference, dtype=DType.FLOAT32)
        for case in cases
    )
    grouped: dict[tuple[str, DType, str, str], list[Case]] = {}
    for case in dict.fromkeys((*references, *cases)):
        grouped.setdefault((case.engine, case.dtype, case.subject, case.variant), []).append(case)
    return [
        *(
            FactsTask(subject, variant, (), image, tuple(used[subject]))
            for subject, variant, image in variants
        ),
        *(
            FactsTask(
                subject,
                variant,
                tuple(sorted(found, key=lambda case: case.batch)),
                examination=_examination(found, test_images.get(f"{subject}/{variant}")),
            )
            for (_, _, subject, variant), found in grouped.items()
        ),
    ]


def _examination(cases: list[Case], images: str | None) -> Examination | None:
    """For a variant that was trained, and an engine whose outputs are those of a model in use."""
    engine = engines.engine(cases[0].engine)
    if images is None or not engine.classifies:
        return None
    batch = min(max(case.batch for case in cases), _LARGEST_BATCH)
    return Examination(engine.name, cases[0].dtype, images, max(batch, _SMALLEST_BATCH))


def _still_to_do(context: Context, task: FactsTask) -> FactsTask | None:
    """The task without what the journal holds; None where that is all of it."""
    entries = context.journal.entries
    known = {entry.case for entry in entries if isinstance(entry, FactsEntry)}
    counted = {(entry.subject, entry.variant) for entry in entries if isinstance(entry, VariantEntry)}
    cases = tuple(case for case in task.cases if case.key not in known)
    image = () if (task.subject, task.variant) in counted else task.image
    examination = task.examination
    if examination and any(
        (entry.subject, entry.variant, entry.engine, entry.dtype)
        == (task.subject, task.variant, examination.engine, examination.dtype)
        for entry in entries
        if isinstance(entry, ExaminationEntry)
    ):
        examination = None
    left = msgspec.structs.replace(task, cases=cases, image=image, examination=examination)
    return left if cases or image or examination else None


def _run_worker(context: Context, task: FactsTask) -> Generator[None, None, None]:
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
                if event.failure.kind is FailureKind.UNAVAILABLE:
                    engine = task.cases[0].engine
                    journal.note(f"Nothing was measured on {engine}: {event.failure.message}.")
                journal.append(FactsEntry(event.case, failure=event.failure))
                current = None
            case Examined():
                journal.append(ExaminationEntry(*msgspec.structs.astuple(event)))
                current = None
            case ModelFacts():
                journal.append(VariantEntry(event.subject, event.variant, event.facts, event.kernel))
            case Note():
                journal.note(event.text)
            case Lost() if task.examination and current == task.examination.key:
                failure = Failure(event.kind, f"at the test images: {event.message}")
                entry = (task.subject, task.variant, task.examination.engine, task.examination.dtype)
                journal.append(ExaminationEntry(*entry, failure=failure))
            case Lost() if current:
                journal.append(FactsEntry(current, failure=Failure(event.kind, event.message)))
            case Lost() if current == "":
                journal.note(f"{task.variant}: parameters and FLOPs could not be counted: {event.message}")
                journal.append(VariantEntry(task.subject, task.variant, ()))
            case Lost() if len(journal.entries) == before:
                raise WorkerError(f"a worker could not start on {task.variant}: {event.message}")
            case _:
                pass
        yield
