"""Change points are where the levels are, and the spread is what the sessions differ by."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compared import Basis
from bench.errors import MissingDependency
from bench.history import spread
from bench.history.change_points import FEWEST_SESSIONS, change_points
from bench.storage import save_suite
from tests.bench.histories import day_suite, write_days

pytestmark = pytest.mark.nopaddle

FINGERPRINT = day_suite(0).sessions[0].environment


def noise(seed: int, n: int, kind: str = "normal") -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.standard_normal(n) if kind == "normal" else rng.standard_t(3, n)
    if kind == "bursts":
        values = values + rng.exponential(5.0, n) * (rng.random(n) < 0.1)
    return 0.01 * values


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(30, 300),
    share=st.floats(0.3, 0.7),
    height=st.floats(0.1, 1.0),
    up=st.booleans(),
)
def test_a_step_of_ten_times_the_noise_is_found_in_its_place(
    seed: int, n: int, share: float, height: float, up: bool
) -> None:
    values, place = noise(seed, n), int(n * share)
    values[place:] += height if up else -height
    assert change_points(values, family=64) == (place,)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-100, 100), max_size=60), st.integers(1, 1000), st.floats(-5, 5))
def test_any_series_has_places_inside_it_that_no_shift_and_no_mirror_moves(
    values: list[float], family: int, shift: float
) -> None:
    found = change_points(values, family)
    assert list(found) == sorted(set(found))
    assert all(0 < place < len(values) for place in found)
    if len(values) < FEWEST_SESSIONS:
        assert found == ()
    # Multiples of a power of two add without rounding.
    coarse = np.round(np.asarray(values, dtype=float) * 8) / 8
    places = change_points(coarse, family)
    assert change_points(coarse + round(shift * 8) / 8, family) == places
    assert change_points(-coarse, family) == places


@pytest.mark.parametrize("kind", ["normal", "t", "bursts"])
@pytest.mark.parametrize("n", [8, 12, 29, 30, 100, 700])
def test_pure_noise_shows_no_change(kind: str, n: int) -> None:
    """At most 1% of series may, as the module says; the seeds are fixed."""
    series = 200 if n < 200 else 60
    found = sum(bool(change_points(noise(seed, n, kind), family=64)) for seed in range(series))
    assert found <= 0.01 * series


def test_several_levels_and_long_series() -> None:
    values = noise(1, 2400)
    for place in (500, 1100, 1103, 1900):
        values[place:] += 0.06
    values[700] += 5.0  # a wild session is no level
    found = change_points(values, family=64)
    # Three sessions are no level in a long history: the two steps beside them are one.
    assert len(found) == 3
    for place, expected in zip(found, (500, 1102, 1900), strict=True):
        assert abs(place - expected) <= 2


def test_what_is_below_the_resolution_is_no_change() -> None:
    values = np.zeros(40)
    values[20:] = 1e-5
    assert change_points(values) == ()
    values[20:] = 0.5
    assert change_points(values) == (20,)
    assert change_points(np.full(50, 3.0)) == ()


def test_known_noise_hides_what_is_smaller() -> None:
    values = np.tile([0.0, 0.004], 10)
    values[10:] += 0.02
    assert change_points(values) == (10,)
    assert change_points(values, noise=0.05) == ()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_the_callers_mistake(bad: float) -> None:
    with pytest.raises(ValueError, match="not finite"):
        change_points([0.0] * 20 + [bad])


def test_without_ruptures_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ruptures", None)
    with pytest.raises(MissingDependency, match="pip install ruptures"):
        change_points(noise(1, 20))
    assert change_points(noise(1, FEWEST_SESSIONS - 1)) == ()


def test_the_spread_is_what_sessions_differ_by_and_no_change_of_level(tmp_path: Path) -> None:
    write_days(tmp_path / "steady", 60, lambda _: 1.0, spread=0.01)
    steady = spread(tmp_path / "steady", FINGERPRINT)
    assert steady is not None
    assert steady.sd == pytest.approx(0.01, rel=0.25)
    assert 50 < steady.df <= 59
    assert steady.source == "from a history of 60 sessions in this environment"
    write_days(tmp_path / "moved", 60, lambda day: 1.0 if day < 30 else 1.3, spread=0.01)
    moved = spread(tmp_path / "moved", FINGERPRINT)
    assert moved is not None
    assert moved.sd == pytest.approx(steady.sd, rel=0.05)


def test_the_spread_against_the_calibration_is_of_the_reference(tmp_path: Path) -> None:
    write_days(tmp_path, 20, lambda _: 1.0, spread=0.01)
    found = spread(tmp_path, FINGERPRINT, Basis.CALIBRATION)
    assert found is not None
    # Machine and calibration move together here: what remains is noise of blocks, of which half counts.
    assert 0 < found.sd < 0.002
    with pytest.raises(ValueError, match="paired blocks"):
        spread(tmp_path, FINGERPRINT, Basis.BLOCKS)


def test_no_spread_from_one_session_another_machine_or_a_pair(tmp_path: Path) -> None:
    save_suite(day_suite(0), tmp_path / "a.json")
    assert spread(tmp_path, FINGERPRINT) is None
    assert spread(tmp_path, "000000000000") is None
    save_suite(day_suite(1, pair="p"), tmp_path / "b.json")
    # A side of an ab was measured otherwise.
    assert spread(tmp_path, FINGERPRINT) is None
    save_suite(day_suite(3, pair="q"), tmp_path / "d.json")
    two = spread(tmp_path, FINGERPRINT)
    assert two is not None
    save_suite(day_suite(2, factor=1.5, pair="p"), tmp_path / "c.json")
    # The second side of an ab is no further session, and what is to be judged is none either.
    assert spread(tmp_path, FINGERPRINT) == two
    assert spread(tmp_path, FINGERPRINT, without={"day1p"}) != two
    assert spread(tmp_path, FINGERPRINT, without={"day1p", "day2p"}) is None


def test_an_unbiased_spread_between_few_sessions_is_never_nothing(tmp_path: Path) -> None:
    write_days(tmp_path, 3, lambda _: 1.0, spread=0.0)
    found = spread(tmp_path, FINGERPRINT)
    assert found is not None
    assert found.sd > 0
    assert 0.5 <= found.df <= 2
