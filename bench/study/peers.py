"""What other tools would say of the same bursts, by their documentation and published source.

Each takes two arrays of log times, base and new, whose last axis is one sample of a side, and gives verdicts:
slower, faster or nothing. Every tool is given all blocks' bursts at once, disturbed ones too; a burst is what
they call a value, a round, a repetition or a sample. None of them corrects for the number of cells. Those
that test for significance are given one value a block as well: bursts of one process are not independent.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from bench.study.family import EQUIVALENT, FASTER, SLOWER, Verdicts
from bench.study.pool import Floats

__all__ = [
    "PEERS",
    "Peer",
    "asv",
    "criterion",
    "google_benchmark",
    "plain_ratio",
    "pyperf",
    "pytest_benchmark",
]

# criterion's own number is 100,000, for which there are too many cells here; the ends of its interval move by
# a twentieth of their distance from the middle.
_RESAMPLES = 1000
_SEED = 20240612


class _Tool(Protocol):
    def __call__(self, base: Floats, new: Floats) -> Verdicts: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """A tool's rule. `source` says where it is written; a `slow` one gets fewer suites. One that `tests` for
    significance takes its samples for independent.
    """

    name: str
    says: _Tool
    rule: str
    source: str
    slow: bool = False
    tests: bool = True


def _said(slower: npt.NDArray[np.bool_], faster: npt.NDArray[np.bool_]) -> Verdicts:
    return np.where(slower, SLOWER, np.where(faster, FASTER, EQUIVALENT)).astype(np.int8)


def pytest_benchmark(base: Floats, new: Floats, share: float = 0.05) -> Verdicts:
    """Fails where the mean grew by more than 5%; it knows no faster."""
    ratio = np.exp(new).mean(axis=-1) / np.exp(base).mean(axis=-1)
    return _said(ratio - 1 > share, np.zeros(ratio.shape, dtype=np.bool_))


def plain_ratio(base: Floats, new: Floats, share: float = 0.05) -> Verdicts:
    """The ratio of medians is beyond 5%: what scripts do."""
    change = np.median(new, axis=-1) - np.median(base, axis=-1)
    return _said(change > np.log1p(share), change < -np.log1p(share))


def asv(base: Floats, new: Floats, factor: float = 1.1, alpha: float = 0.002) -> Verdicts:
    """Medians differ by more than a factor of 1.1, and a U test says that the samples differ (p < 0.002)."""
    change = np.median(new, axis=-1) - np.median(base, axis=-1)
    differs = np.abs(change) > np.log(factor)
    differs[differs] = _u_test(base[differs], new[differs], continuity=False) < alpha
    return _said(differs & (change > 0), differs & (change < 0))


def google_benchmark(base: Floats, new: Floats, alpha: float = 0.05) -> Verdicts:
    """The U test of two sets of repetitions; direction by the medians."""
    change = np.median(new, axis=-1) - np.median(base, axis=-1)
    differs = _u_test(base, new, continuity=True) < alpha
    return _said(differs & (change > 0), differs & (change < 0))


def _u_test(base: Floats, new: Floats, *, continuity: bool) -> Floats:
    """Mann and Whitney's (1947, Annals of Mathematical Statistics 18), by the normal distribution.

    Both tools use it for samples as large as all bursts are; of up to 20 values (asv) or 8 they use the exact
    distribution, for which it stands in here.
    """
    n, m = base.shape[-1], new.shape[-1]
    distance = np.abs(_rank_sum(base, new) - m * (m + 1) / 2 - n * m / 2) - (0.5 if continuity else 0.0)
    z = np.maximum(distance, 0.0) / np.sqrt(n * m * (n + m + 1) / 12)
    return np.asarray(2 * special.ndtr(-z))


def _rank_sum(base: Floats, new: Floats) -> Floats:
    """Of the new side; equal times share the mean of their ranks."""
    both, n = np.concatenate([base, new], axis=-1), base.shape[-1]
    order = np.argsort(both, axis=-1)
    is_new = order >= n
    # Ranks of the new side add up to the places at which its samples stand.
    sums = np.asarray(np.sum(is_new * np.arange(1.0, both.shape[-1] + 1), axis=-1))
    # Which of two equal times is sorted first, differs from processor to processor. To rank all cells by
    # `rankdata` takes five times as long, and only a third of those between two sessions hold equal times.
    values = np.take_along_axis(both, order, axis=-1)
    equal = values[..., 1:] == values[..., :-1]
    tied = (equal & (is_new[..., 1:] != is_new[..., :-1])).any(axis=-1)
    sums[tied] = stats.rankdata(both[tied], axis=-1)[..., n:].sum(axis=-1)
    return sums


def pyperf(base: Floats, new: Floats) -> Verdicts:
    """Student's t-test of equal variances, two-sided at 95%. Its table of quantiles is computed here."""
    old, now = np.exp(base), np.exp(new)
    n = old.shape[-1]
    error = np.sqrt((old.var(axis=-1, ddof=1) + now.var(axis=-1, ddof=1)) / n)
    t = (now.mean(axis=-1) - old.mean(axis=-1)) / error
    critical = special.stdtrit(2 * n - 2, 0.975)
    return _said(t >= critical, t <= -critical)


def criterion(base: Floats, new: Floats, noise: float = 0.01, alpha: float = 0.05) -> Verdicts:
    """A bootstrapped t-test finds different means (p < 0.05), and the 95% percentile interval of their ratio
    lies beyond 1%.

    That interval holds the ratio that was measured, so that only cells beyond 1% need resamples. All of them
    share theirs.
    """
    shape = base.shape[:-1]
    old, now = (np.exp(each).reshape(-1, each.shape[-1]) for each in (base, new))
    change = now.mean(axis=-1) / old.mean(axis=-1) - 1
    verdicts = np.zeros(len(old), dtype=np.int8)
    rows = np.flatnonzero(np.abs(change) > noise)
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        verdicts[part] = _criterion(old[part], now[part], noise, alpha)
    return verdicts.reshape(shape)


def _criterion(old: Floats, now: Floats, noise: float, alpha: float) -> Verdicts:
    n = old.shape[-1]
    resamples = _resamples(n)
    # Times of a step in units of the cell's mean: squares of numbers near 1 fit a short float.
    unit = old.mean(axis=-1, keepdims=True)
    old, now = old / unit, now / unit
    ratios = (now @ resamples.new) / (old @ resamples.old) - 1
    low, high = np.quantile(ratios, [0.025, 0.975], axis=-1)
    both = np.concatenate([old, now], axis=-1)
    centred = both - both.mean(axis=-1, keepdims=True)
    resampled = _t(*_moments(centred, resamples.first, n), *_moments(centred, resamples.second, n), n)
    observed = _t(now.mean(-1), now.var(-1, ddof=1), old.mean(-1), old.var(-1, ddof=1), n)
    hits = np.sum(resampled < observed[:, None], axis=-1)
    different = 2 * np.minimum(hits, _RESAMPLES - hits) / _RESAMPLES < alpha
    return _said(different & (low > noise), different & (high < -noise))


class _Resamples(NamedTuple):
    """Weights of the samples in each resample of n: of the n of either side, and twice of those of both."""

    old: Floats
    new: Floats
    first: Floats
    second: Floats


@lru_cache(maxsize=2)
def _resamples(n: int) -> _Resamples:
    """All cells share them. Kept, since to draw them takes longer than to use them: n is that of the bursts
    of all blocks, or that of the blocks.
    """
    rng = np.random.default_rng([_SEED, n])
    old, new = (_weights(n, n, rng) for _ in range(2))
    return _Resamples(old, new, *(_weights(2 * n, n, rng) for _ in range(2)))


def _weights(population: int, sample: int, rng: np.random.Generator) -> Floats:
    drawn = rng.multinomial(sample, np.full(population, 1 / population), size=_RESAMPLES)
    return np.ascontiguousarray(drawn.T) / sample


def _moments(values: Floats, weights: Floats, n: int) -> tuple[Floats, Floats]:
    mean = values @ weights
    return mean, np.maximum(values**2 @ weights - mean**2, 0.0) * n / (n - 1)


def _t(mean: Floats, variance: Floats, other: Floats, others: Floats, n: int) -> Floats:
    return np.asarray((mean - other) / np.sqrt((variance + others) / n))


PEERS = (
    Peer(
        "pytest-benchmark `mean:5%`",
        pytest_benchmark,
        "mean more than 5% above the base's",
        "`--benchmark-compare-fail=mean:5%`; `PercentageRegressionCheck` in pytest_benchmark/utils.py",
        tests=False,
    ),
    Peer(
        "asv",
        asv,
        "ratio of medians beyond 1.1 and p < 0.002 in a U test",
        "`asv continuous --factor 1.1`; `is_different` in asv's statistics.py",
    ),
    Peer(
        "pyperf",
        pyperf,
        "Student's two-sample t-test, two-sided at 95%",
        "`pyperf compare_to`; `is_significant` in pyperf/_utils.py",
    ),
    Peer(
        "criterion",
        criterion,
        "p < 0.05 in a bootstrapped t-test and a 95% interval beyond 1%",
        "criterion.rs book, Analysis Process; src/analysis/compare.rs, `compare_to_threshold`",
        slow=True,
    ),
    Peer(
        "google/benchmark U test",
        google_benchmark,
        "p < 0.05 in a U test of the repetitions (it colours the p-value and gives no verdict)",
        "tools/compare.py, docs/tools.md (`--alpha`, 0.05)",
    ),
    Peer("plain 5% ratio", plain_ratio, "ratio of medians beyond 5%", "scripts", tests=False),
)
