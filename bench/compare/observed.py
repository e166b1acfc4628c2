"""What a comparison needs of a suite: block values instead of samples, so that thousands fit into memory."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Iterable, Sequence

import msgspec

from bench.blocks import JudgedBlocks, judged_blocks, latency_series
from bench.case import Case, Condition
from bench.compare.bursts import Bursts, burst_quartiles
from bench.environment import Environment
from bench.record import HARNESS_OVERHEAD, Fact, Failure, Record, Series, Session, Suite

__all__ = ["Observed", "SeenSession", "Taken", "observe"]


class Taken(msgspec.Struct, frozen=True):
    """One case in one session.

    `blocks` are the usable ones, in ms a step; `unusable` those that were too disturbed or that a lost worker
    cut. `timed` is false where nothing was measured, which `failure` explains if anybody can. `losses` are
    the failures of a case that was measured all the same, in other blocks. `bursts` are kept of blocks that
    have a partner in another session, for as long as no worker was lost in them.
    """

    case: Case
    condition: Condition
    blocks: dict[int, float]
    unusable: tuple[int, ...]
    timed: bool
    failure: Failure | None
    facts: tuple[Fact, ...]
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
    calibration: dict[int, float]
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
        calibration=_calibration(session.calibration),
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
        blocks={block: value for block, value in values.items() if block not in unusable},
        unusable=tuple(sorted(unusable & {*values, *record.unpaired})),
        timed=timed,
        failure=record.skipped or (record.failures[-1] if record.failures and not values else None),
        facts=record.facts,
        bursts={block: found for block, found in bursts.items() if block not in record.unpaired},
        losses=record.failures if timed else (),
    )


def _calibration(every: Iterable[Series]) -> dict[int, float]:
    """Blocks in which all workloads ran. One computes and one copies, as networks do both."""
    workloads = [_least(series) for series in every if series.metric != HARNESS_OVERHEAD]
    if not workloads:
        return {}
    blocks = sorted(set.intersection(*map(set, workloads)))
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
