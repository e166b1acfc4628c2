"""The ratio targets for programs: one row a target and variant."""

from __future__ import annotations

from bench.report.cells import Cells, csv_text, estimate_cells, number
from bench.report.table import Report
from bench.report.text import guard
from bench.target_answers import Judged

__all__ = ["targets_csv"]

_COLUMNS = (
    *(
        "session",
        "subject",
        "engine",
        "batch",
        "variant",
        "against",
        "metric",
        "kind",
        "value",
        "low",
        "high",
    ),
    *("confidence", "n", "bound", "bound_value", "answer", "reason", "source", "note"),
)


def targets_csv(report: Report) -> str:
    """Ratios, bounds and answers; a ratio of facts has no interval, and one that is missing no value."""
    return csv_text(_COLUMNS, [_row(judged) for judged in report.targets])


def _row(judged: Judged) -> Cells:
    target, found = judged.target, judged.ratio.estimate
    names = {
        "session": judged.session.id,
        "subject": target.subject,
        "engine": target.engine,
        "variant": judged.variant,
        "against": target.against,
        "reason": judged.ratio.reason,
        "source": target.source,
        "note": target.note,
    }
    return {
        **{column: guard(text) for column, text in names.items()},
        "batch": str(target.batch),
        "metric": target.metric.value,
        "kind": target.kind.value,
        **(estimate_cells(found, judged.session.protocol.confidence) if found else {}),
        "bound": "at least" if target.is_lower_bound else "at most",
        "bound_value": number(target.bound),
        "answer": judged.answer.value,
    }
