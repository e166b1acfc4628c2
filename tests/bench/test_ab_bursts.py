"""Burst against burst: what the machine did to both is in no ratio."""

from __future__ import annotations

import math
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compare.bursts import Bursts, block_log_ratio, burst_quartiles, paired_log_ratios
from bench.journal import CalibrationEntry, Journal, NoteEntry
from bench.launch import encoded
from bench.measuring import protocol_of
from bench.messages import BlockTask, Request
from bench.presets import load_preset
from bench.record import Window
from tests.bench.sessions import Run, run_suite

pytestmark = pytest.mark.nopaddle

times = st.floats(1e-3, 1e3)
bursts = st.lists(st.none() | times, max_size=12).map(tuple)


@given(bursts, bursts)
def test_swapping_the_sides_mirrors_the_ratio(a: Bursts, b: Bursts) -> None:
    forth, back = block_log_ratio(a, b), block_log_ratio(b, a)
    assert (forth is None) == (back is None)
    if forth is not None and back is not None:
        assert forth == pytest.approx(-back)


@given(st.lists(times, min_size=1, max_size=12), st.floats(0.5, 2), st.randoms(use_true_random=False))
def test_the_machines_speed_is_in_no_ratio(level: list[float], ratio: float, rng: random.Random) -> None:
    speeds = [rng.uniform(0.5, 3) for _ in level]
    base = tuple(each * speed for each, speed in zip(level, speeds, strict=True))
    new = tuple(each * ratio for each in base)
    assert block_log_ratio(base, new) == pytest.approx(math.log(ratio))


def test_a_pair_with_a_disturbed_half_does_not_count() -> None:
    assert block_log_ratio((1.0, 1.0, 9.0), (2.0, 2.0, None)) == pytest.approx(math.log(2))
    assert block_log_ratio((1.0, None, 9.0, 1.0), (None, 1.0, 9.0, 1.0)) == 0.0
    assert block_log_ratio((1.0, None, 9.0), (None, 1.0, 9.0)) is None
    assert block_log_ratio((), (1.0,)) is None


def test_bursts_that_made_up_for_disturbed_ones_have_no_partner() -> None:
    assert block_log_ratio((1.0, 1.0), (1.0, 1.0, 50.0, 50.0, 50.0)) == 0.0


def test_what_is_no_time_is_no_ratio() -> None:
    found = block_log_ratio((0.0,), (1.0,))
    assert found is not None
    assert math.isnan(found)


def test_interruptions_of_single_steps_do_not_move_a_burst() -> None:
    record = run_suite(Run("a")).records[0]
    windows = (
        Window(0, (50.0,), warmup=True),
        Window(0, (1.0, 1.0, 1.0, 80.0, 90.0)),
        Window(0, (2.0,), discarded="steal 20%"),
        Window(3, (4.0, 4.0)),
    )
    series = (msgspec.structs.replace(record.series[0], windows=windows),)
    found = burst_quartiles(msgspec.structs.replace(record, series=series))
    assert found == {0: (1.0, None), 3: (4.0,)}
    assert burst_quartiles(msgspec.structs.replace(record, series=())) == {}


def test_only_common_blocks_have_a_ratio() -> None:
    assert paired_log_ratios({0: (1.0,), 1: (1.0,)}, {1: (1.0,), 2: (1.0,)}) == {1: 0.0}


def test_a_request_says_nothing_of_what_nobody_asked_for() -> None:
    """A worker of an older revision must not meet fields that it doesn't know for nothing."""
    preset = load_preset("gate")
    request = Request(preset.subjects, protocol_of(preset), 1, 0, "", {}, BlockTask(0, True, ()))
    text = encoded(request).decode()
    assert "null" not in text
    assert "injection" not in text
    assert msgspec.json.decode(text, type=Request) == request


def test_a_journal_forgets_what_is_to_be_made_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    for block in range(3):
        journal.append(CalibrationEntry(block, {}))
    journal.note("stays")
    journal.forget(lambda entry: isinstance(entry, CalibrationEntry) and entry.block == 1)
    kept = (CalibrationEntry(0, {}), CalibrationEntry(2, {}), NoteEntry("stays"))
    assert journal.entries == kept
    assert Journal(tmp_path / "journal").entries == kept
