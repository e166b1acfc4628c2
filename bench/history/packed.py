"""What the index keeps of a suite for comparisons: small, and read fast.

A history's sessions are mostly of the same cases and blocks. These stand in a part of their own, which is
read once however many sessions have it, and is the same object in all of them; what differs is numbers.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from itertools import chain

import msgspec

from bench.case import Case, Condition
from bench.compare import Observed
from bench.compare.bursts import Bursts
from bench.compare.observed import Blocks, FactLabel, Facts, SeenSession, Taken
from bench.environment import Environment
from bench.history.kept import Damaged
from bench.record import Amount, Failure

__all__ = ["PACKED_TYPES", "Unpacking", "packed"]


class _Cases(msgspec.Struct, frozen=True, array_like=True):
    """What a session is of."""

    reference: str
    fingerprint: str
    environment: Environment | None
    planned: tuple[Case, ...]
    cases: tuple[tuple[Case, Condition, tuple[FactLabel, ...]], ...]


class _Numbers(msgspec.Struct, frozen=True, array_like=True):
    """Its blocks: those of the calibration; of each case the usable ones, the others, and `timed`."""

    calibration: tuple[int, ...]
    cases: tuple[tuple[tuple[int, ...], tuple[int, ...], bool], ...]


class _Rest(msgspec.Struct, frozen=True, array_like=True):
    """What few cases have; `place` is the case's in its session."""

    place: int
    failure: Failure | None
    bursts: dict[int, Bursts]
    losses: tuple[Failure, ...]


class _Session(msgspec.Struct, frozen=True, array_like=True):
    """`cases` and `numbers` are _Cases and _Numbers as MessagePack; `times` are the machine's float64: those
    of the calibration, then of each case.
    """

    id: str
    pair: str
    started: str
    cases: bytes
    numbers: bytes
    times: bytes
    facts: tuple[Amount, ...]
    rest: tuple[_Rest, ...]


class _Suite(msgspec.Struct, frozen=True, array_like=True):
    name: str
    sessions: tuple[_Session, ...]


_BYTES = struct.calcsize("d")
#: Of which the bytes in an index are.
PACKED_TYPES = (_Suite, _Cases, _Numbers)


def packed(observed: Observed) -> _Suite:
    """What the index keeps, as MessagePack."""
    return _Suite(observed.name, tuple(map(_packed, observed.sessions)))


def _packed(session: SeenSession) -> _Session:
    cases = session.cases
    return _Session(
        id=session.id,
        pair=session.pair,
        started=session.started,
        cases=msgspec.msgpack.encode(
            _Cases(
                reference=session.reference,
                fingerprint=session.fingerprint,
                environment=session.environment,
                planned=session.planned,
                cases=tuple((one.case, one.condition, one.facts.labels) for one in cases),
            )
        ),
        numbers=msgspec.msgpack.encode(
            _Numbers(
                session.calibration.numbers,
                tuple((one.blocks.numbers, one.unusable, one.timed) for one in cases),
            )
        ),
        times=array(
            "d", chain(session.calibration.times, chain.from_iterable(one.blocks.times for one in cases))
        ).tobytes(),
        facts=tuple(chain.from_iterable(one.facts.values for one in cases)),
        rest=tuple(
            _Rest(place, one.failure, one.bursts, one.losses)
            for place, one in enumerate(cases)
            if one.failure or one.bursts or one.losses
        ),
    )


class Unpacking:
    """Reads what was packed. One for all of an index: it remembers what sessions have in common."""

    def __init__(self) -> None:
        self._suite = msgspec.msgpack.Decoder(_Suite)
        self._cases: dict[bytes, _Cases] = {}
        self._numbers: dict[bytes, _Numbers] = {}

    def unpack(self, content: bytes) -> Observed:
        """Raises msgspec.DecodeError, and Damaged where the parts don't fit together."""
        suite = self._suite.decode(content)
        return Observed(suite.name, tuple(map(self._unpacked, suite.sessions)))

    def _unpacked(self, session: _Session) -> SeenSession:
        cases = self._cases.get(session.cases)
        if cases is None:
            cases = msgspec.msgpack.decode(session.cases, type=_Cases)
            self._cases[session.cases] = cases
        numbers = self._numbers.get(session.numbers)
        if numbers is None:
            numbers = msgspec.msgpack.decode(session.numbers, type=_Numbers)
            self._numbers[session.numbers] = numbers
        if not _fits(session, cases, numbers):
            raise Damaged
        times = struct.unpack(f"{len(session.times) // _BYTES}d", session.times)
        taken = list(_taken(session, cases, numbers, times))
        for rest in session.rest:
            taken[rest.place] = msgspec.structs.replace(
                taken[rest.place], failure=rest.failure, bursts=rest.bursts, losses=rest.losses
            )
        return SeenSession(
            id=session.id,
            pair=session.pair,
            started=session.started,
            reference=cases.reference,
            fingerprint=cases.fingerprint,
            environment=cases.environment,
            planned=cases.planned,
            calibration=Blocks(numbers.calibration, times[: len(numbers.calibration)]),
            cases=tuple(taken),
        )


def _fits(session: _Session, cases: _Cases, numbers: _Numbers) -> bool:
    blocks = len(numbers.calibration) + sum(len(usable) for usable, _, _ in numbers.cases)
    facts = sum(len(labels) for _, _, labels in cases.cases)
    return (
        len(cases.cases) == len(numbers.cases)
        and len(session.times) == _BYTES * blocks
        and len(session.facts) == facts
        and all(0 <= rest.place < len(cases.cases) for rest in session.rest)
    )


def _taken(session: _Session, cases: _Cases, numbers: _Numbers, times: tuple[float, ...]) -> Iterator[Taken]:
    """The cases without what few have."""
    values = session.facts
    block, fact = len(numbers.calibration), 0
    for (case, condition, labels), (usable, unusable, timed) in zip(cases.cases, numbers.cases, strict=True):
        last_block, last_fact = block + len(usable), fact + len(labels)
        yield Taken(
            case,
            condition,
            Blocks(usable, times[block:last_block]),
            unusable,
            timed,
            None,
            Facts(labels, values[fact:last_fact]),
        )
        block, fact = last_block, last_fact
