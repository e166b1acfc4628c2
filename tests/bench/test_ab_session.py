"""Both sides' sessions with scripted workers: order, interruption, what a resumed one does again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from bench.ab.session import Sessions, run_sides
from bench.ab.weights import share_weights
from bench.assemble import assemble
from bench.environment import Accelerator, Environment, collect
from bench.journal import GroupEntry, Journal, NoteEntry
from bench.measuring import OpenSession, Setting, open_session
from bench.messages import (
    Begin,
    BlockTask,
    CaseFacts,
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
from bench.presets import Measurement, ModelEntry, ModelsSpec, Preset
from bench.record import Failure, FailureKind, Stop, StopReason, Window
from bench.run_folder import RunFolder, RunRequest
from tests.bench.fakes import FakeClock

pytestmark = pytest.mark.nopaddle

MODELS = ModelsSpec(image=(3, 8, 8), models=(ModelEntry("one", "m:one"), ModelEntry("two", "m:two")))
PRESET = Preset(
    name="p",
    description="d",
    subjects=(MODELS,),
    measure=Measurement(batches=(1, 2), engines=("eager",), blocks=4),
)
GPU = Accelerator("GPU-0", "a GPU", 2**33, "1")
REQUEST = RunRequest(PRESET, 1, "s", "dyrelu-bench ab", "2026-01-01T00:00:00Z")
Watch = Callable[[str, Request, Event], None]


class Quiet:
    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []

    def line(self, text: str) -> None:
        pass

    def advance(self, stage: str, done: int, total: int) -> None:
        assert done <= total
        self.stages.append((stage, done))


def worker(name: str, watch: Watch) -> Callable[[Request], Iterator[Event]]:
    """A healthy worker, whose every event is seen first."""

    def events(request: Request) -> Iterator[Event]:
        for event in script(request):
            watch(name, request, event)
            yield event

    return events


def script(request: Request) -> Iterator[Event]:
    task = request.task
    if isinstance(task, FactsTask):
        for case in task.cases:
            yield Begin(case.key)
            yield CaseFacts(case.key, ())
        if task.image:
            yield ModelFacts(task.subject, task.variant, ())
    elif isinstance(task, BlockTask):
        for group in task.groups:
            for round_ in range(3):
                for case in group.cases:
                    yield Begin(case.key)
                    yield Measured(case.key, Window(task.block, (1.0 + round_,), warmup=round_ == 0))
            for case in group.cases:
                yield Stopped(case.key, Stop(task.block, StopReason.COUNT))
            yield GroupDone(group.key)
    yield Finished()


def ignore(_name: str, _request: Request, _event: Event) -> None:
    pass


def opened(
    path: Path,
    watch: Watch = ignore,
    unknown: frozenset[str] = frozenset(),
    request: RunRequest = REQUEST,
    environment: Environment | None = None,
) -> Sessions:
    """Both sides' sessions; `unknown` cases are unknown to A."""

    def session(name: str) -> OpenSession:
        folder = RunFolder(path / name)
        folder.path.mkdir(parents=True, exist_ok=True)
        lacking = unknown if name == "A" else frozenset()
        setting = Setting(worker(name, watch), environment, "pair", lacking)
        return open_session(folder, request, lambda _: None, setting)

    return session("A"), session("B")


def groups(session: OpenSession) -> list[tuple[int, str]]:
    entries = session.context.journal.entries
    return [(entry.block, entry.group) for entry in entries if isinstance(entry, GroupEntry)]


@pytest.mark.parametrize("in_turns", [True, False])
def test_both_sides_run_the_same_groups_in_the_same_order(tmp_path: Path, in_turns: bool) -> None:
    sessions = opened(tmp_path)
    progress = Quiet()
    assert run_sides(sessions, in_turns, FakeClock(), progress) == 4
    assert groups(sessions[0]) == groups(sessions[1])
    assert len(groups(sessions[0])) == 8
    suites = [session.close(4) for session in sessions]
    assert {suite.sessions[0].pair for suite in suites} == {"pair"}
    assert suites[0].sessions[0].order == suites[1].sessions[0].order
    stages = [stage for stage, _ in progress.stages]
    assert [stage for i, stage in enumerate(stages) if stages[:i].count(stage) == 0] == [
        "facts of A",
        "facts of B",
        "blocks",
    ]


@pytest.mark.parametrize(
    ("cores", "gpus", "at_once"), [(2, (), True), (1, (), False), (2, (GPU,), False)], ids=str
)
def test_facts_are_taken_at_once_where_nobody_is_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int, gpus: tuple[Accelerator, ...], at_once: bool
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)))
    seen: list[str] = []

    def watch(name: str, request: Request, _event: Event) -> None:
        if isinstance(request.task, FactsTask):
            seen.append(name)

    environment = msgspec.structs.replace(collect(), accelerators=gpus)
    run_sides(opened(tmp_path, watch, environment=environment), True, FakeClock(), Quiet())
    changes = sum(a != b for a, b in pairwise(seen))
    assert changes == (len(seen) - 1 if at_once else 1)
    assert seen.count("A") == seen.count("B") > 2


def test_bursts_of_both_sides_alternate_in_turns(tmp_path: Path) -> None:
    seen: list[tuple[str, int, str]] = []

    def watch(name: str, request: Request, event: Event) -> None:
        if isinstance(event, Measured) and not event.window.warmup:
            assert isinstance(request.task, BlockTask)
            seen.append((name, request.task.block, event.case))

    run_sides(opened(tmp_path, watch), True, FakeClock(), Quiet())
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        assert {first[0], second[0]} == {"A", "B"}
        assert first[1:] == second[1:]


def test_one_after_the_other_where_turns_can_not_be_taken(tmp_path: Path) -> None:
    seen: list[tuple[int, str]] = []

    def watch(name: str, request: Request, event: Event) -> None:
        if isinstance(event, Finished) and isinstance(request.task, BlockTask):
            seen.append((request.task.block, name))

    run_sides(opened(tmp_path, watch), False, FakeClock(), Quiet())
    assert [block for block, _ in seen] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert {tuple(name for _, name in seen[i : i + 2]) for i in range(0, 8, 2)} == {("A", "B"), ("B", "A")}


@pytest.mark.parametrize("in_turns", [True, False])
@pytest.mark.parametrize("at", [0, 3, 17, 40, 41, 42, 43, 60, 99])
def test_an_interrupted_session_goes_on_and_keeps_only_whole_pairs(
    tmp_path: Path, in_turns: bool, at: int
) -> None:
    left = [at]

    def interrupt(_name: str, _request: Request, _event: Event) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sides(opened(tmp_path, interrupt), in_turns, FakeClock(), Quiet())
    ran: list[tuple[str, int, str]] = []

    def watch(name: str, request: Request, event: Event) -> None:
        if isinstance(event, GroupDone):
            assert isinstance(request.task, BlockTask)
            ran.append((name, request.task.block, event.key))

    sessions = opened(tmp_path, watch)
    assert run_sides(sessions, in_turns, FakeClock(), Quiet()) == 4
    for session in sessions:
        assert len(groups(session)) == len(set(groups(session))) == 8
        on_disk = Journal(session.folder.journal).entries
        assert on_disk == session.context.journal.entries
    # Whatever ran now ran on both sides: a pair has no half from before.
    again = [{(block, key) for name, block, key in ran if name == side} for side in "AB"]
    assert again[0] == again[1]


def test_the_time_limit_counts_both_sides(tmp_path: Path) -> None:
    clock = FakeClock()

    def watch(_name: str, request: Request, event: Event) -> None:
        if isinstance(event, Finished) and isinstance(request.task, BlockTask):
            clock.advance(60)

    limited = msgspec.structs.replace(PRESET.measure, max_time=3.0)
    request = msgspec.structs.replace(REQUEST, preset=msgspec.structs.replace(PRESET, measure=limited))
    sessions = opened(tmp_path, watch, request=request)
    assert run_sides(sessions, True, clock, Quiet()) == 2
    assert "Stopped after 2 of 4 blocks" in sessions[0].close(2).sessions[0].warnings[0]


def test_a_case_that_one_side_does_not_know_is_no_row_there(tmp_path: Path) -> None:
    unknown = frozenset(case.key for case in PRESET.cases() if case.variant == "two")
    sessions = opened(tmp_path, unknown=unknown)
    run_sides(sessions, True, FakeClock(), Quiet())
    a, b = (session.close(4) for session in sessions)
    assert {record.case.variant for record in a.records} == {"one"}
    assert {record.case.variant for record in b.records} == {"one", "two"}
    assert not any(record.skipped for record in (*a.records, *b.records))
    assert {case.variant for case in a.sessions[0].planned} == {"one"}
    assert [group for group, _ in a.sessions[0].order[0].groups] == [
        group for group, _ in b.sessions[0].order[0].groups
    ]


def test_a_worker_that_is_lost_costs_its_own_side_alone(tmp_path: Path) -> None:
    lost = [False]

    def flaky(request: Request) -> Iterator[Event]:
        for event in script(request):
            in_second_block = isinstance(request.task, BlockTask) and request.task.block == 1
            if in_second_block and isinstance(event, Measured) and not lost[0]:
                lost[0] = True
                yield Lost(FailureKind.DIED, "killed")
                return
            yield event

    folders = [RunFolder(tmp_path / name) for name in ("A", "B")]
    for folder in folders:
        folder.path.mkdir()
    a = open_session(folders[0], REQUEST, lambda _: None, Setting(launch=flaky))
    b = open_session(folders[1], REQUEST, lambda _: None, Setting(launch=script))
    assert run_sides((a, b), True, FakeClock(), Quiet()) == 4
    ours, theirs = (assemble(each.heading, each.context.journal.entries) for each in (a, b))
    cut = [record.unpaired for record in ours.records]
    assert cut.count((1,)) == 2
    assert {failure for record in ours.records for failure in record.failures} == {
        Failure(FailureKind.DIED, "killed", 1)
    }
    assert not any(record.unpaired or record.failures for record in theirs.records)


def weights(path: Path, value: float, *shape: int) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    numpy.save_file({"w": np.full(shape, value, dtype=np.float32)}, path)


def test_random_weights_are_shared_where_they_fit(tmp_path: Path) -> None:
    asked: list[tuple[str, object]] = []

    def watch(name: str, request: Request, event: Event) -> None:
        if isinstance(event, Finished):
            asked.append((name, request.task))

    a, b = opened(tmp_path, watch)
    ours, theirs = (session.folder.exports / "models" for session in (a, b))
    weights(ours / "one/weights.safetensors", 1.0, 2, 3)
    weights(theirs / "one/weights.safetensors", 2.0, 2, 3)
    weights(ours / "two/weights.safetensors", 1.0, 2, 3)
    weights(theirs / "two/weights.safetensors", 2.0, 3, 2)
    (theirs / "one/eager").mkdir()
    share_weights(a, b)
    same = [(path / "one/weights.safetensors").read_bytes() for path in (ours, theirs)]
    assert same[0] == same[1]
    # What was exported with the old ones is exported again, in a process of its own.
    assert not (theirs / "one/eager").exists()
    assert asked == [("B", FactsTask("models", "one", (), (3, 8, 8), ("eager",)))]
    other = [(path / "two/weights.safetensors").read_bytes() for path in (ours, theirs)]
    assert other[0] != other[1]
    (note,) = [entry for entry in b.context.journal.entries if isinstance(entry, NoteEntry)]
    assert "two: its random weights are its own" in note.text
    asked.clear()
    share_weights(a, b)
    assert not asked
