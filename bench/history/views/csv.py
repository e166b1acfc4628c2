"""A history for programs: one row a series and session."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench.history.changes import Line
from bench.history.history import History
from bench.history.series import Key, Quantity, Series
from bench.report.cells import Cells, csv_text, number, shape_text
from bench.report.text import guard

__all__ = ["csv"]

_COLUMNS = (
    *("environment", "subject", "variant", "engine", "dtype", "image", "batch", "threads", "kernel"),
    *(
        "weights",
        "options",
        "reference",
        "in_turns",
        "session",
        "started",
        "file",
        "throughput_images_per_s",
        "throughput_level",
    ),
    *("ratio", "ratio_level", "log_time_ratio", "log_time_ratio_variance", "log_time_ratio_to"),
    *("calibration_level", "believable"),
)
_LEVELS = {
    Quantity.THROUGHPUT: "throughput_level",
    Quantity.RATIO: "ratio_level",
    Quantity.CALIBRATION: "calibration_level",
}


def csv(history: History) -> str:
    """Raw numbers with nine significant digits. Levels are numbered from 1; a change is where one ends.

    `ratio` is of throughputs. The log ratio is of times, to those of the reference, of the reference itself
    to those of the calibration: mean over blocks, and the variance of that mean.
    """
    lines: dict[Key, dict[Quantity, Line]] = {}
    for line in history.lines:
        lines.setdefault(line.series.key, {})[line.quantity] = line
    rows = (
        row for series in history.gathered.series for row in _rows(history, series, lines.get(series.key, {}))
    )
    return csv_text(_COLUMNS, rows)


def _rows(history: History, series: Series, lines: dict[Quantity, Line]) -> Iterator[Cells]:
    fixed = _case(series.key)
    levels = {
        (quantity, place): str(number)
        for quantity, line in lines.items()
        for number, segment in enumerate(line.segments, start=1)
        for place in segment.positions
    }
    for place, index in enumerate(series.sessions):
        session = history.gathered.sessions[index]
        yield fixed | {
            "session": guard(session.id),
            "started": guard(session.started),
            "file": guard(session.path),
            "throughput_images_per_s": _known(series.throughput[place]),
            "ratio": _known(series.ratio[place]),
            "log_time_ratio": _known(series.log_ratios[place]),
            "log_time_ratio_variance": _known(series.variances[place]),
            "believable": "yes" if series.sure[place] else "no",
            **{column: levels.get((quantity, place), "") for quantity, column in _LEVELS.items()},
        }


def _case(key: Key) -> Cells:
    case, condition = key.case, key.condition
    return {
        "environment": guard(key.environment),
        "subject": guard(case.subject),
        "variant": guard(case.variant),
        "engine": guard(case.engine),
        "dtype": case.dtype.value,
        "image": shape_text(case.image),
        "batch": str(case.batch),
        "threads": str(condition.threads),
        "kernel": guard(condition.kernel),
        "weights": guard(condition.weights),
        "options": guard("; ".join(f"{name}={value}" for name, value in condition.options)),
        "reference": guard(key.reference),
        "in_turns": "yes" if key.in_turns else "no",
        "log_time_ratio_to": "calibration" if key.is_reference else "reference",
    }


def _known(value: np.float64) -> str:
    return number(float(value)) if np.isfinite(value) else ""
