"""What the variants run on: settled before anything is measured, by one worker, and held to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.assemble import Heading, assemble
from bench.case import Case, Condition, DType
from bench.engines import engine
from bench.environment import collect
from bench.errors import UsageError, WorkerError
from bench.facts_stage import take_facts
from bench.journal import Journal, VariantEntry
from bench.kernel_stage import settle_kernels
from bench.messages import (
    Announced,
    CaseFacts,
    Event,
    FactsTask,
    Finished,
    KernelsSettled,
    KernelTask,
    Lost,
    ModelFacts,
    Refused,
    Request,
)
from bench.plan import Context, Plan
from bench.presets import DyReLUSpec, ModelEntry, ModelsSpec
from bench.presets.schema import SubjectSpec
from bench.record import FailureKind, Protocol
from bench.same_session import check_same_session

pytestmark = pytest.mark.nopaddle

OWN = DyReLUSpec("resnet_cifar", 10, (3, 8, 8), ("relu", "dyrelu_b"), depth=8)
ANYBODYS = ModelsSpec((3, 8, 8), (ModelEntry("net", "m:net"),), "models")
KERNELS = {"resnet8-w16/relu": "plain", "resnet8-w16/dyrelu_b": "fused"}


def case(subject: SubjectSpec, variant: str, engine: str) -> Case:
    return Case(subject.name, variant, 1, (3, 8, 8), DType.FLOAT32, engine)


def context(path: Path, *events: Event, subject: SubjectSpec = OWN, engine: str = "eager") -> Context:
    def launch(request: Request) -> Iterator[Event]:
        assert isinstance(request.task, KernelTask)
        assert request.kernels == {}
        yield from events

    cases = tuple(case(subject, variant, engine) for variant in subject.variants)
    plan = Plan((subject,), cases, Protocol(reference="relu"), 1, 0, "exports", {}, 0.0)
    return Context(plan, Journal(path / "journal"), launch)


def test_what_the_worker_says_is_taken_and_passed_on(tmp_path: Path) -> None:
    said: list[str] = []
    events = (Announced("building"), KernelsSettled(KERNELS, ""), Finished())
    settled = settle_kernels(context(tmp_path, *events), said.append)
    assert (settled.kernels, settled.note, said) == (KERNELS, "", ["building"])


def test_a_fallback_leaves_a_note_with_the_reason_and_the_remedy(tmp_path: Path) -> None:
    settled = settle_kernels(context(tmp_path, KernelsSettled(KERNELS, "install g++ 9.")), print)
    assert "install g++ 9." in settled.note
    assert "DYRELU_KERNEL=plain silences this" in settled.note


def test_nobody_is_asked_about_anybodys_models(tmp_path: Path) -> None:
    assert settle_kernels(context(tmp_path, subject=ANYBODYS), print).kernels == {}


@pytest.mark.parametrize(
    ("event", "kind", "said"),
    [
        (Refused("DYRELU_KERNEL is 'fast': set it"), UsageError, "DYRELU_KERNEL is 'fast': set it"),
        (Lost(FailureKind.DIED, "ended by SIGILL"), WorkerError, "SIGILL.*DYRELU_KERNEL=plain"),
        (Finished(), WorkerError, "DYRELU_KERNEL=plain"),
    ],
)
def test_without_an_answer_nothing_is_measured(
    tmp_path: Path, event: Event, kind: type[Exception], said: str
) -> None:
    with pytest.raises(kind, match=said):
        settle_kernels(context(tmp_path, event), print)


def test_a_session_goes_on_with_the_kernels_that_it_began_with(tmp_path: Path) -> None:
    plan = context(tmp_path).plan
    begun = Plan(plan.subjects, plan.cases, plan.protocol, 1, 0, "", {}, 0.0, kernels=KERNELS)
    check_same_session(Journal(tmp_path / "journal"), "here", begun)
    check_same_session(Journal(tmp_path / "journal"), "here", begun)
    with pytest.raises(UsageError, match=r"relu plain, dyrelu_b fused and would go on with unknown"):
        check_same_session(Journal(tmp_path / "journal"), "here", plan)


@pytest.mark.parametrize(("found", "recorded"), [("fused", "fused"), ("", "model's own")])
def test_the_condition_is_what_was_found_in_the_model(tmp_path: Path, found: str, recorded: str) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(VariantEntry("models", "net", (), found))
    heading = Heading(
        session="s",
        preset="p",
        command="dyrelu-bench run",
        started="2026-01-01T00:00:00Z",
        environment=collect(),
        protocol=Protocol(reference="net"),
        cases=(case(ANYBODYS, "net", "eager"),),
        conditions={("models", "net"): Condition(1, "model's own", "random")},
        target=None,
        target_source="",
    )
    (record,) = assemble(heading, journal.entries).records
    assert record.condition.kernel == recorded


@pytest.mark.parametrize("measured", ["eager", "inference", "training"])
def test_an_engine_is_preceded_by_its_reference(tmp_path: Path, measured: str) -> None:
    tasks: list[FactsTask] = []

    def launch(request: Request) -> Iterator[Event]:
        task = request.task
        assert isinstance(task, FactsTask)
        tasks.append(task)
        yield from (CaseFacts(case.key, ()) for case in task.cases)
        if task.image:
            yield ModelFacts(task.subject, task.variant, (), "fused")
        yield Finished()

    asked = context(tmp_path, subject=ANYBODYS, engine=measured)
    take_facts(Context(asked.plan, asked.journal, launch), lambda *_: None)
    ran = [case.engine for task in tasks for case in task.cases]
    assert ran == list(dict.fromkeys((engine(measured).reference, measured)))
    assert VariantEntry("models", "net", (), "fused") in asked.journal.entries
