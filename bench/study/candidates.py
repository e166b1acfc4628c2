"""Tests that the rule could rest on, each for arrays of cells whose last axis is the blocks.

Each gives the one-sided p-value of "the log ratio is at most `limit`", and 1 where it has too few blocks. NaN
marks blocks that aren't there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
from scipy import special, stats

from bench.statistics import blocks_needed
from bench.study.pool import Floats

__all__ = [
    "BOOTSTRAP",
    "CANDIDATES",
    "OneSided",
    "bootstrap_t",
    "paired_t",
    "sign",
    "signed_rank",
    "trimmed_t",
]

OneSided: TypeAlias = Callable[[Floats, float], Floats]

_ALPHA = 0.05
_TRIM = 0.2
# A family of 60 asks for a p-value of 0.0004, which about 20 of these resamples reach.
_RESAMPLES = 49_999
_ROWS = 100  # of cells at once: their resamples fill 20 MB
_SEED = 20240612


def _counts(values: Floats) -> Floats:
    return np.asarray(np.isfinite(values).sum(axis=-1), dtype=np.float64)


def _enough(values: Floats, p: Floats) -> Floats:
    return np.asarray(np.where(_counts(values) >= blocks_needed(1 - _ALPHA), p, 1.0))


def _mean_and_error(values: Floats) -> tuple[Floats, Floats, Floats]:
    n = _counts(values)
    mean = np.nansum(values, axis=-1) / np.maximum(n, 1)
    squares = np.nansum((values - mean[..., None]) ** 2, axis=-1)
    return mean, np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1)), n


def paired_t(values: Floats, limit: float) -> Floats:
    """Student's t over blocks: what `bench.t_test` does."""
    mean, error, n = _mean_and_error(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = special.stdtr(np.maximum(n - 1, 1), -(mean - limit) / error)
    return _enough(values, p)


def trimmed_t(values: Floats, limit: float) -> Floats:
    """Tukey and McLaughlin's (1963, Sankhya A 25) t of the mean without the outer fifths of the blocks."""
    n = _counts(values)
    cut = np.floor(_TRIM * n)
    order = np.sort(values, axis=-1)  # NaN comes last
    place = np.arange(values.shape[-1])
    inside = (place >= cut[..., None]) & (place < (n - cut)[..., None])
    kept = n - 2 * cut
    mean = np.sum(np.where(inside, order, 0.0), axis=-1) / np.maximum(kept, 1)
    low = np.take_along_axis(order, cut[..., None].astype(np.intp), axis=-1)
    high = np.take_along_axis(order, np.maximum(n - cut - 1, 0)[..., None].astype(np.intp), axis=-1)
    winsorised = np.where(np.isfinite(order), np.clip(order, low, high), np.nan)
    _, error, _ = _mean_and_error(winsorised)
    error = error * np.sqrt(n * np.maximum(n - 1, 1)) / np.sqrt(kept * np.maximum(kept - 1, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        p = special.stdtr(np.maximum(kept - 1, 1), -(mean - limit) / error)
    return _enough(values, p)


def signed_rank(values: Floats, limit: float) -> Floats:
    """Wilcoxon's (1945, Biometrics Bulletin 1), with its exact distribution."""
    moved = values - limit
    size = np.where(np.isfinite(moved), np.abs(moved), np.inf)
    ranks = np.argsort(np.argsort(size, axis=-1), axis=-1) + 1
    total = np.sum(np.where(moved > 0, ranks, 0), axis=-1)
    return _enough(values, _rank_tails(values.shape[-1])[_counts(values).astype(np.intp), total])


@functools.cache
def _rank_tails(most: int) -> Floats:
    """P(sum of ranks with a positive sign >= s), by number of blocks and s."""
    sums = most * (most + 1) // 2 + 1
    tails = np.zeros((most + 1, sums))
    share = np.zeros(sums)
    share[0] = 1.0
    for n in range(most + 1):
        if n:
            moved = np.zeros(sums)
            moved[n:] = share[:-n]
            share = (share + moved) / 2
        tails[n] = np.minimum(1.0, np.cumsum(share[::-1])[::-1])
    return tails


def sign(values: Floats, limit: float) -> Floats:
    """The sign test, whose interval is made of order statistics (Conover, ch. 3)."""
    n, above = _counts(values), np.sum(values > limit, axis=-1)
    return _enough(values, stats.binom.sf(above - 1, n, 0.5))


def bootstrap_t(values: Floats, limit: float) -> Floats:
    """Efron's studentised bootstrap (Hall 1988, Annals of Statistics 16). All cells share their resamples."""
    rows = values.reshape(-1, values.shape[-1])
    p, counts = np.ones(len(rows)), _counts(rows)
    for n in np.unique(counts[counts >= 2]):
        own = np.flatnonzero(counts == n)
        # Sorting moves what isn't there to the end; the order of blocks means nothing to this test.
        p[own] = _bootstrapped(np.sort(rows[own], axis=-1)[:, : int(n)], limit)
    return _enough(values, p.reshape(values.shape[:-1]))


def _bootstrapped(rows: Floats, limit: float) -> Floats:
    n = rows.shape[1]
    rng = np.random.default_rng([_SEED, n])
    weights = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(np.float32).T / n
    mean, error, _ = _mean_and_error(rows)
    wanted = (mean - limit) / error
    found = np.empty(len(rows))
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        scaled = ((rows[part] - mean[part, None]) / error[part, None]).astype(np.float32)
        means = scaled @ weights
        variances = np.maximum(scaled**2 @ weights - means**2, 1e-12) / (n - 1)
        found[part] = np.sum(means / np.sqrt(variances) >= wanted[part, None], axis=1)
    return (found + 1) / (_RESAMPLES + 1)


#: Quick enough for every suite.
CANDIDATES: Mapping[str, OneSided] = {
    "paired t": paired_t,
    "trimmed t": trimmed_t,
    "signed rank": signed_rank,
    "sign": sign,
}
#: For fewer suites.
BOOTSTRAP: Mapping[str, OneSided] = {"bootstrap t": bootstrap_t}
