"""The gate study's parts: what is kept of a run, how suites are drawn, and rules held to their sources."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.ab.order import begins
from bench.compare import DEFAULT_SPREADS, CompareOptions, compare, compare_observed
from bench.errors import InputError, WorkerError
from bench.evidence import Paired, Unpaired
from bench.selftest import SELFTEST_FILE, Injected, evaluate, save_selftest
from bench.storage import save_suite
from bench.study.candidates import bootstrap_t, paired_t, sign, signed_rank, trimmed_t
from bench.study.collect import Finished, Settings, Wanted, busy_process, collect, wanted
from bench.study.draw import CELLS, Shape, Suites, paired_suites, two_session_suites
from bench.study.family import EQUIVALENT, FASTER, INCONCLUSIVE, SLOWER, Evidence, judged, judged_one
from bench.study.peers import PEERS, asv, criterion, google_benchmark, plain_ratio, pyperf, pytest_benchmark
from bench.study.pool import PAIR, Floats, Pool, corrected, pool_of
from bench.study.raw import Kind, observed_sides, raw_side, read_run, read_runs, run_path, write_run
from bench.study.real import lower_bound, run_result, upper_bound
from bench.study.rules import OUR_RULE, welch
from bench.study.spreads import case_noise, measured_spreads
from bench.study.study import alike
from bench.verdict import Verdict, judge
from tests.bench.sessions import Run, run_suite
from tests.bench.study_runs import fake_run, fake_runs

pytestmark = pytest.mark.nopaddle

_WORDS = {
    SLOWER: Verdict.SLOWER,
    FASTER: Verdict.FASTER,
    EQUIVALENT: Verdict.EQUIVALENT,
    INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


def _unheard(_line: str) -> None:
    """Nobody listens."""


def _pair(seed: int = 1) -> Sequence[Run]:
    return [Run("a", drift=seed, pair="p"), Run("b", {"dyrelu_b": 1.1}, drift=seed, pair="p")]


def test_a_run_is_judged_from_its_raw_data_as_from_its_suites() -> None:
    a, b = map(run_suite, _pair())
    run = msgspec.structs.replace(
        fake_run(Kind.QUIET, 1),
        protocol=a.sessions[0].protocol,
        environment=next(iter(a.environments.values())),
        pair="p",
        sides=(raw_side(a), raw_side(b)),
    )
    left, right = observed_sides(run)
    found = compare_observed([left], [right], CompareOptions())
    expected = compare([a], [b], CompareOptions())
    assert [delta.verdict for delta in found.deltas] == [delta.verdict for delta in expected.deltas]
    for one, other in zip(found.deltas, expected.deltas, strict=True):
        assert one.ratio.value == pytest.approx(other.ratio.value, abs=1e-6)
        assert one.left_out == other.left_out


def test_a_file_is_read_as_it_was_written_and_always_the_same(tmp_path: Path) -> None:
    run = fake_run(Kind.BUSY, 7)
    path = write_run(run, tmp_path)
    assert path.name == "busy-07.json.gz"
    first = path.read_bytes()
    assert read_run(path) == run
    assert write_run(run, tmp_path).read_bytes() == first
    path.write_bytes(first[:100])
    with pytest.raises(InputError, match=r"busy-07.*collect it anew"):
        read_run(path)
    with pytest.raises(InputError, match="holds no runs"):
        read_runs(tmp_path / "nothing")


class FakeSelfTest:
    """Leaves behind what the command does."""

    def __init__(self, status: int = 0, last_line: str = "0 false alarms, 4 compared") -> None:
        self.asked: list[list[str]] = []
        self._status, self._last_line = status, last_line

    def __call__(self, arguments: Sequence[str], folder: Path) -> Finished:
        self.asked.append(list(arguments))
        a, b = map(run_suite, _pair(len(self.asked)))
        for name, suite in (("A", a), ("B", b)):
            (folder / name).mkdir(parents=True)
            save_suite(suite, folder / name / "suite.json")
        injected = Injected(0.1, "*/dyrelu_b") if "--inject" in arguments else None
        save_selftest(evaluate(a, b, injected), folder / SELFTEST_FILE)
        return Finished(self._status, self._last_line, 12.5, (0.1, 0.9))


def test_collecting_makes_what_is_missing_and_no_more(tmp_path: Path) -> None:
    out, work, measure = tmp_path / "raw", tmp_path / "work", FakeSelfTest()
    runs = wanted(2, 1, 1)
    assert [run.name for run in runs] == ["quiet-01", "busy-01", "injected-01", "quiet-02"]
    assert collect(out, work, runs[:3], Settings(blocks=12), _unheard, measure) == 3
    assert collect(out, work, runs, Settings(blocks=12), _unheard, measure) == 1
    assert [path.name for path in sorted(out.iterdir())] == [
        f"{name}.json.gz" for name in ("busy-01", "injected-01", "quiet-01", "quiet-02")
    ]
    assert not list(work.iterdir())
    seeds = [asked[asked.index("--seed") + 1] for asked in measure.asked]
    assert len(set(seeds)) == 4
    injected = read_run(run_path(out, "injected-01"))
    assert injected.injected == Injected(0.1, "*/dyrelu_b")
    assert injected.command.startswith("dyrelu-bench selftest --preset gate --seed 3001 --blocks 12 --inject")
    assert {said.verdict for key, said in injected.said.items() if key.endswith("dyrelu_b")} == {"slower"}
    result = run_result(injected)
    assert (result.differing, result.alarms, result.found) == (0, 0, len(result.slowed))


def test_a_run_that_failed_stops_the_collection(tmp_path: Path) -> None:
    with pytest.raises(WorkerError, match=r"quiet-01: selftest ended with 5, see .*quiet-01\.log; remove"):
        collect(tmp_path, tmp_path / "work", wanted(1, 0, 0), Settings(), _unheard, FakeSelfTest(5))
    crashed = FakeSelfTest(1, "AttributeError")
    with pytest.raises(WorkerError, match="selftest ended with 1"):
        collect(tmp_path, tmp_path / "crashed", wanted(1, 0, 0), Settings(), _unheard, crashed)
    with pytest.raises(KeyboardInterrupt):
        collect(tmp_path, tmp_path / "other", wanted(1, 0, 0), Settings(), _unheard, FakeSelfTest(130))
    assert not list(tmp_path.glob("*.gz"))


def test_injected_runs_slow_one_variant_after_another() -> None:
    globs = [Wanted(Kind.INJECTED, number).arguments(Settings())[-1] for number in range(1, 6)]
    assert globs == ["*/relu", "*/dyrelu_a", "*/dyrelu_b", "*/dyrelu_c", "*/relu"]


def test_the_foreign_process_ends_with_the_run() -> None:
    with busy_process() as pid:
        os.kill(pid, 0)
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    pytest.fail("it still runs")


def test_runs_that_were_measured_otherwise_are_refused() -> None:
    first, second = fake_run(Kind.QUIET, 1), fake_run(Kind.QUIET, 2)
    assert alike([first, second]) == (first, second)
    other = msgspec.structs.replace(second.protocol, rounds=9)
    with pytest.raises(InputError, match=r"quiet-02: was measured by another protocol than quiet-01"):
        alike([first, msgspec.structs.replace(second, protocol=other)])
    machine = msgspec.structs.replace(second.environment, cpu="Another CPU")
    with pytest.raises(InputError, match="was measured elsewhere"):
        alike([first, msgspec.structs.replace(second, environment=machine)])


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
            cells.append(Unpaired((base,), (new,), spread.sd, spread.df))
        expected = [said.verdict for said in judge(cells, OUR_RULE)]
        assert [_WORDS[verdict] for verdict in found[suite].tolist()] == expected


SAMPLES = np.random.default_rng(11).normal(0.01, 0.01, (6, 10))


def test_candidates_agree_with_scipy() -> None:
    for limit in (0.0, 0.012):
        t = stats.ttest_1samp(SAMPLES, limit, axis=1, alternative="greater").pvalue
        assert paired_t(SAMPLES, limit) == pytest.approx(t)
        ranks = stats.wilcoxon(SAMPLES - limit, axis=1, alternative="greater", method="exact").pvalue
        assert signed_rank(SAMPLES, limit) == pytest.approx(ranks)
        signs = [
            stats.binomtest(int((row > limit).sum()), 10, alternative="greater").pvalue for row in SAMPLES
        ]
        assert sign(SAMPLES, limit) == pytest.approx(signs)
        trimmed = [_trimmed(row, limit) for row in SAMPLES]
        assert trimmed_t(SAMPLES, limit) == pytest.approx(trimmed)
        resampled = [_studentised(row, limit) for row in SAMPLES]
        assert bootstrap_t(SAMPLES, limit) == pytest.approx(resampled, abs=0.03)


def _studentised(row: Floats, limit: float) -> float:
    """The bootstrap-t, resample by resample."""
    resamples = np.random.default_rng(8).choice(row, (4000, len(row)))
    errors = np.maximum(resamples.std(axis=1, ddof=1), 1e-9)
    t = (resamples.mean(axis=1) - row.mean()) / errors
    return float(np.mean(t >= (row.mean() - limit) / row.std(ddof=1)))


def _trimmed(row: Floats, limit: float) -> float:
    """Yuen's test against a constant, by the formula of Tukey and McLaughlin."""
    cut = int(0.2 * len(row))
    mean = stats.trim_mean(row, 0.2)
    winsorised = np.asarray(stats.mstats.winsorize(row, limits=(0.2, 0.2)))
    kept = len(row) - 2 * cut
    error = math.sqrt((len(row) - 1) * winsorised.var(ddof=1) / (kept * (kept - 1)))
    return float(stats.t.sf((mean - limit) / error, kept - 1))


@pytest.mark.parametrize("test", [paired_t, trimmed_t, signed_rank, sign, bootstrap_t])
def test_candidates_leave_out_what_is_not_there(test: object) -> None:
    assert callable(test)
    gaps = np.concatenate([SAMPLES, np.full((6, 3), np.nan)], axis=1)[
        :, [10, *range(5), 11, *range(5, 10), 12]
    ]
    assert test(gaps, 0.0) == pytest.approx(test(SAMPLES, 0.0))
    assert (test(np.where(np.arange(10) < 5, SAMPLES, np.nan), 0.0) == 1).all()


RNG = np.random.default_rng(5)
BASE = np.log(RNG.gamma(400, 1 / 400, (30, 40)))
NEW = np.log(RNG.gamma(400, 1 / 400, (30, 40))) + np.linspace(-0.15, 0.15, 30)[:, None]


def test_peers_agree_with_scipy() -> None:
    u = stats.mannwhitneyu(NEW, BASE, axis=1, method="asymptotic", use_continuity=True).pvalue
    assert ((google_benchmark(BASE, NEW) != 0) == (u < 0.05)).all()
    plain = stats.mannwhitneyu(NEW, BASE, axis=1, method="asymptotic", use_continuity=False).pvalue
    medians = np.median(np.exp(NEW), axis=1) / np.median(np.exp(BASE), axis=1)
    beyond = (medians > 1.1) | (medians < 1 / 1.1)
    assert ((asv(BASE, NEW) != 0) == (beyond & (plain < 0.002))).all()
    t = stats.ttest_ind(np.exp(NEW), np.exp(BASE), axis=1).pvalue
    assert ((pyperf(BASE, NEW) != 0) == (t <= 0.05)).all()
    means = np.exp(NEW).mean(axis=1) / np.exp(BASE).mean(axis=1)
    assert (pytest_benchmark(BASE, NEW) == (means > 1.05)).all()
    assert ((plain_ratio(BASE, NEW) == SLOWER) == (medians > 1.05)).all()


def test_criterion_agrees_with_a_plain_bootstrap() -> None:
    said = criterion(BASE, NEW)
    rng = np.random.default_rng(2)
    for old, now, verdict in zip(np.exp(BASE), np.exp(NEW), said.tolist(), strict=True):
        first, second = (rng.choice(side, (4000, 40)).mean(axis=1) for side in (old, now))
        low, high = np.quantile(second / first - 1, [0.025, 0.975])
        p = stats.ttest_ind(now, old, equal_var=False).pvalue
        # Both are bootstraps: where the end of an interval is near the limit, either answer is right.
        if min(abs(low - 0.01), abs(high + 0.01)) < 0.002 or abs(p - 0.05) < 0.02:
            continue
        expected = SLOWER if low > 0.01 and p < 0.05 else FASTER if high < -0.01 and p < 0.05 else EQUIVALENT
        assert verdict == expected


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_peers_look_at_ratios_and_at_every_axis(peer: object) -> None:
    from bench.study.peers import Peer

    assert isinstance(peer, Peer)
    alone = peer.says(BASE, NEW)
    assert (peer.says(BASE + 3, NEW + 3) == alone).all()
    assert (peer.says(BASE.reshape(5, 6, 40), NEW.reshape(5, 6, 40)).reshape(30) == alone).all()
    assert alone[-1] == SLOWER
    assert alone[0] in (FASTER, EQUIVALENT)


def test_bounds_are_exact() -> None:
    assert lower_bound(10, 10) == pytest.approx(0.05 ** (1 / 10))
    assert upper_bound(0, 5000) == pytest.approx(1 - 0.05 ** (1 / 5000))
    assert (lower_bound(0, 10), upper_bound(10, 10)) == (0.0, 1.0)
