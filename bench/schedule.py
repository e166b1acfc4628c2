"""The order of a session: which groups run when, in which order of variants, all from one recorded seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.case import Case
from bench.messages import GroupTask

__all__ = ["block_tasks"]


def block_tasks(cases: Sequence[Case], seed: int, block: int) -> tuple[GroupTask, ...]:
    """The block's groups in shuffled order, each with the seed of its own rounds.

    Depends on nothing but the arguments, so that a resumed session goes on in the order it had.
    """
    groups: dict[str, list[Case]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(case)
    rng = np.random.default_rng([seed, block])
    keys = [str(key) for key in rng.permutation(sorted(groups))]
    seeds = rng.integers(2**31, size=len(keys))
    return tuple(
        GroupTask(key, int(group_seed), tuple(sorted(groups[key])))
        for key, group_seed in zip(keys, seeds, strict=True)
    )
