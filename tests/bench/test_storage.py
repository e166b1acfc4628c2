"""Files are whole or not there, and what can't be read is said in one sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest

from bench.environment import Environment, collect
from bench.errors import InputError, UsageError
from bench.presets import load_preset
from bench.record import SCHEMA_VERSION, Suite
from bench.run_folder import RunFolder, RunRequest
from bench.storage import load_suite, save_suite, write_atomically
from tests.bench.suites import Plan, build_suite, environment

pytestmark = pytest.mark.nopaddle


def empty_suite() -> Suite:
    machine = collect()
    return Suite(SCHEMA_VERSION, {machine.fingerprint: machine}, (), ())


def test_a_suite_comes_back_as_it_was(tmp_path: Path) -> None:
    save_suite(empty_suite(), tmp_path / "suite.json")
    assert load_suite(tmp_path) == load_suite(tmp_path / "suite.json") == empty_suite()


@pytest.mark.parametrize("keep", [0, 1, 40, -2])
def test_a_truncated_suite_is_named(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "suite.json"
    save_suite(empty_suite(), path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"suite\.json: not a suite file, or cut short"):
        load_suite(path)


def test_a_newer_schema_asks_for_an_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    path.write_text(f'{{"schema_version": {SCHEMA_VERSION + 1}, "unheard": []}}')
    with pytest.raises(InputError, match="newer than this version reads"):
        load_suite(path)


def test_a_suite_with_unknown_keys_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    content = msgspec.to_builtins(empty_suite()) | {"extra": 1}
    path.write_bytes(msgspec.json.encode(content))
    with pytest.raises(InputError, match="not a valid suite"):
        load_suite(path)


VALUES = ("records", 0, "series", 0, "windows", 3, "values")
CALIBRATION = ("sessions", 0, "calibration", 0, "windows", 0, "values")
CONFIDENCE = ("sessions", 0, "protocol", "confidence")
MEMORY = ("environments", environment().fingerprint, "memory_bytes")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(
            (place, value)
            for place in (VALUES, CALIBRATION)
            for value in ([], [0.0], [-1.0], [1e300], [1e-320])
        ),
        *((CONFIDENCE, value) for value in (0, 1, 2, -1)),
        (("sessions", 0, "target"), 5),
        (("sessions", 0, "protocol", "blocks"), 0),
        (("records", 0, "case", "batch"), 0),
        (("records", 0, "facts", 0, "value"), -1),
        (MEMORY, 10**30),
        (("schema_version",), 0),
    ],
)
def test_a_malformed_suite_is_one_sentence(
    tmp_path: Path, place: tuple[str | int, ...], value: object
) -> None:
    plan = Plan(variants=("relu",), slowness=(1.0,), engines=("eager",), batches=(1,))
    content = msgspec.to_builtins(build_suite(plan))
    inside = content
    for step in place[:-1]:
        inside = inside[step]
    inside[place[-1]] = value
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"suite\.json: not a (valid )?suite") as error:
        load_suite(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"schema_version": 1, "records": ' + "[" * 100_000])
def test_a_suite_nested_without_end_is_one_sentence(tmp_path: Path, content: str) -> None:
    (tmp_path / "suite.json").write_text(content)
    with pytest.raises(InputError, match="not a suite file"):
        load_suite(tmp_path)


def test_a_missing_suite_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--resume"):
        load_suite(tmp_path)


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left on device"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def request(threads: int = 2) -> RunRequest:
    return RunRequest(load_preset("quick"), threads, "s", "dyrelu-bench run", "2026-01-01T00:00:00Z")


def test_a_folder_holds_one_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.claimed(request(), resume=False):
        pass
    with pytest.raises(UsageError, match="holds a run already"), folder.claimed(request(), resume=False):
        pass
    with folder.claimed(request(), resume=True) as standing:
        assert standing == request()
    with pytest.raises(UsageError, match="other settings"), folder.claimed(request(threads=1), resume=True):
        pass


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("important")
    for resume in (False, True):
        with pytest.raises(UsageError, match="holds no run"), RunFolder(tmp_path).claimed(request(), resume):
            pass
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_in_one_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with (
        folder.claimed(request(), resume=False),
        pytest.raises(UsageError, match="another run is writing"),
        RunFolder(tmp_path / "run").claimed(request(), resume=True),
    ):
        pass


def test_a_fingerprint_names_what_changes_times() -> None:
    machine = collect()

    def changed(**values: object) -> Environment:
        return msgspec.structs.replace(machine, **values)

    assert machine.fingerprint == collect().fingerprint
    assert changed(cpu="another").fingerprint != machine.fingerprint
    assert changed(packages=(("paddlepaddle", "2.6.2"),)).fingerprint != machine.fingerprint
    # A plot library changes no time, and a few reserved pages are no other machine.
    assert changed(packages=(*machine.packages, ("matplotlib", "0"))).fingerprint == machine.fingerprint
    assert changed(memory_bytes=machine.memory_bytes + 4096).fingerprint == machine.fingerprint
