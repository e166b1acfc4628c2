"""From which batch size on a variant costs less than a given share, and from which one more gains little.

Both are read off the measured batch sizes and, between two of them, off a line through the two values over
the logarithm of the batch size. Nothing is said beyond the smallest and the largest batch size. Each block
gives an answer of its own; the estimate is their median and its exact interval, whose ends may lie beyond
what was measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.quality import block_values
from bench.record import Protocol, Record
from bench.statistics import Estimate, blocks_needed, median_estimate

__all__ = ["SATURATION", "Reach", "cost_falls_under", "throughput_saturates"]

# Of the best throughput.
SATURATION = 0.95
# Answers beyond what was measured, as logarithms that order as they should and are no batch size's. Half way
# between the two, where a median may fall, is beyond the largest as well.
_BELOW, _ABOVE = -1e3, 1e4

Records = Mapping[int, Record]


@dataclass(frozen=True, slots=True)
class Reach:
    """`measured` is the smallest measured batch size that does, by the medians over blocks; None is none.

    `between` is where it would happen between measured ones: NaN where too few blocks ran every batch size,
    0 where it happens at the smallest already or before, infinite where not even the largest does; so may
    the ends of its interval be.
    """

    measured: int | None
    between: Estimate
    smallest: int
    largest: int


def cost_falls_under(share: float, own: Records, reference: Records, protocol: Protocol) -> Reach | None:
    """From which batch size on, up to the largest, time is less than `1 + share` times the reference's.

    By batch size, of one variant and of the reference in the same groups. None where fewer than two batch
    sizes have both.
    """
    batches = sorted(set(own) & set(reference))
    blocks = _paired_costs(batches, own, reference, protocol)
    return _reach(batches, blocks, protocol, lambda costs: [share - cost for cost in costs])


def throughput_saturates(own: Records, protocol: Protocol, level: float = SATURATION) -> Reach | None:
    """From which batch size on throughput is at least `level` of the best one of those measured.

    Where the largest batch size is the best, a larger one may be better still, and this would come later.
    """
    batches = sorted(own)
    values = {batch: block_values(own[batch], protocol) for batch in batches}
    blocks = {
        block: [batch / values[batch][block] for batch in batches]
        for block in sorted(set.intersection(*map(set, values.values())) if values else ())
    }
    # Only from the side of small batches: falling again later is no lack of saturation.
    return _reach(batches, blocks, protocol, lambda rates: _up_to_best(rates, level))


def _up_to_best(rates: Sequence[float], level: float) -> list[float]:
    best = int(np.argmax(rates))
    return [rate / rates[best] - level if i < best else 1.0 - level for i, rate in enumerate(rates)]


def _paired_costs(
    batches: Sequence[int], own: Records, reference: Records, protocol: Protocol
) -> dict[int, list[float]]:
    """Time over the reference's, less 1, for every batch size, in the blocks that ran all of them whole."""
    sides = [(own[batch], reference[batch]) for batch in batches]
    values = [(block_values(a, protocol), block_values(b, protocol)) for a, b in sides]
    cut = {block for pair in sides for record in pair for block in record.unpaired}
    whole = [set(a) & set(b) - cut for a, b in values]
    return {
        block: [a[block] / b[block] - 1 for a, b in values]
        for block in sorted(set.intersection(*whole) if whole else ())
    }


def _reach(
    batches: Sequence[int],
    blocks: Mapping[int, Sequence[float]],
    protocol: Protocol,
    margins: Callable[[Sequence[float]], list[float]],
) -> Reach | None:
    """`margins` makes of one value a batch size how far it is on the right side: not negative there."""
    if len(batches) < 2:
        return None
    logarithms = [math.log2(batch) for batch in batches]
    answers = [_crossing(logarithms, margins(values)) for values in blocks.values()]
    measured = None
    if blocks:
        middle = [float(np.median(column)) for column in zip(*blocks.values(), strict=True)]
        reached = _from(margins(middle))
        measured = batches[reached] if reached < len(batches) else None
    return Reach(measured, _in_images(answers, protocol), batches[0], batches[-1])


def _from(margins: Sequence[float]) -> int:
    """The first place from which on nothing is on the wrong side; their number where the last one is."""
    wrong = [i for i, margin in enumerate(margins) if margin < 0]
    return wrong[-1] + 1 if wrong else 0


def _crossing(logarithms: Sequence[float], margins: Sequence[float]) -> float:
    place = _from(margins)
    if place == 0:
        return _BELOW
    if place == len(margins):
        return _ABOVE
    before, after = margins[place - 1], margins[place]
    left, right = logarithms[place - 1], logarithms[place]
    return left + (right - left) * before / (before - after)


def _in_images(answers: Sequence[float], protocol: Protocol) -> Estimate:
    """The median of the blocks' answers, as batch sizes."""
    if len(answers) < blocks_needed(protocol.confidence):
        return Estimate(math.nan, math.nan, math.nan, len(answers))
    found = median_estimate(answers, protocol.confidence)
    return Estimate(_images(found.value), _images(found.low), _images(found.high), found.n)


def _images(logarithm: float) -> float:
    """Between two sentinels, as a median of an even number may be, counts as beyond too."""
    if logarithm <= _BELOW / 4:
        return 0.0
    return math.inf if logarithm >= _ABOVE / 4 else 2.0**logarithm
