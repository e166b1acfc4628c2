"""A history as a Markdown page: what changed, every series, what was skipped."""

from __future__ import annotations

from collections.abc import Sequence

from bench.history.history import History
from bench.history.series import Quantity
from bench.history.views.words import (
    Section,
    change_texts,
    fact_texts,
    notes,
    place_text,
    sections,
    when,
    where,
)
from bench.report.layout import bullets, table
from bench.report.text import escape

__all__ = ["markdown"]

_HEADER = (
    *("variant", "batch", "sessions", "first", "latest", "images/s", "since start"),
    *("ratio", "since start", "against calibration"),
)


def markdown(history: History, plots: Sequence[tuple[str, str]] = ()) -> str:
    """The whole page; `plots` are files to show, each with its alternative text."""
    pictures = "\n\n".join(f"![{escape(text)}]({name})" for name, text in plots)
    parts = [
        f"# History\n\n{escape(_summary(history))}",
        _changes(history),
        _facts(history),
        *(_section(history, section) for section in sections(history)),
        f"## Plots\n\n{pictures}" if pictures else "",
        _bullets("Skipped files", [f"{path}: {reason}" for path, reason in history.skipped.items()]),
        _bullets("To be known", notes(history)),
        f"{history.last_line()}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(history: History) -> str:
    sessions = history.gathered.sessions
    if not sessions:
        return "No session yet."
    first, last = when(history, 0), when(history, len(sessions) - 1)
    return (
        f"Sessions: {len(sessions)}, from {first} to {last} (UTC); environments: "
        f"{len(history.gathered.machines)}. Figures of different environments are different series. A level "
        "is the geometric mean of its sessions; ratios are of throughput, to the reference of the same "
        "session; more is faster everywhere."
    )


def _changes(history: History) -> str:
    rows = [
        (
            escape(when(history, change.first)),
            escape(where(change.series)),
            escape(change.series.key.environment),
            change.quantity.value,
            *change_texts(change),
            escape(when(history, change.last)),
            escape(place_text(history, change)),
        )
        for change in history.changes
    ]
    title = f"## Changes of at least {100 * history.threshold:.3g}%, the latest first"
    if not rows:
        return f"{title}\n\nNone."
    header = (
        *("from", "series", "environment", "figure", "before", "after", "change"),
        *("last before it", "first with it"),
    )
    return f"{title}\n\n{table(header, rows, len(header))}"


def _facts(history: History) -> str:
    if not history.facts:
        return ""
    rows = [
        (
            escape(when(history, shift.first)),
            escape(where(shift.series)),
            escape(shift.series.key.environment),
            escape(shift.after.metric),
            *map(escape, fact_texts(shift)),
            escape(place_text(history, shift)),
        )
        for shift in history.facts
    ]
    header = ("from", "series", "environment", "fact", "before", "after", "first with it")
    return f"## Facts that changed, the latest first\n\n{table(header, rows, 4)}"


def _section(history: History, section: Section) -> str:
    machine = history.gathered.machines.get(section.environment, "")
    title = f"## {escape(str(section.setting))}, {escape(section.engine)}"
    place = f"Environment {escape(section.environment)}" + (f": {escape(machine)}" if machine else "")
    rows = [
        (
            escape(row.label),
            str(row.series.key.case.batch),
            str(len(row.series.sessions)),
            escape(when(history, row.series.sessions[0])[:10]),
            escape(when(history, row.series.sessions[-1])[:10]),
            row.latest(Quantity.THROUGHPUT),
            row.since_start(Quantity.THROUGHPUT),
            "1" if row.series.key.is_reference else row.latest(Quantity.RATIO),
            row.since_start(Quantity.RATIO),
            row.since_start(Quantity.CALIBRATION) or ("steady" if Quantity.CALIBRATION in row.lines else ""),
        )
        for row in section.rows
    ]
    return f"{title}\n\n{place}.\n\n{table(_HEADER, rows)}"


def _bullets(title: str, lines: Sequence[str]) -> str:
    return f"## {title}\n\n{bullets(map(escape, lines))}" if lines else ""
