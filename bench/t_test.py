"""The test behind the verdicts: Student's t over blocks.

Paired where both sides ran in the blocks of one session; else Welch's (1947, Biometrika 34), with the
variance between sessions beside those inside them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from types import ModuleType

from bench.evidence import Cell, Paired, Sessions, Unfit, Unpaired, squares_around
from bench.statistics import blocks_needed

__all__ = ["TEvidence", "first_that", "noncentral_t_shift", "t_quantile", "t_test"]

# Relative differences below this are no measurement: a nanosecond in a burst of 20 ms is already 5e-8.
_RESOLUTION = 1e-9
# No two positive floats have a log ratio beyond this.
_LARGEST_LOG = 1455.0
# A plan for more blocks than this is no plan.
_MOST_BLOCKS = 10_000
# Beyond these, Student's t is the normal distribution.
_MOST_DEGREES = 1e6
# Of the number of blocks that is said to settle a cell.
_POWER = 0.95


def t_test(cell: Cell, alpha: float) -> TEvidence | Unfit:
    """Student's paired t or Welch's. Says nothing where no test without its assumptions could say anything.

    That is where even the most extreme order of so few blocks has a p-value above alpha in a sign test
    (paired) or a rank test (unpaired): what remained would be faith in the normal distribution.
    """
    return _paired(cell.log_ratios, alpha) if isinstance(cell, Paired) else _unpaired(cell, alpha)


def _paired(values: Sequence[float], alpha: float) -> TEvidence | Unfit:
    n, needed = len(values), blocks_needed(1 - alpha)
    if n == 0:
        return Unfit("no block has a usable time on both sides", 0, needed=needed)
    if bad := _unusable(values):
        return Unfit(f"{bad} of {n} blocks have no ratio of two positive times", n)
    centre = _mean(values)
    if n < needed:
        return Unfit(f"{n} of the {needed} blocks that a verdict needs", n, centre, needed)
    if _constant(values):
        return Unfit(f"all {n} blocks gave the same ratio, which no measurement does", n, centre)
    return TEvidence(centre, _squares(values) / (n - 1), 0.0, n - 1, n)


def _unpaired(cell: Unpaired, alpha: float) -> TEvidence | Unfit:
    sides = (cell.base, cell.new)
    blocks = [sum(map(len, side)) for side in sides]
    if not all(side and all(side) for side in sides):
        return Unfit("no block has a usable time on one side", min(blocks), needed=_fewest(alpha))
    if bad := _unusable([*chain.from_iterable(values for side in sides for values in side)]):
        return Unfit(f"{bad} of {sum(blocks)} blocks have no positive time", min(blocks))
    centre = _mean(cell.new.means) - _mean(cell.base.means)
    needed = _fewest(alpha)
    # Sides that are both long enough need no count of all orders, which takes long for thousands of blocks.
    if min(blocks) < needed and (min(blocks) < 2 or 2 / math.comb(sum(blocks), blocks[0]) > alpha):
        reason = f"{blocks[0]} and {blocks[1]} of the {needed} blocks a side that a verdict needs"
        return Unfit(reason, min(blocks), centre, needed)
    return _welch(cell, centre, min(blocks))


def _welch(cell: Unpaired, centre: float, n: int) -> TEvidence | Unfit:
    """The variance of a difference of two means of session means, with the degrees of freedom of its three
    parts after Satterthwaite (1946), Biometrics Bulletin 2.
    """
    base, new = _Inside.of(cell.base), _Inside.of(cell.new)
    if min(base.variance, new.variance) == 0:
        return Unfit("all blocks of one side gave the same time, which no measurement does", n, centre)
    between = cell.spread**2 * (base.between + new.between)
    parts = ((base.variance, base.df), (new.variance, new.df), (between, cell.spread_df))
    total = math.fsum(variance for variance, _ in parts)
    inverse = math.fsum((variance / total) ** 2 / df for variance, df in parts)
    cause = (
        f"sessions of the same code differ by {100 * cell.spread:.2g}% (standard deviation); give several "
        "sessions a side, or use ab"
    )
    inside = base.variance + new.variance
    return TEvidence(
        centre, inside * n, between, min(1 / inverse, _MOST_DEGREES), n, cause if between else ""
    )


@dataclass(frozen=True, slots=True)
class _Inside:
    """What one side's blocks add to the variance of the mean of its session means.

    `between` is the share of the variance between sessions that is to be added to it.
    """

    variance: float
    df: int
    between: float

    @classmethod
    def of(cls, side: Sessions) -> _Inside:
        """Sessions of one block each show the variance between sessions themselves."""
        if max(map(len, side)) == 1:
            means = side.means
            variance = 0.0 if _constant(means) else _squares(means) / (len(means) - 1) / len(means)
            return cls(variance, len(means) - 1, 0.0)
        df = sum(map(len, side)) - len(side)
        pooled = 0.0 if all(map(_constant, side)) else math.fsum(side.squares) / df
        per_session = pooled * math.fsum(1 / len(values) for values in side) / len(side)
        return cls(per_session / len(side), df, 1 / len(side))


def _fewest(alpha: float) -> int:
    """Blocks a side of which a rank test can be significant: 2 / (2n choose n) <= alpha."""
    return next(n for n in range(1, _MOST_BLOCKS) if 2 / math.comb(2 * n, n) <= alpha)


def _unusable(values: Sequence[float]) -> int:
    # Nearly always none are, which is seen without a look at each: NaN and infinity survive a sum.
    if math.isfinite(sum(values)) and min(values) >= -_LARGEST_LOG and max(values) <= _LARGEST_LOG:
        return 0
    return sum(not abs(value) <= _LARGEST_LOG for value in values)


def _constant(values: Sequence[float]) -> bool:
    return max(values) - min(values) < _RESOLUTION


def _mean(values: Sequence[float]) -> float:
    # Exact sums: neither the order of blocks nor a change of sign moves the last digit.
    return math.fsum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    return squares_around(values, _mean(values))


@dataclass(frozen=True, slots=True)
class TEvidence:
    """A location with a standard error of `df` degrees of freedom.

    Its square is `fixed` (what more blocks don't change) + `per_block` / n.
    """

    centre: float
    per_block: float
    fixed: float
    df: float
    n: int
    limited_by: str = ""

    def p_above(self, limit: float) -> float:
        """P(T >= t)."""
        return _probability(self.df, -(self.centre - limit) / self._error)

    def p_below(self, limit: float) -> float:
        """P(T <= t)."""
        return _probability(self.df, (self.centre - limit) / self._error)

    def interval(self, error: float) -> tuple[float, float]:
        """Centre +- t * standard error."""
        half = t_quantile(1 - error / 2, self.df) * self._error
        return self.centre - half, self.centre + half

    def blocks_needed(self, error: float, distance: float) -> int | None:
        """By the usual sum of two quantiles, which a noncentral t hardly improves on."""
        df_per_block = self.df / self.n

        def suffices(blocks: int) -> bool:
            df = max(1.0, df_per_block * blocks)
            quantiles = t_quantile(1 - error / 2, df) + t_quantile(_POWER, df)
            return quantiles * math.sqrt(self.fixed + self.per_block / blocks) <= distance

        return first_that(suffices, self.n + 1)

    @property
    def _error(self) -> float:
        return math.sqrt(self.fixed + self.per_block / self.n)


def t_quantile(probability: float, df: float) -> float:
    """Student's t quantile."""
    return float(_special().stdtrit(df, probability))


def noncentral_t_shift(probability: float, df: float, t: float) -> float:
    """The noncentrality with which Student's t is at most `t` with that probability."""
    return float(_special().nctdtrinc(df, probability, t))


def _probability(df: float, t: float) -> float:
    return float(_special().stdtr(df, t))


def _special() -> ModuleType:
    # A tenth of a second, which every command would pay, and few of them judge.
    from scipy import special

    module: ModuleType = special
    return module


def first_that(suffices: Callable[[int], bool], start: int) -> int | None:
    """The smallest number from `start` on that suffices, found by halving: larger ones then do as well."""
    if not suffices(_MOST_BLOCKS):
        return None
    low, high = start, _MOST_BLOCKS
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle + 1, high)
    return low
