"""Burst against burst: what two workers that took turns say of one block.

Each side alone has the median over bursts of a burst's mean step. Of two workers that took turns more is
known: burst i of the one ran beside burst i of the other, so that their ratio knows nothing of the machine's
speed. And whatever interrupts a step only lengthens it, so that a burst's lower quartile knows little of it.

Standard deviation of a block's log ratio between two sides of unchanged code, in four sessions of 8 to 14
blocks on two cores shared with other work (load 2 to 5), disturbed bursts included, as the median over 16
cases: ratio of block values 5 to 18%, of the bursts' medians in pairs 2.0 to 3.8%, of their lower quartiles
1.4 to 2.1%, of their minima 1.4 to 2.3%. The noisiest case had 9 to 15% by quartiles and 6 to 10% by
minima. The quartile was picked among ten such statistics on these very sessions, so that its figures
flatter it, and it is not told from the minimum; none of them was seen on a quiet machine.
"""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Mapping

import numpy as np

from bench.blocks import latency_series
from bench.evidence import log_ratio
from bench.record import Record

__all__ = ["Bursts", "block_log_ratio", "burst_quartiles", "paired_log_ratios"]

# Lower quartile of each burst's steps in a block, in ms and in order; None for a burst that was disturbed.
Bursts = tuple[float | None, ...]

# As in a session alone: half of the bursts must be undisturbed, or the block says nothing.
_LEAST_USED = 0.5
_QUARTILE = 0.25


def burst_quartiles(record: Record) -> dict[int, Bursts]:
    """By block, without warm-up."""
    found: dict[int, list[float | None]] = {}
    series = latency_series(record)
    if series is None:
        return {}
    for window in series.windows:
        if not window.warmup:
            found.setdefault(window.block, []).append(
                None if window.discarded else series.unit.in_ms(float(np.quantile(window.values, _QUARTILE)))
            )
    return {block: tuple(values) for block, values in found.items()}


def paired_log_ratios(base: Mapping[int, Bursts], new: Mapping[int, Bursts]) -> dict[int, float]:
    """log(new / base) of every block that both sides have and that is not too disturbed."""
    common = sorted(base.keys() & new.keys())
    found = {block: block_log_ratio(base[block], new[block]) for block in common}
    return {block: ratio for block, ratio in found.items() if ratio is not None}


def block_log_ratio(base: Bursts, new: Bursts) -> float | None:
    """The median over bursts of log(new / base), of pairs without a disturbed half; None where these are less
    than half. Bursts that only one side has, to make up for disturbed ones, have no partner.
    """
    pairs = list(zip(base, new, strict=False))
    ratios = [log_ratio(b, a) for a, b in pairs if a is not None and b is not None]
    if not ratios or len(ratios) < _LEAST_USED * len(pairs):
        return None
    return plain.median(ratios) if all(map(math.isfinite, ratios)) else math.nan
