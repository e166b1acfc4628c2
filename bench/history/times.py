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

from bench.columns import Columns, Reason, check, longest, unpack
from bench.history.whole_numbers import whole_numbers
from bench.record import (
    LARGEST,
    LATENCY,
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


class _Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
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

    def means(self, unit: Unit) -> NDArray[np.float64]:
        """The time of a step in each burst. Exact, as that of a `Series`; read once."""
        if "known" not in self.__dict__:
            check(self.block, self.steps, sum(self.steps), self.warmup, self.discarded)
            steps = np.array(self.steps)
            self.__dict__["known"] = self._sums(unit, steps) / steps
        found: NDArray[np.float64] = self.__dict__["known"]
        return found

    def _sums(self, unit: Unit, steps: NDArray[np.int64]) -> NDArray[np.float64] | NDArray[np.int64]:
        with contextlib.suppress(ValueError):
            numbers = whole_numbers(self.text, int(steps.sum()), longest(unit))
            if int(numbers.max()) * int(steps.max()) <= _EXACT:
                sums: NDArray[np.int64] = np.add.reduceat(numbers, steps.cumsum() - steps)
                return sums
        return self._sums_of_any(unit)

    def _sums_of_any(self, unit: Unit) -> NDArray[np.float64]:
        values = _COLUMN[unit].decode(self.text)
        check(self.block, self.steps, len(values), self.warmup, self.discarded)
        pairs = zip(self.steps, itertools.accumulate(self.steps), strict=True)
        return np.array([math.fsum(values[end - steps : end]) for steps, end in pairs])


class _Series(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Has what a `Series` has."""

    metric: str
    unit: Unit
    direction: Direction
    stored: _Columns | tuple[_Window, ...] = msgspec.field(name="windows")

    @property
    def windows(self) -> Sequence[Window | _Window]:
        return self.stored.windows(self.unit) if isinstance(self.stored, _Columns) else self.stored

    def bursts_ms(self) -> Iterator[tuple[int, str, float]]:
        stored = self.stored
        if isinstance(stored, _Columns):
            is_measured, reasons = [True] * len(stored.block), [""] * len(stored.block)
            for place in stored.warmup:
                is_measured[place] = False
            for place, reason in stored.discarded:
                reasons[place] = reason
            means: list[float] = self.unit.in_ms(stored.means(self.unit)).tolist()
            yield from itertools.compress(zip(stored.block, reasons, means, strict=True), is_measured)
            return
        for window in stored:
            if not window.warmup:
                values = window.values
                yield window.block, window.discarded, self.unit.in_ms(math.fsum(values) / len(values))

    def read_the_rest(self) -> None:
        """The steps that nobody asks for: a suite with nothing else wrong is none all the same."""
        if isinstance(self.stored, _Columns):
            self.stored.means(self.unit)
            return
        for window in self.stored:
            if window.warmup or self.metric != LATENCY:
                _STEPS.decode(window.text)


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
    for record in stored.records:
        for series in record.series:
            series.read_the_rest()
    return msgspec.structs.replace(stored, sessions=sessions)
