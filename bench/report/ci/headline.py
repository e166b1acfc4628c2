"""What a gate's decision and its rows are called, in every output alike."""

from __future__ import annotations

from bench.compared import Delta, FactChange
from bench.decision import Finding
from bench.errors import ExitStatus
from bench.report.comparing.words import change_text, fact_pair, level_text, ratio_text, threshold_text
from bench.report.text import printable, without_paths

__all__ = ["headline", "plain", "title", "why"]

_HEADLINES = {
    ExitStatus.DONE: "no regression found",
    ExitStatus.REGRESSION: "a regression",
    ExitStatus.USAGE: "bad input",
    ExitStatus.INCONCLUSIVE: "inconclusive",
    ExitStatus.ENVIRONMENT: "nothing fit to compare with",
    ExitStatus.CASE_FAILED: "a case failed",
    ExitStatus.TARGET_MISSED: "a target was missed",
    ExitStatus.INTERRUPTED: "interrupted",
}


def headline(status: ExitStatus) -> str:
    """The decision in a few words."""
    return _HEADLINES[status]


def plain(text: str) -> str:
    """Foreign text on one line, without control characters and paths."""
    return without_paths(printable(text))


def title(finding: Finding) -> str:
    """The row's name in a list: regression of latency in GROUP/VARIANT."""
    of = f" of {plain(finding.metric)}" if finding.metric else ""
    return f"{finding.outcome.value}{of} in {plain(finding.case.key)}"


def why(finding: Finding) -> str:
    """What the row rests on, in a sentence that names neither case nor metric. Foreign text stays raw."""
    if finding.delta is not None:
        return _of_time(finding.delta)
    return finding.reason if finding.fact is None else _of_fact(finding.fact)


def _of_time(delta: Delta) -> str:
    parts = [delta.reason]
    if ratio := ratio_text(delta.ratio, delta.theta):
        level = f" at {level_text(delta)}" if delta.ratio.has_interval else ""
        threshold = f"threshold {threshold_text(delta.theta)}"
        parts = [f"{change_text(delta)}, × {ratio}{level}, by {delta.basis.value}, {threshold}", *parts]
    return "; ".join(part for part in parts if part)


def _of_fact(fact: FactChange) -> str:
    base, new, change = fact_pair(fact)
    text = f"{base}, as before" if fact.base == fact.new else f"{base} became {new}"
    if change and fact.base != fact.new:
        text += f" ({change})"
    return f"{text}; {fact.note}" if fact.note else text
