"""Cells of the CSV files: raw numbers with nine significant digits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from bench.report.text import defused
from bench.statistics import Estimate

__all__ = ["Cells", "csv_text", "estimate_cells", "number", "shape_text"]

Cells = dict[str, str]


def csv_text(columns: Sequence[str], rows: Iterable[Cells]) -> str:
    """A CSV file with these columns; a cell that a row hasn't got is empty.

    Whatever column a foreign name got into, no spreadsheet takes its cell for a formula.
    """
    cells = [[defused(row.get(column, "")) for column in columns] for row in rows]
    frame = pd.DataFrame(cells, columns=list(columns))
    return str(frame.to_csv(index=False, lineterminator="\n"))


def number(value: float | None) -> str:
    """A count in full, anything else with nine significant digits, nothing for None."""
    if value is None:
        return ""
    return str(value) if isinstance(value, int) else f"{value:.9g}"


def shape_text(shape: Iterable[int]) -> str:
    """Such as 3x32x32."""
    return "x".join(map(str, shape))


def estimate_cells(found: Estimate, confidence: float) -> Cells:
    """Value and number of blocks; the interval and its confidence where there is one."""
    cells = {"value": number(found.value), "n": str(found.n)}
    if not found.has_interval:
        return cells
    return cells | {
        "low": number(found.low),
        "high": number(found.high),
        "confidence": number(confidence),
    }
