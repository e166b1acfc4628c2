"""From block values of two sides to verdicts. Stands beside statistics: numbers in, verdicts out.

A ratio is time of the new side over time of the base: more than 1 is slower. Everything is reckoned on its
logarithm, on which swapping the sides is a change of sign and a common factor vanishes.

The rule: a cell is slower where "the ratio is at most 1 + theta" is rejected, faster where "it is at least
1 / (1 + theta)" is, by Holm's procedure over all cells (Holm 1979, Scand. J. Statist. 6), at alpha over the
family. A cell's interval is the one that inverts its test: a rejected cell's at the level at which it was
rejected, any other's at the level of the first that wasn't. Equivalent is a cell whose interval lies inside
the threshold on both sides (two one-sided tests, Schuirmann 1987, at half of that level each).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from bench.evidence import Cell, Evidence, Paired, Unfit, Unpaired, log_ratio
from bench.statistics import Estimate, blocks_needed
from bench.t_test import first_that, noncentral_t_shift, t_quantile, t_test

__all__ = [
    "Cell",
    "Evidence",
    "Judged",
    "Paired",
    "Rule",
    "Test",
    "Unfit",
    "Unpaired",
    "Verdict",
    "blocks_for",
    "detectable",
    "judge",
    "log_ratio",
    "t_test",
]


# With which `blocks_for` and `detectable` want an effect found.
_POWER = 0.95


class Verdict(StrEnum):
    """What is said of one time against another."""

    FASTER = "faster"
    SLOWER = "slower"
    EQUIVALENT = "equivalent"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Rule:
    """`theta` is the practical threshold on a time ratio (0.02 is 2%), `alpha` the error of a whole family.

    Raises ValueError for a threshold that is negative or not finite, and an alpha outside (0, 1).
    """

    theta: float = 0.02
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not (0 <= self.theta < math.inf):
            raise ValueError(f"theta is {self.theta}, and must be a share of time, 0 or more")
        if not (0 < self.alpha < 1):
            raise ValueError(f"alpha is {self.alpha}, and must lie between 0 and 1")

    @property
    def log_limit(self) -> float:
        """The threshold on the log ratio; the other one is its negative."""
        return math.log1p(self.theta)

    @property
    def upper(self) -> float:
        """Slower is what lies wholly above this ratio."""
        return 1.0 + self.theta

    @property
    def lower(self) -> float:
        """Faster is what lies wholly below this ratio."""
        return 1.0 / self.upper


@dataclass(frozen=True, slots=True)
class Judged:
    """What is known of one cell.

    `ratio` has the interval of confidence `level`. `p_value` is corrected for the family: at most alpha
    exactly where the verdict is slower or faster. `reason` says why a verdict is inconclusive.
    `blocks_needed` is how many blocks a verdict would probably take, None where it has one already or no
    number would do.
    """

    ratio: Estimate
    p_value: float
    verdict: Verdict
    level: float
    reason: str = ""
    blocks_needed: int | None = None


# A test turns a cell into evidence, or says why there is none.
Test = Callable[[Cell, float], Evidence | Unfit]


def judge(cells: Sequence[Cell], rule: Rule, test: Test = t_test) -> tuple[Judged, ...]:
    """The verdicts of a family of cells, in their order. Never raises for what a cell holds.

    `test` is given each cell and alpha. A cell that it can't use is inconclusive, with p = 1, and counts in
    the family.
    """
    found = [test(cell, rule.alpha) for cell in cells]
    raw = [1.0 if isinstance(one, Unfit) else _two_sided(one, rule) for one in found]
    corrected = _holm(raw)
    rejected = [p <= rule.alpha for p in corrected]
    # Equal p-values are rejected together, at the level of the first of them, whatever the order of cells.
    ranks = [sum(other < p for other in raw) for p in raw]
    levels = [
        rule.alpha / (len(cells) - (rank if hit else sum(rejected)))
        for rank, hit in zip(ranks, rejected, strict=True)
    ]
    return tuple(
        _unfit(one, level) if isinstance(one, Unfit) else _judged(one, rule, p, hit, level)
        for one, p, hit, level in zip(found, corrected, rejected, levels, strict=True)
    )


def _two_sided(evidence: Evidence, rule: Rule) -> float:
    slower, faster = evidence.p_above(rule.log_limit), evidence.p_below(-rule.log_limit)
    return min(1.0, 2 * min(slower, faster))


def _holm(raw: Sequence[float]) -> list[float]:
    """Corrected p-values: at most alpha exactly where Holm's procedure rejects at alpha."""
    corrected = [1.0] * len(raw)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(raw)), key=lambda index: raw[index])):
        largest = max(largest, min(1.0, (len(raw) - rank) * raw[index]))
        corrected[index] = largest
    return corrected


def _unfit(found: Unfit, error: float) -> Judged:
    value = _exp(found.centre) if found.centre is not None else math.nan
    ratio = Estimate(value, math.nan, math.nan, found.n)
    return Judged(ratio, 1.0, Verdict.INCONCLUSIVE, 1 - error, found.reason, found.needed)


def _judged(evidence: Evidence, rule: Rule, p: float, rejected: bool, error: float) -> Judged:
    limit = rule.log_limit
    low, high = evidence.interval(error)
    # Test and interval are the same inequality, rearranged; rounding must not make two answers of it.
    if not rejected:
        verdict = Verdict.EQUIVALENT if -limit < low and high < limit else Verdict.INCONCLUSIVE
        low, high = min(low, limit), max(high, -limit)
    elif evidence.centre > 0:
        verdict, low = Verdict.SLOWER, max(low, math.nextafter(limit, math.inf))
    else:
        verdict, high = Verdict.FASTER, min(high, math.nextafter(-limit, -math.inf))
    ratio = Estimate(_exp(evidence.centre), _end(low, rule), _end(high, rule), evidence.n)
    if verdict is not Verdict.INCONCLUSIVE:
        return Judged(ratio, p, verdict, 1 - error)
    needed = evidence.blocks_needed(error, abs(limit - abs(evidence.centre)))
    return Judged(ratio, p, verdict, 1 - error, _why(evidence, rule, needed), needed)


def _why(evidence: Evidence, rule: Rule, needed: int | None) -> str:
    text = f"the interval reaches across the threshold of {100 * rule.theta:.3g}%"
    if needed is not None:
        return f"{text}: about {needed} blocks would settle it"
    if evidence.limited_by:
        return f"{text}, and more blocks won't help: {evidence.limited_by}"
    return f"{text}: the ratio lies too close to it for any number of blocks"


def _end(log: float, rule: Rule) -> float:
    """An interval's end as a ratio, on the same side of each threshold as its logarithm."""
    limit, value = rule.log_limit, _exp(log)
    if log > limit:
        return max(value, math.nextafter(rule.upper, math.inf))
    if log < -limit:
        return min(value, math.nextafter(rule.lower, 0.0))
    if abs(log) == limit:
        return rule.upper if log > 0 else rule.lower
    return min(max(value, math.nextafter(rule.lower, math.inf)), math.nextafter(rule.upper, 0.0))


def _exp(log: float) -> float:
    try:
        return math.exp(log)
    except OverflowError:
        return math.inf


def detectable(sd: float, blocks: int, cells: int, rule: Rule) -> float:
    """The smallest slowdown (0.05 is 5% of time) of one of `cells` that is found with probability 0.95.

    `sd` is that of a paired block's log ratio. The cell is taken to be the first that Holm's procedure looks
    at, as where nothing else changed. From the noncentral t distribution: the shift, in standard errors
    beyond the threshold, whose t exceeds the critical one with that power. Infinite for too few blocks.
    """
    if blocks < blocks_needed(1 - rule.alpha):
        return math.inf
    critical = t_quantile(1 - rule.alpha / max(1, cells) / 2, blocks - 1)
    shift = noncentral_t_shift(1 - _POWER, blocks - 1, critical)
    return _exp(rule.log_limit + shift * sd / math.sqrt(blocks)) - 1


def blocks_for(effect: float, sd: float, cells: int, rule: Rule) -> int | None:
    """Fewest paired blocks that find a slowdown of `effect` with probability 0.95; None where none would.

    Arguments as in `detectable`, which this inverts. An effect within the threshold is never found.
    """
    if effect <= rule.theta:
        return None
    return first_that(
        lambda blocks: detectable(sd, blocks, cells, rule) <= effect, blocks_needed(1 - rule.alpha)
    )
