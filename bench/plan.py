"""What a session is to do, and how it talks to its workers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.case import Case
from bench.errors import InputError
from bench.inject import Injection
from bench.journal import Journal
from bench.launch import Launch
from bench.messages import DiskFull, Event, Request, Task
from bench.presets.schema import SubjectSpec
from bench.record import Protocol

__all__ = ["Context", "Plan"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run. `folder` is where exported programs go; `max_time_s` 0 is no limit.

    `kernels` maps subject/variant to what it has to run on, for those that must not choose by themselves.
    `test_images` maps subject/variant to a file of images with labels, for those that were trained on such.
    `withheld` are keys of cases that count in the order of groups and are not run; `injection` slows cases on
    purpose.
    """

    subjects: tuple[SubjectSpec, ...]
    cases: tuple[Case, ...]
    protocol: Protocol
    threads: int
    memory_limit: int
    folder: str
    weights: dict[str, str]
    max_time_s: float
    kernels: dict[str, str] = field(default_factory=dict)
    withheld: frozenset[str] = frozenset()
    injection: Injection | None = None
    test_images: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Context:
    """A session under way: its plan, what it has on disk, and how it starts a worker."""

    plan: Plan
    journal: Journal
    launch: Launch

    def events(self, task: Task) -> Iterator[Event]:
        """A worker's events, but for the one that ends the run. Raises InputError on a full disk."""
        plan = self.plan
        request = Request(
            subjects=plan.subjects,
            protocol=plan.protocol,
            threads=plan.threads,
            memory_limit=plan.memory_limit,
            folder=plan.folder,
            weights=plan.weights,
            task=task,
            injection=plan.injection,
            kernels=plan.kernels,
        )
        for event in self.launch(request):
            if isinstance(event, DiskFull):
                raise InputError(
                    f"{event.path}: No space left on device; make room and go on with --resume and --out"
                )
            yield event
