"""Engines beside each other: what each makes of the test images, and how far each is from the best."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.quality import ratio_to_reference
from bench.record import TEST_AGREEING, TEST_CORRECT, TEST_IMAGES
from bench.report.formats import estimate, exact, percent, ratio
from bench.report.layout import Notes, table
from bench.report.table import CaseRow, Report, Setting, Status
from bench.report.text import escape
from bench.statistics import Estimate

__all__ = ["EngineRow", "engine_rows", "engines_section"]

# A step of training is other work than a forward pass.
_OTHER_WORK = ("training",)
# Two engines are compared at a glance, in the tables that there are.
_FEWEST = 3
_ABOUT = (
    "Throughput relative to the fastest engine of the row, paired inside blocks. Inside a block engines take "
    "no turns as variants do: expect wider intervals than those of ratios to a variant."
)


@dataclass(frozen=True, slots=True)
class EngineRow:
    """One variant at one batch size on every engine of a session, by the engine's name.

    `best` is the engine with the highest throughput; `ratios` are the others' throughput over its own.
    """

    variant: str
    batch: int
    cases: dict[str, CaseRow]
    best: str
    ratios: dict[str, Estimate]


def engine_rows(rows: Iterable[CaseRow]) -> tuple[EngineRow, ...]:
    """Rows of one setting by session, batch and variant; those without any time are left out."""
    groups: dict[tuple[str, int, str], dict[str, CaseRow]] = {}
    for row in rows:
        if row.case.engine not in _OTHER_WORK:
            key = (row.session.id, row.case.batch, row.case.variant)
            groups.setdefault(key, {})[row.case.engine] = row
    found = []
    for (_, batch, variant), cases in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1])):
        timed = {name: row for name, row in cases.items() if row.result is not None}
        if timed:
            best = max(timed, key=lambda name: _speed(timed[name]))
            others = {name: _ratio(row, timed[best]) for name, row in timed.items() if name != best}
            found.append(EngineRow(variant, batch, cases, best, others))
    return tuple(found)


def _speed(row: CaseRow) -> float:
    assert row.result is not None
    return row.result.throughput.value


def _ratio(row: CaseRow, best: CaseRow) -> Estimate:
    assert row.record is not None
    assert best.record is not None
    return ratio_to_reference(row.record, best.record, row.session.protocol)


def engines_section(report: Report) -> str:
    """Test accuracies where they are known, ratios where there are three engines or more; else empty."""
    parts = [_accuracies(report), *(_ratios(report, setting) for setting in report.settings)]
    known = [part for part in parts if part]
    return "\n\n".join(["## Engines", *known]) if known else ""


def _accuracies(report: Report) -> str:
    known: dict[str, dict[str, CaseRow]] = {}
    columns: dict[str, None] = {}
    for row in report.rows:
        if row.fact(TEST_IMAGES) is not None:
            column = f"{row.case.engine}, {row.case.dtype.value}"
            columns[column] = None
            known.setdefault(row.case.variant, {}).setdefault(column, row)
    if not known:
        return ""
    notes = Notes()
    body = [
        [escape(variant), *(_accuracy(known[variant].get(column), notes) for column in columns)]
        for variant in report.variants
        if variant in known
    ]
    about = (
        "Of the weights that were measured, counted anew on each engine over the test images, by which "
        "nothing was chosen."
    )
    text = table(["Variant", *map(escape, columns)], body)
    return f"### Test accuracy on each engine\n\n{about}\n\n{text}{notes.text()}"


def _accuracy(row: CaseRow | None, notes: Notes) -> str:
    if row is None:
        return ""
    correct, agreeing, images = (
        fact.value if (fact := row.fact(metric)) else 0
        for metric in (TEST_CORRECT, TEST_AGREEING, TEST_IMAGES)
    )
    mark = ""
    if agreeing < images:
        others = (
            f"{exact(images - agreeing)} of {exact(images)} images get another class than from the reference."
        )
        mark = notes.mark(others)
    return f"{percent(correct / images)} ({exact(correct)} of {exact(images)}){mark}" if images else ""


def _ratios(report: Report, setting: Setting) -> str:
    rows = engine_rows(row for row in report.rows if Setting.of(row.case) == setting)
    engines = list(dict.fromkeys(name for row in rows for name in row.cases))
    if len({name for row in rows for name in (row.best, *row.ratios)}) < _FEWEST:
        return ""
    notes = Notes()
    header = ["Batch", "Variant", "Best engine", "Images/s", *map(escape, engines)]
    body = []
    for row in rows:
        best = row.cases[row.best].result
        assert best is not None
        cells = [str(row.batch), escape(row.variant), escape(row.best), estimate(best.throughput)]
        body.append([*cells, *(_cell(row, name, notes) for name in engines)])
    where = f": {escape(str(setting))}" if len(report.settings) > 1 else ""
    text = table(header, body, 3)
    return f"### Ratio to the best engine{where}\n\n{_ABOUT}\n\n{text}{notes.text()}"


def _cell(row: EngineRow, name: str, notes: Notes) -> str:
    if name == row.best:
        return "**1**"
    case = row.cases.get(name)
    if case is None or name not in row.ratios:
        return f"*{case.status.value}*" if case else ""
    found = row.ratios[name]
    if not found.n:
        return notes.mark("No block ran both engines whole.").strip()
    doubts = [one for one in (case, row.cases[row.best]) if one.status is Status.INCONCLUSIVE]
    doubt = f", *inconclusive*{notes.mark(escape(doubts[0].reason))}" if doubts else ""
    return f"{ratio(found)}{doubt}"
