"""The runner against scripted workers: what is lost, what goes on, what a resumed run does again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.assemble import Heading, assemble
from bench.case import Case, Condition, DType
from bench.environment import collect
from bench.errors import InputError, WorkerError
from bench.journal import GroupEntry, Journal
from bench.messages import (
    Begin,
    BlockTask,
    Calibrated,
    CaseFacts,
    CaseFailed,
    DiskFull,
    Event,
    FactsTask,
    Finished,
    GroupDone,
    Lost,
    Measured,
    ModelFacts,
    Request,
    Stopped,
)
from bench.plan import Context, Plan
from bench.presets import ModelEntry, ModelsSpec
from bench.quality import block_values, case_result, ratio_to_reference
from bench.record import Fact, Failure, FailureKind, Protocol, Record, Stop, StopReason, Suite, Window
from bench.runner import run_session
from bench.schedule import block_tasks
from bench.units import Unit
from tests.bench.fakes import FakeClock

pytestmark = pytest.mark.nopaddle

VARIANTS = ("relu", "slow")
CASES = tuple(
    Case("net", variant, batch, (3, 8, 8), DType.FLOAT32, engine)
    for engine in ("eager", "inference")
    for batch in (1, 2)
    for variant in VARIANTS
)
PROTOCOL = Protocol(reference="relu", blocks=6)
Script = Callable[[Request], Iterator[Event]]


class Quiet:
    def advance(self, stage: str, done: int, total: int) -> None:
        pass


def healthy(request: Request) -> Iterator[Event]:
    """A worker that does everything; `slow` takes twice the time."""
    task = request.task
    if isinstance(task, FactsTask):
        for case in task.cases:
            yield Begin(case.key)
            yield CaseFacts(case.key, (Fact("peak_resident", Unit.BYTES, 1000),))
        if task.image:
            yield ModelFacts(task.subject, task.variant, (Fact("macs", Unit.MACS, 7),))
    else:
        yield from timed(task)
    yield Finished()


def timed(task: BlockTask) -> Iterator[Event]:
    if task.calibrate:
        yield Calibrated(task.block, {"calibration_copy": Window(task.block, (1.0,))})
    for group in task.groups:
        for case in group.cases:
            yield Begin(case.key)
            value = 2.0 if case.variant == "slow" else 1.0
            yield Measured(case.key, Window(task.block, (value, value)))
            yield Stopped(case.key, Stop(task.block, StopReason.COUNT))
        yield GroupDone(group.key)


def plan(**changes: object) -> Plan:
    entries = tuple(ModelEntry(variant, f"m:{variant}") for variant in VARIANTS)
    values: dict[str, object] = {
        "subjects": (ModelsSpec(image=(3, 8, 8), models=entries, name="net"),),
        "cases": CASES,
        "protocol": PROTOCOL,
        "threads": 2,
        "memory_limit": 0,
        "folder": "exports",
        "weights": {},
        "max_time_s": 0.0,
        **changes,
    }
    return Plan(**values)  # type: ignore[arg-type]


def run(path: Path, script: Script = healthy, **changes: object) -> Suite:
    the_plan = plan(**changes)
    context = Context(the_plan, Journal(path), script)
    run_session(context, FakeClock(), Quiet())
    return suite_of(context)


def suite_of(context: Context) -> Suite:
    the_plan = context.plan
    condition = Condition(threads=2, kernel="plain", weights="random")
    heading = Heading(
        session="s",
        preset="p",
        command="dyrelu-bench run",
        started="2026-01-01T00:00:00Z",
        environment=collect(),
        protocol=the_plan.protocol,
        cases=the_plan.cases,
        conditions={("net", variant): condition for variant in VARIANTS},
        target=None,
        target_source="",
    )
    return assemble(heading, context.journal.entries)


def record(suite: Suite, variant: str, engine: str, batch: int) -> Record:
    return next(
        r for r in suite.records if (r.case.variant, r.case.engine, r.case.batch) == (variant, engine, batch)
    )


def test_a_healthy_run_is_complete(tmp_path: Path) -> None:
    suite = run(tmp_path / "journal")
    assert len(suite.records) == 8
    for each in suite.records:
        assert each.skipped is None
        assert not each.failures
        assert sorted(block_values(each, PROTOCOL)) == list(range(6))
        assert {fact.metric for fact in each.facts} == {"macs", "peak_resident"}
    ratio = ratio_to_reference(record(suite, "slow", "eager", 1), record(suite, "relu", "eager", 1), PROTOCOL)
    assert (ratio.low, ratio.value, ratio.high, ratio.n) == (0.5, 0.5, 0.5, 6)
    assert len(suite.sessions[0].order) == 6


def test_order_differs_between_blocks_and_follows_from_the_seed(tmp_path: Path) -> None:
    orders = [tuple(task.key for task in block_tasks(CASES, 0, block)) for block in range(6)]
    assert len(set(orders)) > 1
    assert orders == [tuple(task.key for task in block_tasks(CASES, 0, block)) for block in range(6)]
    assert orders != [tuple(task.key for task in block_tasks(CASES, 1, block)) for block in range(6)]
    recorded = run(tmp_path / "journal").sessions[0].order
    assert [tuple(key for key, _ in order.groups) for order in recorded] == orders


def test_group_seeds_differ_so_that_variants_change_places() -> None:
    seeds = [task.seed for block in range(6) for task in block_tasks(CASES, 0, block)]
    assert len(set(seeds)) == len(seeds)


def dies_in(block: int, variant: str, batch: int, kind: FailureKind = FailureKind.DIED) -> Script:
    """A worker that is lost in one case of one block, after the other case's burst."""

    def script(request: Request) -> Iterator[Event]:
        task = request.task
        for event in healthy(request):
            lost = isinstance(task, BlockTask) and task.block == block and isinstance(event, Begin)
            if lost and event.case.endswith(f"inference/float32/3x8x8/b{batch}/{variant}"):  # type: ignore[union-attr]
                yield event
                yield Lost(kind, "the worker was ended by SIGKILL")
                return
            yield event

    return script


@pytest.mark.parametrize("kind", [FailureKind.DIED, FailureKind.TIMEOUT])
def test_a_lost_worker_costs_one_group_of_one_block(tmp_path: Path, kind: FailureKind) -> None:
    suite = run(tmp_path / "journal", dies_in(3, "slow", 2, kind))
    hit, neighbour = record(suite, "slow", "inference", 2), record(suite, "relu", "inference", 2)
    assert [(failure.block, failure.kind) for failure in hit.failures] == [(3, kind)]
    assert hit.skipped is None
    assert sorted(block_values(hit, PROTOCOL)) == [0, 1, 2, 4, 5]
    # The survivor was measured by a new worker, so it has a time there, but no ratio.
    assert sorted(block_values(neighbour, PROTOCOL)) == list(range(6))
    assert neighbour.unpaired == (3,)
    assert ratio_to_reference(hit, neighbour, PROTOCOL).n == 5
    untouched = [r for r in suite.records if r.case.group != hit.case.group]
    assert all(sorted(block_values(r, PROTOCOL)) == list(range(6)) and not r.unpaired for r in untouched)


def test_a_case_that_is_always_lost_is_given_up_after_two_blocks(tmp_path: Path) -> None:
    launched = []

    def script(request: Request) -> Iterator[Event]:
        task = request.task
        if isinstance(task, BlockTask):
            launched.append(task.block)
            yield from dies_in(task.block, "slow", 2)(request)
        else:
            yield from healthy(request)

    suite = run(tmp_path / "journal", script)
    hit = record(suite, "slow", "inference", 2)
    assert [failure.block for failure in hit.failures] == [0, 1]
    assert hit.skipped is not None
    assert launched == [0, 0, 1, 1, 2, 3, 4, 5]


def test_an_error_in_a_case_leaves_the_others_paired(tmp_path: Path) -> None:
    def script(request: Request) -> Iterator[Event]:
        task = request.task
        if not isinstance(task, BlockTask):
            yield from healthy(request)
            return
        for group in task.groups:
            broken = group.cases[-1].key
            yield Measured(group.cases[0].key, Window(task.block, (99.0,)))
            yield CaseFailed(broken, Failure(FailureKind.ERROR, "ValueError: no", task.block))
            yield Measured(group.cases[0].key, Window(task.block, (1.0,)))
            yield GroupDone(group.key)
        yield Finished()

    suite = run(tmp_path / "journal", script)
    kept = record(suite, "relu", "eager", 1)
    # The burst beside the broken case is forgotten with it.
    assert set(block_values(kept, PROTOCOL).values()) == {1.0}
    assert kept.unpaired == ()
    assert record(suite, "slow", "eager", 1).skipped is not None


def test_wrong_output_is_never_timed(tmp_path: Path) -> None:
    timed_cases: set[str] = set()

    def script(request: Request) -> Iterator[Event]:
        for event in healthy(request):
            if isinstance(event, CaseFacts) and "/inference/" in event.case and event.case.endswith("slow"):
                yield CaseFailed(event.case, Failure(FailureKind.PARITY, "differs"))
                continue
            if isinstance(event, Measured):
                timed_cases.add(event.case)
            yield event

    suite = run(tmp_path / "journal", script)
    skipped = record(suite, "slow", "inference", 1)
    assert skipped.skipped is not None
    assert skipped.skipped.kind is FailureKind.PARITY
    assert skipped.case.key not in timed_cases


def test_a_worker_lost_while_facts_are_taken_loses_one_case(tmp_path: Path) -> None:
    def script(request: Request) -> Iterator[Event]:
        for event in healthy(request):
            yield event
            if isinstance(event, Begin) and isinstance(request.task, FactsTask) and "b1/slow" in event.case:
                yield Lost(FailureKind.OUT_OF_MEMORY, "gone")
                return

    suite = run(tmp_path / "journal", script)
    assert record(suite, "slow", "eager", 1).skipped is not None
    survivor = record(suite, "slow", "eager", 2)
    assert survivor.skipped is None
    assert {fact.metric for fact in survivor.facts} == {"macs", "peak_resident"}


class Stop_(Exception):
    """Stands for Ctrl-C."""


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole")
    for stop_after in range(1, 60, 4):
        path = tmp_path / f"journal{stop_after}"
        left = [stop_after]

        def script(request: Request, left: list[int] = left) -> Iterator[Event]:
            for event in healthy(request):
                if left[0] == 0:
                    raise Stop_
                left[0] -= 1
                yield event

        with pytest.raises(Stop_):
            run(path, script)
        again: list[str] = []

        def counting(request: Request, again: list[str] = again) -> Iterator[Event]:
            for event in healthy(request):
                if isinstance(event, GroupDone):
                    again.append(event.key)
                yield event

        before = sum(isinstance(entry, GroupEntry) for entry in Journal(path).entries)
        resumed = run(path, counting)
        assert resumed.records == whole.records
        assert len(again) == 24 - before


def test_a_line_cut_by_a_crash_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    run(path)
    content = path.read_bytes()
    path.write_bytes(content[:-20])
    entries = Journal(path).entries
    assert path.read_bytes().endswith(b"\n")
    assert len(entries) == content.count(b"\n") - 1


def test_the_time_limit_ends_the_run_between_blocks(tmp_path: Path) -> None:
    clock = FakeClock()

    def script(request: Request) -> Iterator[Event]:
        clock.advance(100.0 if isinstance(request.task, BlockTask) else 0.0)
        yield from healthy(request)

    context = Context(plan(max_time_s=250.0), Journal(tmp_path / "journal"), script)
    assert run_session(context, clock, Quiet()) == 3
    result = case_result(record(suite_of(context), "relu", "eager", 1), PROTOCOL)
    assert result.latency_ms.n == 3
    assert result.inconclusive == "3 of the 6 blocks that an interval needs"


def test_a_worker_lost_between_cases_is_nobodys_fault(tmp_path: Path) -> None:
    losses = [0]

    def script(request: Request) -> Iterator[Event]:
        for event in healthy(request):
            yield event
            if isinstance(event, GroupDone | CaseFacts) and losses[0] < 5:
                losses[0] += 1
                yield Lost(FailureKind.DIED, "the worker was ended by SIGKILL")
                return

    suite = run(tmp_path / "journal", script)
    assert losses == [5]
    assert suite.records == run(tmp_path / "other").records


@pytest.mark.parametrize("kind", [FactsTask, BlockTask])
def test_workers_that_never_start_end_the_run_with_a_sentence(tmp_path: Path, kind: type) -> None:
    def script(request: Request) -> Iterator[Event]:
        if isinstance(request.task, kind):
            yield Lost(FailureKind.DIED, "the worker ended with status 1: no Paddle")
        else:
            yield from healthy(request)

    with pytest.raises(WorkerError, match=r"could not start.*no Paddle"):
        run(tmp_path / "journal", script)


def test_a_full_disk_ends_the_run_and_blames_no_case(tmp_path: Path) -> None:
    def script(_: Request) -> Iterator[Event]:
        yield Begin(CASES[0].key)
        yield DiskFull("exports")

    with pytest.raises(InputError, match=r"exports: No space left on device; make room"):
        run(tmp_path / "journal", script)
    assert run(tmp_path / "journal").records == run(tmp_path / "other").records
