"""`ab` and `selftest` as their user meets them, with real workers on one small network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from bench.ab import AbRequest
from bench.cores import can_share_core
from bench.errors import ExitStatus
from bench.journal import GroupEntry, Journal
from bench.record import Suite
from bench.selftest import load_selftest
from bench.storage import load_suite
from tests.bench.checked_runs import ROOT, bench, invoke

TINY = """
name = "tiny"
description = "one small network"

[[subjects]]
kind = "dyrelu"
family = "resnet_cifar"
depth = 8
width = 4
classes = 10
image = [1, 8, 8]
variants = ["relu"]

[measure]
batches = [1, 2]
engines = ["eager"]
threads = 1
blocks = 2
rounds = 2
burst_ms = 2
"""
MODEL = "tests.bench.faulty_models"


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """This project as a repository of its own, with uncommitted changes and a preset that no commit has."""
    repo = tmp_path / "clone"
    for name in ("bench", "dyrelu"):
        shutil.copytree(ROOT / name, repo / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / ".gitignore", repo)
    git(tmp_path, "init", "--quiet", str(repo))
    git(repo, "add", "-A")
    git(repo, "commit", "--quiet", "-m", "one")
    (repo / "bench/staged.txt").write_text("staged")
    git(repo, "add", "-A")
    (repo / "bench/clock.py").write_text((repo / "bench/clock.py").read_text() + "\n# a change\n")
    (repo / "tiny.toml").write_text(TINY)
    (tmp_path / "tmp").mkdir()
    return repo


def measured_twice(folder: Path) -> tuple[Suite, Suite]:
    """Both sides, which must be whole and of one pair."""
    a, b = (load_suite(folder / side) for side in "AB")
    assert a.sessions[0].pair == b.sessions[0].pair != ""
    assert [record.case for record in a.records] == [record.case for record in b.records]
    for suite in (a, b):
        assert not any(record.skipped or record.failures for record in suite.records)
        assert {order.block for order in suite.sessions[0].order} == {0, 1}
    assert a.sessions[0].order == b.sessions[0].order
    return a, b


def test_two_revisions_interrupted_and_gone_on_with(tmp_path: Path, clone: Path) -> None:
    before = (git(clone, "status", "--porcelain"), (clone / ".git/index").read_bytes(), git(clone, "branch"))
    environment = os.environ | {"TMPDIR": str(tmp_path / "tmp"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    command = [sys.executable, "-m", "bench", "ab", "HEAD", ".", "--preset", "tiny.toml", "--out", "runs/ab"]
    process = subprocess.Popen(
        command, cwd=clone, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("measuring: facts of B"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == ExitStatus.INTERRUPTED, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list((tmp_path / "tmp").iterdir()) == []
    assert len(git(clone, "worktree", "list").splitlines()) == 1

    again = subprocess.run(
        [*command, "--resume"], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert again.returncode == ExitStatus.DONE, again.stderr
    assert again.stdout.splitlines()[-1].startswith("0 regressions, 2 compared, ")
    measured_twice(clone / "runs/ab")
    for side in "AB":
        entries = Journal(clone / "runs/ab" / side / "journal.jsonl").entries
        groups = [(entry.block, entry.group) for entry in entries if isinstance(entry, GroupEntry)]
        assert len(groups) == len(set(groups)) == 4
    request = msgspec.json.decode((clone / "runs/ab/ab.json").read_bytes(), type=AbRequest)
    commit = git(clone, "rev-parse", "HEAD").strip()
    assert [side.identity for side in request.sides] == [commit, f"{commit} + uncommitted changes"]
    assert [side.label for side in request.sides] == ["HEAD", "."]
    assert request.in_turns
    assert request.same_core == can_share_core(1)
    assert len(request.order) == 2
    for name in ("compare.md", "compare.csv", "compare.json"):
        content = (clone / "runs/ab" / name).read_text()
        assert commit in content or name == "compare.csv"
        assert str(tmp_path) not in content
    now = (git(clone, "status", "--porcelain"), (clone / ".git/index").read_bytes(), git(clone, "branch"))
    assert now == before
    assert list((tmp_path / "tmp").iterdir()) == []
    assert len(git(clone, "worktree", "list").splitlines()) == 1

    (clone / "bench/clock.py").write_text((clone / "bench/clock.py").read_text() + "# another\n")
    other = subprocess.run(
        [*command, "--resume"], cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert other.returncode == ExitStatus.USAGE
    assert "is something else now" in other.stderr


def test_two_models_that_differ_in_an_operator(tmp_path: Path) -> None:
    models = ("--model", f"{MODEL}:Healthy", "--model", f"{MODEL}:Strange", "--input", "3,8,8")
    sizes = ("--batch", "1", "--blocks", "2", "--engine", "eager", "--threads", "1")
    process = bench("ab", *models, *sizes, "--out", "ab", "--export-json", "c.json", cwd=tmp_path)
    assert process.returncode == ExitStatus.DONE, process.stderr
    assert process.stdout.splitlines()[-1] == "0 regressions, 1 compared, 1 inconclusive, 0 missing"
    a, b = measured_twice(tmp_path / "ab")
    assert [record.case.variant for record in (*a.records, *b.records)] == ["model", "model"]
    assert (tmp_path / "c.json").exists()
    for name in (f"{MODEL}:Healthy", f"{MODEL}:Strange"):
        assert name in (tmp_path / "ab/compare.md").read_text()


def test_a_model_that_fails_is_status_5(tmp_path: Path) -> None:
    models = ("--model", f"{MODEL}:Healthy", "--model", f"{MODEL}:NotANumber", "--input", "3,8,8")
    sizes = ("--batch", "1", "--blocks", "1", "--engine", "eager", "--threads", "1")
    process = bench("ab", *models, *sizes, "--out", "ab", cwd=tmp_path)
    assert process.returncode == ExitStatus.CASE_FAILED, process.stderr
    assert process.stdout.splitlines()[-1].endswith("0 missing, 1 failed")
    # What is allowed fails nothing; that nothing was compared is said all the same.
    allowed = bench("ab", *models, *sizes, "--out", "ab", "--resume", "--allow", "failed", cwd=tmp_path)
    assert allowed.returncode == ExitStatus.ENVIRONMENT, allowed.stderr


def test_a_self_test_that_slows_one_side_says_so_everywhere(tmp_path: Path) -> None:
    (tmp_path / "tiny.toml").write_text(TINY)
    flags = ("--preset", "tiny.toml", "--batch", "1", "--inject", "50%", "--out", "st")
    process = bench("selftest", *flags, cwd=tmp_path)
    # Two blocks are never enough for a verdict.
    assert process.returncode == ExitStatus.INCONCLUSIVE, process.stderr
    last = process.stdout.splitlines()[-1]
    assert last == "0 false alarms, 0 of 1 slowdowns found, 1 compared, 1 inconclusive, 0 missing"
    a, b = measured_twice(tmp_path / "st")
    assert not any("SLOWED ON PURPOSE" in warning for warning in a.sessions[0].warnings)
    (warning,) = [text for text in b.sessions[0].warnings if "SLOWED" in text]
    assert "extra work of 50% of each step's own time" in warning
    found = load_selftest(tmp_path / "st/selftest.json")
    assert found.injected is not None
    assert (found.preset, found.planned, found.injected.share) == ("tiny", 2, 0.5)
    assert "slowed by 50%" in (tmp_path / "st/compare.md").read_text()
    # Whoever asks for the report of that side alone reads it there too.
    report = bench("report", "st/B", cwd=tmp_path)
    assert report.returncode == 0, report.stderr
    assert "SLOWED ON PURPOSE" in (tmp_path / "st/B/report.md").read_text()


@pytest.mark.nopaddle
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ab",), "ab takes two revisions"),
        (("ab", "main"), "name two revisions"),
        (("ab", "main", ".", "--model", "a:b"), "ab takes two revisions"),
        (("ab", "main", ".", "--input", "3,8"), "--input and --weights go with --model"),
        (("ab", "--model", "a:b", "--model", "a:c", "--input", "3,x"), "--input 3,x"),
        (("ab", "--model", "a:b", "--model", "a:c"), "--input"),
        (("ab", "--model", "a:b", "--input", "3,8"), "ab takes two"),
        (("ab", "--python", "no-such", "no-such"), "no such interpreter"),
        (("ab", "main", ".", "--threshold", "2"), "--threshold"),
        (("ab", "main", ".", "--fail-on", "nonsense"), "nonsense"),
        (("ab", "main", ".", "--resume"), "--out"),
        (("ab", "main", ".", "--resume", "--out", "nowhere"), "holds no ab to go on with"),
        (("ab", "main", "."), "inside a clone"),
        (("selftest", "--inject", "5"), "--inject '5'"),
        (("selftest", "--inject", "0%"), "--inject '0%'"),
        (("selftest", "--inject-cases", "x"), "goes with --inject"),
        (("selftest", "--inject", "5%", "--inject-cases", "x"), "matches no case"),
        (("selftest", "--inject", "5%", "--save"), "--save"),
        (("selftest", "--effect", "small"), "--effect 'small'"),
        (("selftest", "--preset", "qiuck"), "unknown preset"),
    ],
)
def test_bad_usage_is_one_sentence_and_nothing_is_left(
    tmp_path: Path, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.cli.options.need_paddle", lambda _: None)
    result = invoke(*arguments, cwd=tmp_path)
    assert result.exit_code == ExitStatus.USAGE
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []
