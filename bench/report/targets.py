"""Ratio targets and what became of them: the section, a sentence, and the words that other outputs share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from bench.ratio_target import RatioTarget, TargetKind, TargetMetric
from bench.report.formats import bound, percent, ratio
from bench.report.layout import Notes, picture, table
from bench.report.table import Report
from bench.report.text import escape
from bench.target_answers import Answer, Judged, left_out

__all__ = [
    "answers_line",
    "bound_text",
    "quantity",
    "ratio_text",
    "targets_section",
    "targets_summary",
]

_QUANTITIES = {
    TargetMetric.THROUGHPUT: "images/s",
    TargetMetric.TIME: "time of a step",
    TargetMetric.PEAK_TENSOR: "peak of tensors",
}


def quantity(target: RatioTarget) -> str:
    """What the ratio is of and to, such as "images/s to relu"."""
    return f"{_QUANTITIES[target.metric]} to {target.against}"


def ratio_text(judged: Judged) -> str:
    """The measured ratio with its interval where it has one; empty where there is none."""
    return "" if judged.ratio.estimate is None else ratio(judged.ratio.estimate)


def bound_text(target: RatioTarget) -> str:
    """Such as "≥ 0.95"; an aim says that it is one."""
    aim = " (aim)" if target.kind is TargetKind.AIM else ""
    return bound(target.bound, target.is_lower_bound) + aim


def answers_line(judged: Iterable[Judged]) -> str:
    """Such as "targets: 24 met, 1 missed; aims: 2 missed"; empty without any."""
    found = list(judged)
    parts = []
    for kind in TargetKind:
        counts = Counter(one.answer for one in found if one.target.kind is kind)
        if counts:
            said = ", ".join(f"{counts[answer]} {answer.value}" for answer in Answer if counts[answer])
            parts.append(f"{kind.value}s: {said}")
    return "; ".join(parts)


def targets_summary(report: Report) -> list[str]:
    """One bullet of the summary; none without ratio targets."""
    if not report.targets:
        return []
    return [f"**Ratio {answers_line(report.targets)}.** See Targets for each."]


def targets_section(report: Report, plots: Mapping[str, str]) -> str:
    """A row a target and variant, with the measured ratio, the bound and the answer; empty without any."""
    if not report.targets:
        return _left_out(report, alone=True)
    notes = Notes()
    confidence = percent(report.targets[0].session.protocol.confidence, 0)
    sessions = len({one.session.id for one in report.targets}) > 1
    header = [*(["Session"] if sessions else []), "Subject", "Engine", "Batch", "Variant", "Ratio of"]
    header += [f"Measured ({confidence} interval)", "Bound", "Answer"]
    body = [_cells(one, sessions, notes) for one in report.targets]
    text = table(header, body, len(header) - 3) + notes.text()
    drawn = picture(plots, "ratio_targets")
    return f"## Targets\n\n{_about(confidence)}{_left_out(report, alone=False)}{drawn}\n\n{text}"


def _about(confidence: str) -> str:
    return (
        "Each ratio is a variant's value over that of the one it is set against, taken inside each block "
        f"first. *{Answer.MET.value}*: the unfavourable end of the {confidence} interval meets the bound. "
        f"*{Answer.NOT_PROVEN.value}* or *{Answer.NOT_REFUTED.value}*: the ratio itself does, or doesn't, "
        "but the interval reaches across, or there is none to be believed. "
        f"*{Answer.MISSED.value}*: the whole interval lies on the wrong side. A peak of memory is a fact and "
        "has no interval. The intervals are not corrected for the number of targets. A target that is missed "
        "or has no value ends the run with status 6; an aim never does."
    )


def _left_out(report: Report, *, alone: bool) -> str:
    """Says that there are more targets than were judged: a short run must not look like a passed one."""
    count = left_out(report.suite)
    if not count:
        return ""
    noun = f"{'' if alone else 'further '}ratio target{'s' if count > 1 else ''}"
    said = f"The preset has {count} {noun} whose cases this run left out."
    return f"## Targets\n\n{said}" if alone else f"\n\n{said}"


def _cells(judged: Judged, sessions: bool, notes: Notes) -> list[str]:
    target = judged.target
    where = [*([judged.session.id] if sessions else []), target.subject, target.engine, str(target.batch)]
    answer = f"**{judged.answer.value}**" if judged.fails else judged.answer.value
    sources = notes.mark(escape(f"{target.source}: {target.note}" if target.note else target.source))
    return [
        *map(escape, [*where, judged.variant, quantity(target)]),
        ratio_text(judged),
        bound_text(target) + sources,
        answer + notes.mark(escape(judged.ratio.reason)),
    ]
