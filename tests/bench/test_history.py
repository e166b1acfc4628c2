"""A folder of suites as series: changes are found, foreign files named, and added ones lie apart."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import msgspec
import pytest

from bench.case import Case
from bench.errors import InputError
from bench.history import History, add_suite, observed_suites
from bench.history.series import Quantity, Series
from bench.quality import ratio_to_reference
from bench.record import Suite
from bench.storage import load_suite, save_suite
from tests.bench.histories import day_suite, history, read, start_of, started, write_days
from tests.bench.sessions import discarded, elsewhere, with_records

pytestmark = pytest.mark.nopaddle


def series_of(found: History, variant: str) -> Series:
    (series,) = (one for one in found.gathered.series if one.key.case.variant == variant)
    return series


def test_series_hold_what_the_reports_say(tmp_path: Path) -> None:
    write_days(tmp_path, 3, lambda _: 1.0)
    found = read(tmp_path)
    assert started(found) == [start_of(day) for day in range(3)]
    suite = load_suite(tmp_path / "day001")
    records = {record.case.variant: record for record in suite.records}
    protocol = suite.sessions[0].protocol
    ratio = ratio_to_reference(records["dyrelu_b"], records["relu"], protocol)
    assert series_of(found, "dyrelu_b").ratio[1] == pytest.approx(ratio.value, rel=1e-12)
    assert series_of(found, "relu").quantities == (Quantity.THROUGHPUT, Quantity.CALIBRATION)
    assert series_of(found, "dyrelu_b").quantities == (Quantity.THROUGHPUT, Quantity.RATIO)
    assert found.last_line() == "2 series, 3 sessions, 0 changes, 0 skipped"


def test_a_slowdown_is_found_where_it_began(tmp_path: Path) -> None:
    write_days(tmp_path, 30, lambda day: 1.0 if day < 20 else 1.08)
    found = read(tmp_path)
    (change,) = (change for change in found.changes if change.quantity is Quantity.RATIO)
    assert (started(found)[change.last], started(found)[change.first]) == (start_of(19), start_of(20))
    assert change.shift == pytest.approx(1 / 1.08 - 1, abs=0.01)
    assert change.series.key.case.variant == "dyrelu_b"
    assert read(tmp_path, threshold=0.2).changes == ()


def test_a_slower_machine_changes_no_ratio_and_a_slower_reference_is_seen(tmp_path: Path) -> None:
    for day in range(24):
        late = day >= 12
        # Everything is slower: the calibration is too, so that nothing but images/s has changed.
        save_suite(day_suite(day, machine=1.3 if late else 1.0), tmp_path / "machine" / f"{day}.json")
        suite = day_suite(day)
        calibration = day_suite(day, machine=1 / 1.3).sessions[0].calibration if late else None
        if calibration is not None:
            session = msgspec.structs.replace(suite.sessions[0], calibration=calibration)
            suite = msgspec.structs.replace(suite, sessions=(session,))
        # The calibration alone is faster, as it is where all variants became slower on a faster machine.
        save_suite(suite, tmp_path / "reference" / f"{day}.json")
    assert {change.quantity for change in read(tmp_path / "machine").changes} == {Quantity.THROUGHPUT}
    assert {change.quantity for change in read(tmp_path / "reference").changes} == {Quantity.CALIBRATION}


def test_different_environments_and_conditions_are_different_series(tmp_path: Path) -> None:
    save_suite(day_suite(0), tmp_path / "a.json")
    save_suite(elsewhere(day_suite(1)), tmp_path / "b.json")
    suite = day_suite(2)
    condition = msgspec.structs.replace(suite.records[1].condition, threads=1)
    save_suite(with_records(suite, "dyrelu_b", condition=condition), tmp_path / "c.json")
    found = read(tmp_path)
    assert [len(series.sessions) for series in found.gathered.series] == [2, 1, 1, 1, 1]
    assert len(found.gathered.machines) == 2
    result = history(tmp_path)
    assert "dyrelu_b (1 threads" in result.stdout
    assert "Another CPU" in result.stdout


def test_facts_are_compared_exactly_and_resident_memory_with_its_tolerance(tmp_path: Path) -> None:
    def with_facts(day: int, macs: int, resident: float) -> Suite:
        suite = day_suite(day)
        facts = []
        for fact in suite.records[1].facts:
            value = {"macs": macs, "peak_resident": int(fact.value * resident)}.get(fact.metric, fact.value)
            facts.append(msgspec.structs.replace(fact, value=value))
        return with_records(suite, "dyrelu_b", facts=tuple(facts))

    for day, (macs, resident) in enumerate([(100, 1.0), (100, 1.04), (101, 1.0), (101, 1.2)]):
        save_suite(with_facts(day, macs, resident), tmp_path / f"{day}.json")
    found = read(tmp_path)
    told = [(shift.after.metric, started(found)[shift.first]) for shift in found.facts]
    assert told == [("peak_resident", start_of(3)), ("macs", start_of(2))]
    assert history(tmp_path).stdout.count("macs 100 to 101") == 1


def test_a_disturbed_session_is_shown_and_does_not_count(tmp_path: Path) -> None:
    write_days(tmp_path, 10, lambda _: 1.0)
    suite = day_suite(10, factor=3.0)
    series = suite.records[1].series[0]
    windows = tuple(map(discarded, series.windows))
    disturbed = msgspec.structs.replace(series, windows=windows)
    save_suite(with_records(suite, "dyrelu_b", series=(disturbed,)), tmp_path / "late.json")
    found = read(tmp_path)
    assert list(series_of(found, "dyrelu_b").sure) == [True] * 10 + [False]
    assert found.changes == ()
    assert "1 of 22 values are too disturbed" in history(tmp_path).stdout


def test_a_session_in_several_files_counts_once_and_in_its_fullest_state(tmp_path: Path) -> None:
    whole = day_suite(0)
    windows = tuple(w for w in whole.records[1].series[0].windows if w.block < 3)
    short = msgspec.structs.replace(whole.records[1].series[0], windows=windows)
    save_suite(with_records(whole, "dyrelu_b", series=(short,)), tmp_path / "a.json")
    save_suite(whole, tmp_path / "b.json")
    save_suite(whole, tmp_path / "c.json")
    found = read(tmp_path)
    assert (len(found.gathered.sessions), found.gathered.repeated) == (1, 2)
    assert found.gathered.sessions[0].path == "b.json"
    assert "the same session stands in another file: 2." in history(tmp_path).stdout


def test_truncated_and_foreign_files_are_named_and_skipped(tmp_path: Path) -> None:
    write_days(tmp_path, 2, lambda _: 1.0)
    content = (tmp_path / "day000/suite.json").read_bytes()
    (tmp_path / "cut.json").write_bytes(content[: len(content) // 2])
    (tmp_path / "package.json").write_text('{"name": "something else"}')
    (tmp_path / "empty.json").touch()
    # What a run writes beside its suite is no suite, and nobody needs to be told.
    for name in ("run.json", "ab.json", "merge.json", ".hidden.json", "notes.txt"):
        (tmp_path / "day000" / name).write_text("{}")
    found = read(tmp_path)
    assert sorted(found.skipped) == ["cut.json", "empty.json", "package.json"]
    result = history(tmp_path)
    assert result.exit_code == 0
    assert "cut.json: not a suite file, or cut short" in result.stdout
    assert result.stdout.splitlines()[-1] == "2 series, 2 sessions, 0 changes, 3 skipped"
    suites, skipped = observed_suites(tmp_path)
    assert (len(suites), sorted(skipped)) == (2, sorted(found.skipped))
    # A file that is mended is read, though its name is known as a bad one.
    (tmp_path / "cut.json").write_bytes(msgspec.json.encode(day_suite(7)))
    assert len(read(tmp_path).gathered.sessions) == 3


def test_a_side_that_was_slowed_on_purpose_is_no_result(tmp_path: Path) -> None:
    suite = day_suite(0, pair="p")
    session = msgspec.structs.replace(suite.sessions[0], slowed_on_purpose=True)
    save_suite(msgspec.structs.replace(suite, sessions=(session,)), tmp_path / "B/suite.json")
    save_suite(suite, tmp_path / "A/suite.json")
    found = read(tmp_path)
    assert [session.path for session in found.gathered.sessions] == ["A/suite.json"]
    assert found.skipped == {"B/suite.json": "was slowed on purpose, by a self-test, and is no result"}


def test_a_side_of_a_pair_is_a_series_of_its_own(tmp_path: Path) -> None:
    """Its workers are stopped and called again at every burst, so that its times are others."""
    save_suite(day_suite(0), tmp_path / "alone.json")
    save_suite(day_suite(1, pair="p"), tmp_path / "side.json")
    found = read(tmp_path)
    assert len(found.gathered.series) == 4
    assert [series.key.in_turns for series in found.gathered.series] == [False, True] * 2
    result = history(tmp_path, "--export-csv", tmp_path / "h.csv")
    assert "dyrelu_b (alone)" in result.stdout
    assert "dyrelu_b (side of an ab)" in result.stdout
    columns = list(csv.DictReader((tmp_path / "h.csv").open()))
    assert [row["in_turns"] for row in columns] == ["no", "yes"] * 2


@pytest.mark.parametrize("name", ["nowhere", "file"])
def test_what_is_no_folder_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is no folder; give one that holds suite files"):
        read(tmp_path / name)
    assert history(tmp_path / name).exit_code == 2


def test_an_empty_folder_is_an_empty_history(tmp_path: Path) -> None:
    result = history(tmp_path, "--export-markdown", tmp_path / "h.md", "--plots", tmp_path / "plots")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "0 series, 0 sessions, 0 changes, 0 skipped"
    assert "No session yet" in (tmp_path / "h.md").read_text()


def test_adding_gives_each_suite_a_place_of_its_own(tmp_path: Path) -> None:
    runs, past = tmp_path / "runs", tmp_path / "past"
    write_days(runs, 3, lambda _: 1.0)
    places = {add_suite(past, runs / f"day{day:03}") for day in range(3)}
    assert len(places) == 3
    # Once more is no more, also by the file.
    assert add_suite(past, runs / "day001" / "suite.json") in places
    assert len(read(past).gathered.sessions) == 3
    with pytest.raises(InputError, match="there is no such file"):
        add_suite(past, tmp_path / "nowhere.json")
    (tmp_path / "bad.json").write_text("{}")
    assert history(past, "--add", tmp_path / "bad.json").exit_code == 2
    result = history(past, "--add", runs / "day000", "--add", runs / "day002")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == "2 series, 3 sessions, 0 changes, 0 skipped"
    assert history(runs / "day000" / "suite.json", "--add", runs / "day000").exit_code == 2


def test_exports_hold_everything_and_are_the_same_each_time(tmp_path: Path) -> None:
    past = tmp_path / "past"
    write_days(past, 24, lambda day: 1.0 if day < 12 else 1.2)
    files = []
    for name in ("a", "b"):
        out = tmp_path / name
        flags = ("--export-markdown", out / "h.md", "--export-csv", out / "h.csv", "--plots", out / "plots")
        assert history(past, *flags).exit_code == 0
        files.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*.*")})
    assert files[0] == files[1]
    page, rows = (tmp_path / "a/h.md").read_text(), (tmp_path / "a/h.csv").read_text().splitlines()
    assert "## Changes of at least 2%, the latest first" in page
    assert "day12 in day012/suite.json" in page
    assert len(rows) == 1 + 2 * 24
    assert "nan" not in page + "".join(rows)
    assert {path.suffix for path in files[0]} == {".md", ".csv", ".png", ".svg"}


def test_hostile_names_stay_names(tmp_path: Path) -> None:
    nasty = "=cmd()|' /C calc'!A0 <img src=x> \x1b[31m"
    suite = day_suite(0)

    def renamed(case: Case) -> Case:
        return msgspec.structs.replace(
            case, variant=nasty if case.variant != "relu" else "relu", subject="../|<b>"
        )

    records = tuple(msgspec.structs.replace(r, case=renamed(r.case)) for r in suite.records)
    session = msgspec.structs.replace(suite.sessions[0], started="|<u>\x1b[1m")
    suite = msgspec.structs.replace(suite, records=records, sessions=(session,))
    save_suite(suite, tmp_path / "past" / "a|b.json")
    (tmp_path / "past" / "c|<i>.json").write_text("{")
    out = tmp_path / "out"
    flags = ("--export-markdown", out / "h.md", "--export-csv", out / "h.csv", "--plots", out / "plots")
    result = history(tmp_path / "past", *flags)
    assert result.exit_code == 0, result.output
    page = (out / "h.md").read_text()
    assert "<img" not in page.replace(r"\<img", "")
    assert "<u>" not in page.replace(r"\<u\>", "")
    assert "<i>" not in page.replace(r"\<i\>", "")
    assert "\x1b" not in page + result.stdout
    assert ",=cmd" not in (out / "h.csv").read_text()
    assert len(list((out / "plots").glob("*.png"))) == 1


def test_rows_come_in_the_order_of_time_whatever_the_files_are_called(tmp_path: Path) -> None:
    days = list(range(9))
    random.Random(2).shuffle(days)
    for number, day in enumerate(days):
        save_suite(day_suite(day), tmp_path / f"{number}.json")
    assert started(read(tmp_path)) == [start_of(day) for day in range(9)]
