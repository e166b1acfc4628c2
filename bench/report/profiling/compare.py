"""Two profiles side by side: steps, kinds of layers, and the layers and operators that changed most.

Two sessions are not paired, so that this shows and judges nothing: whether a step became slower is what
`compare` and `ab` tell. Times of different machines or thread counts are not set side by side: of those only
shares of a step are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.errors import EnvironmentMismatch
from bench.profile_record import Profile
from bench.profiled import CaseView, views
from bench.report.formats import estimate, percent
from bench.report.layout import bullets, table
from bench.report.profiling.sums import Work, by_kind, by_layer, by_operator
from bench.report.text import escape

__all__ = ["compare_markdown"]

_SHOWN = 10


@dataclass(frozen=True, slots=True)
class _Pair:
    before: CaseView
    after: CaseView
    absolute: bool


def compare_markdown(before: Profile, after: Profile) -> str:
    """The page. Raises EnvironmentMismatch where no case is in both."""
    old = {view.case.key: view for view in views(before) if view.step().n}
    new = {view.case.key: view for view in views(after) if view.step().n}
    same_machine = before.environment.fingerprint == after.environment.fingerprint
    pairs = [
        _Pair(old[key], new[key], same_machine and _alike(old[key], new[key])) for key in old if key in new
    ]
    if not pairs:
        raise EnvironmentMismatch(
            "the two profiles have no case in common; give two of the same subjects, batches and engines"
        )
    sections = [f"# Two profiles\n\n{bullets(_remarks(before, after, pairs, same_machine))}"]
    sections += [_section(pair) for pair in pairs]
    missing = [f"{escape(key)} is only in the first" for key in old if key not in new]
    missing += [f"{escape(key)} is only in the second" for key in new if key not in old]
    if missing:
        sections.append(f"## Without a counterpart\n\n{bullets(missing)}")
    return "\n\n".join(sections) + "\n"


def _alike(old: CaseView, new: CaseView) -> bool:
    return old.profiled.condition.threads == new.profiled.condition.threads


def _remarks(before: Profile, after: Profile, pairs: Sequence[_Pair], same_machine: bool) -> list[str]:
    lines = [
        f"first: {escape(before.started)}, second: {escape(after.started)}; two sessions are not paired, so "
        "that a difference may be the machine's: `dyrelu-bench ab` tells which"
    ]
    if not same_machine:
        lines.append("of different machines or versions: only shares of a step are compared, no times")
    elif not all(pair.absolute for pair in pairs):
        lines.append("where threads differ, only shares of a step are compared, no times")
    for pair in pairs:
        old, new = pair.before.profiled.condition, pair.after.profiled.condition
        for what, one, other in (
            ("kernel", old.kernel, new.kernel),
            ("weights", old.weights, new.weights),
            ("threads", str(old.threads), str(new.threads)),
        ):
            if one != other:
                key = escape(pair.before.case.key)
                lines.append(f"{key}: {what} {escape(one)} in the first, {escape(other)} in the second")
    return lines


def _section(pair: _Pair) -> str:
    step = ""
    if pair.absolute:
        old, new = pair.before.step(), pair.after.step()
        step = f"\n\nA step: {estimate(old)} ms, then {estimate(new)} ms ({new.value / old.value - 1:+.1%})."
    parts = [f"## {escape(pair.before.case.key)}{step}"]
    for title, summed in (("Kind", by_kind), ("Layer", by_layer), ("Operator", by_operator)):
        text = _table(pair, summed, title)
        if text:
            parts.append(text)
    return "\n\n".join(parts)


def _table(pair: _Pair, summed: Callable[[CaseView], Sequence[Work]], title: str) -> str:
    old = {work.name: work for work in summed(pair.before)}
    new = {work.name: work for work in summed(pair.after)}
    names = list(dict.fromkeys((*old, *new)))

    def value(works: dict[str, Work], name: str) -> float:
        work = works.get(name)
        if work is None or not (work.time.n if pair.absolute else work.share.n):
            return 0.0
        return work.time.value if pair.absolute else work.share.value

    ordered = sorted(names, key=lambda name: -abs(value(new, name) - value(old, name)))[:_SHOWN]
    show = (lambda v: f"{v:,.3f}") if pair.absolute else percent
    unit = "ms" if pair.absolute else "share"
    body = [
        [
            escape(name),
            show(value(old, name)) if name in old else "",
            show(value(new, name)) if name in new else "",
            _change(value(old, name), value(new, name), pair.absolute),
        ]
        for name in ordered
    ]
    header = [title, f"First ({unit})", f"Second ({unit})", "Change"]
    return table(header, body) if body else ""


def _change(old: float, new: float, absolute: bool) -> str:
    return f"{new - old:+,.3f} ms" if absolute else f"{100 * (new - old):+.1f} points"
