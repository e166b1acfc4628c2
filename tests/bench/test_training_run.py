"""Training logs of any quality: each is read, left out visibly, or refused in one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.errors import InputError
from bench.report import write_report
from bench.training_run import read_training_run, read_training_runs, unstarted_logs
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import Training, write_log, write_run

pytestmark = pytest.mark.nopaddle

DEEP = "[" * 100_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    write_log(tmp_path / "training", Training("relu", epochs=2))
    return tmp_path / "training" / "00.jsonl"


@pytest.mark.parametrize(
    ("line", "change", "said"),
    [
        (1, {"target": "x"}, "target"),
        (1, {"target": {"value": "x"}}, "target.value"),
        (1, {"target": {"value": 5}}, "target.value"),
        (1, {"variant": 5}, "variant"),
        (1, {"variant": ["relu"]}, "variant"),
        (1, {"notes": [1]}, "notes"),
        (1, {"event": "unheard of"}, "event"),
        (2, {"seed": -1}, "seed"),
        (3, {"loss": "x"}, "loss"),
        (5, {"correct": 258}, "258 correct of 257 images"),
        (5, {"correct": -1}, "correct"),
        (8, {"seconds": "x"}, "seconds"),
        (8, {"status": 5}, "status"),
    ],
)
def test_a_malformed_event_is_named_by_file_line_and_field(
    log: Path, line: int, change: dict[str, object], said: str
) -> None:
    lines = log.read_text().splitlines()
    lines[line - 1] = json.dumps(json.loads(lines[line - 1]) | change)
    log.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError) as error:
        read_training_runs(log.parent)
    for part in ("00.jsonl", f"line {line}", said):
        assert part in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("line", [DEEP, f'{{"event":"seed","seed":{DEEP}', "5", "null", '"\xff"', "{"])
def test_a_line_that_is_no_event_is_named(log: Path, line: str) -> None:
    log.write_bytes(log.read_bytes() + line.encode("latin-1") + b"\n")
    with pytest.raises(InputError, match="line 9 is no event"):
        read_training_runs(log.parent)


def test_a_cut_last_line_is_left_out(log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-5])
    run = read_training_run(log)
    assert run is not None
    assert (run.status, len(run.epochs)) == ("running", 2)


@pytest.mark.parametrize("keep", [0, 10, "line"])
def test_a_run_killed_at_its_very_start_is_left_out_and_said(tmp_path: Path, keep: int | str) -> None:
    plan = Plan(variants=("relu", "dyrelu_b"), slowness=(1.0, 1.4), engines=("eager",), batches=(1,))
    run = write_run(tmp_path, build_suite(plan), (Training("relu"), Training("dyrelu_b")))
    log = run / "training" / "01.jsonl"
    content = log.read_bytes()
    log.write_bytes(content[: content.index(b"\n") + 1 if keep == "line" else int(keep)])
    assert [found.variant for found in read_training_runs(run / "training")] == ["relu"]
    assert unstarted_logs(run / "training") == ("01.jsonl",)
    write_report(run)
    assert "The training log 01.jsonl holds no run" in (run / "report.md").read_text()


def test_two_logs_of_one_run_are_named(tmp_path: Path) -> None:
    for _ in range(2):
        write_log(tmp_path, Training("relu"))
    with pytest.raises(InputError, match=r"00\.jsonl and .*01\.jsonl: both hold relu from seed 0"):
        read_training_runs(tmp_path)


def test_a_log_of_something_else_is_refused(log: Path) -> None:
    log.write_text("\n".join(log.read_text().splitlines()[1:]) + "\n")
    with pytest.raises(InputError, match="no run_start event"):
        read_training_runs(log.parent)
