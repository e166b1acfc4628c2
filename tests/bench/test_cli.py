"""The command as its user meets it: exit statuses, one clear sentence, nothing half-written."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.errors import ExitStatus, worst
from bench.presets import load_preset
from bench.storage import load_suite
from bench.training_run import read_training_runs

ROOT = Path(__file__).parents[2]
HEALTHY = ("--model", "tests.bench.faulty_models:Healthy", "--input", "3,8,8", "--engine", "eager")
QUIET = {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
INTERRUPTED = 130


def bench(*arguments: str, cwd: Path, prelude: str = "") -> subprocess.CompletedProcess[str]:
    code = f"{prelude}; import bench.cli; bench.cli.main()" if prelude else ""
    program = ["-c", code] if prelude else ["-m", "bench"]
    return subprocess.run(
        [sys.executable, *program, *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        env=os.environ | QUIET,
        timeout=300,
    )


def refused(process: subprocess.CompletedProcess[str], status: int, *said: str) -> None:
    assert process.returncode == status, process.stderr
    assert "Traceback" not in process.stderr
    for text in said:
        assert text in process.stderr
    # One sentence, beside what libraries print and the usage line.
    assert len([line for line in process.stderr.splitlines() if line.startswith("dyrelu-bench:")]) <= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--preset", "qiuck"), "unknown preset 'qiuck'; choose from"),
        (("run", "--variant", "dyrelu_z"), "unknown variant 'dyrelu_z'; choose from"),
        (("suite", "--engine", "cuda"), "unknown engine 'cuda'; choose from"),
        (("run", "--batch", "0"), "--batch"),
        (("run", "--batch", "-1"), "--batch"),
        (("run", "--batch", "many"), "--batch"),
        (("suite", "--epochs", "0"), "--epochs"),
        (("run", "--threads", "-2"), "--threads"),
        (("run", "--resume"), "--out"),
        (
            (
                "run",
                "--no-such-flag",
            ),
            "--no-such-flag",
        ),
        (("run", "--model", "a:b"), "--input"),
        (("run", "--model", "a:b", "--input", "3,x"), "--input 3,x"),
        (("report", "nowhere"), "nowhere"),
        (("suite", "--data-file", "x.tar.gz"), "digits come with scikit-learn"),
        (("suite", "--preset", "cifar10", "--data-file", "x.tar.gz"), "x.tar.gz"),
    ],
)
def test_bad_usage_is_one_sentence_and_status_2(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused(bench(*arguments, cwd=tmp_path), ExitStatus.USAGE, said)
    assert not (tmp_path / "runs").exists() or "data" in str(arguments)


def test_a_typo_in_a_preset_of_ones_own(tmp_path: Path) -> None:
    text = (ROOT / "bench/presets/quick.toml").read_text().replace("burst_ms", "brust_ms")
    (tmp_path / "mine.toml").write_text(text)
    refused(bench("run", "--preset", "mine.toml", cwd=tmp_path), 2, "unknown key 'brust_ms' in [measure]")


def test_an_output_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    refused(bench("run", *HEALTHY, "--out", "file/run", cwd=tmp_path), 2, "file/run", "--out")


def test_a_suite_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "suite.json").write_text('{"schema_version": 1, "envir')
    refused(bench("report", ".", cwd=tmp_path), 2, "suite.json", "cut short")
    (tmp_path / "suite.json").write_text('{"schema_version": 99}')
    refused(bench("report", ".", cwd=tmp_path), 2, "newer", "upgrade")
    assert [path.name for path in tmp_path.iterdir()] == ["suite.json"]


@pytest.mark.parametrize("verb", ["suite", "train", "run", "profile", "audit", "build-kernels", "export"])
def test_paddle_is_not_installed(tmp_path: Path, verb: str) -> None:
    hidden = "import importlib.util as u; find = u.find_spec; u.find_spec = "
    hidden += "lambda name, package=None: None if name == 'paddle' else find(name, package)"
    process = bench(verb, *(["relu"] if verb == "export" else []), cwd=tmp_path, prelude=hidden)
    refused(process, 2, "needs PaddlePaddle", "pip install")
    assert list(tmp_path.iterdir()) == []


def test_list_and_env_need_nothing(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['paddle'] = None"
    listed = bench("list", cwd=tmp_path, prelude=hidden)
    assert listed.returncode == 0
    for name in ("quick", "cifar10", "dyrelu_c", "inference", "standard"):
        assert name in listed.stdout
    assert "none of them runs: paddle is not installed: pip install 'dyrelu-bench[cpu]'" in listed.stdout
    env = bench("env", "--json", cwd=tmp_path, prelude=hidden)
    assert env.returncode == 0
    assert '"fingerprint"' in env.stdout


def test_a_run_its_resumption_and_its_report(tmp_path: Path) -> None:
    sizes = ("--batch", "1", "--blocks", "2", "--out", "run")
    first = bench("run", *HEALTHY, *sizes, cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1] == "0 failed, 1 measured, 1 inconclusive, 0 missing"
    refused(bench("run", *HEALTHY, *sizes, cwd=tmp_path), 2, "holds a run already", "--resume")
    other = ("--batch", "2", "--blocks", "2", "--out", "run", "--resume")
    refused(bench("run", *HEALTHY, *other, cwd=tmp_path), 2, "other settings")

    before = load_suite(tmp_path / "run")
    again = bench("run", *HEALTHY, *sizes, "--resume", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert load_suite(tmp_path / "run") == before

    journal = tmp_path / "run" / "journal.jsonl"
    fingerprint = before.sessions[0].environment
    begun = journal.read_bytes()
    journal.write_bytes(begun.replace(fingerprint.encode(), b"0" * 12))
    refused(bench("run", *HEALTHY, *sizes, "--resume", cwd=tmp_path), 4, "begun in environment 000000000000")
    journal.write_bytes(begun)

    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    hidden = "import sys; sys.modules['paddle'] = None"
    exports = ("--export-markdown", "a/r.md", "--export-html", "r.html", "--export-csv", "r.csv")
    remade = bench("report", "run", *exports, "--export-json", "s.json", cwd=tmp_path, prelude=hidden)
    assert remade.returncode == 0, remade.stderr
    copies = {"report.md": "a/r.md", "report.html": "r.html", "results.csv": "r.csv", "suite.json": "s.json"}
    for name, copy in copies.items():
        assert (tmp_path / copy).read_bytes() == (tmp_path / "run" / name).read_bytes()
    for path, content in files.items():
        assert path.read_bytes() == content, path
        assert str(tmp_path).encode() not in content, path


@pytest.mark.parametrize("delay", [0.1, 1.0, 3.0, 5.0])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_at_any_time_is_one_sentence_and_130(
    tmp_path: Path, delay: float, sent: signal.Signals
) -> None:
    command = [sys.executable, "-m", "bench", "run", *HEALTHY, "--blocks", "500", "--out", "run"]
    process = subprocess.Popen(
        command,
        cwd=tmp_path,
        env=os.environ | QUIET,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    time.sleep(delay)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    if delay < 1.0 and process.returncode == -sent:
        return  # Python itself was still starting
    assert process.returncode == INTERRUPTED, errors
    assert "Traceback" not in errors
    assert "interrupted" in errors
    assert _workers_of(tmp_path) == []


def test_a_reader_that_goes_away_changes_nothing(tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m bench run {' '.join(HEALTHY)} --batch 1 --blocks 1 --out run 2>&1 | head -1"
    )
    subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, env=os.environ | QUIET, check=True, capture_output=True
    )
    assert (tmp_path / "run" / "report.md").exists()
    listed = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m bench list | head -1; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (listed.returncode, listed.stderr) == (0, "")


def test_standard_output_that_is_full(tmp_path: Path) -> None:
    command = f"{sys.executable} -m bench list > /dev/full"
    process = subprocess.run(
        ["bash", "-c", command],
        cwd=tmp_path,
        env=os.environ | QUIET,
        capture_output=True,
        text=True,
        check=False,
    )
    refused(process, 2, "standard output can't be written")


def _workers_of(folder: Path) -> list[str]:
    """Command lines of workers that still run in this folder."""
    time.sleep(0.2)
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if "bench.worker" in (entry / "cmdline").read_text() and (entry / "cwd").resolve() == folder:
                found.append(entry.name)
        except OSError:
            continue
    return found


def test_training_to_a_missed_target_ends_with_6_and_goes_on_with_resume(tmp_path: Path) -> None:
    flags = ("--variant", "relu", "--epochs", "1", "--out", "run")
    first = bench("train", *flags, cwd=tmp_path)
    assert first.returncode == ExitStatus.TARGET_MISSED, first.stderr
    assert "MISSED" in first.stderr
    (run,) = read_training_runs(tmp_path / "run" / "training")
    assert (run.variant, run.status, len(run.epochs), run.target_reached) == ("relu", "finished", 1, False)
    sizes = ("--blocks", "1", "--batch", "8", "--engine", "eager")
    refused(bench("run", *flags, *sizes, "--resume", cwd=tmp_path), 2, "other settings")


def test_a_suite_that_misses_its_target_still_reports(tmp_path: Path) -> None:
    flags = ("--variant", "relu", "--epochs", "1", "--blocks", "1", "--batch", "8", "--engine", "eager")
    process = bench("suite", *flags, "--out", "run", cwd=tmp_path)
    assert process.returncode == ExitStatus.TARGET_MISSED, process.stderr
    (record,) = load_suite(tmp_path / "run").records
    assert record.condition.weights == "trained, seed 0"
    # What the engine made of the test images is what training found there at its end.
    (run,) = read_training_runs(tmp_path / "run" / "training")
    found = run.evaluation("test")
    assert found is not None
    counted = {fact.metric: fact.value for fact in record.facts if fact.metric.startswith("test_")}
    assert counted == {"test_correct": found.correct, "test_agreeing": 540, "test_images": 540}
    for name in ("report.md", "comparison.csv", "results.csv", "training.csv", "plots/learning_curves.png"):
        assert (tmp_path / "run" / name).exists(), name
    report = (tmp_path / "run/report.md").read_text()
    assert "missed" in report
    assert f"({found.correct} of 540)" in report


def test_the_first_status_in_the_documented_order_wins() -> None:
    order = [2, 4, 5, 1, 6, 3, 0]
    for position, status in enumerate(order):
        assert worst({ExitStatus(code) for code in order[position:]}) == status
    assert worst(set()) == 0


def test_every_preset_names_known_variants_and_engines() -> None:
    for name in ("quick", "cifar10"):
        assert load_preset(name).train is not None
