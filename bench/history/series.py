"""From a history's sessions, in order, to one series a case: figures, facts and where they changed."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from bench.case import Case, Condition
from bench.compare.options import PEAK_TOLERANCE
from bench.compare.peaks import repeats
from bench.history.points import FactValue, Point, SessionPoints
from bench.record import Bound

__all__ = ["FactLevel", "Gathered", "Key", "Quantity", "Series", "SessionLabel", "gather"]

Values = NDArray[np.float64]


class Quantity(StrEnum):
    """What a series is looked at for; more of each is faster.

    The calibration is a workload that no change of the project moves: what changes in images/s alone may be
    the machine, what changes against the calibration is the reference itself.
    """

    THROUGHPUT = "images/s"
    RATIO = "ratio to the reference"
    CALIBRATION = "speed against the calibration"


@dataclass(frozen=True, slots=True)
class SessionLabel:
    """A session by what a reader knows it by; `path` is its file's, from the history folder."""

    id: str
    started: str
    path: str
    pair: str


@dataclass(frozen=True, slots=True)
class Key:
    """What may be laid in one line: one case under one condition against one reference on one machine.

    `in_turns` is one side of an `ab`: stopped and called again at every burst, it meets colder caches.
    """

    environment: str
    reference: str
    case: Case
    condition: Condition
    in_turns: bool = False

    @property
    def is_reference(self) -> bool:
        """Whether the others of its group are compared with this case."""
        return self.case.variant == self.reference


@dataclass(frozen=True, slots=True)
class FactLevel:
    """A fact's value from a session (a position in the series) on."""

    start: int
    fact: FactValue


@dataclass(frozen=True)
class Series:
    """One case over its sessions, by start; positions are those in `sessions` (places in the history's list).

    `sure` is false where the figures can't be believed. `variances` are those of the means in `log_ratios`,
    of times to the reference's, for the reference itself to the calibration's; NaN where there is none.
    """

    key: Key
    sessions: tuple[int, ...]
    throughput: Values
    ratio: Values
    log_ratios: Values
    variances: Values
    sure: NDArray[np.bool_]
    facts: Mapping[str, tuple[FactLevel, ...]]

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What it has values of."""
        second = Quantity.CALIBRATION if self.key.is_reference else Quantity.RATIO
        return tuple(quantity for quantity in (Quantity.THROUGHPUT, second) if self.usable(quantity).any())

    def values(self, quantity: Quantity) -> Values:
        """One value a session; NaN where there is none, or where this series has none of them."""
        match quantity:
            case Quantity.THROUGHPUT:
                return self.throughput
            case Quantity.RATIO:
                return self.ratio
            case Quantity.CALIBRATION if self.key.is_reference:
                return self._against_calibration
        return np.full(len(self.sessions), np.nan)

    @cached_property
    def _against_calibration(self) -> Values:
        """Relative to the median session: the calibration's own unit says nothing."""
        known = self.log_ratios[np.isfinite(self.log_ratios)]
        return np.exp((np.median(known) if len(known) else np.nan) - self.log_ratios)

    def usable(self, quantity: Quantity) -> NDArray[np.bool_]:
        """The sessions whose value counts."""
        found: NDArray[np.bool_] = self.sure & np.isfinite(self.values(quantity))
        return found


@dataclass(frozen=True, slots=True)
class Gathered:
    """All series of a history. `repeated` counts sessions that stood in several files and count once."""

    sessions: tuple[SessionLabel, ...]
    series: tuple[Series, ...]
    machines: Mapping[str, str]
    repeated: int


@dataclass(slots=True)
class _Growing:
    """A series that is being read: plain numbers, since a history may be long."""

    sessions: array[int] = field(default_factory=lambda: array("q"))
    numbers: array[float] = field(default_factory=lambda: array("d"))
    sure: bytearray = field(default_factory=bytearray)
    facts: dict[str, list[FactLevel]] = field(default_factory=dict)
    latest: tuple[FactValue, ...] = ()

    def add(self, session: int, point: Point) -> None:
        logs = point.log_ratio
        mean, variance = (logs.mean, logs.variance) if logs else (float("nan"), float("nan"))
        # What stood at the same place a session ago has begun its level: few facts change.
        for old, fact in zip_longest(self.latest[: len(point.facts)], point.facts):
            if old != fact:
                levels = self.facts.setdefault(fact.metric, [])
                if not levels or _differs(levels[-1].fact, fact, point.case.engine):
                    levels.append(FactLevel(len(self.sessions), fact))
        self.latest = point.facts
        self.sessions.append(session)
        self.numbers.extend((point.throughput, point.ratio, mean, variance))
        self.sure.append(not point.doubt)

    def finished(self, key: Key) -> Series:
        columns = np.frombuffer(self.numbers, dtype=np.float64).reshape(-1, 4).T.copy()
        return Series(
            key=key,
            sessions=tuple(self.sessions),
            throughput=columns[0],
            ratio=columns[1],
            log_ratios=columns[2],
            variances=columns[3],
            sure=np.frombuffer(self.sure, dtype=np.bool_).copy(),
            facts={metric: tuple(levels) for metric, levels in self.facts.items()},
        )


def _differs(old: FactValue, new: FactValue, engine: str) -> bool:
    """Against the value that the level began with, so that a slow drift is seen in the end."""
    if old.unit is not new.unit or old.bound is not new.bound:
        return True
    # Which smaller batches ran before, and are in a cumulative peak, differs from session to session.
    if not repeats(new.metric, new.bound, engine) or new.bound is Bound.CUMULATIVE_PEAK:
        return abs(new.value - old.value) > PEAK_TOLERANCE * old.value
    return old.value != new.value


def gather(found: Iterable[tuple[str, SessionPoints]]) -> Gathered:
    """Lays sessions, each with its file, into series.

    They come in order, and of several states of one session the fullest first.
    """
    labels: list[SessionLabel] = []
    growing: dict[Key, _Growing] = {}
    machines: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    repeated = 0
    for path, session in found:
        if (session.started, session.id) in seen:
            repeated += 1
            continue
        seen.add((session.started, session.id))
        # The latest description of a machine is the one that its reader knows.
        machines[session.environment] = session.machine or machines.get(session.environment, "")
        for point in session.points:
            key = Key(
                *(session.environment, session.reference, point.case, point.condition),
                in_turns=bool(session.pair),
            )
            growing.setdefault(key, _Growing()).add(len(labels), point)
        labels.append(SessionLabel(session.id, session.started, path, session.pair))
    places = {environment: place for place, environment in enumerate(machines)}
    keys = sorted(growing, key=lambda key: (places[key.environment], *_order(key)))
    return Gathered(tuple(labels), tuple(growing[key].finished(key) for key in keys), machines, repeated)


def _order(key: Key) -> tuple[object, ...]:
    """Group by group, the reference of each first."""
    case, condition = key.case, key.condition
    return (
        *(case.subject, case.image, case.dtype, case.engine, case.batch),
        *(not key.is_reference, case.variant, key.reference),
        *(condition.threads, condition.kernel, condition.weights, condition.options, key.in_turns),
    )
