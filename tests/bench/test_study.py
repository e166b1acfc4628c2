"""The gate study's parts: what is kept of a run, how runs are collected, and rules held to their sources."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest
from scipy import stats

from bench.compare import CompareOptions, compare, compare_observed
from bench.errors import InputError, WorkerError
from bench.selftest import SELFTEST_FILE, Injected, evaluate, save_selftest
from bench.storage import save_suite
from bench.study.candidates import bootstrap_t, paired_t, sign, signed_rank, trimmed_t
from bench.study.collect import Finished, Settings, Wanted, busy_process, collect, wanted
from bench.study.family import EQUIVALENT, FASTER, SLOWER
from bench.study.peers import PEERS, asv, criterion, google_benchmark, plain_ratio, pyperf, pytest_benchmark
from bench.study.pool import Floats
from bench.study.raw import Kind, observed_sides, raw_side, read_run, read_runs, run_path, write_run
from bench.study.real import lower_bound, run_result, upper_bound
from bench.study.study import alike
from tests.bench.sessions import Run, run_suite
from tests.bench.study_runs import fake_run

pytestmark = pytest.mark.nopaddle


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


def test_equal_times_share_their_rank() -> None:
    # A clock as coarse as this makes nearly all times equal to another one's, on either side.
    base, new = (np.round(side, 1) for side in (BASE, NEW))
    u = stats.mannwhitneyu(new, base, axis=1, method="asymptotic", use_continuity=True).pvalue
    apart = np.median(new, axis=1) != np.median(base, axis=1)
    assert ((google_benchmark(base, new) != 0) == ((u < 0.05) & apart)).all()
    order = np.random.default_rng(6).permutation(base.shape[1])
    assert (google_benchmark(new[:, order], base[:, order]) == -google_benchmark(base, new)).all()


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
