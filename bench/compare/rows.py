"""Which cases can be judged, what is to be said of the others, and what failed in part."""

from __future__ import annotations

from collections.abc import Sequence

from bench.case import Case, Condition
from bench.compare.side import Side
from bench.compared import RowStatus, Status
from bench.record import FailureKind

__all__ = ["lost_in_part", "row_status"]


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


def lost_in_part(case: Case, new: Side) -> RowStatus | None:
    """What the new side lost of a case that it measured: the blocks that survived would hide a crash."""
    # A limit has a row of its own where it costs the time, and what wasn't run was interrupted: no crash.
    losses = [
        failure
        for failure in new.losses(case)
        if not failure.kind.is_limit and failure.kind is not FailureKind.NOT_RUN
    ]
    if not losses:
        return None
    last = losses[-1]
    blocks = sorted({failure.block for failure in losses if failure.block >= 0})
    where = f"in block {', '.join(map(str, blocks))}" if blocks else "in a session"
    reason = f"{last.kind.value}: {last.message} ({where}; measured in others)"
    return RowStatus(case, Status.FAILED, reason, last.kind)


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
