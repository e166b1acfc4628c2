"""What a self-test says: of noise, of false alarms, of what was injected."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.compare import CompareOptions, compare
from bench.compared import Comparison, RowStatus, Status
from bench.errors import ExitStatus, InputError
from bench.record import FailureKind, Suite
from bench.report.selftest import selftest_last_line, selftest_status, selftest_text
from bench.selftest import (
    FalseAlarms,
    Injected,
    SelfTest,
    evaluate,
    false_alarms,
    floor_of,
    load_selftest,
    save_selftest,
    selftest_path,
)
from bench.verdict import Rule
from tests.bench.gates import case
from tests.bench.sessions import PLAN, Run, discarded, run_suite

pytestmark = pytest.mark.nopaddle

CASE = case()


def sides(slower: float = 1.0, noise: float = 0.004) -> tuple[Suite, Suite]:
    ours = run_suite(Run("a", pair="p", noise=noise))
    factors = dict.fromkeys(PLAN.variants, slower)
    return ours, run_suite(Run("bb", factors, pair="p", noise=noise))


def compared(suites: tuple[Suite, Suite]) -> Comparison:
    return compare([suites[0]], [suites[1]], CompareOptions())


def test_noise_is_that_of_the_ratios() -> None:
    found = evaluate(*sides(noise=0.01))
    assert (found.planned, found.usable_share) == (12, 1.0)
    assert len(found.log_ratios) == 6
    # Both sides scatter by 1%, and what the blocks drift by is in neither.
    assert all(0.008 < sd < 0.025 for sd in found.noise.values())
    assert found.usual_noise in found.noise.values()


def test_quiet_sides_raise_no_alarm() -> None:
    suites = sides()
    found, comparison = evaluate(*suites), compared(suites)
    assert selftest_status(found, comparison) is ExitStatus.DONE
    assert selftest_last_line(found, comparison) == "0 false alarms, 6 compared, 0 inconclusive, 0 missing"
    rate = false_alarms(found, Rule(), 50)
    assert (rate.sessions, rate.alarming) == (50, 0)
    text = selftest_text(found, comparison, [0.05, 0.01])
    assert "0 of 2000 sessions" in text
    assert "a slowdown of 5% takes" in text
    assert "a slowdown of 1%: within the threshold" in text
    assert "floor" in text


def test_a_steady_difference_is_an_alarm_where_nothing_was_injected() -> None:
    suites = sides(1.1)
    found, comparison = evaluate(*suites), compared(suites)
    assert selftest_status(found, comparison) is ExitStatus.REGRESSION
    assert selftest_last_line(found, comparison).startswith("6 false alarms, ")


def test_what_was_injected_is_found_and_anything_else_is_an_alarm() -> None:
    suites = sides(1.1)
    everywhere = evaluate(*suites, Injected(0.1, "*"))
    comparison = compared(suites)
    assert selftest_status(everywhere, comparison) is ExitStatus.DONE
    line = selftest_last_line(everywhere, comparison)
    assert line == "0 false alarms, 6 of 6 slowdowns found, 6 compared, 0 inconclusive, 0 missing"
    text = selftest_text(everywhere, comparison, [])
    assert "injected: 10% of each step's own time" in text
    assert text.count(", found") == 6
    partly = evaluate(*suites, Injected(0.1, "*/relu"))
    assert selftest_status(partly, comparison) is ExitStatus.REGRESSION
    assert selftest_last_line(partly, comparison).startswith("4 false alarms, 2 of 2 slowdowns found")


def test_what_was_injected_and_not_found_is_inconclusive() -> None:
    suites = sides()
    found, comparison = evaluate(*suites, Injected(0.1, "*")), compared(suites)
    assert selftest_status(found, comparison) is ExitStatus.INCONCLUSIVE
    assert "not found: equivalent" in selftest_text(found, comparison, [])


def test_nothing_measured_is_no_pass() -> None:
    suites = sides(1.1)
    every = tuple(range(PLAN.blocks))
    cut = tuple(msgspec.structs.replace(record, unpaired=every) for record in suites[1].records)
    unusable = (suites[0], msgspec.structs.replace(suites[1], records=cut))
    for injected in (None, Injected(0.1, "*")):
        found, comparison = evaluate(*unusable, injected), compared(unusable)
        assert selftest_status(found, comparison) is ExitStatus.INCONCLUSIVE
    nowhere = evaluate(*suites, Injected(0.1, "nowhere"))
    none = replace(compared(suites), deltas=())
    assert selftest_status(nowhere, none) is ExitStatus.INCONCLUSIVE


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        (RowStatus(CASE, Status.FAILED, "died", FailureKind.DIED), ExitStatus.CASE_FAILED),
        (RowStatus(CASE, Status.FAILED, "full", FailureKind.OUT_OF_MEMORY), ExitStatus.REGRESSION),
        (RowStatus(CASE, Status.FAILED, "full", FailureKind.OUT_OF_MEMORY, False), ExitStatus.DONE),
        (RowStatus(CASE, Status.MISSING, "gone"), ExitStatus.REGRESSION),
    ],
)
def test_what_was_lost_is_no_pass(lost: RowStatus, status: ExitStatus) -> None:
    suites = sides()
    assert selftest_status(evaluate(*suites), replace(compared(suites), rows=(lost,))) is status


def test_disturbed_blocks_make_the_machine_worse_and_no_figure_up() -> None:
    suites = sides()
    spoilt = tuple(
        msgspec.structs.replace(
            record,
            series=tuple(
                msgspec.structs.replace(
                    series,
                    windows=tuple(
                        discarded(w) if w.block % 2 and not w.warmup else w for w in series.windows
                    ),
                )
                for series in record.series
            ),
        )
        for record in suites[1].records
    )
    disturbed = evaluate(suites[0], msgspec.structs.replace(suites[1], records=spoilt))
    assert disturbed.usable_share == 0.5
    assert disturbed.floor(0.05) > evaluate(*suites).floor(0.05)
    price, quiet = disturbed.blocks_for(0.05, Rule()), evaluate(*suites).blocks_for(0.05, Rule())
    assert price is not None
    assert quiet is not None
    assert price > quiet


def test_without_any_usable_block_nothing_is_promised() -> None:
    nothing = replace_ratios(evaluate(*sides()), {"a": {}, "b": {3: 0.01}})
    assert math.isinf(nothing.floor(0.05))
    assert nothing.blocks_for(0.05, Rule()) is None
    assert all(map(math.isnan, nothing.noise.values()))
    assert false_alarms(nothing, Rule(), 5).alarming == 0
    text = selftest_text(nothing, compared(sides()), [0.05])
    assert "too few to say what this machine can tell" in text
    assert "false alarms" not in text


def replace_ratios(found: SelfTest, ratios: dict[str, dict[int, float]]) -> SelfTest:
    return msgspec.structs.replace(found, log_ratios=ratios)


@given(st.integers(6, 60), st.integers(1, 40))
def test_more_blocks_never_tell_less(blocks: int, more: int) -> None:
    found = evaluate_once()
    assert found.floor(0.05, blocks + more) <= found.floor(0.05, blocks)
    assert found.floor(0.05, blocks) <= found.detectable(Rule(0.02), blocks)


_FOUND: list[SelfTest] = []


def evaluate_once() -> SelfTest:
    if not _FOUND:
        _FOUND.append(evaluate(*sides()))
    return _FOUND[0]


def test_the_blocks_that_an_effect_takes_do_find_it() -> None:
    found = evaluate_once()
    needed = found.blocks_for(0.03, Rule())
    assert needed is not None
    assert found.detectable(Rule(), needed) <= 0.03
    assert needed == 6 or found.detectable(Rule(), needed - 1) > 0.03


@given(
    st.dictionaries(st.text(min_size=1, max_size=3), st.dictionaries(st.integers(0, 11), st.floats(-1, 1)))
)
def test_whatever_the_ratios_are_there_is_an_answer(ratios: dict[str, dict[int, float]]) -> None:
    found = replace_ratios(evaluate_once(), ratios)
    assert found.floor(0.05) >= 0
    assert 0 <= found.usable_share <= 1
    assert 0 <= false_alarms(found, Rule(), 2).share <= 1


def test_the_rate_has_an_exact_bound() -> None:
    assert FalseAlarms(2000, 0).high == pytest.approx(1 - 0.05 ** (1 / 2000))
    assert FalseAlarms(10, 10).high == 1.0


def test_it_is_kept_for_the_gate(tmp_path: Path) -> None:
    found = evaluate_once()
    path = selftest_path(found.preset, found.fingerprint, tmp_path)
    save_selftest(found, path)
    assert load_selftest(path) == found
    known = floor_of(found.preset, found.fingerprint, 20, folder=tmp_path)
    assert known == (found.floor(0.05, 20), path)
    assert floor_of("other", found.fingerprint, 20, folder=tmp_path) is None
    assert floor_of(found.preset, "elsewhere", 20, folder=tmp_path) is None
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match="no self-test"):
        floor_of(found.preset, found.fingerprint, 20, folder=tmp_path)
    with pytest.raises(InputError, match="can't be read"):
        load_selftest(tmp_path / "nowhere.json")
