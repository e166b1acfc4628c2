"""A comparison in every output: regressions first, nothing left out, nothing that foreign text can break."""

from __future__ import annotations

import csv as csv_reader
import io
import json as json_reader
import math
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.figure import Figure
from rich.console import Console

from bench.compare import CompareOptions, compare
from bench.compared import Comparison, FactChange
from bench.record import Failure, FailureKind
from bench.report.comparing.csv import csv
from bench.report.comparing.json import json
from bench.report.comparing.markdown import markdown
from bench.report.comparing.plot import comparison_figure, draw_comparison, has_ratios
from bench.report.comparing.terminal import terminal
from bench.report.comparing.words import fact_pair, ratio_text
from bench.report.plots.style import style
from bench.statistics import Estimate
from bench.units import Unit
from bench.verdict import Rule, Verdict
from tests.bench.sessions import PLAN, Run, elsewhere, run_suite, with_records, without
from tests.bench.suites import HOSTILE_NAMES, Plan, hostile_suite

pytestmark = pytest.mark.nopaddle


def mixed() -> Comparison:
    """One of each: slower, faster, equivalent, inconclusive, missing, new, failed, refused, changed."""
    plan = replace(PLAN, variants=("relu", "a", "b", "c", "d", "e", "f", "g"), slowness=(1.0,) * 8)
    base = run_suite(Run("a", drift=3, pair="p", plan=plan))
    new = run_suite(Run("b", {"a": 1.1, "b": 0.8, "c": 1.02}, drift=3, pair="p", plan=plan))
    new = with_records(new, "e", condition=msgspec.structs.replace(new.records[0].condition, threads=4))
    new = with_records(new, "f", series=(), skipped=Failure(FailureKind.DIED, "killed by SIGKILL"))
    record = next(record for record in new.records if record.case.variant == "relu")
    grown = tuple(msgspec.structs.replace(fact, value=2 * fact.value) for fact in record.facts)
    new = with_records(new, "relu", facts=grown)
    return compare([without(base, "g")], [without(new, "d")], CompareOptions(), ("runs/old", "runs/new"))


def shown(comparison: Comparison, width: int = 100) -> str:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(terminal(comparison))
    return console.export_text()


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    return mixed()


def test_the_last_line_counts_everything(comparison: Comparison) -> None:
    assert comparison.last_line() == (
        "2 regressions, 8 compared, 2 inconclusive, 2 missing, 2 failed, 2 refused, 2 new"
    )


def test_markdown_begins_with_the_regressions_and_leaves_nothing_out(comparison: Comparison) -> None:
    text = markdown(comparison, "compare.png")
    assert text.startswith("# runs/new against runs/old\n\n2 regressions, 8 compared")
    order = ["## Regressions", "## Improvements", "![Time of each", "## Times", "## Not judged", "## Facts"]
    assert [text.index(part) for part in order] == sorted(text.index(part) for part in order)
    regressions = text.partition("## Regressions")[2].partition("## ")[0]
    assert regressions.count("\n- a, batch") == 2
    assert "more time" in regressions
    for expected in (
        "killed by SIGKILL",
        "threads is 2 in runs/old and 4 in runs/new",
        "runs/new: has no such case",
        "runs/old: has no such case",
        "about",
        "within 5% counts as the same",
        "+100%",
        "paired blocks of one session",
    ):
        assert expected in text, expected


def test_every_row_of_the_markdown_tables_is_read_back(comparison: Comparison) -> None:
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown(comparison))
    rows = sum(token.type == "tr_open" for token in tokens)
    tables = sum(token.type == "table_open" for token in tokens)
    assert rows - tables == len(comparison.deltas) + len(comparison.rows) + len(comparison.changed_facts)


def test_csv_has_a_row_for_each_time_fact_and_case(comparison: Comparison) -> None:
    rows = list(csv_reader.DictReader(io.StringIO(csv(comparison))))
    kinds = [row["kind"] for row in rows]
    assert kinds.count("time") == len(comparison.deltas)
    assert kinds.count("fact") == len(comparison.facts)
    assert kinds.count("row") == len(comparison.rows)
    slower = next(row for row in rows if row["verdict"] == "slower")
    assert float(slower["low"]) > 1 + float(slower["threshold"])
    assert "nan" not in csv(comparison).lower().replace("nanosecond", "")


def test_json_says_the_same(comparison: Comparison) -> None:
    read = json_reader.loads(json(comparison))
    assert read["schema_version"] == 1
    assert read["summary"] == comparison.last_line()
    assert read["counts"] == {
        "compared": 8,
        "slower": 2,
        "faster": 2,
        "equivalent": 2,
        "inconclusive": 2,
        "facts_changed": len(comparison.changed_facts),
        "new": 2,
        "missing": 2,
        "failed": 2,
        "refused": 2,
    }
    assert len(read["comparison"]["deltas"]) == 8
    unknown = replace(comparison.deltas[0], ratio=Estimate(math.nan, math.nan, math.nan, 0))
    again = json_reader.loads(json(replace(comparison, deltas=(unknown,))))
    assert again["comparison"]["deltas"][0]["ratio"]["value"] is None


@pytest.mark.parametrize("width", [80, 100, 200])
def test_terminal_shows_the_plain_list_first_and_cuts_no_figure(comparison: Comparison, width: int) -> None:
    text = shown(comparison, width)
    lines = text.splitlines()
    assert lines[0] == "runs/new against runs/old, threshold 2% of time"
    assert lines[1] == "regressions:"
    assert lines[2].startswith("  a, batch")
    for delta in comparison.deltas:
        assert ratio_text(delta.ratio, delta.theta) in text
    headings = ("not judged, or failed in part:", "facts that changed:", "inconclusive:")
    for expected in (*headings, "killed by SIGKILL"):
        assert expected in text
    assert max(map(len, lines)) <= width


def test_without_anything_to_say_little_is_said() -> None:
    suite = run_suite(Run("a", drift=3, pair="p"))
    other = run_suite(Run("b", drift=3, pair="p"))
    text = shown(compare([suite], [other], CompareOptions()))
    assert "no regressions" in text
    assert "to be known" not in text
    assert "not judged" not in text


def test_absolute_times_of_two_environments_are_not_shown() -> None:
    base = run_suite(Run("old", drift=1))
    found = compare([base], [elsewhere(run_suite(Run("new one", drift=2)))], CompareOptions())
    text = markdown(found)
    assert "Base ms" not in text
    assert "different environments" in text
    rows = csv_reader.DictReader(io.StringIO(csv(found)))
    assert all(row["base"] == "" for row in rows if row["kind"] == "time")


def test_hostile_names_break_nothing() -> None:
    suite = hostile_suite()
    found = compare([suite], [without(suite, HOSTILE_NAMES[1])], CompareOptions(), ("=base|x", "</new>\x1b"))
    outputs = [markdown(found, "compare.png"), csv(found), shown(found, 200)]
    outputs.append(draw_comparison(found)["svg"].decode())
    for text in outputs:
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<img" not in markdown(found).replace("\\<img", "")
    for row in csv_reader.reader(io.StringIO(csv(found))):
        assert not any(cell.startswith(("=", "+", "@")) for cell in row)


def test_the_same_comparison_gives_the_same_bytes(comparison: Comparison) -> None:
    again = mixed()
    assert markdown(again) == markdown(comparison)
    assert csv(again) == csv(comparison)
    assert json(again) == json(comparison)
    assert draw_comparison(again) == draw_comparison(comparison)


def test_the_picture_is_that_of_a_figure_that_is_drawn_twice(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = draw_comparison(comparison)
    monkeypatch.setattr("bench.report.comparing.plot.LaidOutFigure", Figure)
    assert draw_comparison(comparison) == images


@pytest.mark.parametrize(
    "plan", [PLAN, replace(PLAN, batches=(1, 2, 4, 8, 16, 32, 64, 128))], ids=["few", "many"]
)
@pytest.mark.parametrize("factor", [1.0, 1.04, 1.9, 40.0, 900.0])
def test_the_plot_can_be_read(plan: Plan, factor: float) -> None:
    base = run_suite(Run("a", drift=3, pair="p", plan=plan))
    new = run_suite(Run("b", {"dyrelu_b": factor}, drift=3, pair="p", plan=plan))
    found = compare([base], [new], CompareOptions(), ("old", "new"))
    with style():
        figure = comparison_figure(found)
        figure.savefig(io.BytesIO(), format="png", dpi=figure.dpi)
        axes, page = figure.axes[0], figure.bbox
        legend = figure.legends[0].get_window_extent()
        outline = axes.get_tightbbox()
        assert outline is not None
        assert outline.x0 >= page.x0 - 1
        assert outline.y1 <= page.y1 + 1
        assert not outline.overlaps(legend)
        assert axes.get_window_extent().width > 300
        for axis, first in ((axes.xaxis, "x0"), (axes.yaxis, "y0")):
            labels = [label for label in axis.get_ticklabels() if label.get_text()]
            boxes = sorted(
                (label.get_window_extent() for label in labels), key=lambda box: getattr(box, first)
            )
            assert len(boxes) >= 3
            for before, after in pairwise(boxes):
                assert not before.overlaps(after)
        low, high = axes.get_xlim()
        assert all(low < delta.ratio.value < high for delta in found.deltas)


def test_pictures_are_whole_files(comparison: Comparison) -> None:
    images = draw_comparison(comparison)
    assert images["png"].startswith(b"\x89PNG")
    assert ElementTree.fromstring(images["svg"]).tag.endswith("svg")
    assert has_ratios(comparison)
    assert not has_ratios(replace(comparison, deltas=()))


ends = st.floats(min_value=0.2, max_value=5.0)


@given(ends, ends, st.sampled_from([0.0, 0.005, 0.02, 0.3]))
def test_a_written_interval_lies_on_the_side_of_the_threshold_where_it_is(
    one: float, other: float, theta: float
) -> None:
    low, high = min(one, other), max(one, other)
    text = ratio_text(Estimate((low + high) / 2, low, high, 9), theta)
    written = [float(end) for end in text.partition("(")[2].rstrip(")").split("–")]
    rule = Rule(theta)
    for limit in (rule.lower, rule.upper):
        assert [end > limit for end in written] == [end > limit for end in (low, high)]
        assert [end < limit for end in written] == [end < limit for end in (low, high)]


def test_an_end_just_above_the_threshold_keeps_the_digits_that_say_so() -> None:
    assert ratio_text(Estimate(1.05, 1.0203, 1.08, 9), 0.02) == "1.050 (1.0203–1.080)"
    assert ratio_text(Estimate(1.05, math.nan, math.nan, 3), 0.02) == "1.050"
    assert ratio_text(Estimate(math.nan, math.nan, math.nan, 0), 0.02) == ""


def test_facts_that_differ_never_look_the_same(comparison: Comparison) -> None:
    case = comparison.deltas[0].case
    close = FactChange(case, "peak_tensor", Unit.BYTES, 324_320, 324_280, True)
    assert fact_pair(close) == ("324,320 bytes", "324,280 bytes", "-0.012%")
    assert fact_pair(replace(close, new=648_640))[:2] == ("316.7 KiB", "633.4 KiB")
    assert fact_pair(replace(close, base=0.0))[2] == ""


def test_verdicts_are_named_in_words_not_only_in_colour(comparison: Comparison) -> None:
    text = shown(comparison)
    for verdict in Verdict:
        assert verdict.value in text
