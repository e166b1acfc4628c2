"""What a history keeps of a session: one point a case, derived from its blocks."""

from __future__ import annotations

import math
import statistics as plain
from collections.abc import Mapping, Sequence

import msgspec

from bench.case import Case, Condition
from bench.compare import Observed
from bench.compare.observed import SeenSession, Taken
from bench.environment import Environment
from bench.record import Bound
from bench.statistics import blocks_needed
from bench.units import Unit

__all__ = ["FactValue", "LogRatio", "Point", "SessionPoints", "points_of"]

_NEEDED = blocks_needed(0.95)
# As in a report: one bad block among many can't move a median by much; a third of them can.
_MOST_UNUSABLE = 1 / 3


class FactValue(msgspec.Struct, frozen=True, array_like=True):
    """An exact figure, or a peak or lower bound, as `bound` says."""

    metric: str
    unit: Unit
    value: int | float
    bound: Bound = Bound.EXACT


class LogRatio(msgspec.Struct, frozen=True, array_like=True):
    """Mean over `n` blocks of the logarithm of a ratio of times, and the variance of that mean."""

    mean: float
    variance: float
    n: int


class Point(msgspec.Struct, frozen=True, array_like=True):
    """One case in one session. `throughput` (images/s) is the median over its `n` usable blocks.

    `ratio` is the throughput over the reference's, the median of pairs. `log_ratio` is of times: to those of
    the reference, and for the reference itself to those of the calibration. NaN and None stand for what there
    is not; `doubt` says why the figures can't be believed, empty where they can.
    """

    case: Case
    condition: Condition
    n: int = 0
    throughput: float = math.nan
    ratio: float = math.nan
    log_ratio: LogRatio | None = None
    doubt: str = ""
    facts: tuple[FactValue, ...] = ()


class SessionPoints(msgspec.Struct, frozen=True, array_like=True):
    """A session's points. `started` is UTC; `machine` describes `environment`, a fingerprint, in words."""

    id: str
    started: str
    environment: str
    machine: str
    reference: str
    pair: str
    points: tuple[Point, ...]

    @property
    def blocks(self) -> int:
        """Usable blocks of all cases: of two states of one session the later has more."""
        return sum(point.n for point in self.points)


def points_of(observed: Observed) -> tuple[SessionPoints, ...]:
    """Every session that has a case."""
    return tuple(
        SessionPoints(
            id=session.id,
            started=session.started,
            environment=session.fingerprint,
            machine=_machine(session.environment),
            reference=session.reference,
            pair=session.pair,
            points=_points(session),
        )
        for session in observed.sessions
        if session.cases
    )


def _machine(environment: Environment | None) -> str:
    if environment is None:
        return ""
    versions = [f"{name} {version}" for name, version in environment.packages if name.startswith("paddle")]
    devices = [device.name for device in environment.accelerators]
    return ", ".join([environment.cpu, f"{environment.logical_cores} cores", *devices, *versions])


def _points(session: SeenSession) -> tuple[Point, ...]:
    references = {
        taken.case.group: taken for taken in session.cases if taken.case.variant == session.reference
    }
    return tuple(
        _point(taken, references.get(taken.case.group), session.calibration) for taken in session.cases
    )


def _point(taken: Taken, reference: Taken | None, calibration: Mapping[int, float]) -> Point:
    is_reference = reference is taken
    others = calibration if is_reference else reference.blocks if reference else {}
    pairs = [(value, others[block]) for block, value in taken.blocks.items() if block in others]
    values = list(taken.blocks.values())
    speeds = [1000.0 * taken.case.batch / value for value in values]
    doubt = _doubt(taken)
    if not (doubt or is_reference or reference is None):
        doubt = _doubt(reference)
    return Point(
        case=taken.case,
        condition=taken.condition,
        n=len(values),
        throughput=plain.median(speeds) if speeds else math.nan,
        ratio=plain.median(other / own for own, other in pairs) if pairs and not is_reference else math.nan,
        log_ratio=_log_ratio(pairs),
        doubt=doubt,
        facts=tuple(FactValue(fact.metric, fact.unit, fact.value, fact.bound) for fact in taken.facts),
    )


def _doubt(taken: Taken) -> str:
    usable, unusable = len(taken.blocks), len(taken.unusable)
    if unusable > _MOST_UNUSABLE * (usable + unusable):
        return f"{unusable} of {usable + unusable} blocks were disturbed or cut"
    if usable < _NEEDED:
        return f"{usable} of the {_NEEDED} blocks that an interval needs"
    return ""


def _log_ratio(pairs: Sequence[tuple[float, float]]) -> LogRatio | None:
    """None for fewer than two blocks, which have no variance."""
    if len(pairs) < 2:
        return None
    logs = [math.log(own / other) for own, other in pairs]
    # Not statistics.variance, whose exact fractions take as long as all the rest.
    mean = plain.fmean(logs)
    squares = math.fsum((value - mean) ** 2 for value in logs)
    return LogRatio(mean, squares / (len(logs) - 1) / len(logs), len(logs))
