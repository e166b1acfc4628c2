"""Crafted comparisons, judged by the real rule, for tests of what stands on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.case import Case, DType
from bench.compared import Basis, Comparison, Delta, FactChange, RowStatus
from bench.gate import Judge
from bench.units import Unit
from bench.verdict import Paired, Rule, judge

__all__ = ["case", "fact", "judging"]

BLOCKS = 15


def case(
    variant: str = "dyrelu_b", engine: str = "eager", batch: int = 8, subject: str = "resnet8-w16"
) -> Case:
    """A case of the quick preset."""
    return Case(subject, variant, batch, (1, 8, 8), DType.FLOAT32, engine)


def fact(of: Case, metric: str, base: float, new: float, comparable: bool = True) -> FactChange:
    """A fact on both sides."""
    return FactChange(of, metric, Unit.COUNT, base, new, comparable and base != new, "", comparable)


def judging(
    slowdowns: Mapping[Case, float],
    noise: float = 0.002,
    facts: Sequence[FactChange] = (),
    rows: Sequence[RowStatus] = (),
    same_environment: bool = True,
) -> Judge:
    """Compares sides whose time ratios lie at `slowdowns`, in as many paired blocks, spread by `noise`."""

    def at(rule: Rule) -> Comparison:
        logs = [
            tuple(math.log(ratio) + noise * math.cos(7.0 * block + 3.0 * place) for block in range(BLOCKS))
            for place, ratio in enumerate(slowdowns.values())
        ]
        deltas = [
            Delta(
                *(of, "latency", Basis.BLOCKS, found.ratio, found.p_value, found.verdict, found.reason),
                level=found.level,
                theta=rule.theta,
                blocks_needed=found.blocks_needed,
                base_ms=1.0,
                new_ms=ratio,
            )
            for (of, ratio), found in zip(
                slowdowns.items(), judge([Paired(log) for log in logs], rule), strict=True
            )
        ]
        comparison = Comparison("base.json", "new.json", rule, tuple(deltas))
        return replace(comparison, facts=tuple(facts), rows=tuple(rows), same_environment=same_environment)

    return at
