"""Facts of both sides: equal or not, exactly, but for peaks that the operating system counts."""

from __future__ import annotations

from collections.abc import Iterator

from bench.case import Case
from bench.compare.peaks import PEAKS, repeats
from bench.compare.side import Seen, Side
from bench.compared import FactChange
from bench.record import Bound, Fact

__all__ = ["fact_changes", "fact_names", "one_sided_facts"]


def fact_changes(case: Case, base: Side, new: Side, tolerance: float) -> Iterator[FactChange]:
    """The facts that both sides' latest sessions know of a case."""
    if case not in base.seen or case not in new.seen:
        return
    left, right = base.seen[case][-1], new.seen[case][-1]
    after = {fact.metric: fact for fact in right.taken.facts.each()}
    for before in left.taken.facts.each():
        fact = after.get(before.metric)
        if fact is not None and fact.unit is before.unit:
            yield _change(case, (left, before), (right, fact), tolerance)


def fact_names(base: Side, new: Side) -> tuple[str, ...]:
    """Names of the facts that either side knows of any case."""
    every = [one.taken.facts.labels for side in (base, new) for seen in side.seen.values() for one in seen]
    # Most sessions share theirs.
    apart = {id(labels): labels for labels in every}
    return tuple(sorted({label.metric for labels in apart.values() for label in labels}))


def one_sided_facts(case: Case, base: Side, new: Side) -> set[str]:
    """Names of the facts that only one side knows of a case that both know."""
    if case not in base.seen or case not in new.seen:
        return set()
    names = [{label.metric for label in side.seen[case][-1].taken.facts.labels} for side in (base, new)]
    return names[0] ^ names[1]


def _change(case: Case, left: tuple[Seen, Fact], right: tuple[Seen, Fact], tolerance: float) -> FactChange:
    before, after = left[1], right[1]
    changed, note = before.value != after.value or before.bound is not after.bound, ""
    comparable = True
    if before.bound in PEAKS or after.bound in PEAKS:
        note = _incomparable(case, left, right)
        if note:
            changed = comparable = False
        elif not repeats(before.metric, before.bound, case.engine):
            changed = abs(after.value - before.value) > tolerance * before.value
            note = f"within {100 * tolerance:.3g}% counts as the same"
    elif before.bound is not after.bound:
        note = f"{before.bound.value} became {after.bound.value}"
    values = float(before.value), float(after.value)
    return FactChange(case, before.metric, before.unit, *values, changed, note, comparable)


def _incomparable(case: Case, left: tuple[Seen, Fact], right: tuple[Seen, Fact]) -> str:
    """Why two peaks can't be laid beside each other; empty where they can."""
    (seen, before), (other, after) = left, right
    one_session = seen.session.pair and seen.session.pair == other.session.pair
    if seen.session.fingerprint != other.session.fingerprint and not one_session:
        return "not compared: peaks of different environments"
    if before.bound is not after.bound:
        return f"not compared: {before.bound.value} against {after.bound.value}"
    if before.bound is Bound.CUMULATIVE_PEAK and _earlier(case, seen) != _earlier(case, other):
        return "not compared: cumulative peaks, behind different smaller batches"
    return ""


def _earlier(case: Case, seen: Seen) -> set[int]:
    """Batches that the process had run before this one, which a cumulative peak includes."""
    mine = (case.subject, case.engine, case.variant, case.image, case.dtype)
    return {
        other.batch
        for other in seen.session.planned
        if (other.subject, other.engine, other.variant, other.image, other.dtype) == mine
        and other.batch < case.batch
    }
