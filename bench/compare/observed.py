"""What a comparison needs of a suite: block values instead of samples, so that thousands fit into memory."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import msgspec
import numpy as np

from bench.blocks import JudgedBlocks, judged_blocks, latency_series
from bench.case import Case, Condition
from bench.compare.bursts import Bursts, burst_quartiles
from bench.environment import Environment
from bench.record import HARNESS_OVERHEAD, Amount, Bound, Fact, Failure, Record, Series, Session, Suite
from bench.units import Unit

__all__ = ["Blocks", "FactLabel", "Facts", "Observed", "SeenSession", "Taken", "median_time", "observe"]


class Blocks(msgspec.Struct, frozen=True):
    """Usable blocks in order: their numbers, and the time of each in ms.

    The two are apart, since thousands of sessions have the same numbers, which need stand only once.
    """

    numbers: tuple[int, ...] = ()
    times: tuple[float, ...] = ()

    @classmethod
    def of(cls, times: Mapping[int, float]) -> Blocks:
        """From times by block, in whatever order."""
        numbers = tuple(sorted(times))
        return cls(numbers, tuple(times[number] for number in numbers))

    def __len__(self) -> int:
        return len(self.numbers)

    def by_number(self) -> dict[int, float]:
        """The time of each block."""
        return dict(zip(self.numbers, self.times, strict=True))

    def beside(self, other: Blocks) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """The times here and there of the blocks that both have."""
        if self.numbers == other.numbers:  # nearly always
            return self.times, other.times
        own, others = self.by_number(), other.by_number()
        common = [number for number in self.numbers if number in others]
        return tuple(own[number] for number in common), tuple(others[number] for number in common)


def median_time(every: Iterable[Blocks]) -> float:
    """The median of all blocks' times, in ms; NaN of no block."""
    times = np.fromiter(chain.from_iterable(blocks.times for blocks in every), np.float64)
    return float(np.median(times)) if len(times) else math.nan


class FactLabel(msgspec.Struct, frozen=True, array_like=True):
    """All of a fact but its value."""

    metric: str
    unit: Unit
    bound: Bound = Bound.EXACT
    note: str = ""


class Facts(msgspec.Struct, frozen=True):
    """The facts of a case. As with blocks, what is the same in every session stands by itself."""

    labels: tuple[FactLabel, ...] = ()
    values: tuple[Amount, ...] = ()

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Facts:
        """From a record's."""
        found = tuple(facts)
        labels = tuple(FactLabel(fact.metric, fact.unit, fact.bound, fact.note) for fact in found)
        return cls(labels, tuple(fact.value for fact in found))

    def each(self) -> tuple[Fact, ...]:
        """As in a record."""
        return tuple(
            Fact(label.metric, label.unit, value, label.bound, label.note)
            for label, value in zip(self.labels, self.values, strict=True)
        )


class Taken(msgspec.Struct, frozen=True):
    """One case in one session.

    `blocks` are the usable ones, `unusable` those that were too disturbed or that a lost worker cut. `timed`
    is false where nothing was measured, which `failure` explains if anybody can. `losses` are the failures of
    a case that was measured all the same, in other blocks. `bursts` are kept of blocks that have a partner in
    another session, for as long as no worker was lost in them.
    """

    case: Case
    condition: Condition
    blocks: Blocks
    unusable: tuple[int, ...]
    timed: bool
    failure: Failure | None
    facts: Facts
    bursts: dict[int, Bursts] = {}
    losses: tuple[Failure, ...] = ()


class SeenSession(msgspec.Struct, frozen=True):
    """One session. `calibration` is each block's geometric mean of the workloads' shortest times, in ms."""

    id: str
    pair: str
    started: str
    reference: str
    fingerprint: str
    environment: Environment | None
    planned: tuple[Case, ...]
    calibration: Blocks
    cases: tuple[Taken, ...]


class Observed(msgspec.Struct, frozen=True):
    """One suite, by the name that its user knows it by."""

    name: str
    sessions: tuple[SeenSession, ...]


def observe(suite: Suite, name: str) -> Observed:
    """Takes from a suite what comparisons are made of."""
    records: dict[str, list[Record]] = {}
    for record in suite.records:
        records.setdefault(record.session, []).append(record)
    sessions = (_session(suite, session, records.get(session.id, [])) for session in suite.sessions)
    return Observed(name, tuple(sessions))


def _session(suite: Suite, session: Session, records: Sequence[Record]) -> SeenSession:
    judged = judged_blocks(records, session.protocol)
    return SeenSession(
        id=session.id,
        pair=session.pair,
        started=session.started,
        reference=session.protocol.reference,
        fingerprint=session.environment,
        environment=suite.environments.get(session.environment),
        planned=session.planned,
        calibration=Blocks.of(_calibration(session.calibration)),
        cases=tuple(_taken(record, session, own) for record, own in zip(records, judged, strict=True)),
    )


def _taken(record: Record, session: Session, judged: JudgedBlocks) -> Taken:
    values, spoilt = judged
    unusable = {*record.unpaired, *spoilt}
    series = latency_series(record)
    bursts = burst_quartiles(record) if session.pair else {}
    timed = record.skipped is None and series is not None and bool(values)
    return Taken(
        case=record.case,
        condition=record.condition,
        blocks=Blocks.of({block: value for block, value in values.items() if block not in unusable}),
        unusable=tuple(sorted(unusable & {*values, *record.unpaired})),
        timed=timed,
        failure=record.skipped or (record.failures[-1] if record.failures and not values else None),
        facts=Facts.of(record.facts),
        bursts={block: found for block, found in bursts.items() if block not in record.unpaired},
        losses=record.failures if timed else (),
    )


def _calibration(every: Iterable[Series]) -> dict[int, float]:
    """Blocks in which all workloads ran. One computes and one copies, as networks do both."""
    workloads = [_least(series) for series in every if series.metric != HARNESS_OVERHEAD]
    if not workloads:
        return {}
    blocks = set.intersection(*map(set, workloads))
    return {block: math.exp(plain.fmean(math.log(w[block]) for w in workloads)) for block in blocks}


def _least(series: Series) -> dict[int, float]:
    """Each block's shortest time. Unlike the bursts of cases, those of a calibration are not judged by their
    disturbance, and its median takes three times as long beside work that an undisturbed burst doesn't feel.
    """
    least: dict[int, float] = {}
    for window in series.windows:
        if not window.warmup:
            least[window.block] = min(*window.values, least.get(window.block, math.inf))
    return least
