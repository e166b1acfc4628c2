"""A comparison for a terminal: the plain list of regressions, a compact table, and what must be known."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group
from rich.table import Table
from rich.text import Text

from bench.compared import Basis, Comparison, Delta
from bench.report.comparing.words import (
    case_text,
    change_text,
    fact_pair,
    ratio_text,
    threshold_text,
    undecided,
)
from bench.report.table import Setting
from bench.report.text import printable, shorten, without_paths
from bench.verdict import Verdict

__all__ = ["terminal"]

_NAME_LIMIT = 24
_MESSAGE_LIMIT = 160
_RATIO_WIDTH = len("1.000 (1.000–1.000)")
# What changed in every case is one change, and not worth a line for each.
_MOST_FACTS = 12
_SHORT = {Basis.BLOCKS: "pairs", Basis.REFERENCE: "ref.", Basis.CALIBRATION: "calib."}
_STYLES = {Verdict.SLOWER: "red", Verdict.FASTER: "green"}


def terminal(comparison: Comparison) -> Group:
    """Everything but the last line, which counts and is printed behind whatever else a verb says."""
    title = (
        f"{_clean(comparison.new)} against {_clean(comparison.base)}, "
        f"threshold {threshold_text(comparison.rule.theta)} of time"
    )
    parts: list[Table | Text] = [Text(title), *_regressions(comparison)]
    settings = tuple(dict.fromkeys(Setting.of(delta.case) for delta in comparison.deltas))
    for setting in settings:
        if len(settings) > 1:
            parts.append(Text(f"{printable(str(setting))}:"))
        parts.append(_table([delta for delta in comparison.deltas if Setting.of(delta.case) == setting]))
    parts += _section("inconclusive:", undecided(comparison.inconclusive))
    parts += _section("facts that changed:", _facts(comparison))
    parts += _section(
        "not judged, or failed in part:",
        (
            f"{case_text(row.case)}: {row.status.value}: {shorten(row.reason, _MESSAGE_LIMIT)}"
            for row in comparison.rows
        ),
    )
    parts += _section("to be known:", comparison.notes)
    return Group(*parts)


def _regressions(comparison: Comparison) -> list[Text]:
    if not comparison.regressions:
        return [Text("no regressions")]
    lines = (
        f"{case_text(delta.case)}: {change_text(delta)}, × {ratio_text(delta.ratio, delta.theta)}"
        for delta in comparison.regressions
    )
    return _section("regressions:", lines, "red")


def _table(deltas: Sequence[Delta]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("engine", "variant"):
        table.add_column(name)
    table.add_column("batch", justify="right", no_wrap=True)
    # On a narrow terminal names give way, never what was found.
    table.add_column("verdict", no_wrap=True, min_width=len(Verdict.INCONCLUSIVE))
    table.add_column("time × (interval)", justify="right", no_wrap=True, min_width=_RATIO_WIDTH)
    for name in ("by", "blocks"):
        table.add_column(name, justify="right", no_wrap=True)
    for delta in deltas:
        table.add_row(*_cells(delta))
    return table


def _cells(delta: Delta) -> list[Text]:
    return [
        Text(_name(delta.case.engine)),
        Text(_name(delta.case.variant)),
        Text(str(delta.case.batch)),
        Text(delta.verdict.value, style=_STYLES.get(delta.verdict, "")),
        Text(ratio_text(delta.ratio, delta.theta)),
        Text(_SHORT[delta.basis]),
        Text(str(delta.ratio.n)),
    ]


def _facts(comparison: Comparison) -> Iterable[str]:
    changed = comparison.changed_facts
    for fact in changed[:_MOST_FACTS]:
        base, new, change = fact_pair(fact)
        yield f"{case_text(fact.case)}: {fact.metric} {base} -> {new}" + (f" ({change})" if change else "")
    if len(changed) > _MOST_FACTS:
        yield f"and {len(changed) - _MOST_FACTS} more, which the exports list"


def _section(heading: str, lines: Iterable[str], style: str = "") -> list[Text]:
    texts = [Text(f"  {_clean(line)}") for line in lines]
    return [Text(heading, style=style), *texts] if texts else []


def _clean(text: str) -> str:
    return without_paths(printable(text))


def _name(text: str) -> str:
    return shorten(printable(text), _NAME_LIMIT)
