"""Measuring that is killed, and disks that are full: nothing is lost, nothing half-written."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.journal import FactsEntry, GroupEntry, Journal
from bench.quality import block_values
from bench.report import write_report
from bench.storage import load_suite, save_suite
from tests.bench.suites import Plan, build_suite

ROOT = Path(__file__).parents[2]
MODELS = ("--model", "tests.bench.faulty_models:Healthy", "--model", "tests.bench.faulty_models:Strange")
FLAGS = (*MODELS, "--input", "3,8,8", "--batch", "1", "--batch", "4", "--blocks", "3", "--engine", "eager")
SECONDS_OF_A_RUN = 14.0


def start(out: Path, *more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench", "run", *FLAGS, "--out", str(out), *more],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kill_and_resume(out: Path, kills: int, seed: int) -> None:
    """Kills the run at random moments, each attempt resuming the last, and lets the last one finish."""
    rng = random.Random(seed)
    for _ in range(kills):
        process = start(out, *(("--resume",) if (out / "run.json").exists() else ()))
        try:
            process.communicate(timeout=rng.uniform(0.5, SECONDS_OF_A_RUN))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    process = start(out, "--resume")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def check_complete(out: Path) -> None:
    suite = load_suite(out)
    assert len(suite.records) == 4
    for record in suite.records:
        assert record.skipped is None
        assert sorted(block_values(record, suite.sessions[0].protocol)) == [0, 1, 2]
        assert {fact.metric for fact in record.facts} >= {"macs", "peak_resident"}
    entries = Journal(out / "journal.jsonl").entries
    groups = [(entry.block, entry.group) for entry in entries if isinstance(entry, GroupEntry)]
    assert len(groups) == len(set(groups)) == 6
    facts = [entry.case for entry in entries if isinstance(entry, FactsEntry)]
    assert len(facts) == len(set(facts))
    assert (out / "report.md").exists()
    assert not list(out.glob(".*json*"))


def test_measuring_survives_being_killed(tmp_path: Path) -> None:
    kill_and_resume(tmp_path / "run", kills=3, seed=1)
    check_complete(tmp_path / "run")


@pytest.mark.slow
def test_measuring_survives_being_killed_twenty_times(tmp_path: Path) -> None:
    kill_and_resume(tmp_path / "run", kills=20, seed=2)
    check_complete(tmp_path / "run")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB; where none can be mounted the test is skipped."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_fills_up_is_one_sentence_and_the_run_goes_on_later(small_disk: Path) -> None:
    out = small_disk / "run"
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(210_000))
    process = start(out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 2, errors
    assert "Traceback" not in errors
    assert "No space left on device" in errors
    assert not (out / "report.md").exists()

    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    process = start(out, "--resume")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    check_complete(out)


def test_a_report_on_a_full_disk_leaves_the_old_one(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=64m", str(small_disk)], check=True)
    out = small_disk / "run"
    save_suite(build_suite(Plan(variants=("relu", "dyrelu_a"), slowness=(1.0, 1.4))), out / "suite.json")
    write_report(out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    used = sum(entry.stat().st_blocks * 512 for entry in small_disk.rglob("*"))
    subprocess.run(["mount", "-o", f"remount,size={used + 8192}", str(small_disk)], check=True)
    remade = subprocess.run(
        [sys.executable, "-m", "bench", "report", str(out)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert remade.returncode == 2, remade.stderr
    assert "Traceback" not in remade.stderr
    assert "No space left on device" in remade.stderr
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert out / "report.md" in before
