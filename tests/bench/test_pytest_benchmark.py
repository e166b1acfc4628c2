"""pytest-benchmark both ways, against the real plugin and its real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_benchmark.stats import Stats

from bench.compare import CompareOptions, compare
from bench.compared import Basis
from bench.errors import InputError, UsageError
from bench.exchange import load_results, to_pytest_benchmark
from bench.exchange.pytest_benchmark import from_pytest_benchmark, is_pytest_benchmark
from bench.exchange.write_pytest_benchmark import _stats
from bench.quality import block_values
from bench.record import Suite
from bench.storage import save_suite
from bench.verdict import Verdict
from tests.bench.checked_runs import invoke
from tests.bench.suites import Plan, build_suite, hostile_suite, troubled_suite
from tests.bench.training_logs import write_run

pytestmark = pytest.mark.nopaddle

BENCHMARKS = """
import pytest

@pytest.mark.parametrize("size", [10, 500])
def test_sum(benchmark, size):
    benchmark.group = "sums"
    benchmark(sum, range(size))

def test_alone(benchmark):
    benchmark.pedantic(sum, args=(range(50),), rounds=4, iterations=20)
"""
QUICK = ("--benchmark-min-rounds=3", "--benchmark-max-time=0.005", "-p", "no:cacheprovider", "-q")


def saved(folder: Path, *flags: str) -> Path:
    """A file that the plugin wrote."""
    (folder / "test_it.py").write_text(BENCHMARKS)
    subprocess.run(
        [sys.executable, "-m", "pytest", "test_it.py", *QUICK, *flags],
        cwd=folder,
        check=True,
        capture_output=True,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST")},
    )
    (found,) = folder.rglob("*.json")
    return found


def test_what_the_plugin_wrote_is_a_suite(tmp_path: Path) -> None:
    path = saved(tmp_path, "--benchmark-json=out.json")
    suite = load_results(path)
    content = json.loads(path.read_text())
    assert [record.case.variant for record in suite.records] == [
        "test_sum[10]",
        "test_sum[500]",
        "test_alone",
    ]
    assert [record.case.subject for record in suite.records] == ["sums", "sums", "test_it.py"]
    assert [session.protocol.reference for session in suite.sessions] == ["test_sum[10]", "test_alone"]
    assert len(suite.environments) == 1
    for record, benchmark in zip(suite.records, content["benchmarks"], strict=True):
        (session,) = (s for s in suite.sessions if s.id == record.session)
        (value,) = block_values(record, session.protocol).values()
        assert value == pytest.approx(1000 * benchmark["stats"]["median"])
        assert len(record.series[0].windows) == benchmark["stats"]["rounds"]
    # What is read can be kept as a suite.
    save_suite(suite, tmp_path / "suite.json")
    assert load_results(tmp_path / "suite.json") == suite


def test_saved_without_times_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = saved(tmp_path, "--benchmark-save=bare")
    with pytest.raises(InputError, match=r"test_sum\[10\] has no times.*--benchmark-save-data"):
        load_results(path)


def test_saved_with_times(tmp_path: Path) -> None:
    path = saved(tmp_path, "--benchmark-save=whole", "--benchmark-save-data")
    assert len(load_results(path).records) == 3


def file(shift: float = 1.0, groups: tuple[str | None, ...] = ("g",), run: int = 0) -> bytes:
    """A crafted file; `shift` slows all but the first of each group."""
    benchmarks = [
        {
            "group": group,
            "name": name,
            "fullname": f"tests/test_{place}.py::{name}",
            "options": {"timer": "perf_counter", "disable_gc": False},
            "stats": {"data": [1e-3 * factor * (1 + 0.001 * (run + r)) for r in range(5)], "iterations": 1},
        }
        for place, group in enumerate(groups)
        # Two runs never agree to the last digit.
        for name, factor in (("test_a", 1.0 + 0.003 * (run % 3)), ("test_b", 2.0 * shift))
    ]
    machine = {"machine": "x86_64", "cpu": {"brand_raw": "Example", "count": 2}, "python_version": "3.11.9"}
    content = {"machine_info": machine, "benchmarks": benchmarks, "datetime": f"2026-01-{run + 1:02}"}
    return json.dumps(content).encode()


def suites(shift: float, runs: range) -> list[Suite]:
    return [from_pytest_benchmark(file(shift, run=run), f"{run}.json") for run in runs]


def test_one_run_a_side_decides_nothing_and_says_why() -> None:
    """Ten thousand rounds of one process are one block."""
    found = compare(suites(1.0, range(1)), suites(2.0, range(1, 2)), CompareOptions())
    assert {delta.verdict for delta in found.deltas} == {Verdict.INCONCLUSIVE}
    (delta,) = [delta for delta in found.deltas if delta.case.variant == "test_b"]
    assert delta.basis is Basis.REFERENCE
    assert "block" in delta.reason


def test_several_runs_a_side_do() -> None:
    found = compare(suites(1.0, range(8)), suites(2.0, range(8, 16)), CompareOptions())
    verdicts = {delta.case.variant: delta.verdict for delta in found.deltas}
    assert verdicts == {"test_a": Verdict.INCONCLUSIVE, "test_b": Verdict.SLOWER}


def test_groups_and_names() -> None:
    suite = from_pytest_benchmark(file(groups=("g", "g", None)), "x.json")
    assert [record.case.variant for record in suite.records] == [
        *("tests/test_0.py::test_a", "tests/test_0.py::test_b"),
        *("tests/test_1.py::test_a", "tests/test_1.py::test_b"),
        *("test_a", "test_b"),
    ]
    assert suite.records[-1].case.subject == "tests/test_2.py"
    assert all("one block" in session.warnings[0] for session in suite.sessions)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ({"benchmarks": []}, "holds no benchmark"),
        ({"benchmarks": [{"name": "x"}]}, "not a file of pytest-benchmark"),
        ({"benchmarks": 3}, "not a file of pytest-benchmark"),
    ],
)
def test_damaged_files_are_one_sentence(damage: dict[str, object], said: str) -> None:
    content = json.dumps(json.loads(file()) | damage).encode()
    with pytest.raises(InputError, match=said) as error:
        from_pytest_benchmark(content, "x.json")
    assert str(error.value).startswith("x.json: ")
    with pytest.raises(InputError, match="cut short"):
        from_pytest_benchmark(file()[:-40], "x.json")


@pytest.mark.parametrize("time", [0.0, -1.0, 1e300, 1e-300])
def test_impossible_times_are_refused(time: float) -> None:
    content = json.loads(file())
    content["benchmarks"][0]["stats"]["data"][2] = time
    with pytest.raises(InputError, match="test_a has a round of no time"):
        from_pytest_benchmark(json.dumps(content).encode(), "x.json")


def test_a_name_that_is_there_twice() -> None:
    content = json.loads(file())
    content["benchmarks"].append(content["benchmarks"][0])
    with pytest.raises(InputError, match="is there twice"):
        from_pytest_benchmark(json.dumps(content).encode(), "x.json")


def test_suites_and_other_files_are_told_apart(tmp_path: Path) -> None:
    suite = build_suite(Plan(batches=(1,), engines=("eager",)))
    save_suite(suite, tmp_path / "suite.json")
    assert not is_pytest_benchmark((tmp_path / "suite.json").read_bytes())
    assert load_results(tmp_path) == load_results(tmp_path / "suite.json") == suite
    with pytest.raises(InputError, match="no such file"):
        load_results(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(InputError, match="not a suite file"):
        load_results(tmp_path / "text")


@pytest.mark.parametrize("suite", [build_suite(Plan()), troubled_suite(), hostile_suite()])
def test_the_real_command_shows_an_export(tmp_path: Path, suite: Suite) -> None:
    """Both of a comparison's files, through `pytest-benchmark compare`."""
    for name in ("old", "new"):
        (tmp_path / f"{name}.json").write_bytes(to_pytest_benchmark(suite))
    command = "from pytest_benchmark.cli import main; main()"
    process = subprocess.run(
        [sys.executable, "-c", command, "compare", "old.json", "new.json", "--csv=table", "--between=median"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert "Failed to load" not in process.stdout + process.stderr
    timed = [record for record in suite.records if record.series]
    assert process.stdout.count("ΔMedian") == len({record.case.group for record in timed})


def test_an_export_holds_every_block() -> None:
    suite = troubled_suite()
    content = json.loads(to_pytest_benchmark(suite))
    timed = {record.case.key: record for record in suite.records if record.series}
    assert {benchmark["fullname"] for benchmark in content["benchmarks"]} == set(timed)
    for benchmark in content["benchmarks"]:
        values = block_values(timed[benchmark["fullname"]], suite.sessions[0].protocol).values()
        assert benchmark["stats"]["data"] == pytest.approx([value / 1000 for value in values])
        assert benchmark["group"] == timed[benchmark["fullname"]].case.group


def test_an_export_can_be_read_back() -> None:
    suite = build_suite(Plan(batches=(1,)))
    back = from_pytest_benchmark(to_pytest_benchmark(suite), "x.json")
    assert [record.case.variant for record in back.records] == [
        record.case.variant for record in suite.records
    ]


def test_several_machines_have_no_room_in_the_format() -> None:
    suite = build_suite(Plan(batches=(1,)))
    (machine,) = suite.environments.values()
    other = msgspec.structs.replace(machine, cpu="Another")
    both = msgspec.structs.replace(suite, environments=suite.environments | {other.fingerprint: other})
    with pytest.raises(UsageError, match="2 environments"):
        to_pytest_benchmark(both)


@given(data=st.lists(st.floats(min_value=1e-6, max_value=1e3), min_size=1, max_size=40))
def test_the_statistics_are_those_that_the_plugin_would_have_written(data: list[float]) -> None:
    theirs = Stats()
    for value in data:
        theirs.update(value)
    ours = _stats(data)
    for field in ("min", "max", "mean", "stddev", "rounds", "median", "q1", "q3", "iqr", "ops", "total"):
        assert ours[field] == pytest.approx(getattr(theirs, field), rel=1e-9, abs=1e-12), field
    assert set(theirs.fields) <= set(ours)


def test_compare_reads_it_as_either_side(tmp_path: Path) -> None:
    for run in range(12):
        (tmp_path / f"{run}.json").write_bytes(file(2.0 if run >= 6 else 1.0, run=run))
    one = invoke("compare", "0.json", "6.json", cwd=tmp_path)
    assert one.exit_code == 0
    assert one.stdout.splitlines()[-1] == "0 regressions, 2 compared, 2 inconclusive, 0 missing"
    assert "whose samples are one block, however many" in one.stdout.replace("\n", " ")
    more = [flag for run in range(1, 6) for flag in ("--base", f"{run}.json", "--new", f"{run + 6}.json")]
    several = invoke("compare", "0.json", "6.json", *more, "--fail-on", "throughput:5%", cwd=tmp_path)
    assert several.exit_code == 1, several.output
    assert several.stdout.splitlines()[-1].startswith("1 regressions, 2 compared")


def test_report_exports_it(tmp_path: Path) -> None:
    write_run(tmp_path / "run", build_suite(Plan(batches=(1,), engines=("eager",))))
    result = invoke("report", "run", "--export-pytest-benchmark", "times.json", cwd=tmp_path)
    assert result.exit_code == 0, result.output
    assert is_pytest_benchmark((tmp_path / "times.json").read_bytes())
    assert len(load_results(tmp_path / "times.json").records) == 4
