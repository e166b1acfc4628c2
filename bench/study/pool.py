"""Real runs as arrays: the noise that simulated suites are drawn from.

Axes are run, side, block, case and burst, in that order. Times are logarithms of milliseconds, log ratios are
B over A. NaN is a block that its rule may not use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.case import Case
from bench.compare import Observed, paired_log_ratios
from bench.compare.observed import Taken
from bench.errors import InputError
from bench.study.raw import RawRun, RawSide, observed_sides

__all__ = ["Floats", "Pool", "pool_of"]

Floats: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pool:
    """What runs of one kind hold.

    `bursts` are all bursts' log means, disturbed ones too, as other tools would take them. `ratios` are what
    `ab` judges, and `values` the log block values that `compare` does, each without what is too disturbed.
    `calibration` has the axes run, side, block. `reference` is the place of each case's reference.

    `shift` is the standard deviation between sessions of a session's mean log ratio beyond what its blocks
    explain, `within` that of a block. `left_out` counts blocks that some case didn't run whole.
    """

    cases: tuple[Case, ...]
    reference: npt.NDArray[np.intp]
    bursts: Floats
    ratios: Floats
    values: Floats
    calibration: Floats
    shift: float
    within: float
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
    if np.isfinite(ratios).sum(axis=1).max() < 2:
        raise InputError(
            f"{runs[0].kind.value} runs: no case has two usable blocks; collect on a quieter machine"
        )
    bursts = np.array([_bursts(run, own) for run, own in zip(runs, kept, strict=True)])
    corrected, moved, shift, within = _corrected(ratios)
    # What is taken off a session's ratios is taken off its second side, whoever looks at it.
    bursts[:, 1] += moved[:, None, :, None]
    return Pool(
        cases=cases,
        reference=_references(cases, runs[0].protocol.reference),
        bursts=bursts,
        ratios=corrected,
        values=np.array([_values(sides, own) for sides, own in zip(observed, kept, strict=True)]),
        calibration=np.array([_calibration(run, own) for run, own in zip(runs, kept, strict=True)]),
        shift=shift,
        within=within,
        left_out=left_out,
    )


def _corrected(ratios: Floats) -> tuple[Floats, Floats, float, float]:
    """Log ratios whose sessions differ by as much as sessions do, and what was added to each session's.

    A session's mean over n blocks holds the noise of those blocks. Resampled as it is it would count twice:
    once in the mean, and once more in the blocks that are drawn. So means are drawn towards zero, where both
    sides being one thing puts them, until their variance is the component between sessions (the variance of
    means less what the blocks explain, pooled over cases). Deviations from a mean of n are smaller than those
    from the truth by the root of (n - 1) / n, which is given back.
    """
    counts = np.sum(np.isfinite(ratios), axis=1, keepdims=True)
    usable = counts > 1
    means = np.where(usable, np.nansum(ratios, axis=1, keepdims=True) / np.maximum(counts, 1), 0.0)
    deviations = ratios - means
    variances = np.nansum(deviations**2, axis=1, keepdims=True) / np.maximum(counts - 1, 1)
    explained = float(np.mean((variances / np.maximum(counts, 1))[usable]))
    between = float(np.mean(means[usable] ** 2))
    kept = np.sqrt(max(0.0, 1 - explained / between)) if between else 0.0
    scale = np.sqrt(counts / np.maximum(counts - 1, 1))
    corrected = kept * means + scale * deviations
    shift = float(kept * np.sqrt(between))
    return corrected, ((kept - 1) * means)[:, 0], shift, float(np.sqrt(np.mean(variances[usable])))


def _references(cases: Sequence[Case], variant: str) -> npt.NDArray[np.intp]:
    places = {(case.group, case.variant): place for place, case in enumerate(cases)}
    return np.array([places[case.group, variant] for case in cases], dtype=np.intp)


def _whole_blocks(run: RawRun) -> list[int]:
    """Blocks that all cases of both sides ran to their planned number of bursts, with a calibration."""
    found = set(range(run.protocol.blocks))
    for side in run.sides:
        found &= set(side.calibration)
        for times in side.cases:
            found &= {block.block for block in times.blocks if len(block.means) >= run.protocol.rounds}
    if not found:
        raise InputError(f"{run.name}: no block is whole; remove it, and collect it anew")
    return sorted(found)


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
    return np.log(
        [
            [[taken.blocks.get(block, np.nan) for taken in side.sessions[0].cases] for block in blocks]
            for side in sides
        ]
    )


def _calibration(run: RawRun, blocks: Sequence[int]) -> Floats:
    return np.log([[side.calibration[block] for block in blocks] for side in run.sides])
