"""The rule of `bench.verdict` for thousands of suites at once; a test holds it to `judge`.

Verdicts are small integers here: 1 slower, -1 faster, 0 no difference that matters, 2 inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from bench.study.pool import Floats
from bench.verdict import Rule

__all__ = ["EQUIVALENT", "FASTER", "INCONCLUSIVE", "SLOWER", "Evidence", "Verdicts", "judged", "judged_one"]

Verdicts: TypeAlias = npt.NDArray[np.int8]
SLOWER, FASTER, EQUIVALENT, INCONCLUSIVE = 1, -1, 0, 2


@dataclass(frozen=True, slots=True)
class Evidence:
    """One-sided p-values of cells (suite, cell) at the threshold `limit` and at -limit.

    `slower` is of "the log ratio is at most limit", `faster` of "at least -limit", `within` the larger one of
    "at least limit" and "at most -limit". All three are 1 where a test can say nothing.
    """

    slower: Floats
    faster: Floats
    within: Floats

    @classmethod
    def of(cls, upper: Callable[[float, float], Floats], limit: float) -> Evidence:
        """From a test's p-value of "sign times the log ratio is at most limit", a function of both."""
        within = np.maximum(upper(-1.0, -limit), upper(1.0, -limit))
        return cls(upper(1.0, limit), upper(-1.0, limit), within)

    @property
    def two_sided(self) -> Floats:
        """What Holm's procedure is given."""
        return np.minimum(1.0, 2.0 * np.minimum(self.slower, self.faster))


def judged(evidence: Evidence, rule: Rule) -> Verdicts:
    """The verdicts of each suite's family."""
    p = evidence.two_sided
    rejected = _rejected(p, rule.alpha)
    return _verdicts(evidence, rejected, rejected.sum(axis=1, keepdims=True), p.shape[1], rule)


def judged_one(evidence: Evidence, one: Evidence, cells: npt.NDArray[np.intp], rule: Rule) -> Verdicts:
    """The verdict of one cell of each suite, after its evidence became `one` (axes suite, 1)."""
    p = evidence.two_sided.copy()
    rows = np.arange(len(cells))
    p[rows, cells] = one.two_sided[:, 0]
    rejected = _rejected(p, rule.alpha)
    count = rejected.sum(axis=1, keepdims=True)
    return _verdicts(one, rejected[rows, cells][:, None], count, p.shape[1], rule)[:, 0]


def _rejected(p: Floats, alpha: float) -> npt.NDArray[np.bool_]:
    order = np.argsort(p, axis=1)
    left = np.arange(p.shape[1], 0, -1)
    steps = np.minimum.accumulate(np.take_along_axis(p, order, axis=1) * left <= alpha, axis=1)
    rejected = np.zeros(p.shape, dtype=np.bool_)
    np.put_along_axis(rejected, order, steps, axis=1)
    return rejected


def _verdicts(
    evidence: Evidence,
    rejected: npt.NDArray[np.bool_],
    count: npt.NDArray[np.intp],
    cells: int,
    rule: Rule,
) -> Verdicts:
    level = rule.alpha / np.maximum(cells - count, 1)
    found = np.where(evidence.within < level / 2, EQUIVALENT, INCONCLUSIVE)
    alarm = np.where(evidence.slower < evidence.faster, SLOWER, FASTER)
    return np.where(rejected, alarm, found).astype(np.int8)
