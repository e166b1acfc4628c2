"""Writes a profile's files, and says in a few lines what is in them."""

from __future__ import annotations

from pathlib import Path

from bench.profile_record import Mode, Profile
from bench.profile_split import Split, split_cost
from bench.profile_storage import load_profile
from bench.profiled import CaseView, views
from bench.report.formats import amount, estimate, percent
from bench.report.profiling.chrome import chrome_trace
from bench.report.profiling.markdown import markdown
from bench.report.profiling.notes import doubt
from bench.report.profiling.plot import ALTERNATIVES, draw_profile
from bench.report.profiling.tables import layers_csv, operators_csv, parts_csv
from bench.report.text import printable
from bench.storage import write_atomically

__all__ = ["splits_of", "summary_lines", "write_profile"]


def splits_of(profile: Profile) -> tuple[Split, ...]:
    """Every variant that has a time against the reference of its group: the protocol's, or the first."""
    groups: dict[str, list[CaseView]] = {}
    for view in views(profile):
        if view.step().n:
            groups.setdefault(view.case.group, []).append(view)
    found = []
    for members in groups.values():
        named = [view for view in members if view.case.variant == profile.protocol.reference]
        reference = named[0] if named else members[0]
        found += [split_cost(view, reference) for view in members if view is not reference]
    return tuple(found)


def write_profile(folder: Path) -> tuple[Path, ...]:
    """Remakes every file of a profile from its `profile.json`; gives the written paths.

    Raises InputError for unreadable input or an unwritable folder.
    """
    profile = load_profile(folder)
    splits = splits_of(profile)
    drawn = draw_profile(profile, splits)
    page = markdown(profile, splits, {name: ALTERNATIVES[name] for name in drawn})
    files = {
        "profile.md": page.encode(),
        "profile_layers.csv": layers_csv(profile).encode(),
        "profile_operators.csv": operators_csv(profile).encode(),
        "profile_parts.csv": parts_csv(splits).encode(),
        "profile_trace.json": chrome_trace(profile).encode(),
    }
    for name, images in drawn.items():
        files |= {f"plots/{name}.{ending}": content for ending, content in images.items()}
    for name, content in files.items():
        write_atomically(folder / name, content)
    for name in ALTERNATIVES:
        if name not in drawn:
            for ending in ("png", "svg"):
                (folder / "plots" / f"{name}.{ending}").unlink(missing_ok=True)
    return tuple(folder / name for name in files)


def summary_lines(profile: Profile) -> tuple[str, ...]:
    """A line a case, one a split, and the counts of the cases last."""
    lines, inconclusive, failed = [], 0, 0
    for view in views(profile):
        step, reason = view.step(), doubt(view)
        name = printable(f"{view.case.subject} {view.case.variant} {view.case.engine} b{view.case.batch}")
        if not step.n:
            failed += 1
            lines.append(f"{name}: {printable(reason)}")
            continue
        inconclusive += bool(reason)
        parts = [f"{estimate(step)} ms a step"]
        if view.windows(Mode.LAYERS):
            parts.append(f"layers account for {percent(view.accounted().value)}")
        lines.append(f"{name}: {', '.join(parts)}{f' ({printable(reason)})' if reason else ''}")
    lines += [_split_line(split) for split in splits_of(profile) if split.difference.n]
    measured = len(profile.cases) - failed
    return (*lines, f"{failed} failed, {measured} profiled, {inconclusive} inconclusive")


def _split_line(split: Split) -> str:
    names = f"{printable(split.view.case.variant)} against {printable(split.reference.case.variant)}"
    found = f"{names}: {split.difference.value:+.3f} ms a step"
    if not split.unexplained.n:
        return found
    left = f"{found}, {amount(abs(split.unexplained.value))} ms of it unexplained"
    # A share of what may be nothing says nothing.
    return f"{left} ({percent(split.unexplained_share)})" if split.tells else f"{left}; {split.doubt}"
