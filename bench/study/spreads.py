"""How much sessions of the same code differ, and blocks of one session: what the runs say for `compare`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.case import Case
from bench.compare import MOST_EXPLAINED, Spread, df_of_part, observed_spread
from bench.evidence import Unpaired
from bench.study.draw import CELLS
from bench.study.pool import Floats, Pool
from bench.t_test import t_quantile
from bench.verdict import Rule, blocks_for

__all__ = ["CaseNoise", "MeasuredSpread", "case_noise", "least_between_sessions", "measured_spreads"]


@dataclass(frozen=True, slots=True)
class MeasuredSpread:
    """Standard deviations of a session's mean log ratio: as observed, and beyond what its blocks explain.

    `advised` is a default for a machine like this one: a spread of nothing, which an estimate can be, would
    make every difference significant. `df` are its degrees of freedom.
    """

    observed: float
    beyond: float
    advised: Spread


def measured_spreads(pool: Pool, source: str) -> tuple[MeasuredSpread, MeasuredSpread]:
    """Of ratios to the reference, and of the reference's to the calibration.

    Both sides of a session are one thing, so that each is a session of its own on one side of a cell.
    """
    own = np.arange(len(pool.cases)) == pool.reference
    to_reference = pool.values - pool.values[..., pool.reference]
    to_calibration = pool.values - pool.calibration[..., None]
    return _spread(to_reference[..., ~own], source), _spread(to_calibration[..., own], source)


def _spread(logs: Floats, source: str) -> MeasuredSpread:
    cells = [_cell(logs[..., case]) for case in range(logs.shape[-1])]
    found = observed_spread([cell for cell in cells if cell is not None])
    means = [
        np.array([np.mean(values) for values in side])
        for cell in cells
        if cell is not None
        for side in (cell.base, cell.new)
        if len(side) > 1
    ]
    if found is None or not means:
        return MeasuredSpread(math.nan, math.nan, Spread(math.nan, 0.0, source))
    df = sum(len(each) - 1 for each in means)
    between = math.fsum(float(np.sum((each - each.mean()) ** 2)) for each in means) / df
    advised = math.sqrt(max(found.sd**2, (1 - MOST_EXPLAINED) * between))
    # Both sides of a run are one session: what shifts in it shifts for both.
    known = df_of_part(max(len(each) for each in means) - 1, advised**2, between)
    return MeasuredSpread(math.sqrt(between), found.sd, Spread(advised, known, source))


def _cell(logs: Floats) -> Unpaired | None:
    """Axes run, side, block; sessions without two usable blocks are left out."""
    sides = [[_usable(run[side]) for run in logs] for side in (0, 1)]
    kept = [tuple(values for values in side if len(values) > 1) for side in sides]
    return Unpaired.of(kept[0], kept[1]) if all(kept) else None


def _usable(values: Floats) -> tuple[float, ...]:
    return tuple(float(value) for value in values if math.isfinite(value))


def least_between_sessions(spread: Spread, cells: int, rule: Rule) -> float:
    """The smallest measured slowdown (0.05 is 5%) of one of `cells` that `compare` could call slower with one
    session a side, however many blocks they have: Student's interval of the spread alone lies beyond the
    threshold from there on.
    """
    critical = t_quantile(1 - rule.alpha / cells / 2, spread.df)
    return math.expm1(rule.log_limit + critical * math.sqrt(2) * spread.sd)


@dataclass(frozen=True, slots=True)
class CaseNoise:
    """A case's noise in `ab`: the standard deviation of a block's log ratio, and the blocks that it takes.

    `blocks` find `effect` in one of 60 cells 19 times in 20; None where no number does.
    """

    case: Case
    sd: float
    blocks: int | None


def case_noise(pool: Pool, effect: float, rule: Rule) -> Sequence[CaseNoise]:
    """In the order of the cases."""
    found = []
    for place, case in enumerate(pool.cases):
        runs = [_usable(run[:, place]) for run in pool.ratios]
        kept = [np.array(values) for values in runs if len(values) > 1]
        df = sum(len(values) - 1 for values in kept)
        squares = math.fsum(float(np.sum((values - values.mean()) ** 2)) for values in kept)
        # A pool's deviations are as large as those from the truth, so that none of them is lost to the mean.
        sd = math.sqrt(squares / sum(map(len, kept))) if df else math.nan
        blocks = blocks_for(effect, sd, CELLS, rule) if math.isfinite(sd) else None
        found.append(CaseNoise(case, sd, blocks))
    return tuple(found)
