"""The quick reading of a suite says what the other says, and refuses what it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from bench.compare import observe
from bench.errors import InputError
from bench.history.times import load_times
from bench.record import HARNESS_OVERHEAD, LATENCY, SCHEMA_VERSION, Series, Suite
from bench.storage import load_suite, save_suite

pytestmark = pytest.mark.nopaddle

PUBLISHED = sorted((Path(__file__).parents[2] / "reports" / "published").glob("*/suite.json"))


def with_first_value(series: Series, value: float) -> Series:
    first, *rest = series.windows
    changed = msgspec.structs.replace(first, values=(value, *first.values[1:]))
    return msgspec.structs.replace(series, windows=(changed, *rest))


def with_latency_of_nothing(suite: Suite) -> Suite:
    first, *rest = suite.records
    series = tuple(with_first_value(one, 0.0) if one.metric == LATENCY else one for one in first.series)
    records = (msgspec.structs.replace(first, series=series), *rest)
    return msgspec.structs.replace(suite, records=records)


def with_calibration_of(metric: str) -> Callable[[Suite], Suite]:
    def changed(suite: Suite) -> Suite:
        session = suite.sessions[0]
        series = with_first_value(msgspec.structs.replace(session.calibration[0], metric=metric), 0.0)
        calibration = (series, *session.calibration[1:])
        return msgspec.structs.replace(
            suite, sessions=(msgspec.structs.replace(session, calibration=calibration), *suite.sessions[1:])
        )

    return changed


def of_a_newer_version(suite: Suite) -> Suite:
    return msgspec.structs.replace(suite, schema_version=SCHEMA_VERSION + 1)


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.parent.name)
def test_a_comparison_sees_the_same_suite(path: Path) -> None:
    quick, whole = load_times(path), load_suite(path)
    assert observe(quick, "it") == observe(whole, "it")
    assert type(quick) is not Suite  # it was read the quick way


@pytest.mark.parametrize(
    "change", [with_latency_of_nothing, with_calibration_of("burst_compute"), of_a_newer_version]
)
def test_what_is_no_suite_gets_the_same_sentence(tmp_path: Path, change: Callable[[Suite], Suite]) -> None:
    path = tmp_path / "suite.json"
    save_suite(change(load_suite(PUBLISHED[0])), path)
    with pytest.raises(InputError) as found:
        load_suite(path)
    with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
        load_times(path)


def test_the_harness_may_have_no_overhead(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    save_suite(with_calibration_of(HARNESS_OVERHEAD)(load_suite(PUBLISHED[0])), path)
    assert observe(load_times(path), "it") == observe(load_suite(path), "it")


def test_a_file_cut_short_or_missing_gets_the_same_sentence(tmp_path: Path) -> None:
    path = tmp_path / "suite.json"
    for content in (None, PUBLISHED[0].read_bytes()[:100_000]):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(InputError) as found:
            load_suite(path)
        with pytest.raises(InputError, match=f"^{re.escape(str(found.value))}$"):
            load_times(path)
