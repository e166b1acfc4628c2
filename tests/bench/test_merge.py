"""The shards of a run are the run, a lost one is a gap with a name, and strangers are refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from bench.cli.app import application
from bench.errors import InputError
from bench.merge import merge
from bench.record import Session, Suite
from bench.report.table import Status, assemble
from bench.shard import Shard, of_shard
from bench.storage import load_suite, save_suite
from tests.bench.sessions import elsewhere
from tests.bench.suites import Plan, build_suite

PLAN = Plan(blocks=6, rounds=1)
ROOT = Path(__file__).parents[2]
CASE_FAILED, USAGE = 5, 2


def whole() -> Suite:
    return build_suite(PLAN)


def shard_of(suite: Suite, index: int, count: int, **changes: object) -> Suite:
    """What a run of this shard leaves behind; `changes` are its session's."""
    session = suite.sessions[0]
    cases = of_shard(session.planned, Shard(index, count))
    session = msgspec.structs.replace(
        session,
        id=f"{session.id}-shard{index}of{count}",
        command=f"dyrelu-bench run --preset quick --shard {index}/{count}",
        started=f"2025-03-01T12:00:{index:02}Z",
        planned=cases,
        shard=Shard(index, count),
        whole_plan=session.planned,
    )
    session = msgspec.structs.replace(session, **changes)
    records = tuple(
        msgspec.structs.replace(record, session=session.id)
        for record in suite.records
        if record.case in cases
    )
    return msgspec.structs.replace(suite, sessions=(session,), records=records)


def parts_of(suite: Suite, count: int) -> dict[str, Suite]:
    return {f"part{index}": shard_of(suite, index, count) for index in range(1, count + 1)}


def merged_cli(*arguments: str | Path) -> Result:
    return CliRunner().invoke(application(), ["merge", *map(str, arguments)], env={"COLUMNS": "160"})


def without_sessions(suite: Suite) -> list[object]:
    return [msgspec.structs.replace(record, session="") for record in suite.records]


@pytest.mark.nopaddle
@settings(deadline=None, max_examples=25)
@given(count=st.integers(1, 8), order=st.randoms(use_true_random=False))
def test_all_shards_are_the_run_in_whatever_order_they_come(count: int, order) -> None:  # type: ignore[no-untyped-def]
    suite = whole()
    parts = list(parts_of(suite, count).items())
    order.shuffle(parts)
    found = merge(dict(parts))
    assert without_sessions(found.suite) == without_sessions(suite)
    assert [str(session.shard) for session in found.suite.sessions] == [
        f"{i + 1}/{count}" for i in range(count)
    ]
    assert (found.lost, found.notes) == ((), ())
    assert found.suite.environments == suite.environments


@pytest.mark.nopaddle
@settings(deadline=None, max_examples=25)
@given(count=st.integers(2, 8), data=st.data())
def test_lost_shards_are_gaps_that_a_later_merge_fills(count: int, data: st.DataObject) -> None:
    suite = whole()
    parts = parts_of(suite, count)
    lost = data.draw(st.sets(st.integers(1, count), min_size=1, max_size=count - 1))
    kept = {name: part for name, part in parts.items() if int(name[4:]) not in lost}
    found = merge(kept)
    assert {shard.index for shard in found.lost} == lost
    rows = assemble(found.suite, ()).rows
    assert sorted(row.case for row in rows) == sorted(suite.sessions[0].planned)
    gaps = {row.case for row in rows if row.status is Status.MISSING}
    expected = {case for index in lost for case in of_shard(suite.sessions[0].planned, Shard(index, count))}
    assert gaps == expected
    assert all("is lost: run it, and merge again" in row.reason for row in rows if row.case in gaps)
    for shard in found.lost:
        assert any(f"dyrelu-bench run --preset quick --shard {shard}`" in note for note in found.notes)
    # A merge is a part like any other, and so is a part that it has already.
    again = merge({"merged": found.suite, **parts})
    assert (again.lost, again.notes) == ((), ())
    assert without_sessions(again.suite) == without_sessions(suite)


@pytest.mark.nopaddle
def test_a_merged_report_shows_one_table_an_engine() -> None:
    suite = whole()
    panels = assemble(merge(parts_of(suite, 3)).suite, ()).panels
    alone = assemble(suite, ()).panels
    assert [(panel.label, panel.batches, panel.variants) for panel in panels] == [
        (panel.label, panel.batches, panel.variants) for panel in alone
    ]
    assert [[row.ratio for row in panel.rows] for panel in panels] == [
        [row.ratio for row in panel.rows] for panel in alone
    ]


@pytest.mark.nopaddle
def test_shards_of_different_machines_are_kept_apart_and_it_is_said() -> None:
    suite = whole()
    first, second = shard_of(suite, 1, 2), elsewhere(shard_of(suite, 2, 2))
    found = merge({"a": first, "b": second})
    assert len(found.suite.environments) == 2
    (note,) = found.notes
    assert "different environments" in note
    assert note in found.suite.sessions[0].warnings
    labels = {panel.label for panel in assemble(found.suite, ()).panels}
    assert labels == {
        f"{engine}, environment {key}" for engine in PLAN.engines for key in found.suite.environments
    }


def with_protocol(**changes: object) -> Callable[[Suite], Suite]:
    def change(suite: Suite) -> Suite:
        session = suite.sessions[0]
        protocol = msgspec.structs.replace(session.protocol, **changes)
        return with_session(protocol=protocol)(suite)

    return change


def with_session(**changes: object) -> Callable[[Suite], Suite]:
    def change(suite: Suite) -> Suite:
        session: Session = msgspec.structs.replace(suite.sessions[0], **changes)
        return msgspec.structs.replace(suite, sessions=(session,))

    return change


def with_condition(**changes: object) -> Callable[[Suite], Suite]:
    def change(suite: Suite) -> Suite:
        records = tuple(
            msgspec.structs.replace(record, condition=msgspec.structs.replace(record.condition, **changes))
            for record in suite.records
        )
        return msgspec.structs.replace(suite, records=records)

    return change


with_threads = with_condition(threads=7)
with_kernel = with_condition(kernel="another")


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (with_protocol(seed=5), r"differ in seed \(0 and 5\)"),
        (with_protocol(blocks=7), r"differ in blocks \(6 and 7\)"),
        (with_protocol(reference="dyrelu_a"), "differ in reference"),
        (with_session(preset="other"), r"differ in preset \(quick and other\)"),
        (with_session(target=0.5), r"differ in target \(0.97 and 0.5\)"),
        (with_session(shard=Shard(2, 3)), r"differ in the number of shards \(2 and 3\)"),
        (with_session(whole_plan=()), "differ in the planned cases"),
        (with_threads, r"differ in the threads of resnet8-w16 \w+ \(2 and 7\)"),
        (with_session(shard=None), "holds a whole run, not a shard"),
        (with_session(shard=Shard(1, 2)), "a and b: both hold shard 1/2; leave one out"),
    ],
)
def test_what_is_no_part_of_one_run_is_refused(change: Callable[[Suite], Suite], said: str) -> None:
    suite = whole()
    with pytest.raises(InputError, match=said) as error:
        merge({"a": shard_of(suite, 1, 2), "b": change(shard_of(suite, 2, 2))})
    assert "\n" not in str(error.value)


@pytest.mark.nopaddle
def test_parts_are_held_against_each_other_and_not_only_against_the_first() -> None:
    """The kernel is an engine's too, and the first shard may have no case on that engine."""
    plan = Plan(engines=("eager", "inference"), batches=(1, 8))
    parts = parts_of(build_suite(plan), 4)
    engines = {name: {record.case.engine for record in suite.records} for name, suite in parts.items()}
    first, *others = sorted(parts)
    one, other = (name for name in others if not engines[name] & engines[first])
    assert engines[one] == engines[other]
    parts[other] = with_kernel(parts[other])
    with pytest.raises(InputError, match=rf"{one} and {other}: .* differ in the kernel of resnet8-w16"):
        merge(parts)


@pytest.mark.nopaddle
def test_two_states_of_one_session_are_refused_and_one_state_twice_is_not() -> None:
    suite = whole()
    part = shard_of(suite, 1, 2)
    older = msgspec.structs.replace(part, records=part.records[:-1])
    with pytest.raises(InputError, match="two states of one session; leave the older one out"):
        merge({"a": part, "b": older})
    assert merge({"a": part, "b": part}).lost == (Shard(2, 2),)
    with pytest.raises(InputError, match="no part holds a measured shard"):
        merge({"a": msgspec.structs.replace(part, records=())})


@pytest.mark.nopaddle
def test_the_verb_writes_what_a_run_would_and_its_status_tells_of_gaps(tmp_path: Path) -> None:
    suite = whole()
    for name, part in parts_of(suite, 3).items():
        save_suite(part, tmp_path / name / "suite.json")
        for variant, seconds in (("relu", 1), ("dyrelu_a", int(name[-1]))):
            log = tmp_path / name / "training" / f"{variant}-seed0" / "training.jsonl"
            log.parent.mkdir(parents=True)
            log.write_text(f'{{"event": "run_start", "seconds": {seconds}, ')
    out = tmp_path / "out"
    lacking = merged_cli(tmp_path / "part1", tmp_path / "part3", "--out", out)
    assert lacking.exit_code == CASE_FAILED, lacking.output
    assert "Shard 2/3 is lost: its 12 cases" in lacking.output
    assert lacking.stdout.splitlines()[-1] == "0 failed, 20 measured, 0 inconclusive, 12 missing"
    assert "shard 2/3 is lost" in (out / "report.md").read_text()
    assert "Shard 1/3 of the plan: 20 further cases" in (out / "report.md").read_text()
    assert "trained each by itself (1 logs differ)" in (out / "report.md").read_text()
    assert json.loads((out / "merge.json").read_text())["lost"] == ["2/3"]
    # Its own folder may be filled up; the status of a whole merge is that of a run.
    whole_now = merged_cli(out, tmp_path / "part2", "--out", out)
    assert whole_now.exit_code == 0, whole_now.output
    assert whole_now.stdout.splitlines()[-1] == "0 failed, 32 measured, 0 inconclusive, 0 missing"
    assert without_sessions(load_suite(out)) == without_sessions(suite)
    report = CliRunner().invoke(application(), ["report", str(out)])
    assert report.exit_code == 0, report.output
    assert str(tmp_path) not in "".join(path.read_text() for path in out.glob("*.*"))


@pytest.mark.nopaddle
def test_bad_parts_and_folders_are_one_sentence_and_nothing_is_written(tmp_path: Path) -> None:
    part = tmp_path / "part1"
    save_suite(shard_of(whole(), 1, 2), part / "suite.json")
    (tmp_path / "cut.json").write_bytes((part / "suite.json").read_bytes()[:5000])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("important")
    for arguments, said in (
        ((part, tmp_path / "nowhere", "--out", tmp_path / "out"), "there is no such file"),
        ((part, tmp_path / "cut.json", "--out", tmp_path / "out"), "cut short"),
        ((part, "--out", tmp_path / "thesis"), "holds no merge"),
        ((part, "--out", part), "holds no merge"),
        ((part, "--out", tmp_path / "cut.json"), "is a file"),
        ((part,), "--out"),
        (("--out", tmp_path / "out"), "PART"),
    ):
        result = merged_cli(*arguments)
        assert result.exit_code == USAGE, result.output
        assert said in result.output
    assert not (tmp_path / "out").exists()


def test_shards_that_were_run_and_merged_are_one_run(tmp_path: Path) -> None:
    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bench", *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            timeout=300,
        )

    model = ("--model", "tests.bench.faulty_models:Healthy", "--input", "3,8,8", "--engine", "eager")
    sizes = ("--batch", "1", "--batch", "2", "--batch", "4", "--blocks", "1", "--threads", "1")
    too_many = bench("run", *model, *sizes, "--shard", "1/4", "--out", "x")
    assert (too_many.returncode, too_many.stderr.count("take at most 3 parts")) == (USAGE, 1)
    assert bench("run", *model, *sizes, "--shard", "third", "--out", "x").returncode == USAGE
    assert not (tmp_path / "x").exists()
    for index in (1, 2, 3):
        part = bench("run", *model, *sizes, "--shard", f"{index}/3", "--out", f"part{index}")
        assert part.returncode == 0, part.stderr
        assert part.stdout.splitlines()[-1].endswith("1 measured, 1 inconclusive, 0 missing")
    assert bench("run", *model, *sizes, "--out", "one").returncode == 0
    found = bench("merge", "part3", "part1", "part2", "--out", "all")
    assert found.returncode == 0, found.stderr
    cases = [record.case for record in load_suite(tmp_path / "all").records]
    assert cases == [record.case for record in load_suite(tmp_path / "one").records]
    assert bench("merge", "part1", "part2", "--out", "two").returncode == CASE_FAILED
