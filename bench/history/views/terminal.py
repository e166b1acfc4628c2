"""A history for a terminal: what changed, the series as a compact table, and what must be known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.history.history import History
from bench.history.series import Quantity
from bench.history.views.words import Section, change_texts, fact_texts, notes, sections, when, where
from bench.report.text import printable, shorten, without_paths

__all__ = ["terminal"]

_NAME_LIMIT = 24
_MESSAGE_LIMIT = 200
# The latest; all of them are in the Markdown file.
_MOST_LINES = 20
_SHORT = {Quantity.THROUGHPUT: "images/s", Quantity.RATIO: "ratio", Quantity.CALIBRATION: "calibration"}


def terminal(history: History) -> Group:
    """Everything but the last line, which counts."""
    threshold = f"{100 * history.threshold:.3g}%"
    parts: list[Table | Text] = []
    if history.changes:
        parts += [Text(f"changes of at least {threshold}, the latest first:"), _changes(history)]
        parts += _more(len(history.changes))
    parts += _list("facts that changed:", _facts(history), len(history.facts))
    for section in sections(history):
        parts += [Text(""), Text(_title(history, section)), _table(history, section)]
    skipped = (f"{path}: {reason}" for path, reason in history.skipped.items())
    parts += _list("skipped:", skipped, len(history.skipped))
    known = notes(history)
    parts += _list("to be known:", known, len(known))
    return Group(*parts)


def _list(title: str, lines: Iterable[str], count: int) -> list[Text]:
    """The first of `count` lines: of tens of thousands the others aren't even put into words."""
    first = islice(lines, _MOST_LINES)
    shown = [shorten(printable(without_paths(line)), _MESSAGE_LIMIT) for line in first]
    return [Text(title), *(Text(f"  {line}") for line in shown), *_more(count)] if shown else []


def _more(count: int) -> list[Text]:
    rest = count - _MOST_LINES
    return [Text(f"  and {rest} more, which --export-markdown has")] if rest > 0 else []


def _changes(history: History) -> Table:
    table = Table(box=None, pad_edge=False)
    for title in ("from", "variant", "engine", "what"):
        table.add_column(title)
    for title in ("batch", "before", "after", "change"):
        table.add_column(title, justify="right")
    for change in history.changes[:_MOST_LINES]:
        case = change.series.key.case
        cells: Sequence[str] = (
            printable(when(history, change.first)),
            shorten(printable(case.variant), _NAME_LIMIT),
            shorten(printable(case.engine), _NAME_LIMIT),
            _SHORT[change.quantity],
            str(case.batch),
            *change_texts(change),
        )
        table.add_row(*map(Text, cells))
    return table


def _facts(history: History) -> Iterable[str]:
    for shift in history.facts:
        before, after = fact_texts(shift)
        yield f"{when(history, shift.first)}  {where(shift.series)}: {shift.after.metric} {before} to {after}"


def _title(history: History, section: Section) -> str:
    machine = printable(history.gathered.machines.get(section.environment, ""))
    fingerprint = printable(section.environment)
    environment = f"environment {fingerprint} ({machine})" if machine else fingerprint
    return f"{printable(str(section.setting))}, {printable(section.engine)}, {environment}:"


def _table(history: History, section: Section) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("variant")
    for title in ("batch", "sessions", "latest", "images/s", "since start", "ratio", "since start"):
        table.add_column(title, justify="right")
    for row in section.rows:
        cells: Sequence[str] = (
            shorten(printable(row.label), _NAME_LIMIT),
            str(row.series.key.case.batch),
            str(len(row.series.sessions)),
            printable(when(history, row.series.sessions[-1])[:10]),
            row.latest(Quantity.THROUGHPUT),
            row.since_start(Quantity.THROUGHPUT),
            "1" if row.series.key.is_reference else row.latest(Quantity.RATIO),
            row.since_start(Quantity.RATIO),
        )
        table.add_row(*map(Text, cells))
    return table
