"""Ratio targets in every output: section, summary, timing tables, CSV, terminal, plot."""

from __future__ import annotations

import io
import re

import msgspec
import pandas as pd
import pytest
from rich.console import Console

from bench.record import Suite
from bench.report import terminal_summary
from bench.report.markdown import markdown
from bench.report.plots.ratio_targets import draw_ratio_targets, has_ratio_targets
from bench.report.sentences import summary
from bench.report.table import assemble
from bench.report.tables_csv import results_csv
from bench.report.targets import answers_line
from bench.report.targets_csv import targets_csv
from bench.target_answers import Answer
from tests.bench.suites import Plan, build_suite, troubled_suite
from tests.bench.target_suites import (
    TROUBLED_TARGETS,
    hostile_with_targets,
    session_suite,
    target,
    troubled_with_targets,
    with_targets,
)

pytestmark = pytest.mark.nopaddle

EVEN = (10.0,) * 7


def section(suite: Suite) -> str:
    text = markdown(assemble(suite, ()), {})
    return text.partition("## Targets")[2].partition("\n## ")[0]


def frame(text: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), keep_default_na=False, dtype=str)


def printed(suite: Suite) -> str:
    output = io.StringIO()
    Console(width=160, file=output, color_system=None).print(terminal_summary(suite, ()))
    return output.getvalue()


def test_the_suite_of_the_golden_report_has_every_answer() -> None:
    assert {judged.answer for judged in assemble(troubled_with_targets(), ()).targets} == set(Answer)


def test_each_row_has_ratio_bound_and_answer() -> None:
    text = section(troubled_with_targets())
    row = next(line for line in text.splitlines() if "| dyrelu_c" in line and "| eager     | 1 " in line)
    assert "images/s to relu" in row
    assert re.search(r"0\.540 \(0\.529–0\.554\) \| +≥ 0\.70", row)
    assert "**missed**" in row
    # An aim that is missed fails nothing, so it isn't shouted.
    (aim,) = [line for line in text.splitlines() if "(aim)" in line and "| relu " in line]
    assert "missed |" in aim
    assert "**" not in aim
    assert "made up: why" in section(
        session_suite({"relu": EVEN, "dyrelu_b": EVEN}, msgspec.structs.replace(target(1.0), note="why"))
    )


def test_without_targets_nothing_is_said() -> None:
    report = assemble(troubled_suite(), ())
    assert "Targets" not in markdown(report, {})
    assert not has_ratio_targets(report)
    assert "≥ 0" not in printed(troubled_suite())


def test_a_run_that_left_all_targets_out_says_so() -> None:
    suite = with_targets(build_suite(Plan(engines=("inference",), batches=(2,))), *TROUBLED_TARGETS[:3])
    assert "The preset has 6 ratio targets whose cases this run left out." in section(suite)
    assert "|" not in section(suite)


def test_the_summary_counts_the_answers() -> None:
    report = assemble(troubled_with_targets(), ())
    (line,) = [line for line in summary(report) if line.startswith("**Ratio targets")]
    assert "3 met, 3 met (not proven), 1 not met (not refuted), 2 missed, 1 no value; aims: 1 missed" in line
    assert answers_line(report.targets) in printed(troubled_with_targets())
    assert answers_line(()) == ""


def test_several_sessions_are_told_apart() -> None:
    suite = session_suite({"relu": EVEN, "dyrelu_b": EVEN}, target(1.0))
    second = msgspec.structs.replace(suite.sessions[0], id="second")
    both = msgspec.structs.replace(
        suite,
        sessions=(*suite.sessions, second),
        records=(*suite.records, *(msgspec.structs.replace(r, session="second") for r in suite.records)),
    )
    assert "Session" not in section(suite)
    assert "| second " in section(both)


def test_timing_tables_have_a_second_ratio_where_a_target_has_one() -> None:
    suite = session_suite(
        {"relu": EVEN, "identity": (20.0,) * 7, "dyrelu_b": (25.0,) * 7},
        target(0.7, against="identity"),
    )
    text = markdown(assemble(suite, ()), {}).partition("### eager")[2].partition("\n## ")[0]
    assert "Ratio to relu (95% interval) |   Ratio to identity (95% interval)" in text
    ratios = {
        cells[1].strip(): [cell.strip() for cell in cells[6:8]]
        for line in text.splitlines()
        if len(cells := line.strip("|").split("|")) > 8
    }
    assert ratios["relu"] == ["1 (reference)", "2.000 (2.000–2.000)"]
    assert ratios["identity"] == ["0.500 (0.500–0.500)", "1"]
    assert ratios["dyrelu_b"] == ["0.400 (0.400–0.400)", "0.800 (0.800–0.800)"]
    results = frame(results_csv(assemble(suite, ())))
    second = results[results["metric"] == "throughput_ratio_to_identity"].set_index("variant")["value"]
    assert second.to_dict() == {"relu": "2", "dyrelu_b": "0.8"}


def test_a_target_of_memory_adds_no_ratio_of_times() -> None:
    suite = troubled_with_targets()
    only = with_targets(suite, TROUBLED_TARGETS[-1])
    assert "Ratio to dyrelu" not in markdown(assemble(only, ()), {})


def test_the_table_for_programs_has_a_row_a_target_and_variant() -> None:
    report = assemble(troubled_with_targets(), ())
    table = frame(targets_csv(report))
    assert len(table) == len(report.targets)
    assert not table.duplicated(
        ["session", "subject", "engine", "batch", "variant", "against", "metric"]
    ).any()
    assert set(table["answer"]) == {answer.value for answer in Answer}
    assert (table[table["answer"] == "no value"]["reason"] != "").all()
    peaks = table[table["metric"] == "peak_tensor"]
    assert set(peaks["low"]) == {""}
    assert set(peaks["bound"]) == {"at most"}
    cells = frame(targets_csv(assemble(hostile_with_targets(), ()))).to_numpy().ravel()
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t"))]


def test_the_terminal_has_a_row_a_target_and_still_ends_with_the_counts() -> None:
    lines = printed(troubled_with_targets()).strip().splitlines()
    assert lines[-1] == "1 failed, 30 measured, 2 inconclusive, 1 missing"
    rows = [line for line in lines if line.startswith("  ") and re.search(r"[≥≤] \d", line)]
    assert len(rows) == 12
    assert all(row.endswith(tuple(Answer)) for row in rows)
    after = lines.index("resnet8-w16, eager b128: images/s to relu") + 1
    assert re.fullmatch(r"  dyrelu_c +≥ 0\.70 +no value", lines[after])
    assert max(map(len, rows)) <= 80
    assert "\x1b" not in printed(hostile_with_targets())


def test_the_plot_has_a_panel_a_group_and_quantity_and_a_bound_a_mark() -> None:
    report = assemble(troubled_with_targets(), ())
    figure = draw_ratio_targets(report)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == [
        "images/s to relu (≥)",
        "images/s to relu (≥)",
        "images/s to dyrelu_a (≥)",
        "images/s to dyrelu_a (≥)",
        "time of a step to relu (≤)",
        "peak of tensors to relu (≤)",
    ]
    with_value = [judged for judged in report.targets if judged.ratio.estimate is not None]
    marks = [line for axes in figure.axes for line in axes.lines if line.get_marker() in ("o", "s", "^", "D")]
    assert len(marks) == len(with_value)
    assert "aim" in [text.get_text() for text in figure.legends[0].get_texts()]
