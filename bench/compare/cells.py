"""Which blocks of a case stand against which: what each verdict rests on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from operator import truediv

from bench.case import Case
from bench.compare.bursts import paired_log_ratios
from bench.compare.observed import Blocks, median_time
from bench.compare.side import Seen, Side, of_each
from bench.compared import Basis
from bench.evidence import Cell, Paired, Sessions, Unpaired, log_ratio

__all__ = ["Matched", "NoBasis", "common_pairs", "match"]


@dataclass(frozen=True, slots=True)
class Matched:
    """A case's cell. `left_out` counts blocks of both sides (pairs, in paired ones) that it doesn't use.

    `calibration_moved` is the log ratio of the calibrations themselves, where the cell rests on them.
    """

    case: Case
    basis: Basis
    cell: Cell
    left_out: int
    calibration_moved: float = 0.0


@dataclass(frozen=True, slots=True)
class NoBasis:
    """A case that both sides measured, and that there is nothing to lay beside."""

    case: Case
    basis: Basis
    reason: str


@dataclass(frozen=True, slots=True)
class _Laid:
    """One side's blocks of a case beside what they are judged by; `left_out` is the number of the others."""

    logs: Sessions
    left_out: int


def match(case: Case, base: Side, new: Side, reference: Case | None) -> Matched | NoBasis:
    """The cell of a case that both sides measured under one condition.

    `reference` is its group's reference, or None where that has no usable time on a side.
    """
    pairs = common_pairs(case, base, new)
    if pairs:
        return _paired(case, pairs, base, new)
    if reference is not None and reference != case:
        return _by_reference(case, reference, base, new)
    if base.fingerprints(case) == new.fingerprints(case) and len(base.fingerprints(case)) == 1:
        return _by_calibration(case, base, new)
    if reference == case:
        reason = "the reference itself, whose times in different environments can't be compared"
        return NoBasis(case, Basis.REFERENCE, reason)
    return NoBasis(case, Basis.REFERENCE, "the reference of its group has no usable time on both sides")


def common_pairs(case: Case, base: Side, new: Side) -> list[str]:
    """The `ab`s of which both sides have their half."""
    return sorted(_pairs(base.timed(case)).keys() & _pairs(new.timed(case)).keys())


def _pairs(seen: Sequence[Seen]) -> dict[str, Seen]:
    return {one.session.pair: one for one in seen if one.session.pair}


def _paired(case: Case, pairs: Sequence[str], base: Side, new: Side) -> Matched:
    """Pairs of blocks, burst against burst; those that lack a side or are too disturbed are left out."""
    left, right = _pairs(base.timed(case)), _pairs(new.timed(case))
    ratios: list[float] = []
    left_out = 0
    for pair in pairs:
        old, now = left[pair].taken, right[pair].taken
        found = paired_log_ratios(old.bursts, now.bursts)
        ratios += found.values()
        every = {*old.blocks.numbers, *old.unusable, *now.blocks.numbers, *now.unusable}
        left_out += len(every) - len(found)
    return Matched(case, Basis.BLOCKS, Paired(tuple(ratios)), left_out)


def _by_reference(case: Case, reference: Case, base: Side, new: Side) -> Matched:
    def laid(side: Side) -> _Laid:
        return _laid(_against_reference(side.timed(case), side.timed(reference)))

    return _unpaired(case, Basis.REFERENCE, *of_each(base, new, laid))


def _against_reference(cases: Sequence[Seen], references: Sequence[Seen]) -> Iterator[tuple[Seen, Blocks]]:
    by_session = {one.session.id: one.taken.blocks for one in references}
    return ((one, by_session.get(one.session.id, Blocks())) for one in cases)


def _by_calibration(case: Case, base: Side, new: Side) -> Matched | NoBasis:
    for side in (base, new):
        if not any(one.session.calibration.numbers for one in side.timed(case)):
            reason = f"{side.name} timed no calibration, without which two sessions' times can't be compared"
            return NoBasis(case, Basis.CALIBRATION, reason)

    def laid(side: Side) -> _Laid:
        return _laid((one, one.session.calibration) for one in side.timed(case))

    def level(side: Side) -> float:
        return median_time(one.session.calibration for one in side.timed(case))

    old, now = of_each(base, new, level)
    matched = _unpaired(case, Basis.CALIBRATION, *of_each(base, new, laid))
    return replace(matched, calibration_moved=log_ratio(now, old))


def _laid(side: Iterable[tuple[Seen, Blocks]]) -> _Laid:
    logs: list[tuple[float, ...]] = []
    left_out = 0
    for seen, others in side:
        own, other = seen.taken.blocks.beside(others)
        left_out += len(seen.taken.blocks.numbers) + len(seen.taken.unusable) - len(own)
        if own:
            logs.append(_logs(own, other))
    return _Laid(Sessions(logs), left_out)


def _unpaired(case: Case, basis: Basis, base: _Laid, new: _Laid) -> Matched:
    return Matched(case, basis, Unpaired(base.logs, new.logs), base.left_out + new.left_out)


def _logs(times: Sequence[float], others: Sequence[float]) -> tuple[float, ...]:
    """NaN for what is no ratio of positive times, which no suite that was read from a file has."""
    try:
        return tuple(map(math.log, map(truediv, times, others)))
    except ValueError:
        ratios = map(truediv, times, others)
        return tuple(math.log(ratio) if ratio > 0 else math.nan for ratio in ratios)
