"""Where both workers of an `ab` work, and whose work counts as foreign there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import foreign_work
from bench.cores import can_share_core, own_cores, share_core, shared_core
from bench.foreign_work import ForeignWork, read_ticks

pytestmark = pytest.mark.nopaddle

STAT = """\
cpu  110 0 20 900 5 1 2 7 0 0
cpu0 100 0 15 400 5 1 2 3 0 0
cpu1 10 0 5 500 0 0 0 4 0 0
intr 1 2 3
"""
USER, SYSTEM, STEAL = 1, 3, 8


@pytest.fixture
def stat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "stat"
    file.write_text(STAT)
    monkeypatch.setattr(foreign_work, "_STAT", file)
    return file


def use(monkeypatch: pytest.MonkeyPatch, cores: set[int], there_are: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(os, "cpu_count", lambda: there_are)


@pytest.mark.parametrize(
    ("threads", "cores", "shared"), [(1, {0, 1}, True), (1, {3}, False), (2, {0, 1, 2, 3}, False)]
)
def test_only_single_threads_share_a_core(
    monkeypatch: pytest.MonkeyPatch, threads: int, cores: set[int], shared: bool
) -> None:
    use(monkeypatch, cores, 8)
    assert can_share_core(threads) is shared


def test_blocks_go_through_the_cores_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, {5, 2, 7}, 8)
    assert [shared_core(block) for block in range(5)] == [2, 5, 7, 2, 5]


def test_a_process_and_the_threads_that_it_starts_stay_where_they_are_put() -> None:
    code = """
import os, sys, threading
sys.stdin.readline()
def tell(): print(os.sched_getaffinity(0), os.sched_getscheduler(0) == os.SCHED_BATCH, flush=True)
tell()
thread = threading.Thread(target=tell)
thread.start()
thread.join()
"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        share_core(process.pid, 1)
        said, _ = process.communicate("go\n", timeout=60)
    assert said.splitlines() == [f"{ {shared_core(1)} } True"] * 2


def test_putting_a_process_that_is_gone_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    share_core(process.pid, 0)


def test_a_sandbox_that_forbids_it_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbid(_pid: int, _cores: set[int]) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    share_core(os.getpid(), 0)


@pytest.mark.parametrize(("cores", "own"), [({0, 1}, None), ({1}, frozenset({1}))])
def test_cores_are_named_only_where_there_are_others(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], own: frozenset[int] | None
) -> None:
    use(monkeypatch, cores, 2)
    assert own_cores() == own


def test_ticks_are_those_of_the_cores_that_are_asked_for(stat: Path) -> None:
    assert read_ticks((USER, SYSTEM)) == 130
    assert read_ticks((USER, SYSTEM), frozenset({1})) == 15
    assert read_ticks((STEAL,), frozenset({0, 1})) == 7
    # A container may call its cores by other names than its scheduler does.
    assert read_ticks((USER,), frozenset({9})) is None
    stat.write_text("cpu 1 2\n")
    assert read_ticks((STEAL,)) is None
    stat.unlink()
    assert read_ticks((USER,)) is None


@pytest.mark.parametrize(("busy", "foreign"), [("cpu0", 0.0), ("cpu1", 1.0)])
def test_work_is_foreign_only_where_ours_is_done(
    stat: Path, monkeypatch: pytest.MonkeyPatch, busy: str, foreign: float
) -> None:
    use(monkeypatch, {1}, 2)
    work = ForeignWork(1)
    work.start()
    work.start()
    lines = [line.split() for line in STAT.splitlines()]
    for line in lines:
        if line[0] in ("cpu", busy):
            line[USER] = str(int(line[USER]) + 100_000)
    stat.write_text("\n".join(map(" ".join, lines)))
    assert work.share() == foreign
