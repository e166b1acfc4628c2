"""Which cases can be judged, and what is to be said of the others."""

from __future__ import annotations

from collections.abc import Sequence

from bench.case import Case, Condition
from bench.compare.side import Side
from bench.compared import RowStatus, Status

__all__ = ["row_status"]


def row_status(case: Case, base: Side, new: Side) -> RowStatus | None:
    """Why this case can't be judged; None where both sides measured it under the same condition."""
    if new.timed(case):
        if not base.timed(case):
            return RowStatus(case, Status.NEW, f"{base.name}: {_lack(case, base)}")
        return _refused(case, base, new)
    failure = new.failure(case)
    if failure is None:
        return RowStatus(case, Status.MISSING, f"{new.name}: {_lack(case, new)}")
    reason = f"{failure.kind.value}: {failure.message}"
    if base.failure(case) is not None:
        reason += f" ({base.name} failed as well)"
    return RowStatus(case, Status.FAILED, reason, failure.kind, base_timed=bool(base.timed(case)))


def _lack(case: Case, side: Side) -> str:
    """Why a side has no time of a case."""
    failure = side.failure(case)
    if failure is not None:
        return f"failed ({failure.kind.value}: {failure.message})"
    if case in side.planned or case in side.seen:
        return "planned, but not measured; finish the run with --resume"
    return "has no such case"


def _refused(case: Case, base: Side, new: Side) -> RowStatus | None:
    old, now = base.conditions(case), new.conditions(case)
    if len({*old, *now}) == 1:
        return None
    parts = [
        f"{name} is {_values(old, name)} in {base.name} and {_values(now, name)} in {new.name}"
        for name in Condition.__struct_fields__
        if len({getattr(condition, name) for condition in (*old, *now)}) > 1
    ]
    return RowStatus(case, Status.REFUSED, "; ".join(parts))


def _values(conditions: Sequence[Condition], name: str) -> str:
    return " or ".join(dict.fromkeys(_text(getattr(condition, name)) for condition in conditions))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(f"{name}={setting}" for name, setting in value) or "none"
    return str(value)
