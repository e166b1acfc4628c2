"""The gate study's noise: what is taken from real sessions, and how it is corrected."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import pytest
from scipy import stats

from bench.ab.order import begins
from bench.compare import DEFAULT_SPREADS
from bench.errors import InputError
from bench.study.draw import CELLS
from bench.study.pool import PAIR, Floats, corrected, pool_of
from bench.study.raw import Kind
from bench.study.rules import OUR_RULE
from bench.study.spreads import case_noise, least_between_sessions, measured_spreads
from tests.bench.study_runs import fake_run

pytestmark = pytest.mark.nopaddle


def test_a_pool_holds_the_noise_that_was_put_in() -> None:
    quiet = [fake_run(Kind.QUIET, number) for number in range(1, 9)]
    pool = pool_of(quiet)
    assert (pool.runs, pool.blocks, pool.left_out) == (8, 12, 0)
    assert pool.names[0] == "quiet-01"
    assert abs(pool.second) < 0.001
    # Two sides of 0.5%, each with a fifth of the bursts' own 0.5%, of which the median tells.
    assert pool.within == pytest.approx(0.0076, rel=0.25)
    assert pool.shift < 0.002
    for noise in case_noise(pool, 0.05, OUR_RULE):
        assert noise.sd == pytest.approx(pool.within, rel=0.3)
        assert noise.blocks is not None
    reference, calibration = measured_spreads(pool, "here")
    assert 1.749 < reference.advised.df <= 7
    assert 1.749 < calibration.advised.df <= 7
    assert 0 < reference.advised.sd < 0.004
    assert reference.beyond <= reference.advised.sd <= reference.observed


def test_two_sessions_are_told_apart_from_their_spread_on() -> None:
    spread = DEFAULT_SPREADS.reference
    least = least_between_sessions(spread, CELLS, OUR_RULE)

    def p_value(slowdown: float) -> float:
        beyond = math.log1p(slowdown) - OUR_RULE.log_limit
        return float(stats.t.sf(beyond / (math.sqrt(2) * spread.sd), spread.df))

    each = OUR_RULE.alpha / CELLS / 2  # Holm's first, of two directions
    assert p_value(1.001 * least) < each < p_value(0.999 * least)


def _sessions(runs: int, shift: float, sd: float, second: float, seed: int = 3) -> Floats:
    """Log ratios (run, block, case) of two cases, with an effect of who comes second."""
    rng = np.random.default_rng(seed)
    order = np.array([1.0, -1.0] * 7) * second
    shifts = rng.normal(0, shift, (runs, 1, 2))
    return np.asarray(shifts + rng.normal(0, sd, (runs, 14, 2)) + order[:, None])


@pytest.mark.parametrize("second", [0.0, 0.01])
def test_what_is_drawn_varies_as_sessions_and_blocks_do(second: float) -> None:
    """The variance of a suite's mean is that between sessions and that of its blocks, and neither twice."""
    found = corrected(_sessions(600, 0.005, 0.01, second))
    assert found.shift == pytest.approx(0.005, rel=0.1)
    rng = np.random.default_rng(9)
    run, pairs = rng.integers(600, size=4000), rng.integers(7, size=(4000, 12))
    places = (PAIR * pairs[..., None] + np.arange(PAIR)).reshape(4000, -1)
    drawn = found.ratios[run[:, None], places, 0]
    assert drawn.mean(axis=1).var() == pytest.approx(0.005**2 + 0.01**2 / 24, rel=0.1)
    assert drawn.var() == pytest.approx(0.005**2 + 0.01**2 + second**2, rel=0.05)


def test_sessions_whose_means_are_left_keep_them() -> None:
    ratios = _sessions(10, 0.005, 0.01, 0.0)
    ratios[3, 4, 1] = np.nan
    found = corrected(ratios)
    whole = np.delete(ratios[3, :, 1], [4, 5]).mean()
    assert found.as_measured[0].mean(axis=0) == pytest.approx(ratios[0].mean(axis=0))
    assert np.nanmean(found.as_measured[3, :, 1]) == pytest.approx(whole)
    assert np.isnan(found.ratios[3, 4:6, 1]).all()
    assert np.isfinite(found.ratios).sum() == ratios.size - 2


def test_few_sessions_do_not_show_that_there_is_nothing_between_them() -> None:
    ratios = _sessions(10, 0.0, 0.01, 0.0)
    means = ratios.mean(axis=1)
    assert corrected(ratios).shift >= math.sqrt(np.mean(means**2) / 2) * (1 - 1e-9)


def test_other_tools_are_given_bursts_whose_means_are_corrected_alike() -> None:
    pool = pool_of([fake_run(Kind.QUIET, number) for number in range(1, 9)])
    plain, paired = (values[:, 1] - values[:, 0] for values in (pool.bursts, pool.paired_bursts))
    assert paired.mean(axis=-1) == pytest.approx(corrected(plain.mean(axis=-1)).ratios)
    assert (pool.bursts[:, 0] == pool.paired_bursts[:, 0]).all()


def test_what_the_second_side_takes_longer_is_seen() -> None:
    run = fake_run(Kind.QUIET, 1)
    side = run.sides[1]
    # Side B's every block that A begins takes 2% longer.
    cases = tuple(
        msgspec.structs.replace(
            times,
            blocks=tuple(
                msgspec.structs.replace(
                    block, quartiles=tuple(q * 1.02 ** (begins(1, block.block) == 0) for q in block.quartiles)
                )
                for block in times.blocks
            ),
        )
        for times in side.cases
    )
    slower = msgspec.structs.replace(run, sides=(run.sides[0], msgspec.structs.replace(side, cases=cases)))
    assert pool_of([slower]).second - pool_of([run]).second == pytest.approx(0.01, abs=1e-4)


def test_a_block_without_its_partner_is_left_out() -> None:
    run = fake_run(Kind.QUIET, 1)
    side = run.sides[0]
    cut = tuple(
        msgspec.structs.replace(times, blocks=tuple(b for b in times.blocks if b.block != 5))
        for times in side.cases
    )
    sides = (msgspec.structs.replace(side, cases=cut), run.sides[1])
    pool = pool_of([msgspec.structs.replace(run, sides=sides), fake_run(Kind.QUIET, 2)])
    assert (pool.blocks, pool.left_out) == (10, 4)


def test_a_pool_without_any_usable_block_is_refused() -> None:
    run = fake_run(Kind.BUSY, 1)
    sides = tuple(
        msgspec.structs.replace(
            side,
            cases=tuple(
                msgspec.structs.replace(
                    times,
                    blocks=tuple(
                        msgspec.structs.replace(block, discarded=(0, 1, 2, 3, 4)) for block in times.blocks
                    ),
                )
                for times in side.cases
            ),
        )
        for side in run.sides
    )
    with pytest.raises(InputError, match="busy runs: no case has two pairs of usable blocks"):
        pool_of([msgspec.structs.replace(run, sides=sides)])


def test_sessions_that_differ_are_seen() -> None:
    runs = [
        fake_run(Kind.QUIET, n, slowed={"relu": 0.03, "dyrelu_a": 0.03} if n % 2 else None)
        for n in range(1, 9)
    ]
    assert pool_of(runs).shift == pytest.approx(0.03 / math.sqrt(2), rel=0.2)
