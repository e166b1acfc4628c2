"""Real runs as arrays: the noise that simulated suites are drawn from.

Axes are run, side, block, case and burst, in that order. Times are logarithms of milliseconds, log ratios are
B over A. NaN is a block that its rule may not use.

Blocks are kept in pairs, of which one was begun by either side: whoever begins meets another machine than
whoever comes second (by up to a percent here), and over a pair that cancels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.ab.order import begins
from bench.case import Case
from bench.compare import MOST_EXPLAINED, Observed, paired_log_ratios
from bench.compare.observed import Taken
from bench.errors import InputError
from bench.study.raw import RawRun, RawSide, observed_sides

__all__ = ["PAIR", "Correction", "Floats", "Pool", "corrected", "pool_of"]

Floats: TypeAlias = npt.NDArray[np.float64]

# Consecutive blocks, counted from the session's first, in which each side begins once.
PAIR = 2


@dataclass(frozen=True, slots=True)
class Pool:
    """What runs of one kind hold.

    `bursts` are all bursts' log means, disturbed ones too, as other tools would take them; in
    `paired_bursts` side B is corrected as `ratios` are, by their own means. `ratios` are what `ab` judges,
    and `values` the log block values that `compare` does, each without what is too disturbed. `as_measured`
    are ratios whose sessions keep the means that they had. `calibration` has the axes run, side, block.
    `reference` is the place of each case's reference.

    `shift` is the standard deviation between sessions of a session's mean log ratio beyond what its blocks
    explain, `within` that of a block, `second` what the side that comes second takes longer. `left_out`
    counts blocks that some case didn't run whole, whose partner is missing, or that other sessions lack.
    `names` are those of the runs.
    """

    names: tuple[str, ...]
    cases: tuple[Case, ...]
    reference: npt.NDArray[np.intp]
    bursts: Floats
    paired_bursts: Floats
    ratios: Floats
    as_measured: Floats
    values: Floats
    calibration: Floats
    shift: float
    within: float
    second: float
    left_out: int

    @property
    def runs(self) -> int:
        """Real sessions."""
        return len(self.ratios)

    @property
    def blocks(self) -> int:
        """Of each session."""
        return len(self.ratios[0])


def pool_of(runs: Sequence[RawRun]) -> Pool:
    """Raises InputError for runs that were not measured alike."""
    cases = tuple(times.case for times in runs[0].sides[0].cases)
    if any(tuple(times.case for times in side.cases) != cases for run in runs for side in run.sides):
        raise InputError("the runs don't hold the same cases; collect them all with one preset")
    whole = [_whole_blocks(run) for run in runs]
    blocks = min(map(len, whole))
    left_out = sum(run.protocol.blocks for run in runs) - blocks * len(runs)
    kept = [found[:blocks] for found in whole]
    observed = [observed_sides(run) for run in runs]
    ratios = np.array([_ratios(sides, own) for sides, own in zip(observed, kept, strict=True)])
    correction = corrected(ratios)
    if not np.isfinite(correction.ratios).any():
        raise InputError(
            f"{runs[0].kind.value} runs: no case has two pairs of usable blocks; collect on a quieter machine"
        )
    bursts = np.array([_bursts(run, own) for run, own in zip(runs, kept, strict=True)])
    of_all = bursts.mean(axis=-1)
    difference = of_all[:, 1] - of_all[:, 0]
    paired = bursts.copy()
    paired[:, 1] += (corrected(difference).ratios - difference)[..., None]
    return Pool(
        names=tuple(run.name for run in runs),
        cases=cases,
        reference=_references(cases, runs[0].protocol.reference),
        bursts=bursts,
        paired_bursts=paired,
        ratios=correction.ratios,
        as_measured=correction.as_measured,
        values=np.array([_values(sides, own) for sides, own in zip(observed, kept, strict=True)]),
        calibration=np.array([_calibration(run, own) for run, own in zip(runs, kept, strict=True)]),
        shift=correction.shift,
        within=correction.within,
        second=_second(ratios, runs, kept),
        left_out=left_out,
    )


@dataclass(frozen=True, slots=True)
class Correction:
    """What `corrected` makes of log ratios; see there, and `Pool` for the names."""

    ratios: Floats
    as_measured: Floats
    shift: float
    within: float


def corrected(ratios: Floats) -> Correction:
    """Log ratios (run, block, case) from which suites can be drawn, a pair of blocks at a time.

    A session's mean holds the noise of its blocks. Resampled as it is it would count twice: once in the mean,
    and once more in the pairs that are drawn. So means are drawn towards zero, where both sides being one
    thing puts them, until their variance is the component between sessions: the variance of means less what
    their pairs explain, both pooled over cases, but at least half of it. Deviations of pairs from a mean of
    K are smaller than those from the truth by the root of (K - 1) / K, which is given back; halves of
    differences inside a pair have no mean to lose. A block without a usable partner is left out.
    """
    runs, blocks, cases = ratios.shape
    pairs = ratios.reshape(runs, blocks // PAIR, PAIR, cases)
    middles = pairs.mean(axis=2)  # NaN where either is
    counts = np.isfinite(middles).sum(axis=1)
    usable = counts > 1
    means = np.where(usable, np.nansum(middles, axis=1) / np.maximum(counts, 1), 0.0)
    deviations = middles - means[:, None]
    variances = np.nansum(deviations**2, axis=1) / np.maximum(counts - 1, 1)
    explained = float(np.mean((variances / np.maximum(counts, 1))[usable])) if usable.any() else 0.0
    between = float(np.mean(means[usable] ** 2)) if usable.any() else 0.0
    kept = np.sqrt(max(1 - MOST_EXPLAINED, 1 - explained / between)) if between else 0.0
    scale = np.sqrt(counts / np.maximum(counts - 1, 1))[:, None]
    inner = pairs - middles[:, :, None]
    around = np.where(usable[:, None], scale * deviations, np.nan)[:, :, None] + inner

    def around_mean(share: float) -> Floats:
        return np.asarray((around + share * means[:, None, None]).reshape(ratios.shape))

    within = np.sqrt(np.nanmean(around**2)) if usable.any() else 0.0
    return Correction(around_mean(kept), around_mean(1.0), float(kept * np.sqrt(between)), float(within))


def _second(ratios: Floats, runs: Sequence[RawRun], kept: Sequence[Sequence[int]]) -> float:
    """By how much the side that comes second is slower, over all blocks and cases."""
    begun = [
        [1 if begins(run.protocol.seed, block) == 0 else -1 for block in own]
        for run, own in zip(runs, kept, strict=True)
    ]
    return float(np.nanmean(ratios * np.array(begun)[..., None]))


def _references(cases: Sequence[Case], variant: str) -> npt.NDArray[np.intp]:
    places = {(case.group, case.variant): place for place, case in enumerate(cases)}
    return np.array([places[case.group, variant] for case in cases], dtype=np.intp)


def _whole_blocks(run: RawRun) -> list[int]:
    """Blocks that all cases of both sides ran to their planned number of bursts, with a calibration, and
    whose partners did.
    """
    found = set(range(run.protocol.blocks))
    for side in run.sides:
        found &= set(side.calibration)
        for times in side.cases:
            found &= {block.block for block in times.blocks if len(block.means) >= run.protocol.rounds}
    paired = [block for block in sorted(found) if {block, block ^ 1} <= found]
    if not paired:
        raise InputError(f"{run.name}: no pair of blocks is whole; remove it, and collect it anew")
    return paired


def _bursts(run: RawRun, blocks: Sequence[int]) -> list[list[list[Floats]]]:
    """The planned number in each block: what was added for disturbed ones, other tools don't have."""
    return [_side_bursts(side, blocks, run.protocol.rounds) for side in run.sides]


def _side_bursts(side: RawSide, blocks: Sequence[int], rounds: int) -> list[list[Floats]]:
    by_case = [{block.block: block.means for block in times.blocks} for times in side.cases]
    return [[np.log(case[block][:rounds]) for case in by_case] for block in blocks]


def _by_case(sides: tuple[Observed, Observed]) -> list[tuple[Taken, Taken]]:
    a, b = (side.sessions[0].cases for side in sides)
    return list(zip(a, b, strict=True))


def _ratios(sides: tuple[Observed, Observed], blocks: Sequence[int]) -> Floats:
    found = [paired_log_ratios(a.bursts, b.bursts) for a, b in _by_case(sides)]
    return np.array([[case.get(block, np.nan) for case in found] for block in blocks])


def _values(sides: tuple[Observed, Observed], blocks: Sequence[int]) -> Floats:
    by_case = [[taken.blocks.by_number() for taken in side.sessions[0].cases] for side in sides]
    return np.log([[[own.get(block, np.nan) for own in cases] for block in blocks] for cases in by_case])


def _calibration(run: RawRun, blocks: Sequence[int]) -> Floats:
    return np.log([[side.calibration[block] for block in blocks] for side in run.sides])
