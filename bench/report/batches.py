"""What batch sizes do: from which one on a variant's cost is small, and from which one throughput is full."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.batch_size import SATURATION, Reach, cost_falls_under, throughput_saturates
from bench.record import Record
from bench.report.cells import Cells, csv_text, number, shape_text
from bench.report.layout import Notes, table
from bench.report.table import CaseRow, Panel, Report
from bench.report.text import escape, guard

__all__ = ["COSTS", "batches_csv", "batches_section", "has_batches"]

# Extra time over the reference's, as shares.
COSTS = (0.50, 0.25, 0.10, 0.05)
# With two batch sizes a line between them says nothing that the table of times doesn't.
_FEWEST = 3
_COLUMNS = (
    *("session", "subject", "engine", "dtype", "image", "variant", "question", "level_fraction"),
    *("smallest_measured_batch", "interpolated_batch", "low", "high", "blocks", "smallest", "largest"),
)
_ABOUT = (
    "The smallest measured batch size from which on the median extra time over the reference stays below a "
    f"share, and from which on throughput is at least {SATURATION:.0%} of the best measured. In brackets "
    "where that would happen between measured batch sizes (on a line over the logarithm of the batch size; "
    "the median of the blocks' own answers), with its interval. Nothing is claimed outside of the batch "
    "sizes that were measured."
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """One question to one variant of a panel; `level` is a share, `reach` None where nothing can be said."""

    row: CaseRow
    question: str
    level: float
    reach: Reach | None


def has_batches(report: Report) -> bool:
    """Whether any panel has batch sizes enough."""
    return any(_enough(panel) for panel in report.panels)


def _enough(panel: Panel) -> bool:
    return len(_records(panel, panel.reference)) >= _FEWEST


def _records(panel: Panel, variant: str) -> dict[int, Record]:
    """The records of a variant that have times to believe, by batch size."""
    found = ((batch, panel.row(variant, batch)) for batch in panel.batches)
    return {
        batch: row.record for batch, row in found if row is not None and row.record and row.result is not None
    }


def _answers(panel: Panel) -> list[_Answer]:
    protocol = panel.rows[0].session.protocol
    reference = _records(panel, panel.reference)
    found = []
    for variant in panel.variants:
        own = _records(panel, variant)
        row = next(row for row in panel.rows if row.case.variant == variant)
        if variant != panel.reference:
            for share in COSTS:
                reach = cost_falls_under(share, own, reference, protocol)
                found.append(_Answer(row, "cost below", share, reach))
        full = throughput_saturates(own, protocol) if len(own) >= _FEWEST else None
        found.append(_Answer(row, "throughput saturates", SATURATION, full))
    return found


def batches_section(report: Report) -> str:
    """A table a panel; empty where none has batch sizes enough."""
    tables = [_table(panel) for panel in report.panels if _enough(panel)]
    return f"## Batch size\n\n{_ABOUT}\n\n" + "\n\n".join(tables) if tables else ""


def _table(panel: Panel) -> str:
    notes = Notes()
    header = ["Variant", *(f"Costs less than {share:.0%}" for share in COSTS), "Throughput is full"]
    body = []
    answers = _answers(panel)
    for variant in panel.variants:
        own = [answer for answer in answers if answer.row.case.variant == variant]
        costs = [_cell(answer.reach, notes) for answer in own if answer.question == "cost below"]
        full = [_full(answer.reach, notes) for answer in own if answer.question != "cost below"]
        body.append([escape(variant), *(costs or ["reference"] * len(COSTS)), *full])
    return f"### Batch size: {escape(panel.label)}\n\n{table(header, body)}{notes.text()}"


def _cell(reach: Reach | None, notes: Notes) -> str:
    if reach is None:
        return ""
    if reach.measured is None:
        text = f"not up to {reach.largest}"
    elif reach.measured == reach.smallest:
        text = f"≤ {reach.smallest}"
    else:
        text = str(reach.measured)
    found = reach.between
    if math.isnan(found.value):
        return text + notes.mark(f"{found.n} blocks with every batch size are too few for an interval.")
    return f"{text} ({_end(found.value, reach)}, {_end(found.low, reach)}–{_end(found.high, reach)})"


def _end(value: float, reach: Reach) -> str:
    if value == 0:
        return f"≤{reach.smallest}"
    return f">{reach.largest}" if math.isinf(value) else f"{value:.3g}"


def _full(reach: Reach | None, notes: Notes) -> str:
    text = _cell(reach, notes)
    if reach is None or reach.measured != reach.largest:
        return text
    return text + notes.mark("Throughput still rises at the largest batch size: a larger one may be better.")


def batches_csv(report: Report) -> str:
    """One row a question and variant. 0 is at or below the smallest batch size, inf beyond the largest."""
    panels: Sequence[Panel] = [panel for panel in report.panels if _enough(panel)]
    return csv_text(_COLUMNS, [_row(answer) for panel in panels for answer in _answers(panel)])


def _row(answer: _Answer) -> Cells:
    case, reach = answer.row.case, answer.reach
    cells = {
        "session": guard(answer.row.session.id),
        "subject": guard(case.subject),
        "engine": guard(case.engine),
        "dtype": case.dtype.value,
        "image": shape_text(case.image),
        "variant": guard(case.variant),
        "question": answer.question,
        "level_fraction": number(answer.level),
    }
    if reach is None:
        return cells
    found = reach.between
    ends = {"interpolated_batch": found.value, "low": found.low, "high": found.high}
    return cells | {
        "smallest_measured_batch": number(reach.measured),
        "blocks": str(found.n),
        "smallest": str(reach.smallest),
        "largest": str(reach.largest),
        **{name: number(value) for name, value in ends.items() if not math.isnan(value)},
    }
