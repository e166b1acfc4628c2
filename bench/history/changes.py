"""What changed in a history: levels of figures, and values of facts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bench.history.change_points import Search, change_points
from bench.history.points import FactValue
from bench.history.series import Gathered, Quantity, Series

__all__ = ["Change", "FactShift", "Line", "Segment", "changes_of", "fact_shifts", "lines_of"]


@dataclass(frozen=True, slots=True)
class Segment:
    """Sessions on one level: positions in a series, and the geometric mean of their values."""

    positions: tuple[int, ...]
    level: float


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity of one series, cut into its levels, in order; at least one."""

    series: Series
    quantity: Quantity
    segments: tuple[Segment, ...]

    @property
    def latest(self) -> float:
        """The last believable session's value."""
        return float(self.series.values(self.quantity)[self.segments[-1].positions[-1]])

    @property
    def n(self) -> int:
        """Believable sessions."""
        return sum(len(segment.positions) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Change:
    """A level that moved: `before` and `after` it, in the quantity's unit. More is faster.

    `last` is the last session (a place in the history's list) before it, `first` the first after it.
    """

    series: Series
    quantity: Quantity
    last: int
    first: int
    before: float
    after: float

    @property
    def shift(self) -> float:
        """How much more there is after it: 0.05 is 5% faster."""
        return self.after / self.before - 1


@dataclass(frozen=True, slots=True)
class FactShift:
    """A fact that is another from the session `first` (a place in the history's list) on."""

    series: Series
    first: int
    before: FactValue
    after: FactValue


def lines_of(
    gathered: Gathered, only: Quantity | None = None, search: Search = change_points
) -> tuple[Line, ...]:
    """Every quantity of every series that has a believable value, cut where its level moved."""
    wanted = [
        (series, quantity)
        for series in gathered.series
        for quantity in series.quantities
        if only in (None, quantity)
    ]
    return tuple(
        Line(series, quantity, _segments(series, quantity, len(wanted), search))
        for series, quantity in wanted
    )


def _segments(series: Series, quantity: Quantity, family: int, search: Search) -> tuple[Segment, ...]:
    positions = np.flatnonzero(series.usable(quantity))
    logs = np.log(series.values(quantity)[positions])
    breaks = search(logs, family, _known_noise(series, quantity, positions))
    return tuple(
        Segment(tuple(map(int, positions[start:stop])), math.exp(float(np.mean(logs[start:stop]))))
        for start, stop in pairwise([0, *breaks, len(positions)])
    )


def _known_noise(series: Series, quantity: Quantity, positions: NDArray[np.intp]) -> float:
    """Each session knows its own ratio no better than its blocks tell."""
    variances = series.variances[positions]
    if quantity is Quantity.THROUGHPUT or not np.isfinite(variances).any():
        return 0.0
    return math.sqrt(float(np.nanmedian(variances)))


def changes_of(lines: Iterable[Line], threshold: float) -> tuple[Change, ...]:
    """Every change of at least `threshold` (0.02 is 2% more, or as much less), the latest first."""
    found = [
        Change(
            series=line.series,
            quantity=line.quantity,
            last=line.series.sessions[old.positions[-1]],
            first=line.series.sessions[new.positions[0]],
            before=old.level,
            after=new.level,
        )
        for line in lines
        for old, new in pairwise(line.segments)
    ]
    large = [change for change in found if abs(math.log1p(change.shift)) >= math.log1p(threshold)]
    return tuple(sorted(large, key=lambda change: -change.first))


def fact_shifts(gathered: Gathered) -> tuple[FactShift, ...]:
    """Every change of a fact, the latest first."""
    found = [
        FactShift(series, series.sessions[new.start], old.fact, new.fact)
        for series in gathered.series
        for levels in series.facts.values()
        for old, new in pairwise(levels)
    ]
    return tuple(sorted(found, key=lambda shift: -shift.first))
