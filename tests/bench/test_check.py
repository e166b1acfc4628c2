"""`check` and its baselines: what is kept, what is refused, and what stands against what."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest

from bench.baselines import BASELINES, baseline_path, load_baseline, only_cases, save_baseline, unfit
from bench.cli import checking
from bench.cli.checking import CheckedSides, Measuring
from bench.errors import EnvironmentMismatch, InputError, UsageError
from bench.record import FailureKind
from bench.run_folder import RunFolder, RunRequest
from bench.selftest import SelfTest, save_selftest, selftest_path
from bench.storage import load_suite
from tests.bench.checked_runs import SMALL, failed, invoke, named, on_another_machine, sides, without
from tests.bench.suites import build_suite
from tests.bench.training_logs import Training, write_run

pytestmark = pytest.mark.nopaddle


def test_a_baseline_is_the_whole_suite(tmp_path: Path) -> None:
    sides(tmp_path)
    result = invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        "baseline: reports/baselines/main.json",
        "0 failed, 8 measured, 0 inconclusive, 0 missing",
    ]
    assert load_suite(tmp_path / BASELINES / "main.json") == load_suite(tmp_path / "base")
    # Nothing else is left there, and the run's folder is as it was.
    assert [path.name for path in (tmp_path / BASELINES).iterdir()] == ["main.json"]
    assert [path.name for path in (tmp_path / "base").iterdir()] == ["suite.json"]


def test_the_preset_s_name_is_the_default(tmp_path: Path) -> None:
    sides(tmp_path, 1.1)
    assert invoke("check", "new", cwd=tmp_path).exit_code == 4
    invoke("check", "base", "--save-baseline", "quick", cwd=tmp_path)
    result = invoke("check", "new", cwd=tmp_path)
    assert result.exit_code == 1
    assert "new against reports/baselines/quick.json" in result.stdout


@pytest.mark.parametrize(
    ("new", "why"),
    [
        (
            lambda s: failed(s, lambda case: case.variant == "dyrelu_c"),
            "dyrelu_c and 1 more failed or was not",
        ),
        (
            lambda s: msgspec.structs.replace(s, records=s.records[:-1]),
            "resnet8-w16/eager/float32/1x8x8/b8/dyrelu_c failed or was not measured",
        ),
        (lambda s: failed(s, lambda _: True), "nothing was measured"),
    ],
)
def test_a_failed_run_replaces_no_baseline_unless_told(tmp_path: Path, new: object, why: str) -> None:
    sides(tmp_path, 1.0, new)  # type: ignore[arg-type]
    invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    before = (tmp_path / BASELINES / "main.json").read_bytes()
    result = invoke("check", "new", "--save-baseline", "main", cwd=tmp_path)
    assert result.exit_code == 5
    assert why in result.stdout
    assert "--force" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("missing")
    assert (tmp_path / BASELINES / "main.json").read_bytes() == before
    invoke("check", "new", "--save-baseline", "main", "--force", cwd=tmp_path)
    assert load_suite(tmp_path / BASELINES / "main.json") == load_suite(tmp_path / "new")


def test_out_of_memory_is_a_row_of_a_baseline_too(tmp_path: Path) -> None:
    sides(tmp_path, 1.0, lambda s: failed(s, lambda c: c.batch == 8, FailureKind.OUT_OF_MEMORY))
    assert unfit(load_suite(tmp_path / "new")) == ""
    assert invoke("check", "new", "--save-baseline", "main", cwd=tmp_path).exit_code == 0
    # What was too large before and still is is lost to nobody.
    result = invoke("check", "new", "--baseline", "main", "--allow", "missing", cwd=tmp_path)
    assert result.stdout.splitlines()[-1].endswith("0 missing, 4 failed")
    assert result.exit_code == 0, result.output


def test_a_run_that_fails_its_gate_is_not_kept(tmp_path: Path) -> None:
    sides(tmp_path, 1.1)
    invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    both = ("--baseline", "main", "--save-baseline", "main")
    result = invoke("check", "new", *both, cwd=tmp_path)
    assert result.exit_code == 1
    assert "main.json: not written" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("2 regressions")
    assert load_baseline("main", tmp_path / BASELINES) == load_suite(tmp_path / "base")

    result = invoke("check", "new", *both, "--fail-on", "latency:30%", cwd=tmp_path)
    assert result.exit_code == 0
    assert load_baseline("main", tmp_path / BASELINES) == load_suite(tmp_path / "new")


def test_new_missing_and_failed_rows_are_explicit(tmp_path: Path) -> None:
    sides(tmp_path, 1.0, lambda s: failed(without(s, lambda c: c.variant == "relu"), lambda c: c.batch == 1))
    base = without(load_suite(tmp_path / "base"), lambda case: case.variant == "dyrelu_c")
    save_baseline(base, "main", tmp_path / BASELINES)
    files = ("--export-junit", "out/j.xml", "--export-comment", "out/c.md", "--export-json", "out/c.json")
    result = invoke("check", "new", "--baseline", "main", *files, cwd=tmp_path)
    assert result.exit_code == 5
    assert result.stdout.splitlines()[-1] == (
        "0 regressions, 2 compared, 0 inconclusive, 2 missing, 3 failed, 1 new"
    )
    for word in ("missing", "failed", "new"):
        assert f": {word}: " in result.stdout
    tags = [case[0].tag for case in ElementTree.parse(tmp_path / "out/j.xml").iter("testcase") if len(case)]
    assert (tags.count("failure"), tags.count("error")) == (2, 3)
    assert "missing" in (tmp_path / "out/c.md").read_text()
    assert json.loads((tmp_path / "out/c.json").read_text())["counts"]["missing"] == 2


def test_a_baseline_of_another_machine(tmp_path: Path) -> None:
    """By ratios only, which still find what became slower than the others."""
    sides(tmp_path, 1.6, on_another_machine, paired=False)
    invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    result = invoke("check", "new", "--baseline", "main", cwd=tmp_path)
    assert result.exit_code == 1, result.output
    assert result.stdout.splitlines()[-1].startswith("2 regressions, 8 compared")
    assert "environment" in result.stdout
    result = invoke("check", "new", "--baseline", "main", "--fail-on", "environment", cwd=tmp_path)
    assert result.exit_code == 4


def test_a_damaged_baseline_is_bad_input(tmp_path: Path) -> None:
    sides(tmp_path)
    (tmp_path / BASELINES).mkdir(parents=True)
    (tmp_path / BASELINES / "main.json").write_text("{")
    result = invoke("check", "new", "--baseline", "main", cwd=tmp_path)
    assert result.exit_code == 2
    assert "main.json: not a suite file" in result.stderr


def test_baselines_by_name(tmp_path: Path) -> None:
    for bad in ("", ".", "..", "../x", "a/b", "a b", ".hidden", "-x", "x\n", "ä"):
        with pytest.raises(UsageError, match="baseline"):
            baseline_path(bad)
    suite = build_suite(SMALL)
    for name in ("gate", "v1.2_x-y"):
        assert save_baseline(suite, name, tmp_path) == tmp_path / f"{name}.json"
    with pytest.raises(EnvironmentMismatch, match=r"there are gate, v1\.2_x-y; make it with"):
        load_baseline("main", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="can't be written"):
        save_baseline(suite, "gate", tmp_path / "file")


def test_what_was_not_asked_for_is_not_missing() -> None:
    suite = build_suite(SMALL)
    assert only_cases(suite) == suite
    asked = only_cases(suite, variants=("relu", "dyrelu_a"), batches=(8,), engines=("eager",))
    assert {(record.case.variant, record.case.batch) for record in asked.records} == {
        ("relu", 8),
        ("dyrelu_a", 8),
    }
    assert set(asked.sessions[0].planned) == {record.case for record in asked.records}


def test_a_threshold_below_the_floor_of_this_machine_is_refused(tmp_path: Path) -> None:
    sides(tmp_path)
    invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    flags = ("check", "new", "--baseline", "main")
    unknown = invoke(*flags, cwd=tmp_path)
    assert "no self-test of this machine for quick" in unknown.stderr
    (session,) = load_suite(tmp_path / "new").sessions
    noise = {block: 0.01 * (-1) ** block for block in range(9)}
    found = SelfTest("quick", session.environment, 2, 9, 0, "2025-03-01", {"a": noise, "b": noise})
    save_selftest(found, selftest_path("quick", session.environment, tmp_path / BASELINES / "selftests"))
    floor = 100 * found.floor(0.05)
    assert 1 < floor < 5

    result = invoke(*flags, cwd=tmp_path)
    assert result.exit_code == (2 if floor > 2 else 0)
    result = invoke(*flags, "--fail-on", f"latency:{floor - 0.01:.3f}%", cwd=tmp_path)
    assert result.exit_code == 2
    assert f"{floor:.3g}% of time (reports/baselines/selftests/quick-" in result.stderr
    assert "--below-floor" in result.stderr
    assert invoke(*flags, "--fail-on", f"latency:{floor + 0.01:.3f}%", cwd=tmp_path).exit_code == 0
    result = invoke(*flags, "--fail-on", "latency:0.1%", "--below-floor", cwd=tmp_path)
    assert result.exit_code == 0, result.output


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring gives a crafted suite at once."""
    suite = named(build_suite(replace(SMALL, batches=(8,))), "now")

    def measured(_: Measuring, folder: RunFolder, __: RunRequest) -> CheckedSides:
        write_run(folder.path, suite)
        return CheckedSides(suite, str(folder.path), folder.path)

    monkeypatch.setattr(checking, "_measured", measured)
    monkeypatch.setattr("bench.cli.options.need_paddle", lambda _: None)


@pytest.mark.usefixtures("quickly")
def test_only_the_cases_of_the_flags_are_looked_for(tmp_path: Path) -> None:
    sides(tmp_path)
    invoke("check", "base", "--save-baseline", "quick", cwd=tmp_path)
    flags = ("check", "--preset", "quick", "--out", "run")
    lost = invoke(*flags, cwd=tmp_path)
    assert lost.exit_code == 1
    assert lost.stdout.splitlines()[-1].endswith("4 missing")
    asked = invoke(*flags, "--batch", "8", cwd=tmp_path)
    assert asked.exit_code == 0, asked.output
    assert asked.stdout.splitlines()[-1].endswith("0 missing")
    assert "left 4 cases of the baseline out" in asked.stdout
    # The comparison lies beside the run.
    assert {"compare.md", "compare.csv", "compare.json", "suite.json"} <= {
        path.name for path in (tmp_path / "run").iterdir()
    }


@pytest.mark.usefixtures("quickly")
def test_a_revision_that_cannot_be_had_is_replaced_by_the_baseline_and_said(tmp_path: Path) -> None:
    sides(tmp_path)
    flags = ("check", "--preset", "quick", "--batch", "8", "--against", "main", "--out", "run")
    nothing = invoke(*flags, cwd=tmp_path)
    assert nothing.exit_code == 4
    assert "--against main: " in nothing.stderr
    assert "there is no reports/baselines/quick.json" in nothing.stderr
    invoke("check", "base", "--save-baseline", "quick", cwd=tmp_path)
    instead = invoke(*flags, cwd=tmp_path)
    assert instead.exit_code == 0, instead.output
    assert "compared with reports/baselines/quick.json instead" in instead.stdout.replace("\n", " ")
    assert instead.stdout.splitlines()[-1].startswith("0 regressions, 4 compared")


def test_a_missed_target_of_the_run_is_said(tmp_path: Path) -> None:
    sides(tmp_path, training=(Training("relu", correct=400), Training("dyrelu_a")))
    invoke("check", "base", "--save-baseline", "main", cwd=tmp_path)
    result = invoke("check", "new", "--baseline", "main", "--export-junit", "j.xml", cwd=tmp_path)
    assert result.exit_code == 6
    assert "relu (seed 0) was trained to 74.07% test accuracy, and its target is 97.00%" in result.stdout
    (failure,) = ElementTree.parse(tmp_path / "j.xml").iter("failure")
    assert failure.attrib["type"] == "a target was missed"
    assert invoke("check", "new", "--save-baseline", "other", cwd=tmp_path).exit_code == 6
    assert not (tmp_path / BASELINES / "other.json").exists()
