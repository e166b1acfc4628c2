"""A worker's first work: memory of cases, their outputs against the reference, counts of models."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import msgspec

from bench import engines
from bench.case import Case
from bench.device import Device
from bench.engines import Prepared
from bench.failures import ParityError, describe, failure
from bench.loading import Models
from bench.messages import Begin, CaseFacts, CaseFailed, Event, FactsTask, ModelFacts, Note
from bench.metrics.flops import flop_facts
from bench.metrics.memory import TENSOR_PEAK, steady_tensor_peak
from bench.metrics.parameters import parameter_facts
from bench.parity import Results, check_parity, load_results, run_twice, save_results
from bench.protocol import Protocol
from bench.record import Fact
from bench.subjects import PLAIN

__all__ = ["FactTaking"]


class FactTaking:
    """Takes facts of one process's models with one device's meters and says what it found."""

    def __init__(
        self, models: Models, device: Device, say: Callable[[Event], None], protocol: Protocol
    ) -> None:
        self._models = models
        self._device = device
        self._say = say
        self._protocol = protocol

    def take(self, task: FactsTask) -> None:
        """Does the task; a case that fails costs its own facts."""
        waiting: list[tuple[Case, tuple[Fact, ...], Results]] = []
        for case in task.cases:
            with self._attempt(case):
                facts, results = self._case_facts(case)
                if self._needs_a_second_model(case):
                    waiting.append((case, facts, results))
                else:
                    self._check(case, results)
                    self._say(CaseFacts(case.key, facts))
        if waiting:
            # Only now, since its memory belongs in no case's peaks; and it gets the room of the first.
            self._models.unload()
        for case, facts, results in waiting:
            with self._attempt(case):
                self._check(case, results)
                self._say(CaseFacts(case.key, facts))
        if task.image:
            self._take_model_facts(task)

    @contextlib.contextmanager
    def _attempt(self, case: Case) -> Iterator[None]:
        """Work on a case, whose errors are its own."""
        self._say(Begin(case.key))
        try:
            yield
        except (Exception, SystemExit) as error:
            self._say(CaseFailed(case.key, failure(error)))

    def _case_facts(self, case: Case) -> tuple[tuple[Fact, ...], Results]:
        """The peaks of memory while the case runs, and what it gave."""
        prepared = self._models.prepare(case)
        self._device.start()
        run_twice(prepared)
        facts, results = self._device.facts(), _results(prepared)
        if not engines.engine(case.engine).paddle_tensors:
            # Paddle's allocator saw nothing of what was computed there.
            facts = tuple(fact for fact in facts if fact.metric != TENSOR_PEAK)
        return tuple(_steadied(fact, prepared) for fact in facts), results

    def _needs_a_second_model(self, case: Case) -> bool:
        """Whether the engine is its own reference, and what ran was not the plain formulation."""
        is_reference = engines.engine(case.engine).reference == case.engine
        return is_reference and self._models.kernel(case.subject, case.variant) not in ("", PLAIN)

    def _check(self, case: Case, results: Results) -> None:
        """Parity: the reference is what the case's reference engine gives in float32 on Paddle's own
        operators, left in a file by the process of that engine.
        """
        reference = engines.engine(case.engine).reference
        title = f"{engines.engine(reference).title} on plain operators"
        file = self._models.folder(case.subject, case.variant) / f"reference-{reference}-b{case.batch}.npz"
        if case.engine == reference:
            expected = self._plain_results(case) if self._needs_a_second_model(case) else results
            save_results(expected, file)
        elif file.exists():
            expected = load_results(file)
        else:
            raise ParityError(f"{title} gave no output to compare with, so this one can't be checked")
        check_parity(results, expected, self._protocol, title, case.dtype)

    def _plain_results(self, case: Case) -> Results:
        prepared = self._models.prepare(case, PLAIN)
        run_twice(prepared)
        return _results(prepared)

    def _take_model_facts(self, task: FactsTask) -> None:
        name = (task.subject, task.variant)
        self._say(Begin(""))
        facts: tuple[Fact, ...] = ()
        try:
            facts = parameter_facts(self._models.build(*name))
            facts += flop_facts(self._models.build(*name), task.image)
        except Exception as error:
            self._say(Note(f"{task.variant}: parameters or FLOPs could not be counted: {describe(error)}"))
        for engine in task.engines:
            # What goes wrong here goes wrong again, and is said, where the cases of this engine are run.
            with contextlib.suppress(Exception):
                self._models.load(engine, task.subject, task.variant)
        self._say(ModelFacts(*name, facts, self._models.kernel(*name)))


def _steadied(fact: Fact, prepared: Prepared) -> Fact:
    """The smallest peak of tensors among some steps; every other fact as it is."""
    if fact.metric != TENSOR_PEAK or (peak := steady_tensor_peak(prepared.step)) is None:
        return fact
    return msgspec.structs.replace(fact, value=min(fact.value, peak))


def _results(prepared: Prepared) -> Results:
    return Results(prepared.output(), None if prepared.gradient is None else prepared.gradient())
