"""The quick reading of a suite says what the other says, and refuses what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.compare import Observed, observe
from bench.errors import InputError
from bench.history.times import read_times
from bench.record import HARNESS_OVERHEAD, LATENCY, SCHEMA_VERSION, Series, Suite
from bench.storage import load_suite, save_suite
from bench.suite_format import encode_suite
from bench.units import Unit
from tests.bench.sessions import Run, run_suite
from tests.bench.suites import in_whole_nanoseconds

pytestmark = pytest.mark.nopaddle

PUBLISHED = sorted((Path(__file__).parents[2] / "reports" / "published").glob("*/suite.json"))


def quickly(path: Path) -> Observed:
    return read_times(path, lambda suite: observe(suite, "it"))


def wholly(path: Path) -> Observed:
    return observe(load_suite(path), "it")


def kinds_of_reading(path: Path) -> list[type]:
    """`Suite` among them means that it was read slowly."""
    kinds: list[type] = []
    read_times(path, lambda suite: kinds.append(type(suite)))
    assert kinds
    return kinds


def with_first_value(series: Series, value: float, warmup: bool) -> Series:
    """In the first window of the kind."""
    place = next(place for place, window in enumerate(series.windows) if window.warmup == warmup)
    old = series.windows[place]
    changed = msgspec.structs.replace(old, values=(value, *old.values[1:]))
    return msgspec.structs.replace(
        series, windows=(*series.windows[:place], changed, *series.windows[place + 1 :])
    )


def with_latency(value: float, warmup: bool) -> Callable[[Suite], Suite]:
    def changed(suite: Suite) -> Suite:
        first, *rest = suite.records
        series = tuple(
            with_first_value(one, value, warmup) if one.metric == LATENCY else one for one in first.series
        )
        return msgspec.structs.replace(suite, records=(msgspec.structs.replace(first, series=series), *rest))

    return changed


def with_calibration_of(metric: str) -> Callable[[Suite], Suite]:
    def changed(suite: Suite) -> Suite:
        session = suite.sessions[0]
        series = with_first_value(msgspec.structs.replace(session.calibration[0], metric=metric), 0.0, False)
        calibration = (series, *session.calibration[1:])
        return msgspec.structs.replace(
            suite, sessions=(msgspec.structs.replace(session, calibration=calibration), *suite.sessions[1:])
        )

    return changed


def of_a_newer_version(suite: Suite) -> Suite:
    return msgspec.structs.replace(suite, schema_version=SCHEMA_VERSION + 1)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_comparison_sees_the_same_suite(path: Path) -> None:
    assert quickly(path) == wholly(path)
    assert Suite not in kinds_of_reading(path)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_comparison_sees_the_same_suite_in_whole_nanoseconds(tmp_path: Path, path: Path) -> None:
    """And the same times as in ms, to the last digit but one of a float."""
    save_suite(in_whole_nanoseconds(load_suite(path)), tmp_path / "suite.json")
    found = quickly(tmp_path / "suite.json")
    assert found == wholly(tmp_path / "suite.json")
    assert Suite not in kinds_of_reading(tmp_path / "suite.json")
    for session, old in zip(found.sessions, wholly(path).sessions, strict=True):
        for taken, before in zip(session.cases, old.cases, strict=True):
            assert taken.blocks.numbers == before.blocks.numbers
            assert taken.blocks.times == pytest.approx(before.blocks.times, rel=1e-15)


@pytest.mark.parametrize("unit", [lambda suite: suite, in_whole_nanoseconds], ids=["ms", "ns"])
def test_of_a_side_of_an_ab_every_burst_is_seen(tmp_path: Path, unit: Callable[[Suite], Suite]) -> None:
    path = tmp_path / "suite.json"
    save_suite(unit(run_suite(Run("one", pair="both"))), path)
    found = quickly(path)
    assert found == wholly(path)
    assert all(taken.bursts for session in found.sessions for taken in session.cases)


@pytest.mark.parametrize(
    "change",
    [
        with_latency(0.0, False),
        with_latency(0.0, True),
        with_calibration_of("burst_compute"),
        of_a_newer_version,
    ],
)
def test_what_is_no_suite_gets_the_same_sentence(tmp_path: Path, change: Callable[[Suite], Suite]) -> None:
    path = tmp_path / "suite.json"
    save_suite(change(load_suite(PUBLISHED[0])), path)
    with pytest.raises(InputError) as found:
        load_suite(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
        quickly(path)


LISTS = (
    *("[]", "[[1.0]]", '["1.0"]', "[-1.0]", "null", "1.0", "555", "[true]", "[1e-13]", "[1e13]", "{}"),
    *("[1.7e308,1.7e308]", "[0]", "[5,0,6]", "[1000000000000000001]", "[99999999999999999999]", "[[5],[6]]"),
    *("[5,[6]]", "[5,-6]", "[05]", "[5,,6]", "[5,6,]", "[+5]", "[5],[6]"),
)
OLD_BURST, COLUMN = r'"values":\[[^]]*\](?!,"warmup)', r'"values":\[[^]]*\]'


def one_step(series: Series) -> Series:
    first = msgspec.structs.replace(series.windows[0], values=(777.0,), warmup=False, disturbance=None)
    return msgspec.structs.replace(series, windows=(first,))


def as_of_schema_1(suite: Suite) -> bytes:
    """A list of windows a series, in ms."""
    return msgspec.json.encode(suite)


def of_today(suite: Suite) -> bytes:
    return encode_suite(in_whole_nanoseconds(suite))


@pytest.mark.parametrize(
    ("written", "pattern"), [(as_of_schema_1, OLD_BURST), (of_today, COLUMN)], ids=["1", "2"]
)
def test_what_is_no_list_of_times_gets_the_same_sentence(
    tmp_path: Path, written: Callable[[Suite], bytes], pattern: str
) -> None:
    path = tmp_path / "suite.json"
    content = written(load_suite(PUBLISHED[0])).decode()
    places = re.findall(pattern, content[content.index('"records"') :])
    for place in (places[0], places[-1]):
        for steps in LISTS:
            path.write_text(content.replace(place, f'"values":{steps}', 1))
            with pytest.raises(InputError) as found:
                load_suite(path)
            with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
                quickly(path)


def with_times_of_a_second_series(suite: Suite) -> Suite:
    first, *rest = suite.records
    series = (*first.series, one_step(first.series[0]))
    return msgspec.structs.replace(suite, records=(msgspec.structs.replace(first, series=series), *rest))


def with_times_of_no_session(suite: Suite) -> Suite:
    first = suite.records[0]
    stray = msgspec.structs.replace(first, session="nobody", series=(one_step(first.series[0]),))
    return msgspec.structs.replace(suite, records=(*suite.records, stray))


@pytest.mark.parametrize("written", [as_of_schema_1, lambda suite: encode_suite(suite)], ids=["1", "2"])
@pytest.mark.parametrize("change", [with_times_of_a_second_series, with_times_of_no_session])
def test_times_that_nobody_asks_for_are_held_to_the_same(
    tmp_path: Path, change: Callable[[Suite], Suite], written: Callable[[Suite], bytes]
) -> None:
    path = tmp_path / "suite.json"
    content = written(change(load_suite(PUBLISHED[0]))).decode()
    assert content.count("[777.0]") == 1
    path.write_text(content)
    assert quickly(path) == wholly(path)
    path.write_text(content.replace("[777.0]", '["oops"]'))
    with pytest.raises(InputError) as found:
        load_suite(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
        quickly(path)


COLUMNS = (
    *(
        ("block", '["0"]'),
        ("block", "[]"),
        ("block", "[-1]"),
        ("steps", "[0]"),
        ("steps", "[5]"),
        ("steps", "[]"),
    ),
    *(("warmup", "[1,0]"), ("warmup", "[1000000]"), ("warmup", "null"), ("metric", "5"), ("windows", "null")),
)


@pytest.mark.parametrize("written", [as_of_schema_1, lambda suite: encode_suite(suite)], ids=["1", "2"])
@pytest.mark.parametrize("steps", ["[1000000000001]", "[1000000000001.0]"])
def test_a_time_in_ms_has_the_bound_of_its_unit(
    tmp_path: Path, written: Callable[[Suite], bytes], steps: str
) -> None:
    """Thirty years."""
    path = tmp_path / "suite.json"
    suite = load_suite(PUBLISHED[0])
    record = msgspec.structs.replace(suite.records[0], series=(one_step(suite.records[0].series[0]),))
    content = written(msgspec.structs.replace(suite, records=(record,))).decode()
    path.write_text(content.replace("[777.0]", steps))
    for read in (load_suite, quickly):
        with pytest.raises(InputError, match=r"latency has a time of more than 1e\+12 ms|<= 1000000000000"):
            read(path)


@pytest.mark.parametrize("steps", ["[1000000000001]", "[1000000000001.0]"])
def test_a_time_in_ns_may_be_a_quarter_of_an_hour(tmp_path: Path, steps: str) -> None:
    path = tmp_path / "suite.json"
    suite = load_suite(PUBLISHED[0])
    series = msgspec.structs.replace(one_step(suite.records[0].series[0]), unit=Unit.NANOSECONDS)
    record = msgspec.structs.replace(suite.records[0], series=(series,))
    content = encode_suite(msgspec.structs.replace(suite, records=(record,))).decode()
    path.write_text(content.replace("[777.0]", steps))
    assert quickly(path) == wholly(path)


@pytest.mark.parametrize(("column", "value"), COLUMNS)
def test_columns_that_do_not_fit_get_the_same_sentence(tmp_path: Path, column: str, value: str) -> None:
    path = tmp_path / "suite.json"
    content = of_today(load_suite(PUBLISHED[0])).decode()
    start = content.index('"records"')
    changed = re.sub(rf'"{column}":(\[[^]]*\]|"[a-z]*"|)', f'"{column}":{value}', content[start:], count=1)
    path.write_text(content[:start] + changed)
    with pytest.raises(InputError) as found:
        load_suite(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
        quickly(path)


@pytest.mark.parametrize(
    "change",
    [
        lambda values: values.replace(",", ", "),  # written by something else
        lambda values: re.sub(r"\d+", "1.5", values, count=1),
        lambda values: re.sub(r"\d+", "1000000000000000000", values, count=1),
        lambda values: re.sub(r"\d+", "9007199254740993", values),
    ],
    ids=["blanks", "a fraction", "a long one", "sums that are no floats"],
)
def test_times_that_no_run_stores_are_read_as_any_others(
    tmp_path: Path, change: Callable[[str], str]
) -> None:
    path = tmp_path / "suite.json"
    content = of_today(load_suite(PUBLISHED[0])).decode()
    start = content.index('"records"')
    path.write_text(
        content[:start] + re.sub(COLUMN, lambda found: change(found.group()), content[start:], count=1)
    )
    assert quickly(path) == wholly(path)


def test_the_harness_may_have_no_overhead(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    save_suite(with_calibration_of(HARNESS_OVERHEAD)(load_suite(PUBLISHED[0])), path)
    assert quickly(path) == wholly(path)


def test_a_file_cut_short_or_missing_gets_the_same_sentence(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    for content in (None, PUBLISHED[0].read_bytes()[:100_000]):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as found:
            load_suite(path)
        with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
            quickly(path)
