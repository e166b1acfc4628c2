"""Reads of a suite what a history needs, in two thirds of the time.

The types are those of a suite, but that nobody asks what disturbed a burst, and that a time of nothing is
found while it is read. What they refuse is read again as any suite is, which takes it or says what is wrong.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.record import SCHEMA_VERSION, Record, Series, Suite, Window
from bench.storage import LEAST_TIME, load_suite, timeless

__all__ = ["load_times"]


class _Window(Window, frozen=True, forbid_unknown_fields=True, gc=False):
    # A list, which is read a tenth faster than a tuple.
    values: Annotated[list[Annotated[float, Meta(ge=LEAST_TIME)]], Meta(min_length=1)]  # type: ignore[assignment]
    # Passed over as text.
    disturbance: msgspec.Raw = msgspec.Raw()  # type: ignore[assignment]


class _Series(Series, frozen=True, forbid_unknown_fields=True):
    windows: tuple[_Window, ...]


class _Record(Record, frozen=True, forbid_unknown_fields=True):
    series: tuple[_Series, ...] = ()


class _Times(Suite, frozen=True, forbid_unknown_fields=True):
    records: tuple[_Record, ...]


_DECODER = msgspec.json.Decoder(_Times)


def load_times(path: Path) -> Suite:
    """A suite whose windows tell no disturbance. Raises InputError as `load_suite` does."""
    try:
        suite = _DECODER.decode(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return load_suite(path)
    calibrations = [series for session in suite.sessions for series in session.calibration]
    if suite.schema_version > SCHEMA_VERSION or timeless(calibrations) is not None:
        return load_suite(path)
    return suite
