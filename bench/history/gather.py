"""From a history's sessions, in order, to one series a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat
from operator import itemgetter

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.compare.options import PEAK_TOLERANCE
from bench.compare.peaks import repeats
from bench.history.points import COLUMNS, FactKind, FactValue, Kind, Layout, SessionPoints
from bench.history.series import FactLevel, Gathered, Key, Series, SessionLabel, Values
from bench.record import Bound

__all__ = ["gather"]


@dataclass(slots=True)
class _Sheet:
    """Sessions of one layout on one machine, in order: read together, since a history may be long."""

    sessions: list[int] = field(default_factory=list)
    numbers: list[bytes] = field(default_factory=list)
    facts: list[tuple[int | float, ...]] = field(default_factory=list)

    def add(self, session: int, points: SessionPoints) -> None:
        self.sessions.append(session)
        self.numbers.append(points.numbers)
        self.facts.append(points.facts)

    def parts(self, kinds: Sequence[Kind]) -> Iterator[tuple[Kind, _Part]]:
        """A part a case."""
        sessions = np.array(self.sessions)
        numbers = np.frombuffer(b"".join(self.numbers)).reshape(len(sessions), len(kinds), len(COLUMNS))
        columns = zip(*self.facts, strict=True)
        for place, kind in enumerate(kinds):
            facts = tuple(zip(kind.facts, islice(columns, len(kind.facts)), strict=True))
            yield kind, _Part(sessions, numbers[:, place], facts)


@dataclass(frozen=True, slots=True)
class _Part:
    """A series where it comes from one sheet: numbers have a row a session, facts a column a fact."""

    sessions: NDArray[np.int_]
    numbers: Values
    facts: tuple[tuple[FactKind, tuple[int | float, ...]], ...]


def gather(found: Iterable[tuple[str, SessionPoints]]) -> Gathered:
    """Lays sessions, each with its file, into series.

    They come in order, and of several states of one session the fullest first.
    """
    labels: list[SessionLabel] = []
    sheets: dict[tuple[str, bool, bytes], _Sheet] = {}
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
        sheet = sheets.setdefault((session.environment, bool(session.pair), session.layout), _Sheet())
        sheet.add(len(labels), session)
        labels.append(SessionLabel(session.id, session.started, path, session.pair))
    parts: dict[Key, list[_Part]] = {}
    for (environment, in_turns, content), sheet in sheets.items():
        layout = msgspec.msgpack.decode(content, type=Layout)
        for kind, part in sheet.parts(layout.kinds):
            key = Key(environment, layout.reference, kind.case, kind.condition, in_turns)
            parts.setdefault(key, []).append(part)
    places = {environment: place for place, environment in enumerate(machines)}
    keys = sorted(parts, key=lambda key: (places[key.environment], *_order(key)))
    return Gathered(tuple(labels), tuple(_joined(key, parts[key]) for key in keys), machines, repeated)


def _joined(key: Key, parts: Sequence[_Part]) -> Series:
    """The parts of a series, in the order of their sessions."""
    sessions = np.concatenate([part.sessions for part in parts])
    order = np.argsort(sessions, kind="stable")
    columns = dict(
        zip(COLUMNS, np.concatenate([part.numbers for part in parts])[order].T.copy(), strict=True)
    )
    return Series(
        key=key,
        sessions=tuple(sessions[order].tolist()),
        throughput=columns["throughput"],
        ratio=columns["ratio"],
        log_ratios=columns["log_ratio"],
        variances=columns["variance"],
        sure=columns["sure"] != 0,
        facts=_fact_levels(parts, np.argsort(order).tolist(), key.case.engine),
    )


def _fact_levels(
    parts: Sequence[_Part], positions: Sequence[int], engine: str
) -> dict[str, tuple[FactLevel, ...]]:
    """Each fact's levels. `positions` are those of the parts' sessions, one part after another."""
    found: dict[str, list[tuple[int, FactKind, int | float]]] = {}
    begin = 0
    for part in parts:
        own = positions[begin : begin + len(part.sessions)]
        begin += len(own)
        seen: Counter[str] = Counter()
        for kind, values in part.facts:
            # A metric that stands twice in a case has two rows of levels, by its place among its like.
            seen[kind.metric] += 1
            name = kind.metric if seen[kind.metric] == 1 else f"{kind.metric} ({seen[kind.metric]})"
            # Most facts never change, and their first value is all that there is to them.
            alone = len(parts) == 1 and values.count(values[0]) == len(values)
            rows = zip(own[:1] if alone else own, repeat(kind), values, strict=False)
            found.setdefault(name, []).extend(rows)
    return {name: _levels(sorted(rows, key=itemgetter(0)), engine) for name, rows in found.items()}


def _levels(rows: Iterable[tuple[int, FactKind, int | float]], engine: str) -> tuple[FactLevel, ...]:
    """Against the value that a level began with, so that a slow drift is seen in the end."""
    levels: list[FactLevel] = []
    kind, first, tolerance = None, 0.0, 0.0
    for position, own, value in rows:
        # Of one part all rows have the same object.
        if (own is not kind and own != kind) or abs(value - first) > tolerance * first:
            kind, first, tolerance = own, value, _tolerance(own, engine)
            levels.append(FactLevel(position, FactValue(own, value)))
    return tuple(levels)


def _tolerance(kind: FactKind, engine: str) -> float:
    """How far a fact may be from another of the same program, as a share."""
    # Which smaller batches ran before, and are in a cumulative peak, differs from session to session.
    moves = not repeats(kind.metric, kind.bound, engine) or kind.bound is Bound.CUMULATIVE_PEAK
    return PEAK_TOLERANCE if moves else 0.0


def _order(key: Key) -> tuple[object, ...]:
    """Group by group, the reference of each first."""
    case, condition = key.case, key.condition
    return (
        *(case.subject, case.image, case.dtype, case.engine, case.batch),
        *(not key.is_reference, case.variant, key.reference),
        *(condition.threads, condition.kernel, condition.weights, condition.options, key.in_turns),
    )
