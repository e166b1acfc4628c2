"""What the report claims: summary, comparison, statuses, CSV and the terminal's counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import pandas as pd
import pytest

from bench.record import SCHEMA_VERSION, Bound, Suite
from bench.report.accuracy import accuracy_difference, split_accuracy, standard_error
from bench.report.comparison import comparison
from bench.report.markdown import markdown
from bench.report.sentences import summary
from bench.report.table import Status, assemble, counts
from bench.training_run import TrainingRun, read_training_runs
from tests.bench.suites import Plan, build_suite, troubled_suite
from tests.bench.training_logs import Training, over_seeds, write_log

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


def sentences(suite: Suite, runs: Sequence[TrainingRun] = ()) -> str:
    return "\n".join(summary(assemble(suite, tuple(runs))))


def speeds(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("**Speed")]


def test_a_variant_that_missed_the_target_gets_no_speed_headline(train: Train) -> None:
    text = sentences(build_suite(PAIR), train(Training("relu"), Training("dyrelu_b", correct=500)))
    assert "reached by relu (98.15%); missed by dyrelu_b (92.59%)" in text
    assert speeds(text)
    assert not any("dyrelu_b" in line for line in speeds(text))


def test_an_unfinished_run_gets_no_speed_headline(train: Train) -> None:
    text = sentences(build_suite(PAIR), train(Training("relu"), Training("dyrelu_b", correct=None)))
    assert "not known for dyrelu_b" in text
    assert not any("dyrelu_b" in line for line in speeds(text))


def test_no_variant_at_the_target_is_said(train: Train) -> None:
    runs = train(Training("relu", correct=500), Training("dyrelu_b", correct=500))
    assert speeds(sentences(build_suite(PAIR), runs)) == [
        "**Speed.** No variant reached the target, so there is no headline; the tables hold every figure."
    ]


def test_a_reference_below_the_target_is_said(train: Train) -> None:
    text = sentences(build_suite(PAIR), train(Training("relu", correct=500), Training("dyrelu_b")))
    assert "relu has not been shown to reach the target itself" in text
    assert any("dyrelu_b runs at" in line for line in speeds(text))


def test_the_headline_names_smallest_and_largest_batch_with_intervals() -> None:
    lines = speeds(sentences(build_suite(PAIR)))
    assert len(lines) == 2
    number = r"0\.\d{3} \(0\.\d{3}–0\.\d{3}\)"
    assert (
        pd.Series(lines[1:])
        .str.fullmatch(
            rf"\*\*Speed, eager\.\*\* dyrelu_b runs at {number} of relu's throughput at batch 1 "
            rf"and at {number} at batch 8\."
        )
        .all()
    )


def test_a_ratio_that_may_be_one_is_called_no_difference() -> None:
    plan = Plan(variants=("relu", "twin"), slowness=(1.0, 1.0), engines=("eager",), batches=(8,))
    assert "(no difference shown)" in speeds(sentences(build_suite(plan)))[1]


def test_a_ratio_without_interval_is_called_inconclusive() -> None:
    lines = speeds(sentences(build_suite(replace(PAIR, blocks=3))))
    assert all("inconclusive: 3 of the 6 blocks" in line for line in lines)
    assert "–" not in lines[1]


def test_one_seed_supports_no_claim(train: Train) -> None:
    text = sentences(build_suite(PAIR), train(Training("relu"), Training("dyrelu_b", correct=533)))
    assert "+0.56 points on 540 test images" in text
    assert "binomial standard error of 0.58 points, so this is within noise" in text
    assert "One seed supports no claim either way." in text


def test_several_seeds_are_paired(train: Train) -> None:
    runs = train(
        *over_seeds(Training("relu"), (528, 530, 532)), *over_seeds(Training("dyrelu_b"), (531, 533, 535))
    )
    # The seeds' spread is the same on both sides, so every paired difference is 3 images.
    found = accuracy_difference([r for r in runs if r.variant == "dyrelu_b"], runs[3:])
    assert found is not None
    assert found.value == pytest.approx(3 / 540)
    assert found.high - found.low == pytest.approx(0.0, abs=1e-12)
    text = sentences(build_suite(PAIR), runs)
    assert "mean of 3 paired seeds" in text
    assert "beyond the spread of the seeds" in text
    assert "One seed" not in text


def test_accuracy_over_seeds_is_a_mean_with_students_interval(train: Train) -> None:
    runs = train(*over_seeds(Training("relu"), (528, 530, 535)))
    found = split_accuracy(runs, "test")
    assert found is not None
    # Worked by hand: mean 531, standard deviation sqrt(13), t(0.975; 2) = 4.3027.
    half = 4.302653 * 13**0.5 / 3**0.5 / 540
    assert found.mean == pytest.approx(531 / 540)
    assert found.low == pytest.approx(531 / 540 - half, rel=1e-6)
    assert found.method == "t over seeds"
    row = comparison(assemble(build_suite(PAIR), runs))[0]
    assert row.reached is True
    assert row.seeds_reached == 3


def test_one_accuracy_has_wilsons_interval(train: Train) -> None:
    found = split_accuracy(train(Training("relu", correct=540)), "test")
    assert found is not None
    z = 1.959964
    assert found.low == pytest.approx(540 / (540 + z * z), rel=1e-6)  # Wilson's bound where all are right
    assert found.high == pytest.approx(1.0)


def test_the_binomial_standard_error() -> None:
    assert standard_error(0.9, 10_000) == pytest.approx(0.003)


def test_growth_in_size_is_in_percent_and_bounded_where_the_count_is() -> None:
    text = sentences(troubled_suite())
    assert "dyrelu_b has +10.3% trainable parameters, +3.2% FLOPs an image, 336.1 KiB on disk" in text
    assert "dyrelu_c has +15.4% trainable parameters, at least +4.8% FLOPs an image" in text


def test_a_reference_with_unknown_operators_gives_no_growth() -> None:
    suite = build_suite(PAIR)
    bounded = tuple(
        msgspec.structs.replace(
            record,
            facts=tuple(
                msgspec.structs.replace(f, bound=Bound.AT_LEAST) if f.metric == "flops" else f
                for f in record.facts
            ),
        )
        if record.case.variant == "relu"
        else record
        for record in suite.records
    )
    text = sentences(msgspec.structs.replace(suite, records=bounded))
    assert "an unknown change in FLOPs an image (the reference's count is a lower bound)" in text


def test_statuses_and_counts() -> None:
    report = assemble(troubled_suite(), ())
    by_key = {(row.case.engine, row.case.batch, row.case.variant): row for row in report.rows}
    assert by_key["eager", 32, "dyrelu_a"].status is Status.INCONCLUSIVE
    assert by_key["eager", 8, "dyrelu_b"].status is Status.OK  # one disturbed block of nine
    assert by_key["eager", 128, "dyrelu_c"].status is Status.SKIPPED
    assert by_key["inference", 128, "dyrelu_b"].status is Status.MISSING
    cut = by_key["inference", 8, "dyrelu_c"].ratio
    assert cut is not None
    assert cut.n == 8  # the block in which a worker died gives no ratio
    assert str(counts(report.rows)) == "1 failed, 30 measured, 2 inconclusive, 1 missing"


def test_a_reference_without_time_leaves_no_ratio() -> None:
    suite = build_suite(PAIR)
    kept = tuple(r for r in suite.records if (r.case.variant, r.case.batch) != ("relu", 8))
    report = assemble(msgspec.structs.replace(suite, records=kept), ())
    row = next(r for r in report.rows if (r.case.variant, r.case.batch) == ("dyrelu_b", 8))
    assert row.ratio is None
    assert row.ratio_reason == "relu has no time here"
    assert "has no ratio (relu has no time here) at batch 8" in "\n".join(summary(report))


def test_the_reference_comes_first_whatever_the_plans_order() -> None:
    plan = Plan(variants=("dyrelu_b", "relu"), slowness=(1.4, 1.0))
    suite = build_suite(plan)
    session = suite.sessions[0]
    protocol = msgspec.structs.replace(session.protocol, reference="relu")
    changed = msgspec.structs.replace(suite, sessions=(msgspec.structs.replace(session, protocol=protocol),))
    assert assemble(changed, ()).variants == ("relu", "dyrelu_b")


def test_sessions_and_settings_get_panels_of_their_own() -> None:
    suite = build_suite(PAIR)
    second = msgspec.structs.replace(suite.sessions[0], id="s2")
    records = tuple(msgspec.structs.replace(record, session="s2") for record in suite.records)
    merged = msgspec.structs.replace(
        suite, sessions=(*suite.sessions, second), records=(*suite.records, *records)
    )
    report = assemble(merged, ())
    assert [panel.label for panel in report.panels] == ["eager, session s1", "eager, session s2"]
    assert "### Session s2" in markdown(report, {})


def test_a_suite_of_training_only_still_makes_a_report(train: Train) -> None:
    empty = Suite(SCHEMA_VERSION, {}, (), ())
    text = markdown(assemble(empty, train(Training("relu"))), {})
    assert "this report holds training only" in text
    assert "98.15%" in text
    assert "## Throughput" not in text
