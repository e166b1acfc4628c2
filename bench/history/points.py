"""What a history keeps of a session: a few numbers a case, derived from its blocks."""

from __future__ import annotations

import math
import statistics as plain
from array import array
from collections.abc import Iterator, Sequence
from itertools import chain

import msgspec

from bench.case import Case, Condition
from bench.compare import Observed
from bench.compare.observed import Blocks, SeenSession, Taken
from bench.environment import Environment
from bench.record import Bound
from bench.statistics import blocks_needed
from bench.units import Unit

__all__ = ["COLUMNS", "FactKind", "FactValue", "Kind", "Layout", "SessionPoints", "points_of"]

_NEEDED = blocks_needed(0.95)
# As in a report: one bad block among many can't move a median by much; a third of them can.
_MOST_UNUSABLE = 1 / 3

#: Numbers that a session keeps of each case, in order; NaN where there is none: the median throughput
#: (images/s) over usable blocks; this over the reference's, the median of pairs; the mean over blocks of the
#: logarithm of a ratio of times, to those of the reference, and for the reference itself to those of the
#: calibration; the variance of that mean; and 1 where these can be believed, else 0.
COLUMNS = ("throughput", "ratio", "log_ratio", "variance", "sure")


class FactKind(msgspec.Struct, frozen=True, array_like=True):
    """What a fact is of: an exact figure, or a peak or lower bound, as `bound` says."""

    metric: str
    unit: Unit
    bound: Bound = Bound.EXACT


class FactValue(msgspec.Struct, frozen=True, array_like=True):
    """A fact in a session."""

    kind: FactKind
    value: int | float

    @property
    def metric(self) -> str:
        """The field's name of it."""
        return self.kind.metric

    @property
    def unit(self) -> Unit:
        """What `value` counts."""
        return self.kind.unit


class Kind(msgspec.Struct, frozen=True, array_like=True):
    """What a session has numbers of: one case, with the facts that are known of it."""

    case: Case
    condition: Condition
    facts: tuple[FactKind, ...] = ()


class Layout(msgspec.Struct, frozen=True, array_like=True):
    """What the numbers of a session are of, in their order. Most sessions of a history have the same."""

    reference: str
    kinds: tuple[Kind, ...]


class SessionPoints(msgspec.Struct, frozen=True, array_like=True):
    """A session's numbers. `started` is UTC; `machine` describes `environment`, a fingerprint, in words.

    `layout` is a Layout as MessagePack: thousands of sessions are told apart by it, and few of them are read.
    `numbers` are the machine's float64, those of COLUMNS for each case; `facts` are those of all cases.
    `blocks` counts usable blocks of all cases: of two states of one session the later has more.
    """

    id: str
    started: str
    environment: str
    machine: str
    pair: str
    layout: bytes
    numbers: bytes
    facts: tuple[int | float, ...]
    blocks: int


def points_of(observed: Observed) -> tuple[SessionPoints, ...]:
    """Every session that has a case."""
    return tuple(_session(session) for session in observed.sessions if session.cases)


def _session(session: SeenSession) -> SessionPoints:
    layout = Layout(session.reference, tuple(_kind(taken) for taken in session.cases))
    return SessionPoints(
        id=session.id,
        started=session.started,
        environment=session.fingerprint,
        machine=_machine(session.environment),
        pair=session.pair,
        layout=msgspec.msgpack.encode(layout),
        numbers=array("d", [number for numbers in _numbers(session) for number in numbers]).tobytes(),
        facts=tuple(chain.from_iterable(taken.facts.values for taken in session.cases)),
        blocks=sum(len(taken.blocks) for taken in session.cases),
    )


def _kind(taken: Taken) -> Kind:
    facts = tuple(FactKind(label.metric, label.unit, label.bound) for label in taken.facts.labels)
    return Kind(taken.case, taken.condition, facts)


def _machine(environment: Environment | None) -> str:
    if environment is None:
        return ""
    versions = [f"{name} {version}" for name, version in environment.packages if name.startswith("paddle")]
    devices = [device.name for device in environment.accelerators]
    return ", ".join([environment.cpu, f"{environment.logical_cores} cores", *devices, *versions])


def _numbers(session: SeenSession) -> Iterator[tuple[float, ...]]:
    """COLUMNS of each case."""
    references = {
        taken.case.group: taken for taken in session.cases if taken.case.variant == session.reference
    }
    for taken in session.cases:
        yield _of_case(taken, references.get(taken.case.group), session.calibration)


def _of_case(
    taken: Taken, reference: Taken | None, calibration: Blocks
) -> tuple[float, float, float, float, float]:
    is_reference = reference is taken
    others = calibration if is_reference else reference.blocks if reference else Blocks()
    pairs = list(zip(*taken.blocks.beside(others), strict=True))
    speeds = [1000.0 * taken.case.batch / value for value in taken.blocks.times]
    sure = _believable(taken) and (is_reference or reference is None or _believable(reference))
    return (
        plain.median(speeds) if speeds else math.nan,
        plain.median(other / own for own, other in pairs) if pairs and not is_reference else math.nan,
        *_log_ratio(pairs),
        float(sure),
    )


def _believable(taken: Taken) -> bool:
    """Whether there are as many blocks as an interval needs, and few were disturbed or cut."""
    usable, unusable = len(taken.blocks), len(taken.unusable)
    return usable >= _NEEDED and unusable <= _MOST_UNUSABLE * (usable + unusable)


def _log_ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Mean of the logarithms, and the variance of that mean; NaN for fewer than two blocks."""
    if len(pairs) < 2:
        return math.nan, math.nan
    logs = [math.log(own / other) for own, other in pairs]
    # Not statistics.variance, whose exact fractions take as long as all the rest.
    mean = plain.fmean(logs)
    squares = math.fsum([(value - mean) ** 2 for value in logs])
    return mean, squares / (len(logs) - 1) / len(logs)
