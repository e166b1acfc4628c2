"""From bursts to one value a block: the first step of all that is said of times."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.record import LATENCY, Protocol, Record, Series

__all__ = ["JudgedBlocks", "judged_blocks", "latency_series"]

#: Milliseconds a step in each block, and the blocks that are too disturbed to spare their disturbed bursts.
JudgedBlocks = tuple[dict[int, float], frozenset[int]]
Values = NDArray[np.float64]


def latency_series(record: Record) -> Series | None:
    """The record's times, or None where it has none."""
    return next((series for series in record.series if series.metric == LATENCY), None)


def judged_blocks(records: Sequence[Record], protocol: Protocol) -> list[JudgedBlocks]:
    """Those of each record, all in one pass, as thousands of suites are read.

    A block's value is the median over its bursts of the burst's mean. Disturbed bursts don't count, unless a
    block has too few others (`max_discarded`), or none.
    """
    timed = [(place, series.bursts()) for place, series in enumerate(map(latency_series, records)) if series]
    owner = np.repeat([place for place, _ in timed], [len(bursts.block) for _, bursts in timed])
    if not len(owner):
        return [({}, frozenset()) for _ in records]
    block, discarded, step_ms = map(np.concatenate, zip(*(bursts for _, bursts in timed), strict=True))
    # By block, and in it by time, so that its median stands in the middle.
    order = np.lexsort((step_ms, block, owner))
    block, discarded, owner = block[order], discarded[order], owner[order]
    is_first = np.ones(len(order), dtype=np.bool_)
    is_first[1:] = (block[1:] != block[:-1]) | (owner[1:] != owner[:-1])
    starts = np.flatnonzero(is_first)
    counts = np.diff(starts, append=len(order))
    disturbed = np.add.reduceat(discarded, starts, dtype=np.int64)
    spoilt = (disturbed > protocol.max_discarded * counts) | (disturbed == counts)
    used = step_ms[order][~discarded | np.repeat(spoilt, counts)]
    values = _medians(used, np.where(spoilt, counts, counts - disturbed))
    bounds = np.searchsorted(owner[starts], np.arange(len(records) + 1))
    return _by_record(block[starts].tolist(), values.tolist(), spoilt.tolist(), bounds.tolist())


def _medians(ordered: Values, counts: NDArray[np.int64]) -> Values:
    """Of groups of so many numbers, one group after another, each in order."""
    starts = counts.cumsum() - counts
    middles: Values = (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2
    return middles


def _by_record(
    blocks: list[int], values: list[float], spoilt: list[bool], bounds: list[int]
) -> list[JudgedBlocks]:
    """Those between each two bounds."""
    return [
        (
            dict(zip(blocks[start:stop], values[start:stop], strict=True)),
            frozenset(itertools.compress(blocks[start:stop], spoilt[start:stop])),
        )
        for start, stop in pairwise(bounds)
    ]
