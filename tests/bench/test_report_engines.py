"""Engines beside each other in a report: who is best, by how much, and what each makes of the test images."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.case import Case, DType
from bench.record import TEST_AGREEING, TEST_CORRECT, TEST_IMAGES, Fact, Failure, FailureKind, Record, Suite
from bench.report import terminal_summary
from bench.report.engines import engine_rows, engines_section
from bench.report.markdown import markdown
from bench.report.table import assemble
from bench.training_run import read_training_runs
from bench.units import Unit
from tests.bench.suites import Plan, build_suite
from tests.bench.training_logs import Training, write_log

pytestmark = pytest.mark.nopaddle

THREE = Plan(
    variants=("relu", "dyrelu_b"),
    slowness=(1.0, 1.42),
    engines=("eager", "static", "inference"),
    batches=(1, 8),
    rounds=1,
)
ABSENT = Failure(FailureKind.UNAVAILABLE, "openvino is not installed: pip install 'dyrelu-bench[openvino]'")


def faster(record: Record, factor: float) -> Record:
    """The record with every time so many times shorter."""
    series = tuple(
        msgspec.structs.replace(
            one,
            windows=tuple(
                msgspec.structs.replace(window, values=tuple(value / factor for value in window.values))
                for window in one.windows
            ),
        )
        for one in record.series
    )
    return msgspec.structs.replace(record, series=series)


def suite(plan: Plan = THREE, speeds: dict[str, float] | None = None, *facts: Fact) -> Suite:
    """Of each variant and batch the same times on every engine, but for these factors."""
    built = build_suite(plan)
    base = {(r.case.variant, r.case.batch): r for r in built.records if r.case.engine == plan.engines[0]}
    records = tuple(
        msgspec.structs.replace(
            faster(base[r.case.variant, r.case.batch], (speeds or {}).get(r.case.engine, 1.0)),
            case=r.case,
            facts=(*r.facts, *facts),
        )
        for r in built.records
    )
    return msgspec.structs.replace(built, records=records)


def test_the_best_engine_is_one_and_the_others_are_shares_of_it() -> None:
    report = assemble(suite(speeds={"static": 2.0, "inference": 4.0}), ())
    rows = engine_rows(report.rows)
    assert [(row.batch, row.variant) for row in rows] == [
        (1, "relu"),
        (1, "dyrelu_b"),
        (8, "relu"),
        (8, "dyrelu_b"),
    ]
    for row in rows:
        assert row.best == "inference"
        assert {name: round(found.value, 6) for name, found in row.ratios.items()} == {
            "eager": 0.25,
            "static": 0.5,
        }
    section = engines_section(report)
    assert "### Ratio to the best engine" in section
    line = next(line for line in section.splitlines() if line.startswith("|") and "relu" in line)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["1", "relu", "inference"]
    assert [cell.split()[0] for cell in cells[4:]] == ["0.250", "0.500", "**1**"]


def test_two_engines_need_no_table_and_a_step_of_training_is_other_work() -> None:
    for engines in (("eager", "inference"), ("eager", "inference", "training")):
        plan = on_engines(engines)
        assert engines_section(assemble(suite(plan), ())) == ""


def on_engines(engines: tuple[str, ...]) -> Plan:
    return Plan(THREE.variants, THREE.slowness, engines, THREE.batches, rounds=1)


def test_an_engine_that_is_not_there_keeps_its_column() -> None:
    built = suite(on_engines((*THREE.engines, "openvino")))
    records = tuple(
        msgspec.structs.replace(r, series=(), stops=(), facts=(), skipped=ABSENT, failures=(ABSENT,))
        if r.case.engine == "openvino"
        else r
        for r in built.records
    )
    report = assemble(msgspec.structs.replace(built, records=records), ())
    section = engines_section(report)
    assert "openvino" in section
    assert "*skipped*" in section
    text = markdown(report, {})
    assert "0 failed or skipped, 0 missing, 4 on engines that are not installed" in text
    assert "**Speed, openvino" not in text
    assert "pip install 'dyrelu-bench" in text


def facts(correct: int, agreeing: int) -> tuple[Fact, ...]:
    return tuple(
        Fact(metric, Unit.COUNT, value)
        for metric, value in ((TEST_CORRECT, correct), (TEST_AGREEING, agreeing), (TEST_IMAGES, 540))
    )


def test_each_engine_has_its_own_accuracy() -> None:
    built = suite(on_engines(("eager", "inference")))
    records = tuple(
        msgspec.structs.replace(r, facts=facts(534, 540) if r.case.engine == "eager" else facts(533, 539))
        for r in built.records
    )
    text = markdown(assemble(msgspec.structs.replace(built, records=records), ()), {})
    section = text.partition("### Test accuracy on each engine")[2].partition("\n## ")[0]
    assert "eager, float32" in section
    assert section.count("98.89% (534 of 540)") == 2
    assert section.count("98.70% (533 of 540) ¹") == 2
    assert "¹ 1 of 540 images get another class than from the reference." in section
    assert "of the test images too" in text


def test_without_test_images_nothing_is_said_of_them() -> None:
    text = markdown(assemble(suite(), ()), {})
    assert "Test accuracy on each engine" not in text
    assert "test images too" not in text


def test_another_type_of_a_trained_network_is_not_called_untrained(tmp_path: Path) -> None:
    built = suite(on_engines(("eager", "inference")))

    def retyped(case: Case) -> Case:
        other = DType.BFLOAT16 if case.engine == "inference" else case.dtype
        return msgspec.structs.replace(case, dtype=other)

    session = msgspec.structs.replace(
        built.sessions[0], planned=tuple(map(retyped, built.sessions[0].planned))
    )
    records = tuple(
        msgspec.structs.replace(r, case=retyped(r.case), facts=facts(530, 536)) for r in built.records
    )
    for variant in THREE.variants:
        write_log(tmp_path, Training(variant))
    both = msgspec.structs.replace(built, sessions=(session,), records=records)
    text = markdown(assemble(both, read_training_runs(tmp_path)), {})
    assert "bfloat16: the same weights, whose accuracy there is in the table of engines" in text
    assert "Not trained" not in text
    assert "inference, bfloat16 |" in text
    assert "in bfloat16 within 0.1" in text


def test_many_engines_fit_a_narrow_terminal() -> None:
    plan = Plan(
        engines=("eager", "static", "inference", "inference_native", "openvino"), batches=(8,), rounds=1
    )
    report = assemble(suite(plan, {"static": 2.0}), ())
    output = io.StringIO()
    Console(width=80, file=output, color_system=None).print(terminal_summary(report.suite, report.runs))
    lines = output.getvalue().splitlines()
    rows = [line for line in lines if line.split()[:1] == ["static"]]
    assert len(rows) == 1
    assert "…" not in output.getvalue()
    assert any(line.startswith("batch 8") for line in lines)
    # Four speeds and four ratios, of which the reference's is 1.
    assert len(rows[0].split()) == 1 + 8
    assert rows[0].split()[2] == "1"
