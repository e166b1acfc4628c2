"""A comparison as Markdown: regressions first, then what must be known, then everything."""

from __future__ import annotations

import math
from collections.abc import Iterable

from bench.compared import Comparison, Delta, RowStatus
from bench.report.comparing.words import (
    BASES,
    case_text,
    change_text,
    fact_pair,
    level_text,
    ratio_text,
    rule_sentence,
)
from bench.report.formats import amount
from bench.report.layout import Notes, bullets, table
from bench.report.table import Setting
from bench.report.text import escape, shorten
from bench.verdict import Verdict

__all__ = ["markdown"]

# A whole traceback would drown the table; its ends say what and where.
_MESSAGE_LIMIT = 240


def markdown(comparison: Comparison, picture: str = "") -> str:
    """The whole document. `picture` is where the plot lies, empty where it wasn't drawn."""
    plot = "Time of each case, new over base, with intervals, against the threshold"
    sections = [
        f"# {escape(comparison.new)} against {escape(comparison.base)}\n\n{comparison.last_line()}.",
        f"## Regressions\n\n{_list(comparison.regressions)}",
        f"## Improvements\n\n{_list(comparison.improvements)}" if comparison.improvements else "",
        f"## To be known\n\n{bullets(map(escape, comparison.notes))}" if comparison.notes else "",
        f"![{plot}]({picture})" if picture else "",
        _times(comparison),
        _rows(comparison.rows),
        _facts(comparison),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _list(deltas: Iterable[Delta]) -> str:
    return (
        bullets(
            f"{escape(case_text(delta.case))}: **{change_text(delta)}**, time × "
            f"{ratio_text(delta.ratio, delta.theta)}, by {delta.basis.value}"
            for delta in deltas
        )
        or "None."
    )


def _times(comparison: Comparison) -> str:
    if not comparison.deltas:
        return ""
    settings = dict.fromkeys(Setting.of(delta.case) for delta in comparison.deltas)
    parts = []
    for setting in settings:
        notes = Notes()
        deltas = [delta for delta in comparison.deltas if Setting.of(delta.case) == setting]
        header, body = _time_table(comparison, deltas, notes)
        parts.append(f"### {escape(str(setting))}\n\n{table(header, body, 3)}{notes.text()}")
    return "\n\n".join(["## Times", *parts, rule_sentence(comparison)])


def _time_table(
    comparison: Comparison, deltas: Iterable[Delta], notes: Notes
) -> tuple[list[str], list[list[str]]]:
    """Absolute times are left out where the environments differ: nobody should compare them."""
    absolute = comparison.same_environment
    header = ["Engine", "Variant", "Verdict", "Batch", *(["Base ms", "New ms"] if absolute else [])]
    header += ["Time, new/base (interval)", "Confidence", "Basis", "Blocks", "Left out"]
    body = []
    for delta in deltas:
        times = [_ms(delta.base_ms), _ms(delta.new_ms)] if absolute else []
        body.append(
            [
                *(escape(delta.case.engine), escape(delta.case.variant)),
                *(f"{_verdict(delta)}{notes.mark(escape(delta.reason))}", str(delta.case.batch), *times),
                *(ratio_text(delta.ratio, delta.theta), level_text(delta), BASES[delta.basis]),
                *(str(delta.ratio.n), str(delta.left_out)),
            ]
        )
    return header, body


def _verdict(delta: Delta) -> str:
    loud = delta.verdict in (Verdict.SLOWER, Verdict.FASTER)
    return f"**{delta.verdict.value}**" if loud else delta.verdict.value


def _ms(value: float) -> str:
    return "" if math.isnan(value) else amount(value)


def _rows(rows: Iterable[RowStatus]) -> str:
    body = [
        [
            *(escape(row.case.engine), str(row.case.batch), escape(row.case.variant), row.status.value),
            escape(shorten(row.reason, _MESSAGE_LIMIT)),
        ]
        for row in rows
    ]
    if not body:
        return ""
    text = table(["Engine", "Batch", "Variant", "Status", "Reason"], body, 5)
    return f"## Not judged, or failed in part\n\n{text}"


def _facts(comparison: Comparison) -> str:
    if not comparison.facts:
        return ""
    notes = Notes()
    body = [
        [
            *(escape(fact.case.engine), str(fact.case.batch), escape(fact.case.variant)),
            f"{escape(fact.metric)}{notes.mark(escape(fact.note))}",
            *fact_pair(fact),
        ]
        for fact in comparison.changed_facts
    ]
    same = len(comparison.facts) - len(body)
    header = ["Engine", "Batch", "Variant", "Fact", "Base", "New", "Change"]
    text = f"\n\n{table(header, body, 4)}{notes.text()}" if body else ""
    return f"## Facts\n\n{len(body)} changed, {same} are the same.{text}"
