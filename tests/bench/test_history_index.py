"""What a history was read for is not read again, and the index is only an index."""

from __future__ import annotations

import importlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from bench.history import history as history_module
from bench.history import observed_suites, spreads
from bench.history import reading as reading_module
from bench.history.change_points import Values, change_points
from bench.history.digest import digest
from bench.history.files import INDEX_FILE
from bench.storage import save_suite
from tests.bench.histories import day_suite, history, read, start_of, started, write_days

pytestmark = pytest.mark.nopaddle

ROOT = Path(__file__).parents[2]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read from now on."""
    names: list[str] = []

    def spy(path: str, name: str):  # type: ignore[no-untyped-def]
        names.append(name)
        return digest(path, name)

    monkeypatch.setattr(reading_module, "digest", spy)
    return names


def test_only_what_changed_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_days(tmp_path, 3, lambda _: 1.0)
    names = counted(monkeypatch)
    first = read(tmp_path)
    assert sorted(names) == [f"day{day:03}/suite.json" for day in range(3)]
    names.clear()
    assert read(tmp_path).changes == first.changes
    assert names == []
    # Another suite of the same size: a new file has a new inode, whatever the clock says.
    before = (tmp_path / "day001/suite.json").stat()
    save_suite(day_suite(5), tmp_path / "day001/suite.json")
    os.utime(tmp_path / "day001/suite.json", ns=(before.st_atime_ns, before.st_mtime_ns))
    (tmp_path / "day002/suite.json").unlink()
    save_suite(day_suite(6), tmp_path / "new.json")
    found = read(tmp_path)
    assert sorted(names) == ["day001/suite.json", "new.json"]
    assert started(found) == [start_of(day) for day in (0, 5, 6)]


def searched(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Lengths of the series that are searched from now on."""
    lengths: list[int] = []

    def spy(logs: Values, family: int, noise: float, /) -> tuple[int, ...]:
        lengths.append(len(logs))
        return change_points(logs, family, noise)

    monkeypatch.setattr(history_module, "change_points", spy)
    monkeypatch.setattr(importlib.import_module("bench.history.spread"), "change_points", spy)
    return lengths


def test_changes_that_were_found_are_not_searched_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path, 12, lambda day: 1.0 if day < 6 else 1.5)
    searches = searched(monkeypatch)
    first = read(tmp_path)
    assert first.changes
    assert len(searches) == len(first.lines) == 4
    searches.clear()
    again = read(tmp_path)
    assert [line.segments for line in again.lines] == [line.segments for line in first.lines]
    assert [change.first for change in again.changes] == [change.first for change in first.changes]
    assert searches == []
    save_suite(day_suite(12, factor=1.5), tmp_path / "new.json")
    assert {segment.positions[-1] for line in read(tmp_path).lines for segment in line.segments} == {5, 12}
    assert searches == [13] * 4


def test_nor_are_those_that_a_spread_is_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_days(tmp_path, 12, lambda day: 1.0 if day < 6 else 1.5)
    searches = searched(monkeypatch)
    fingerprint = day_suite(0).sessions[0].environment
    first = spreads(tmp_path, fingerprint)
    assert len(searches) == 2
    assert spreads(tmp_path, fingerprint) == first
    assert len(searches) == 2
    # Without the one that is judged they are other series.
    assert spreads(tmp_path, fingerprint, without={"day3"}) != first
    assert len(searches) == 4


def test_a_history_whose_changes_cannot_be_kept_is_only_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path, 12, lambda day: 1.0 if day < 6 else 1.5)
    observed_suites(tmp_path)
    with sqlite3.connect(tmp_path / INDEX_FILE) as connection:
        full = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        connection.execute(f"CREATE TRIGGER full BEFORE INSERT ON answers {full}")
    names, searches = counted(monkeypatch), searched(monkeypatch)
    for times in (1, 2):
        assert read(tmp_path).changes
        assert (names, len(searches)) == ([], 4 * times)


def spoil_nothing(index: Path) -> None:
    index.unlink()


def spoil_with_text(index: Path) -> None:
    index.write_text("this is no database" * 100)


def spoil_half(index: Path) -> None:
    index.write_bytes(index.read_bytes()[: index.stat().st_size // 2])


def spoil_pages(index: Path) -> None:
    content = bytearray(index.read_bytes())
    for place in range(4096, len(content), 97):
        content[place] ^= 0xFF
    index.write_bytes(content)


def spoil_values(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("UPDATE sessions SET content = substr(content, 1, 40) || x'00ff00'")


def spoil_answers(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        changed = connection.execute("UPDATE answers SET content = x'9103'")
        assert changed.rowcount > 0


def spoil_types(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("UPDATE answers SET content = NULL")
        connection.execute("UPDATE sessions SET content = 'text', checksum = 'text'")


def spoil_layout(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("PRAGMA user_version = 1")


def spoil_tables(index: Path) -> None:
    with sqlite3.connect(index) as connection:
        connection.execute("DROP TABLE sessions")


def spoil_place(index: Path) -> None:
    index.unlink()
    (index / "in the way").mkdir(parents=True)


@pytest.mark.parametrize(
    "spoil",
    [
        *(spoil_nothing, spoil_with_text, spoil_half, spoil_pages),
        *(spoil_values, spoil_answers, spoil_types, spoil_layout, spoil_tables, spoil_place),
    ],
)
def test_an_index_that_is_damaged_old_or_in_the_way_changes_nothing(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    write_days(tmp_path, 12, lambda day: 1.0 if day < 6 else 1.5)
    first = history(tmp_path, "--export-csv", tmp_path / "a.csv")
    spoil(tmp_path / INDEX_FILE)
    second = history(tmp_path, "--export-csv", tmp_path / "b.csv")
    assert (second.exit_code, second.stdout) == (0, first.stdout)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    assert read(tmp_path).last_line() == first.stdout.splitlines()[-1]


def test_an_index_that_cannot_be_written_is_only_slower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_days(tmp_path, 2, lambda _: 1.0)
    (tmp_path / ".history.lock").mkdir()
    names = counted(monkeypatch)
    for _ in range(2):
        assert read(tmp_path).last_line() == "2 series, 2 sessions, 0 changes, 0 skipped"
    assert len(names) == 4
    assert not (tmp_path / INDEX_FILE).exists()


def test_processes_read_what_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_days(tmp_path, 20, lambda _: 1.0)
    (tmp_path / "cut.json").write_text('{"schema_version": 1')
    names = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json"))
    alone = list(reading_module.read_files(tmp_path, names))
    monkeypatch.setattr(reading_module, "_FEW_FILES", 2)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert list(reading_module.read_files(tmp_path, names)) == alone
    # A process that dies leaves its share to this one.
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert list(reading_module.read_files(tmp_path, names)) == alone
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nothing there"))
    assert list(reading_module.read_files(tmp_path, names)) == alone


def test_two_processes_that_add_and_read_at_once_lose_nothing(tmp_path: Path) -> None:
    runs, past = tmp_path / "runs", tmp_path / "past"
    write_days(runs, 12, lambda _: 1.0)
    code = (
        "import sys; from pathlib import Path; from bench.history import add_suite, read_history\n"
        "past, *runs = map(Path, sys.argv[1:])\n"
        "for run in runs:\n"
        "    add_suite(past, run)\n"
        "    read_history(past, 0.02)\n"
    )

    def start(names: Iterable[Path]) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", code, str(past), *map(str, names)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    every = sorted(runs.iterdir())
    # The last four are added by both.
    processes = [start(every[:4] + every[8:]), start(every[4:])]
    for process in processes:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert started(read(past)) == [start_of(day) for day in range(12)]
    assert len(list(past.glob("*.json"))) == 12
    # No temporary file stays.
    assert {path.name for path in past.iterdir() if path.suffix != ".json"} == {INDEX_FILE, ".history.lock"}


def test_the_layout_of_the_index_follows_what_it_keeps(tmp_path: Path) -> None:
    """If this fails, the meaning of a digest has changed: raise `_VERSION` in bench/history/digest.py."""
    save_suite(day_suite(3), tmp_path / "a.json")
    found = digest(str(tmp_path / "a.json"), "a.json")
    ((name, begun, environment, blocks, _),) = found.sessions
    assert (name, begun, blocks) == ("day3", start_of(3), 16)
    assert environment == day_suite(3).sessions[0].environment
    assert not found.reason
