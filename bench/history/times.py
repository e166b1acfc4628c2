"""Reads of a suite what a history needs, in half of the time.

The types are those of a stored suite, but that nobody asks what disturbed a burst, and that the times of
steps are read as an array, or one burst at a time: a number of Python for each of a hundred thousand steps is
what a suite takes its time for. What is refused so is read again as any suite is, which takes it or says what
is wrong.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from bench.burst_times import BurstTimes, burst_times
from bench.columns import Columns, Reason, longest, unpack
from bench.history.whole_numbers import whole_numbers
from bench.record import (
    LARGEST,
    SCHEMA_VERSION,
    Index,
    Positive,
    Record,
    Suite,
    Window,
)
from bench.storage import LEAST_TIME, load_suite, timeless
from bench.suite_format import StoredSession, loaded_session
from bench.units import Direction, Unit

__all__ = ["read_times"]

T = TypeVar("T")

# A list, which is read a tenth faster than a tuple.
_Steps = Annotated[list[Annotated[float, Meta(ge=LEAST_TIME, le=LARGEST)]], Meta(min_length=1)]
_STEPS = msgspec.json.Decoder(_Steps)


def _decoder(unit: Unit) -> msgspec.json.Decoder[list[float]]:
    """Of the steps of all bursts, none of which is nothing."""
    whole = Annotated[int, Meta(ge=math.ceil(LEAST_TIME), le=longest(unit))]
    real = Annotated[float, Meta(ge=LEAST_TIME, le=float(longest(unit)))]
    return msgspec.json.Decoder(Annotated[list[whole | real], Meta(min_length=1)])


_COLUMN = {unit: _decoder(unit) for unit in Unit}
# A float holds every whole number up to here: a sum of less is exact, whatever its order.
_EXACT = 2**53


class _Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A `Window` of schema 1 whose steps are read when asked for; that may raise msgspec.DecodeError."""

    block: Index
    text: msgspec.Raw = msgspec.field(name="values")
    warmup: bool = False
    discarded: str = ""
    # Passed over as text.
    disturbance: msgspec.Raw = msgspec.Raw()

    @property
    def values(self) -> list[float]:
        return _STEPS.decode(self.text)


class _Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`Columns` whose steps are read when asked for; that may raise ValueError."""

    block: list[Index]
    steps: list[Positive]
    text: msgspec.Raw = msgspec.field(name="values")
    warmup: list[Index] = []
    discarded: list[tuple[Index, Reason]] = []
    # Passed over as text.
    disturbance: msgspec.Raw = msgspec.Raw()

    def windows(self, unit: Unit) -> tuple[Window, ...]:
        values = tuple(_COLUMN[unit].decode(self.text))
        warmup, discarded = tuple(self.warmup), tuple(self.discarded)
        return unpack(Columns(tuple(self.block), tuple(self.steps), values, warmup, discarded))


class _Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """Has what a `Series` has, once `_read_all` has read its bursts."""

    metric: str
    unit: Unit
    direction: Direction
    stored: _Columns | tuple[_Window, ...] = msgspec.field(name="windows")

    @property
    def windows(self) -> Sequence[Window | _Window]:
        return self.stored.windows(self.unit) if isinstance(self.stored, _Columns) else self.stored

    def bursts(self) -> BurstTimes:
        found: BurstTimes = self.__dict__["known"]
        return found

    def keep(self, bursts: BurstTimes) -> None:
        self.__dict__["known"] = bursts


def _read_all(every: Sequence[_Series]) -> None:
    """All steps, asked for or not: with one of them wrong a suite is none. Raises ValueError."""
    by_unit: dict[Unit, list[tuple[_Series, _Columns]]] = {}
    for series in every:
        if isinstance(series.stored, _Columns):
            by_unit.setdefault(series.unit, []).append((series, series.stored))
            continue
        series.keep(burst_times(series.stored, series.unit))
        for window in series.stored:
            if window.warmup:
                _STEPS.decode(window.text)
    for unit, pairs in by_unit.items():
        for (series, _), bursts in zip(pairs, _by_column([stored for _, stored in pairs], unit), strict=True):
            series.keep(bursts)


def _by_column(every: Sequence[_Columns], unit: Unit) -> Iterator[BurstTimes]:
    """Those of all series of a unit at once: for each by itself it takes as long again. Raises ValueError."""
    windows = np.array([len(columns.block) for columns in every])
    if [len(columns.steps) for columns in every] != windows.tolist():
        raise ValueError("windows without a number of steps")
    block = _joined([columns.block for columns in every])
    steps = _joined([columns.steps for columns in every])
    step_ms = unit.in_ms(_sums(every, steps, unit) / steps)
    discarded, measured = np.zeros(len(block), dtype=np.bool_), np.ones(len(block), dtype=np.bool_)
    discarded[_places([[place for place, _ in columns.discarded] for columns in every], windows)] = True
    measured[_places([columns.warmup for columns in every], windows)] = False
    chosen = np.flatnonzero(measured)
    block, discarded, step_ms = block[chosen], discarded[chosen], step_ms[chosen]
    for start, end in itertools.pairwise(np.searchsorted(chosen, [0, *windows.cumsum()]).tolist()):
        yield BurstTimes(block[start:end], discarded[start:end], step_ms[start:end])


def _joined(lists: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.fromiter(itertools.chain.from_iterable(lists), np.int64, sum(map(len, lists)))


def _places(lists: Sequence[Sequence[int]], windows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places among the windows of all series. Raises ValueError where they don't name windows in order."""
    counts = list(map(len, lists))
    own = _joined(lists)
    found: NDArray[np.int64] = own + np.repeat(windows.cumsum() - windows, counts)
    if (own >= np.repeat(windows, counts)).any() or (np.diff(found) <= 0).any():
        raise ValueError("places that don't name windows in order")
    return found


def _sums(every: Sequence[_Columns], steps: NDArray[np.int64], unit: Unit) -> NDArray[np.float64]:
    """The time of all steps of each burst. Exact, as that of a `Series`."""
    with contextlib.suppress(ValueError):
        counts = [sum(columns.steps) for columns in every]
        numbers = whole_numbers([columns.text for columns in every], counts, longest(unit))
        if int(numbers.max()) * int(steps.max()) <= _EXACT:
            return np.add.reduceat(numbers, steps.cumsum() - steps).astype(np.float64)
    return np.array(list(itertools.chain.from_iterable(_sums_of_any(columns, unit) for columns in every)))


def _sums_of_any(columns: _Columns, unit: Unit) -> list[float]:
    values = _COLUMN[unit].decode(columns.text)
    if sum(columns.steps) != len(values):
        raise ValueError("steps without a time")
    pairs = zip(columns.steps, itertools.accumulate(columns.steps), strict=True)
    return [math.fsum(values[end - steps : end]) for steps, end in pairs]


class _Record(Record, frozen=True, forbid_unknown_fields=True):
    series: tuple[_Series, ...] = ()  # type: ignore[assignment]


class _Times(Suite, frozen=True, forbid_unknown_fields=True):
    sessions: tuple[StoredSession, ...]
    records: tuple[_Record, ...]


_DECODER = msgspec.json.Decoder(_Times)


def read_times(path: Path, use: Callable[[Suite], T]) -> T:
    """What `use` makes of a suite whose windows tell no disturbance.

    `use` may be called a second time, with the suite as `load_suite` gives it. Raises InputError as that
    does, but for what is wrong with disturbances alone.
    """
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return use(_read(path.read_bytes()))
    return use(load_suite(path))


def _read(content: bytes) -> Suite:
    """Raises ValueError where it is no suite, or of another version."""
    stored = _DECODER.decode(content)
    sessions = tuple(map(loaded_session, stored.sessions))
    calibrations = (series for session in sessions for series in session.calibration)
    if stored.schema_version > SCHEMA_VERSION or timeless(calibrations) is not None:
        raise ValueError("no suite of this version")
    _read_all([series for record in stored.records for series in record.series])
    return msgspec.structs.replace(stored, sessions=sessions)
