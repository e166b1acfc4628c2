"""Reports of several subjects, of which only the first is trained; and what is said of disturbed bursts."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from bench.quality import warnings
from bench.record import Suite
from bench.report import terminal_summary
from bench.report.comparison import comparison
from bench.report.markdown import markdown
from bench.report.sentences import summary
from bench.report.table import Report, assemble
from bench.training_run import TrainingRun, read_training_runs
from tests.bench.suites import Plan, build_suite, troubled_suite
from tests.bench.training_logs import Training, write_log

pytestmark = pytest.mark.nopaddle

PAIR = Plan(variants=("relu", "dyrelu_b"), slowness=(1.0, 1.42), engines=("eager",), batches=(1, 8))


def two_subjects() -> Suite:
    """The trained network and a larger one beside it, which knows a variant more."""
    suite = build_suite(PAIR)
    (session,) = suite.sessions
    larger = tuple(
        msgspec.structs.replace(
            record, case=msgspec.structs.replace(record.case, subject="resnet50-imagenet")
        )
        for record in suite.records
    )
    planned = (*session.planned, *(record.case for record in larger))
    return msgspec.structs.replace(
        suite,
        sessions=(msgspec.structs.replace(session, planned=planned),),
        records=(*suite.records, *larger),
    )


@pytest.fixture
def runs(tmp_path: Path) -> tuple[TrainingRun, ...]:
    for variant in PAIR.variants:
        write_log(tmp_path, Training(variant))
    return read_training_runs(tmp_path)


def test_only_the_first_subject_has_accuracies_and_a_headline(runs: tuple[TrainingRun, ...]) -> None:
    report = assemble(two_subjects(), runs)
    trained, untrained = comparison(report)[:2], comparison(report)[2:]
    assert [row.reached for row in trained] == [True, True]
    assert [(row.test, row.target, row.reached, row.runs) for row in untrained] == [
        (None, None, None, ())
    ] * 2
    text = summary(report)
    speeds = [line for line in text if line.startswith("**Speed")]
    assert len(speeds) == 2
    assert not any("resnet50" in line for line in speeds)
    assert any("Not trained was resnet50-imagenet" in line for line in text)
    assert text[0].count("dyrelu_b") == 1


def test_without_training_every_subject_has_its_speed() -> None:
    speeds = [line for line in summary(assemble(two_subjects(), ())) if line.startswith("**Speed")]
    assert len(speeds) == 4


def test_sizes_name_the_subject_where_there_are_several() -> None:
    sizes = [line for line in summary(assemble(two_subjects(), ())) if line.startswith("**Size")]
    assert [line.partition(".**")[0] for line in sizes] == [
        "**Size, resnet8-w16, 1×8×8, float32",
        "**Size, resnet50-imagenet, 1×8×8, float32",
    ]


def test_equal_sizes_are_the_same_number() -> None:
    suite = build_suite(PAIR)
    facts = suite.records[0].facts
    same = tuple(msgspec.structs.replace(record, facts=facts) for record in suite.records)
    text = "\n".join(summary(assemble(msgspec.structs.replace(suite, records=same), ())))
    assert "has the same number of trainable parameters, the same number of FLOPs an image" in text


@pytest.mark.parametrize(("blocks", "said"), [(9, True), (3, False)])
def test_intervals_are_explained_only_where_there_are_any(blocks: int, said: bool) -> None:
    plan = Plan(PAIR.variants, PAIR.slowness, PAIR.engines, PAIR.batches, blocks=blocks)
    assert any("**Intervals**" in line for line in summary(assemble(build_suite(plan), ()))) is said


def printed(report: Report) -> str:
    output = io.StringIO()
    Console(width=80, file=output, color_system=None).print(terminal_summary(report.suite, report.runs))
    return output.getvalue()


def test_the_terminal_has_a_table_a_subject(runs: tuple[TrainingRun, ...]) -> None:
    text = printed(assemble(two_subjects(), runs))
    first, _, second = text.partition("resnet50-imagenet, 1×8×8, float32:")
    assert first.startswith("resnet8-w16, 1×8×8, float32:")
    for part in (first, second):
        assert "eager b8" in part
        assert "…" not in part
    assert "reached" in first
    assert "reached" not in second


def test_bursts_that_could_not_be_spared_are_counted() -> None:
    suite = troubled_suite()
    # Five blocks of one case and one of another are wholly disturbed: none of their bursts can be spared.
    assert any(
        "30 of them lie in blocks too disturbed to spare them and are used" in w for w in warnings(suite)
    )
    text = markdown(assemble(suite, ()), {})
    assert "not used in estimates, except for 30 in blocks too disturbed to spare them" in text


def test_bursts_that_were_spared_are_not_used() -> None:
    suite = build_suite(PAIR)
    record = suite.records[0]
    (series,) = record.series
    first = next(index for index, window in enumerate(series.windows) if not window.warmup)
    windows = list(series.windows)
    windows[first] = msgspec.structs.replace(windows[first], discarded="steal 20%")
    changed = msgspec.structs.replace(
        record, series=(msgspec.structs.replace(series, windows=tuple(windows)),)
    )
    quiet = msgspec.structs.replace(suite, records=(changed, *suite.records[1:]))
    (warning,) = warnings(quiet)
    assert "1 of 180 bursts" in warning
    assert "and don't count in the estimates; they are kept" in warning
    assert "not used in estimates.\n" in markdown(assemble(quiet, ()), {})
