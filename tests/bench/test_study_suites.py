"""The gate study's suites: how they are drawn, how a family is judged."""

from __future__ import annotations

import math
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.compare import DEFAULT_SPREADS
from bench.evidence import Paired, Unpaired
from bench.study.candidates import paired_t
from bench.study.draw import CELLS, Shape, Suites, paired_suites, two_session_suites
from bench.study.family import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Evidence, judged, judged_one
from bench.study.pool import Floats, Pool, pool_of
from bench.study.raw import Kind
from bench.study.rules import OUR_RULE, welch
from bench.verdict import Verdict, judge
from tests.bench.study_runs import fake_run, fake_runs

pytestmark = pytest.mark.nopaddle

_WORDS = {
    SLOWER: Verdict.SLOWER,
    FASTER: Verdict.FASTER,
    EQUIVALENT: Verdict.EQUIVALENT,
    INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


@pytest.fixture(scope="module")
def drawn() -> tuple[Suites, Suites]:
    pool = pool_of([run for run in fake_runs() if run.kind is Kind.BUSY])
    shape = Shape(40, 9)
    return (
        paired_suites(pool, shape, np.random.default_rng(3)),
        two_session_suites(pool, shape, np.random.default_rng(3)),
    )


def _told_apart(cases: int) -> Pool:
    """A pool in which every number says where it stands: run, block, case and side, in powers of 100."""
    runs, blocks = 5, 8
    run, side, block, case = np.meshgrid(*map(np.arange, (runs, 2, blocks, cases)), indexing="ij")
    values = (1e6 * run + 1e4 * block + 1e2 * case).astype(np.float64)
    ratios = values[:, 0]
    found = fake_run(Kind.QUIET, 1).sides[0].cases[0].case
    return Pool(
        names=tuple(f"quiet-{number:02}" for number in range(1, runs + 1)),
        cases=tuple(msgspec.structs.replace(found, batch=batch) for batch in range(1, cases + 1)),
        reference=np.zeros(cases, dtype=np.intp),
        bursts=(values + side)[..., None],
        paired_bursts=(values + side)[..., None],
        ratios=ratios,
        as_measured=ratios + 0.5,
        values=values,
        calibration=values[..., 0],
        shift=0.0,
        within=1.0,
        second=0.0,
        left_out=0,
    )


@pytest.mark.parametrize("cases", [7, 16])
def test_every_number_of_a_cell_comes_from_its_case_its_session_and_a_pair_of_its_blocks(cases: int) -> None:
    suites = paired_suites(_told_apart(cases), Shape(30, 6), np.random.default_rng(1))
    base, new = suites.base_bursts[..., 0], suites.new_bursts[..., 0]
    assert base.shape == (30, CELLS, 6)
    assert (np.sort(np.unique(np.stack([base, new]) % 100)) == [0, 1]).all()
    assert (np.abs(new - base) == 1).all()
    assert ((base // 1e2 % 100) == suites.case[None, :, None]).all()
    assert ((base // 1e6) == suites.session[:, :, None]).all()
    block = base // 1e4 % 100
    assert (block[..., 0::2] % 2 == 0).all()
    assert (block[..., 1::2] == block[..., 0::2] + 1).all()
    assert suites.ratios is not None
    assert suites.as_measured is not None
    assert np.array_equal(np.abs(suites.ratios) // 1e2, base // 1e2)
    assert np.array_equal(np.abs(suites.as_measured), np.abs(suites.ratios) + 0.5)
    assert (suites.is_reference == (suites.case == 0)).all()
    assert len(np.unique(suites.case)) == cases


def test_between_two_sessions_the_sides_are_of_different_ones() -> None:
    pool = _told_apart(16)
    pool = replace(pool, paired_bursts=np.full_like(pool.bursts, np.nan))
    suites = two_session_suites(pool, Shape(30, 6), np.random.default_rng(1))
    base, new = suites.base_bursts[..., 0], suites.new_bursts[..., 0]
    assert (new // 1e6 == suites.session[:, :, None]).all()
    assert (base // 1e6 != new // 1e6).all()
    assert ((new // 1e2 % 100) == suites.case[None, :, None]).all()


def test_suites_have_the_shape_that_was_asked_for(drawn: tuple[Suites, Suites]) -> None:
    for suites in drawn:
        assert suites.base_bursts.shape == suites.new_bursts.shape == (40, CELLS, 9, 5)
        assert suites.base.shape == suites.new.shape == (40, CELLS, 9)
        assert suites.is_reference.sum() == CELLS / 2
    assert drawn[0].ratios is not None
    assert drawn[0].ratios.shape == (40, CELLS, 9)
    assert drawn[1].ratios is None


def test_a_slowdown_is_of_one_cell_and_of_its_size(drawn: tuple[Suites, Suites]) -> None:
    cells = np.arange(40) % CELLS
    for suites in drawn:
        one = suites.slowed(cells, 0.05)
        rows = np.arange(40)
        assert np.allclose(one.new_bursts[:, 0] - suites.new_bursts[rows, cells], math.log(1.05))
        assert np.allclose(one.base_bursts[:, 0], suites.base_bursts[rows, cells])
        assert np.allclose(one.new[:, 0] - suites.new[rows, cells], math.log(1.05))
        assert (one.is_reference[:, 0] == suites.is_reference[cells]).all()


def test_the_cells_of_a_rack_come_from_the_same_blocks(drawn: tuple[Suites, Suites]) -> None:
    """What the machine did to a block, both its cases show."""
    bursts = drawn[0].base_bursts.mean(axis=-1)
    together = [np.corrcoef(bursts[suite, 0], bursts[suite, 1])[0, 1] for suite in range(40)]
    apart = [np.corrcoef(bursts[suite, 0], bursts[suite, 5])[0, 1] for suite in range(40)]
    assert np.median(together) > 0.3
    assert abs(np.median(apart)) < 0.2


def _evidence(ratios: Floats) -> Evidence:
    return Evidence.of(lambda sign, limit: paired_t(sign * ratios, limit), OUR_RULE.log_limit)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_family_is_judged_as_judge_does(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratios = rng.normal(rng.choice([0, 0, 0, 0.05, -0.04], (3, 12, 1)), rng.choice([0.004, 0.02]), (3, 12, 9))
    ratios[rng.random(ratios.shape) < 0.2] = np.nan
    ratios += 0.0
    found = judged(_evidence(ratios), OUR_RULE)
    for suite, verdicts in zip(ratios, found, strict=True):
        cells = [Paired(tuple(cell[np.isfinite(cell)].tolist())) for cell in suite]
        expected = [said.verdict for said in judge(cells, OUR_RULE)]
        assert [_WORDS[verdict] for verdict in verdicts.tolist()] == expected
    changed = ratios.copy()
    places = np.array([0, 5, 11])
    changed[np.arange(3), places] += 0.08
    one = _evidence(changed[np.arange(3), places][:, None])
    expected_one = judged(_evidence(changed), OUR_RULE)[np.arange(3), places]
    assert (judged_one(_evidence(ratios), one, places, OUR_RULE) == expected_one).all()


def test_compare_is_judged_as_judge_does(drawn: tuple[Suites, Suites]) -> None:
    suites = drawn[1]
    found = judged(welch(suites), OUR_RULE)
    for suite in range(5):
        cells = []
        for cell in range(CELLS):
            calibrated = bool(suites.is_reference[cell])
            spread = (
                DEFAULT_SPREADS.of_calibration(float(suites.moved[suite, cell]))
                if calibrated
                else DEFAULT_SPREADS.reference
            )
            base, new = (
                tuple(side[suite, cell][np.isfinite(side[suite, cell])].tolist())
                for side in (suites.base, suites.new)
            )
            cells.append(Unpaired.of((base,), (new,), spread.sd, spread.df))
        expected = [said.verdict for said in judge(cells, OUR_RULE)]
        assert [_WORDS[verdict] for verdict in found[suite].tolist()] == expected
