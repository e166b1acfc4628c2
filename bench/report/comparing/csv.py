"""A comparison for programs: one row a time, a fact or a case that can't be judged."""

from __future__ import annotations

import math

from bench.case import Case
from bench.compared import Comparison, Delta, FactChange, RowStatus
from bench.report.cells import Cells, csv_text, number, shape_text
from bench.report.text import guard
from bench.units import Unit

__all__ = ["csv"]

_COLUMNS = (
    *("kind", "subject", "variant", "engine", "dtype", "image", "batch", "metric", "unit", "base", "new"),
    *("ratio", "low", "high", "confidence", "p_value", "threshold", "verdict", "basis", "n", "left_out"),
    *("blocks_needed", "reason"),
)


def csv(comparison: Comparison) -> str:
    """Raw numbers with nine significant digits. `verdict` is a fact's same or changed, a row's status too.

    Ratios are time of the new side over the base's; `p_value` is corrected for all times together. `base` and
    `new` of times are empty where the environments differ.
    """
    rows = [
        *(_time(delta, comparison.same_environment) for delta in comparison.deltas),
        *(_fact(fact) for fact in comparison.facts),
        *(_row(row) for row in comparison.rows),
    ]
    return csv_text(_COLUMNS, rows)


def _case(case: Case) -> Cells:
    return {
        "subject": guard(case.subject),
        "variant": guard(case.variant),
        "engine": guard(case.engine),
        "dtype": case.dtype.value,
        "image": shape_text(case.image),
        "batch": str(case.batch),
    }


def _time(delta: Delta, absolute: bool) -> Cells:
    return _case(delta.case) | {
        "kind": "time",
        "metric": guard(delta.metric),
        "unit": Unit.MILLISECONDS.value,
        "base": _known(delta.base_ms) if absolute else "",
        "new": _known(delta.new_ms) if absolute else "",
        "ratio": _known(delta.ratio.value),
        "low": _known(delta.ratio.low),
        "high": _known(delta.ratio.high),
        "confidence": number(delta.level),
        "p_value": number(delta.p_value),
        "threshold": number(delta.theta),
        "verdict": delta.verdict.value,
        "basis": delta.basis.value,
        "n": str(delta.ratio.n),
        "left_out": str(delta.left_out),
        "blocks_needed": number(delta.blocks_needed),
        "reason": guard(delta.reason),
    }


def _known(value: float) -> str:
    return number(value) if math.isfinite(value) else ""


def _fact(fact: FactChange) -> Cells:
    return _case(fact.case) | {
        "kind": "fact",
        "metric": guard(fact.metric),
        "unit": fact.unit.value,
        "base": number(fact.base),
        "new": number(fact.new),
        "ratio": _known(fact.new / fact.base) if fact.base else "",
        "verdict": "changed" if fact.changed else "same",
        "reason": guard(fact.note),
    }


def _row(row: RowStatus) -> Cells:
    return _case(row.case) | {"kind": "row", "verdict": row.status.value, "reason": guard(row.reason)}
