"""Every documented exit status, and which wins where several apply, reached by the real command."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.baselines import BASELINES, save_baseline
from bench.record import Failure, FailureKind, Record, Suite
from bench.storage import load_suite
from tests.bench.checked_runs import ROOT, bench, changed, failed, invoke, on_another_machine, sides, without
from tests.bench.training_logs import Training

LINE = re.compile(r"\d+ regressions, \d+ compared, \d+ inconclusive, \d+ missing(, \d+ [a-z ]+)*")
MISSED = (Training("relu", correct=400),)


def gone(suite: Suite) -> Suite:
    return without(suite, lambda case: case.variant == "dyrelu_c" and case.batch == 8)


def dead(suite: Suite) -> Suite:
    return failed(suite, lambda case: case.variant == "dyrelu_a" and case.batch == 1)


def too_large(suite: Suite) -> Suite:
    return failed(suite, lambda case: case.variant == "dyrelu_a", FailureKind.OUT_OF_MEMORY)


def crashed(suite: Suite) -> Suite:
    def change(record: Record) -> Record:
        return msgspec.structs.replace(
            record, failures=(Failure(FailureKind.DIED, "SIGSEGV", 1),), unpaired=(1,)
        )

    return changed(suite, lambda case: case.variant == "dyrelu_a", change)


def bare(suite: Suite) -> Suite:
    return changed(suite, lambda _: True, lambda record: msgspec.structs.replace(record, facts=()))


def other_threads(suite: Suite) -> Suite:
    def change(record: Record) -> Record:
        condition = msgspec.structs.replace(record.condition, threads=1)
        return msgspec.structs.replace(record, condition=condition)

    return changed(suite, lambda case: case.batch == 1, change)


def grown(suite: Suite) -> Suite:
    def change(record: Record) -> Record:
        facts = tuple(
            msgspec.structs.replace(fact, value=fact.value + 1) if fact.metric == "parameters_total" else fact
            for fact in record.facts
        )
        return msgspec.structs.replace(record, facts=facts)

    return changed(suite, lambda case: case.variant == "dyrelu_c", change)


def few_blocks(suite: Suite) -> Suite:
    def change(record: Record) -> Record:
        series = tuple(
            msgspec.structs.replace(one, windows=tuple(w for w in one.windows if w.block < 3))
            for one in record.series
        )
        return msgspec.structs.replace(record, series=series)

    return changed(suite, lambda case: case.batch == 8, change)


def both(*changes: Callable[[Suite], Suite]) -> Callable[[Suite], Suite]:
    def all_of_them(suite: Suite) -> Suite:
        for change in changes:
            suite = change(suite)
        return suite

    return all_of_them


def same(suite: Suite) -> Suite:
    return suite


EVERYTHING = both(gone, dead, other_threads, few_blocks)


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("slowdown", "new", "flags", "status", "line"),
    [
        (1.0, same, (), 0, "0 regressions, 8 compared, 0 inconclusive, 0 missing"),
        (1.1, same, (), 1, "2 regressions, 8 compared, 0 inconclusive, 0 missing"),
        (1.0, few_blocks, ("--fail-on", "inconclusive"), 3, "0 regressions, 8 compared, 4 inconclusive"),
        (1.0, other_threads, (), 4, "0 regressions, 4 compared, 0 inconclusive, 0 missing, 4 refused"),
        (1.0, dead, (), 5, "0 regressions, 7 compared, 0 inconclusive, 0 missing, 1 failed"),
        (1.0, crashed, (), 5, "0 regressions, 8 compared, 0 inconclusive, 0 missing, 2 failed"),
        # Precedence: 2, 4, 5, 1, 3; 6 is in the checks below.
        (1.1, EVERYTHING, ("--fail-on", "5%"), 2, ""),
        (1.1, EVERYTHING, ("--fail-on", "inconclusive"), 4, ""),
        (1.1, both(gone, dead, few_blocks), ("--fail-on", "inconclusive"), 5, ""),
        (1.1, few_blocks, ("--fail-on", "inconclusive"), 1, ""),
        (1.0, both(gone, few_blocks), ("--fail-on", "inconclusive"), 1, ""),
    ],
)
def test_compare(
    tmp_path: Path,
    slowdown: float,
    new: Callable[[Suite], Suite],
    flags: tuple[str, ...],
    status: int,
    line: str,
) -> None:
    sides(tmp_path, slowdown, new)
    process = bench("compare", "base", "new", *flags, cwd=tmp_path)
    assert process.returncode == status, process.stdout + process.stderr
    assert "Traceback" not in process.stderr
    if status != 2:
        last = process.stdout.splitlines()[-1]
        assert LINE.fullmatch(last)
        assert last.startswith(line)


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("slowdown", "new", "flags", "status", "line"),
    [
        (0.8, same, (), 0, "0 regressions, 8 compared, 0 inconclusive, 0 missing"),
        (1.1, same, ("--fail-on", "throughput:20%"), 0, "0 regressions, 8 compared, 0 inconclusive"),
        (1.1, same, ("--fail-on", "throughput:5%"), 1, "2 regressions, 8 compared, 0 inconclusive"),
        (1.1, same, ("--fail-on", "*/b8/*:latency:5%"), 1, "1 regressions, 8 compared"),
        (1.0, gone, (), 1, "0 regressions, 7 compared, 0 inconclusive, 1 missing"),
        (1.0, gone, ("--allow", "missing"), 0, "0 regressions, 7 compared, 0 inconclusive, 1 missing"),
        (1.0, grown, (), 0, "0 regressions, 8 compared, 0 inconclusive, 0 missing"),
        (1.0, grown, ("--fail-on", "parameters_total:0%"), 1, "2 regressions, 8 compared"),
        (
            1.0,
            bare,
            ("--fail-on", "parameters_total:0%"),
            1,
            "0 regressions, 8 compared, 0 inconclusive, 8 missing",
        ),
        (1.0, crashed, ("--allow", "failed"), 0, "0 regressions, 8 compared"),
        (1.0, few_blocks, (), 0, "0 regressions, 8 compared, 4 inconclusive, 0 missing"),
        (1.0, too_large, (), 1, "0 regressions, 6 compared, 0 inconclusive, 0 missing, 2 failed"),
        (1.0, too_large, ("--allow", "failed"), 0, "0 regressions, 6 compared"),
        (1.0, other_threads, ("--allow", "refused"), 0, "0 regressions, 4 compared"),
    ],
)
def test_what_fails_and_what_may_be_allowed(
    tmp_path: Path,
    slowdown: float,
    new: Callable[[Suite], Suite],
    flags: tuple[str, ...],
    status: int,
    line: str,
) -> None:
    sides(tmp_path, slowdown, new)
    result = invoke("compare", "base", "new", *flags, cwd=tmp_path)
    assert result.exit_code == status, result.output
    assert result.stdout.splitlines()[-1].startswith(line)


@pytest.mark.nopaddle
def test_another_machine_is_compared_by_ratios_only_and_says_so(tmp_path: Path) -> None:
    sides(tmp_path, 1.0, on_another_machine, paired=False)
    process = invoke("compare", "base", "new", cwd=tmp_path)
    assert process.exit_code == 0, process.output
    # The reference of each group has nothing left to be compared by, which doesn't pass unseen.
    assert process.stdout.splitlines()[-1].startswith("0 regressions, 8 compared, 8 inconclusive")
    asked = invoke("compare", "base", "new", "--fail-on", "*/relu:inconclusive", cwd=tmp_path)
    assert asked.exit_code == 3, asked.output
    assert "environment" in process.stdout
    process = bench("compare", "base", "new", "--fail-on", "environment", cwd=tmp_path)
    assert process.returncode == 4
    assert "different environments" in process.stdout


@pytest.mark.nopaddle
def test_nothing_in_common_is_4(tmp_path: Path) -> None:
    def only_reference(suite: Suite) -> Suite:
        return on_another_machine(without(suite, lambda case: case.variant != "relu"))

    sides(tmp_path, 1.0, only_reference, paired=False)
    process = invoke("compare", "base", "new", "--allow", "missing", cwd=tmp_path)
    assert process.exit_code == 4, process.output
    assert "no time in common" in process.stdout


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("slowdown", "new", "training", "status"),
    [
        (1.0, same, (), 0),
        (1.0, few_blocks, MISSED, 6),
        (1.1, few_blocks, MISSED, 1),
        (1.1, both(dead, few_blocks), MISSED, 5),
        (1.1, both(dead, few_blocks, other_threads), MISSED, 4),
    ],
)
def test_check_with_a_missed_target(
    tmp_path: Path,
    slowdown: float,
    new: Callable[[Suite], Suite],
    training: tuple[Training, ...],
    status: int,
) -> None:
    sides(tmp_path, slowdown, new, training=training)
    save_baseline(load_suite(tmp_path / "base"), "main", tmp_path / BASELINES)
    flags = ("--baseline", "main", "--fail-on", "inconclusive", "--fail-on", "latency:2%")
    process = bench("check", "new", *flags, cwd=tmp_path)
    assert process.returncode == status, process.stdout + process.stderr
    assert LINE.fullmatch(process.stdout.splitlines()[-1])
    assert ("its target is 97.00%" in process.stdout) is bool(training)


@pytest.mark.nopaddle
def test_no_baseline_is_4_with_the_remedy(tmp_path: Path) -> None:
    sides(tmp_path)
    process = bench("check", "new", "--baseline", "main", cwd=tmp_path)
    assert process.returncode == 4
    assert process.stderr == (
        "dyrelu-bench: reports/baselines/main.json: there is no such baseline; make it with "
        "`dyrelu-bench check --save-baseline main`\n"
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, a baseline and a damaged file."""
    folder = tmp_path_factory.mktemp("project")
    sides(folder)
    (folder / "damaged.json").write_text('{"schema_version": 1, "envi')
    save_baseline(load_suite(folder / "base"), "main", folder / BASELINES)
    return folder


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "new", "--baseline", "a/b"), "baseline 'a/b'"),
        (("check", "new", "--save-baseline", "../x"), "baseline '../x'"),
        (("check", "new", "--against", "HEAD"), "was measured before"),
        (("check", "new", "--blocks", "3"), "was measured before"),
        (("check", "nowhere", "--baseline", "main"), "nowhere: there is no such file"),
        (("check", "new", "--fail-on", "speed"), "--fail-on 'speed'"),
        (("check", "new", "--baseline", "main", "--fail-on", "speed:5%"), "knows speed; choose from"),
        (("check", "new", "--baseline", "main", "--allow", "x*:missing"), "names no case"),
        (("check", "new", "--allow", "inconclusive"), "--allow 'inconclusive'"),
        (("check", "new", "--github"), "GITHUB_STEP_SUMMARY is not set"),
        (("check", "new", "--threshold", "5"), "--threshold '5'"),
        (("check", "--preset", "gaet"), "unknown preset 'gaet'"),
        (("check", "--preset", "quick", "--resume"), "--resume needs --out"),
        (("compare", "base", "nowhere"), "nowhere: there is no such file"),
        (("compare", "base", "damaged.json"), "damaged.json: not a suite file"),
        (("compare", "base", "new", "--fail-on", "latency:5"), "'5' is no threshold"),
    ],
)
def test_bad_usage_is_2_and_one_sentence(
    project: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.cli.options.need_paddle", lambda _: None)
    result = invoke(*arguments, cwd=project)
    assert result.exit_code == 2, result.output
    (sentence,) = [text for text in result.stderr.splitlines() if text.startswith("dyrelu-bench:")]
    assert said in sentence


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_check_is_130_and_its_work_is_on_disk(tmp_path: Path, sent: signal.Signals) -> None:
    sides(tmp_path)
    save_baseline(load_suite(tmp_path / "base"), "quick", tmp_path / BASELINES)
    flags = ("check", "--preset", "quick", "--blocks", "500", "--out", "run", "--batch", "1")
    process = subprocess.Popen(
        [sys.executable, "-m", "bench", *flags],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    journal = tmp_path / "run" / "journal.jsonl"
    while not journal.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert journal.exists()
