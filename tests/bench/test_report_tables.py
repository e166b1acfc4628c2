"""The CSV files and the terminal's table."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from bench.report import terminal_summary
from bench.report.table import Report, assemble
from bench.report.tables_csv import comparison_csv, results_csv, training_csv
from bench.training_run import TrainingRun, read_training_runs
from tests.bench.suites import HOSTILE_NAMES, Plan, build_suite, hostile_suite, troubled_suite
from tests.bench.training_logs import TROUBLED_TRAINING, Training, write_log

pytestmark = pytest.mark.nopaddle

PAIR = Plan(variants=("relu", "dyrelu_b"), slowness=(1.0, 1.42), engines=("eager",), batches=(1, 8))


Train = Callable[..., tuple[TrainingRun, ...]]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    def make(*runs: Training) -> tuple[TrainingRun, ...]:
        for run in runs:
            write_log(tmp_path / "training", run)
        return read_training_runs(tmp_path / "training")

    return make


def frame(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=str)


def test_results_have_one_row_a_case_and_metric() -> None:
    results = frame(results_csv(assemble(troubled_suite(), ())))
    key = ["session", "subject", "variant", "engine", "dtype", "image", "batch", "metric"]
    assert not results.duplicated(key).any()
    assert set(results["status"]) == {"ok", "inconclusive", "skipped", "missing"}
    assert set(results["kind"]) == {"estimate", "fact", "percentile", "ratio"}
    doubtful = results[results["status"] != "ok"]
    assert (doubtful["reason"] != "").all()
    ratios = results[results["metric"] == "throughput_ratio"]
    assert "relu" not in set(ratios["variant"])
    flops = results[(results["metric"] == "flops") & (results["variant"] == "dyrelu_c")]
    assert set(flops["bound"]) == {"at least"}


def test_comparison_figures_are_raw(train: Train) -> None:
    table = frame(comparison_csv(assemble(build_suite(PAIR), train(Training("relu")))))
    first = table.iloc[0]
    assert first["parameters_trainable_count"] == "78042"
    assert float(first["test_accuracy_fraction"]) == pytest.approx(530 / 540)
    assert first["target_reached"] == "yes"
    assert table.iloc[1]["target_reached"] == ""


def test_training_has_one_row_an_epoch(train: Train) -> None:
    runs = train(Training("relu", epochs=3), Training("dyrelu_b", epochs=2))
    table = frame(training_csv(assemble(build_suite(PAIR), runs)))
    assert list(table["epoch"]) == ["1", "2", "1", "2", "3"]


def test_no_cell_of_a_hostile_suite_is_a_formula(train: Train) -> None:
    report = assemble(hostile_suite(), train(*(Training(name) for name in HOSTILE_NAMES)))
    for text in (comparison_csv(report), results_csv(report), training_csv(report)):
        cells = frame(text).to_numpy().ravel()
        assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def printed(report: Report) -> str:
    console = Console(width=160, file=io.StringIO(), color_system=None)
    console.print(terminal_summary(report.suite, report.runs))
    output = console.file
    assert isinstance(output, io.StringIO)
    return output.getvalue()


def test_the_terminal_ends_with_the_counts(train: Train) -> None:
    text = printed(assemble(troubled_suite(), train(*TROUBLED_TRAINING)))
    lines = text.strip().splitlines()
    assert lines[-1] == "1 failed, 30 measured, 2 inconclusive, 1 missing"
    assert any("dyrelu_a" in line and "missed" in line for line in lines)
    assert any("dyrelu_c" in line and "skipped" in line and "≥" in line for line in lines)


def test_the_terminal_takes_no_orders_from_names() -> None:
    suite = build_suite(
        Plan(variants=("[red]relu[/red]",), slowness=(1.0,), engines=("[bold]",), batches=(1,))
    )
    text = printed(assemble(suite, ()))
    assert "[red]relu[/red]" in text
    assert "\x1b" not in printed(assemble(hostile_suite(), ()))
