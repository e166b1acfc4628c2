"""Who begins: shuffled from the seed, and as often one side as the other."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

import numpy as np

from bench.block_stage import Turn

__all__ = ["alternate", "begins", "take_turns"]

# Beside the seed of the groups' order, of which this must not be a copy.
_SIDES = 0xAB
_END = object()


def begins(seed: int, block: int) -> int:
    """Which side, 0 or 1, begins in a block: drawn for every other block, and reversed in the one after it.

    Whoever comes second meets warmer caches and a hotter core; over two blocks that is fair.
    """
    first = int(np.random.default_rng([_SIDES, seed, block // 2]).integers(2))
    return first ^ (block % 2)


def alternate(workers: Sequence[Generator[None, None, None]]) -> None:
    """Runs generators to their end, a step of each in turn, so that what they wait for goes on at once."""
    waiting = list(workers)
    while waiting:
        waiting = [worker for worker in waiting if next(worker, _END) is not _END]


def take_turns(workers: Sequence[Generator[Turn, None, None]], first: int, place: Mapping[str, int]) -> None:
    """Runs two workers to their end, one at a time.

    A group is finished by both before either begins the next; `place` orders the groups. Within a group
    whoever has fewer bursts is next, so that burst i of the one stands beside burst i of the other, also
    where one took longer to warm up. In a tie they come first, second, second, first: a steady drift of the
    machine cancels.
    """
    waiting: dict[int, Turn] = {}
    for side in (first, 1 - first):
        _go_on(workers, side, waiting)
    while waiting:
        group = min((turn.group for turn in waiting.values()), key=lambda key: place[key])
        ready = {side: turn.bursts for side, turn in waiting.items() if turn.group == group}
        fewest = min(ready.values())
        preferred = first ^ (fewest % 2)
        side = min(ready, key=lambda each: (ready[each], each != preferred))
        del waiting[side]
        _go_on(workers, side, waiting)


def _go_on(workers: Sequence[Generator[Turn, None, None]], side: int, waiting: dict[int, Turn]) -> None:
    turn = next(workers[side], None)
    if turn is not None:
        waiting[side] = turn
