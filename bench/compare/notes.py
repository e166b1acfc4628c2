"""What a reader must know before believing a comparison, in whole sentences."""

from __future__ import annotations

import statistics as plain
from collections.abc import Iterable, Iterator, Sequence

from bench.compare.facts import one_sided_facts
from bench.compare.observed import median_time
from bench.compare.options import Spread, Spreads
from bench.compare.side import Side
from bench.compared import Basis, Comparison, Delta
from bench.environment import Environment
from bench.verdict import Verdict

__all__ = ["notes"]


def notes(found: Comparison, base: Side, new: Side, spreads: Spreads) -> tuple[str, ...]:
    """All of them, what concerns everything first."""
    return (
        *_identical(base, new),
        *_environments(found, base, new),
        *_basis(found, spreads),
        *_one_process(base, new),
        *_machine(found, base, new),
        *_references(base, new),
        *_common_change(found, base, spreads),
        *_left_out(found),
        *_facts(found, base, new),
    )


def _identical(base: Side, new: Side) -> Iterator[str]:
    both = sorted({s.id for s in base.sessions} & {s.id for s in new.sessions})
    if len(both) == 1:
        yield f"The session {both[0]} stands on both sides: it can't differ from itself."
    elif both:
        named = f"{both[0]} and {len(both) - 1} more"
        yield f"The session {named} stand on both sides: none can differ from itself."
    for side in (base, new):
        if side.repeated:
            yield f"{side.name}: the session {side.repeated[0]} was given more than once and counts once."


def _environments(found: Comparison, base: Side, new: Side) -> Iterator[str]:
    if found.same_environment:
        if difference := _difference(base, new):
            yield f"The sides' environments differ{difference}, which is part of what is compared here."
        return
    yield (
        f"{found.base} and {found.new} were measured in different environments{_difference(base, new)}: only "
        "ratios inside each side are compared. Absolute times, the reference itself and peaks of memory are "
        "not, and a ratio may have moved with the machine rather than with the code."
    )


def _difference(base: Side, new: Side) -> str:
    old, now = (_environment_fields(side) for side in (base, new))
    parts = [
        f"{name}: {' or '.join(sorted(old[name]))} against {' or '.join(sorted(now[name]))}"
        for name in old
        if name in now and old[name] != now[name]
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def _environment_fields(side: Side) -> dict[str, set[str]]:
    fields: dict[str, set[str]] = {}
    for environment in (session.environment for session in side.sessions):
        if environment is not None:
            for name, value in _described(environment):
                fields.setdefault(name, set()).add(value)
    return fields


def _described(environment: Environment) -> Iterator[tuple[str, str]]:
    """What the fingerprint is made of, as a reader knows it."""
    versions = dict(environment.packages)
    yield "CPU", environment.cpu
    yield "cores", str(environment.logical_cores)
    yield "memory", f"{environment.memory_bytes / 2**30:.0f} GiB"
    yield "instructions", " ".join(environment.isa) or "unknown"
    yield "Python", ".".join(environment.python.split(".")[:2])
    for name in ("paddlepaddle", "paddlepaddle-gpu", "numpy"):
        yield name, versions.get(name, "none")
    yield "GPUs", ", ".join(device.name for device in environment.accelerators) or "none"


def _basis(found: Comparison, spreads: Spreads) -> Iterator[str]:
    bases = {delta.basis for delta in found.deltas}
    known = [
        f"{_percent(spread.sd)} of a {basis.value} ({spread.source})"
        for basis, spread in (
            (Basis.REFERENCE, spreads.reference),
            (Basis.CALIBRATION, spreads.calibration),
        )
        if basis in bases
    ]
    if known:
        yield (
            "Two sessions are not paired: their intervals include the spread between sessions of the same "
            f"code, a standard deviation of {' and of '.join(known)}. `ab` measures both sides in one "
            "session and tells smaller changes."
        )


def _one_process(base: Side, new: Side) -> Iterator[str]:
    """Files of pytest-benchmark, mostly."""
    for side in (base, new):
        cases = [one for session in side.sessions for one in session.cases]
        if any(one.blocks.numbers or one.unusable for one in cases) and all(
            len({*one.blocks.numbers, *one.unusable}) <= 1 for one in cases
        ):
            yield (
                f"Every run of {side.name} is one process, whose samples are one block, however many they "
                "are: a verdict needs several saved runs a side (--base and --new add some)."
            )


def _machine(found: Comparison, base: Side, new: Side) -> Iterator[str]:
    """What the calibration says of the machine, which is no news of the project."""
    if not found.same_environment or all(delta.basis is Basis.BLOCKS for delta in found.deltas):
        return
    before, after = (median_time(session.calibration for session in side.sessions) for side in (base, new))
    # Neither greater nor smaller where a side has no calibration: NaN.
    ratio = after / before
    if abs(ratio - 1) > found.rule.theta:
        yield (
            f"The machine itself took {_change(ratio)} on the side of {found.new} for the calibration, "
            "which no change of the project moves. Verdicts allow for that; absolute times don't."
        )


def _references(base: Side, new: Side) -> Iterator[str]:
    old, now = ({session.reference for session in side.sessions} for side in (base, new))
    if old and now and old != now:
        yield (
            f"The reference is {_names(old)} in {base.name} and {_names(now)} in {new.name}; ratios are "
            f"taken to that of {base.name} on both sides."
        )


def _common_change(found: Comparison, base: Side, spreads: Spreads) -> Iterator[str]:
    """A change of all variants alike: ratios to the reference can't show it, the calibration does."""
    own = [
        delta
        for delta in found.deltas
        if delta.basis is Basis.CALIBRATION and delta.case.variant == base.reference(delta.case)
    ]
    if not own:
        return
    name = own[0].case.variant
    for verdict in (Verdict.SLOWER, Verdict.FASTER):
        moved = [delta for delta in own if delta.verdict is verdict]
        if moved:
            yield _moved(name, verdict, moved, own, found)
    if all(delta.verdict is Verdict.INCONCLUSIVE for delta in own):
        yield from _perhaps_moved(name, own, found, spreads.calibration)


def _moved(
    name: str, verdict: Verdict, moved: Sequence[Delta], own: Sequence[Delta], found: Comparison
) -> str:
    groups = {delta.case.group for delta in moved}
    mirrored = Verdict.FASTER if verdict is Verdict.SLOWER else Verdict.SLOWER
    others = [
        delta
        for delta in found.deltas
        if delta.basis is Basis.REFERENCE and delta.case.group in groups and delta.verdict is mirrored
    ]
    text = (
        f"{name} itself became {verdict.value} against the calibration in {len(moved)} of {len(own)} groups "
        f"(in the middle by {_change(_middle(moved))}). What all variants of a group have in common shows "
        f"only there: their other rows are ratios to {name}."
    )
    if others:
        text += f" {len(others)} of those read {mirrored.value} because {name} became {verdict.value}."
    return text


def _perhaps_moved(name: str, own: Sequence[Delta], found: Comparison, spread: Spread) -> Iterator[str]:
    known = [delta for delta in own if delta.ratio.n]
    if known and not found.rule.lower <= (middle := _middle(known)) <= found.rule.upper:
        yield (
            f"{name} takes {_change(middle)} against the calibration (in the middle of {len(known)} groups), "
            f"which can't be told from the spread between sessions ({_percent(spread.sd)}): whether all "
            "variants changed alike remains open here, and `ab` can tell."
        )


def _left_out(found: Comparison) -> Iterator[str]:
    touched = [delta for delta in found.deltas if delta.left_out]
    if touched:
        yield (
            f"{_counted(sum(delta.left_out for delta in touched), 'block')} of "
            f"{_counted(len(touched), 'case')} were left out: disturbed by other work, cut by a lost worker, "
            "or without a partner."
        )


def _facts(found: Comparison, base: Side, new: Side) -> Iterator[str]:
    names = set().union(*(one_sided_facts(fact.case, base, new) for fact in found.facts), set())
    if names:
        yield f"Only one side knows {_names(names)}: not compared."
    apart = {fact.note for fact in found.facts if fact.note.startswith("not compared")}
    for note in sorted(apart):
        count = sum(fact.note == note for fact in found.facts)
        yield f"{count} peaks of memory were {note}."


def _middle(deltas: Iterable[Delta]) -> float:
    return plain.median(delta.ratio.value for delta in deltas)


def _change(ratio: float) -> str:
    """Such as: 12.0% more time."""
    return f"{100 * (ratio - 1):.1f}% more time" if ratio >= 1 else f"{100 * (1 - ratio):.1f}% less time"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _percent(share: float) -> str:
    return f"{100 * share:.2g}%"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
