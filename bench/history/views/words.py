"""How a history is put into words, in every view alike. Foreign text stays raw here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.case import Condition
from bench.history.change_points import FEWEST_SESSIONS
from bench.history.changes import Change, FactShift, Line
from bench.history.history import History
from bench.history.points import FactValue
from bench.history.series import Key, Quantity, Series
from bench.report.formats import amount, bytes_text, exact, relative
from bench.report.table import Setting
from bench.units import Unit

__all__ = ["Row", "Section", "change_texts", "fact_texts", "notes", "place_text", "sections", "when", "where"]


@dataclass(frozen=True, slots=True)
class Row:
    """One series with the lines that it has."""

    label: str
    series: Series
    lines: Mapping[Quantity, Line]

    def latest(self, quantity: Quantity) -> str:
        """The last session's value; nothing where there is none."""
        line = self.lines.get(quantity)
        if line is None:
            return ""
        return amount(line.latest) if quantity is Quantity.THROUGHPUT else f"{line.latest:.3f}"

    def since_start(self, quantity: Quantity) -> str:
        """How far the last level is from the first; nothing for one level."""
        line = self.lines.get(quantity)
        if line is None or len(line.segments) == 1:
            return ""
        return relative(line.segments[-1].level, line.segments[0].level)


@dataclass(frozen=True, slots=True)
class Section:
    """The series of one environment, setting and engine."""

    environment: str
    setting: Setting
    engine: str
    rows: tuple[Row, ...]


def sections(history: History) -> tuple[Section, ...]:
    """Every section, in order; series of one case that differ in condition are told apart in their labels."""
    lines: dict[Key, dict[Quantity, Line]] = {}
    for line in history.lines:
        lines.setdefault(line.series.key, {})[line.quantity] = line
    labels = _labels(series.key for series in history.gathered.series)
    found: dict[tuple[str, Setting, str], list[Row]] = {}
    for series in history.gathered.series:
        key = series.key
        place = (key.environment, Setting.of(key.case), key.case.engine)
        found.setdefault(place, []).append(Row(labels[key], series, lines.get(key, {})))
    return tuple(Section(*place, tuple(rows)) for place, rows in found.items())


def _labels(keys: Iterable[Key]) -> dict[Key, str]:
    """The variant, and in brackets what tells its series from others of the case."""
    same: dict[tuple[str, object], list[Key]] = {}
    for key in keys:
        same.setdefault((key.environment, key.case), []).append(key)
    return {key: _label(key, group) for group in same.values() for key in group}


def _label(key: Key, group: Iterable[Key]) -> str:
    own, every = _described(key), [_described(other) for other in group]
    told = [text for name, text in own.items() if any(other[name] != text for other in every)]
    return f"{key.case.variant} ({', '.join(told)})" if told else key.case.variant


def _described(key: Key) -> dict[str, str]:
    condition: Condition = key.condition
    return {
        "threads": f"{condition.threads} threads",
        "kernel": f"kernel {condition.kernel}",
        "weights": f"weights {condition.weights}",
        "options": ", ".join(f"{name}={value}" for name, value in condition.options) or "no options",
        "reference": f"against {key.reference}",
        "in_turns": "side of an ab" if key.in_turns else "alone",
    }


def where(series: Series) -> str:
    """Such as: dyrelu_b, batch 32, eager, resnet8-w16 1×8×8."""
    case = series.key.case
    image = "×".join(map(str, case.image))
    return f"{case.variant}, batch {case.batch}, {case.engine}, {case.subject} {image}"


def when(history: History, session: int) -> str:
    """A session's start, such as 2026-03-01 12:00; whatever a file says, if it says something else."""
    return history.gathered.sessions[session].started.replace("T", " ").removesuffix("Z")[:16]


def place_text(history: History, change: Change | FactShift) -> str:
    """The session with which something changed, and its file."""
    session = history.gathered.sessions[change.first]
    return f"{session.id} in {session.path}"


def change_texts(change: Change) -> tuple[str, str, str]:
    """Before, after and the change, such as: 1,234, 1,298, +5.2%."""
    share = relative(change.after, change.before)
    if change.quantity is Quantity.THROUGHPUT:
        return amount(change.before), amount(change.after), share
    return f"{change.before:.3f}", f"{change.after:.3f}", share


def fact_texts(shift: FactShift) -> tuple[str, str]:
    """Both values; those that would look alike are given in full, with their unit."""
    before, after = _fact(shift.before), _fact(shift.after)
    if before == after:
        return tuple(f"{fact.value:g} {fact.unit.value}" for fact in (shift.before, shift.after))  # type: ignore[return-value]
    return before, after


def _fact(fact: FactValue) -> str:
    if not math.isfinite(fact.value):
        return str(fact.value)
    return bytes_text(fact.value) if fact.unit is Unit.BYTES else exact(fact.value)


def notes(history: History) -> list[str]:
    """What a reader must know before believing the tables."""
    found = []
    short = sum(line.n < FEWEST_SESSIONS for line in history.lines)
    if short:
        found.append(
            f"{short} of {len(history.lines)} lines have fewer than the {FEWEST_SESSIONS} believable "
            "sessions in which a change can be found."
        )
    doubtful = sum(int((~series.sure).sum()) for series in history.gathered.series)
    if doubtful:
        every = sum(len(series.sessions) for series in history.gathered.series)
        found.append(
            f"{doubtful} of {every} values are too disturbed, or of too few blocks, to be believed: they are "
            "in the CSV file, hollow in the plots, and don't count."
        )
    if history.gathered.repeated:
        found.append(f"Left out, since the same session stands in another file: {history.gathered.repeated}.")
    return found
