"""Known extra work: as much as was asked for, and never unsaid."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.clock import WallClock
from bench.inject import Injection, injected, slowed_by
from tests.bench.fakes import FakeClock

pytestmark = pytest.mark.nopaddle

OPERATION_S = 1e-6


@given(st.floats(1e-4, 0.05), st.floats(0.01, 1.0))
def test_a_slowed_step_takes_the_wanted_share_longer(step_s: float, share: float) -> None:
    clock = FakeClock()
    slowed = slowed_by(share, clock.step(step_s), lambda count: clock.advance(count * OPERATION_S), clock)
    start = clock.now()
    slowed()
    assert clock.now() - start == pytest.approx(step_s * (1 + share), abs=1.01 * OPERATION_S)


def test_a_machine_that_slows_down_meanwhile_changes_nothing() -> None:
    """Step and work become slower together, so that their ratio stays."""
    clock, factor = FakeClock(), [1.0]

    def step() -> None:
        clock.advance(0.001 * factor[0])
        factor[0] *= 1.002

    slowed = slowed_by(0.1, step, lambda count: clock.advance(count * OPERATION_S * factor[0]), clock)
    start, before = clock.now(), factor[0]
    slowed()
    assert clock.now() - start == pytest.approx(0.001 * before * 1.1, rel=0.02)


def test_only_the_cases_that_are_meant_are_slowed() -> None:
    injection = Injection(0.05, "*/eager/*")

    def step() -> None:
        pass

    assert injected(step, "net/inference/float32/1x8x8/b1/relu", injection, WallClock()) is step
    assert injected(step, "net/eager/float32/1x8x8/b1/relu", None, WallClock()) is step
    slowed = injected(step, "net/eager/float32/1x8x8/b1/relu", injection, WallClock())
    assert slowed is not step
    slowed()


def test_it_says_of_itself_that_it_is_no_result() -> None:
    assert "SLOWED ON PURPOSE: every case did extra work of 5%" in Injection(0.05).sentence
    assert "cases matching */eager/*" in Injection(0.05, "*/eager/*").sentence


@pytest.mark.parametrize("share", [0, -0.1, 11])
def test_a_share_out_of_bounds_is_refused_where_it_is_read(share: float) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"share": share}, Injection)
