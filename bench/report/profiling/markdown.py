"""A profile as a page: where a step's time goes, what a variant costs more and why, by layer and operator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.ceilings import Ceilings
from bench.profile_record import Mode, Profile
from bench.profile_split import Split
from bench.profiled import CaseView, views
from bench.report.formats import amount, bytes_text, estimate, exact, percent
from bench.report.layout import Notes, bullets, picture, table
from bench.report.profiling.notes import doubt, how_measured, warnings_of
from bench.report.profiling.sums import Work, by_kind, by_layer, by_operator, outside
from bench.report.text import escape, fence
from bench.statistics import Estimate

__all__ = ["markdown"]

# Of layers and operators so many are shown; the CSV files have all.
_SHOWN = 12


def markdown(profile: Profile, splits: Sequence[Split], plots: Mapping[str, str]) -> str:
    """The page; pictures are linked by the names that it is given."""
    found = views(profile)
    sections = [
        _head(profile),
        f"## Warnings\n\n{bullets(map(escape, warnings_of(profile))) or 'None.'}",
        _steps(found, profile.ceilings),
        _splits(splits, plots),
        _kinds(found, profile.ceilings, plots),
        _operators(found, profile.ceilings),
        _longest(found, profile.ceilings),
        f"## How it was measured\n\n{how_measured(profile)}",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(profile: Profile) -> str:
    ceilings, machine = profile.ceilings, profile.environment
    threads = profile.cases[0].condition.threads if profile.cases else 0
    plural = "s" if threads != 1 else ""
    lines = [f"{escape(machine.cpu)}, {threads} thread{plural}, {profile.started}"]
    if ceilings is not None:
        lines.append(
            f"ceilings on that: {amount(ceilings.gflops)} GFLOP/s (matrix product, float32) and "
            f"{amount(ceilings.gigabytes)} GB/s (copy, reads and writes), which meet at "
            f"{amount(ceilings.ridge)} FLOPs a byte"
        )
    return f"# Profile: {escape(profile.preset)}\n\n{bullets(lines)}\n\n{fence(profile.command)}"


def _title(view: CaseView) -> str:
    case = view.case
    return escape(f"{case.subject}, {case.engine}, batch {case.batch}: {case.variant}")


def _estimate(found: Estimate, notes: Notes | None = None) -> str:
    if not found.n:
        return ""
    text = estimate(found)
    lacking = notes is not None and not found.has_interval
    return text + notes.mark("Too few blocks for an interval.") if lacking and notes else text


def _share(found: Estimate) -> str:
    return percent(found.value) if found.n else ""


def _steps(found: Sequence[CaseView], ceilings: Ceilings | None) -> str:
    """One row a case: how much of a step the layers account for, and what looking costs."""
    notes = Notes()
    header = ["Case", "Step (ms)", "Layers account for", "of it leaf layers", "Hooks slow it by"]
    header += ["The profiler by", "GFLOP/s", "of the ceiling"]
    body = []
    for view in found:
        step, layers = view.step(), by_layer(view)
        leaves = sum(work.share.value for work in layers if work.kind not in _holding(view))
        flops = sum(layer.flops for layer in view.profiled.layers)
        rate = flops / step.value / 1e6 if step.n and step.value and flops else None
        body.append(
            [
                _title(view) + notes.mark(escape(doubt(view))),
                _estimate(step, notes),
                _share(view.accounted()),
                percent(leaves) if layers else "",
                _share(view.overhead(Mode.LAYERS)),
                _share(view.overhead(Mode.OPERATORS)),
                amount(rate) if rate else "",
                percent(rate / ceilings.gflops) if rate and ceilings else "",
            ]
        )
    about = (
        "A step is one forward pass of the whole batch. What layers account for is the sum of their own "
        "times over the time of a step without any hook; it can pass 100% by what hooks slow the step down."
    )
    return f"## Steps\n\n{about}\n\n{table(header, body)}{notes.text()}"


def _holding(view: CaseView) -> set[str]:
    """Kinds of layers that call others and have work of their own beside."""
    covered = {name for layer in view.profiled.layers for name in layer.covers}
    paths = [layer.path for layer in view.profiled.layers if layer.name not in covered]
    inner = {path for path in paths for other in paths if other != path and _is_inside(other, path)}
    return {layer.kind for layer in view.profiled.layers if layer.path in inner and not layer.covers}


def _is_inside(path: str, outer: str) -> bool:
    return not outer or path.startswith(f"{outer}.")


def _splits(splits: Sequence[Split], plots: Mapping[str, str]) -> str:
    if not splits:
        return ""
    return (
        "## What a variant costs more\n\nMilliseconds a step over the reference, paired inside blocks. Each "
        "part is measured by itself; what they leave of the difference is unexplained."
        + picture(plots, "profile_parts")
        + "".join(f"\n\n{_split(split)}" for split in splits)
    )


def _split(split: Split) -> str:
    title = f"### {_title(split.view)} against {escape(split.reference.case.variant)}"
    found = split.difference
    if not found.n:
        return f"{title}\n\nNo block ran both whole."
    lines = [("**Difference**", found, "plain steps")]
    lines += [(escape(part.name), part.time, escape(part.how)) for part in split.parts]
    lines += [("**Unexplained**", split.unexplained, "the difference less its parts")]
    body = [
        [name, how, _estimate(time), percent(time.value / found.value) if split.tells and time.n else ""]
        for name, time, how in lines
    ]
    text = table(["Part", "Measured by", "ms a step", "of the difference"], body, 2)
    step = split.reference.step().value
    said = f"{percent(abs(split.unexplained.value) / step)} of a step" if split.unexplained.n else "unknown"
    after = f"What is unexplained is {said} of {escape(split.reference.case.variant)}."
    if not split.tells:
        after += f" {split.doubt.capitalize()}: its parts are no better known than it is."
    return f"{title}\n\n{text}\n\n{after}"


def _works(works: Sequence[Work], ceilings: Ceilings | None, first: str) -> str:
    header = [
        first,
        "Calls",
        "ms a step",
        "of a step",
        "MACs",
        "FLOPs",
        "Moved",
        "GFLOP/s",
        "GB/s",
        "of roof",
    ]
    body = []
    for work in works:
        roof = work.of_roof(ceilings)
        bound = "" if work.known else "≥ "
        body.append(
            [
                escape(work.name),
                str(work.calls or ""),
                _estimate(work.time),
                _share(work.share),
                bound + exact(work.macs) if work.macs else "",
                bound + exact(work.flops) if work.flops else "",
                bytes_text(work.moved) if work.moved else "",
                amount(work.gflops) if work.gflops else "",
                amount(work.gigabytes) if work.gigabytes else "",
                percent(roof) if roof else "",
            ]
        )
    return table(header, body)


def _kinds(found: Sequence[CaseView], ceilings: Ceilings | None, plots: Mapping[str, str]) -> str:
    tables = [
        f"### Layers: {_title(view)}\n\n{_works((*by_kind(view), *outside(view)), ceilings, 'Kind')}"
        for view in found
        if view.layers()
    ]
    if not tables:
        return ""
    drawn = picture(plots, "profile_kinds") + picture(plots, "profile_roofline")
    return f"## By kind of layer{drawn}\n\n" + "\n\n".join(tables)


def _operators(found: Sequence[CaseView], ceilings: Ceilings | None) -> str:
    tables = []
    for view in found:
        works = by_operator(view)
        if works:
            text = _works(works[:_SHOWN], ceilings, "Operator")
            tables.append(f"### Operators: {_title(view)}\n\n{text}{_more(len(works), 'operators')}")
    return "## By operator\n\n" + "\n\n".join(tables) if tables else ""


def _longest(found: Sequence[CaseView], ceilings: Ceilings | None) -> str:
    tables = []
    for view in found:
        works = sorted(by_layer(view), key=lambda work: -work.time.value)
        if works:
            text = _works(works[:_SHOWN], ceilings, "Layer")
            tables.append(f"### Longest layers: {_title(view)}\n\n{text}{_more(len(works), 'layers')}")
    return "## By layer\n\n" + "\n\n".join(tables) if tables else ""


def _more(count: int, what: str) -> str:
    return f"\n\n{what.capitalize()} in all: {count} (profile_{what}.csv)." if count > _SHOWN else ""
