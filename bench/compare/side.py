"""One side of a comparison: its sessions, and what became of each case in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TypeVar

from bench.case import Case, Condition
from bench.compare.observed import Observed, SeenSession, Taken
from bench.record import Failure

__all__ = ["Seen", "Side", "in_order", "of_each"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Seen:
    """A case in one of a side's sessions."""

    session: SeenSession
    taken: Taken


@dataclass(frozen=True, slots=True)
class Side:
    """All sessions of one side, the latest last. `repeated` names sessions that were given more than once.

    `measured` is `seen` without the sessions that have no time of a case.
    """

    name: str
    sessions: tuple[SeenSession, ...]
    seen: Mapping[Case, tuple[Seen, ...]]
    measured: Mapping[Case, tuple[Seen, ...]]
    planned: frozenset[Case]
    repeated: tuple[str, ...]

    @classmethod
    def of(cls, suites: Sequence[Observed]) -> Side:
        """A session counts once, however often it was given: it is one measurement."""
        given = [session for suite in suites for session in suite.sessions]
        by_id = {(session.id, session.started): session for session in given}
        sessions = tuple(sorted(by_id.values(), key=lambda session: (session.started, session.id)))
        seen: dict[Case, list[Seen]] = {}
        for session in sessions:
            for taken in session.cases:
                seen.setdefault(taken.case, []).append(Seen(session, taken))
        # Most sessions share theirs.
        planned = {id(session.planned): session.planned for session in sessions}.values()
        names = list(dict.fromkeys(suite.name for suite in suites))
        return cls(
            name=names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more" if names else "",
            sessions=sessions,
            seen={case: tuple(found) for case, found in seen.items()},
            measured={case: tuple(one for one in found if one.taken.timed) for case, found in seen.items()},
            planned=frozenset(chain.from_iterable(planned)),
            repeated=tuple(sorted(name for name, times in Counter(s.id for s in given).items() if times > 1)),
        )

    @property
    def cases(self) -> frozenset[Case]:
        """Every case that was planned or recorded."""
        return frozenset(self.seen) | self.planned

    def timed(self, case: Case) -> tuple[Seen, ...]:
        """The sessions that measured this case."""
        return self.measured.get(case, ())

    def failure(self, case: Case) -> Failure | None:
        """Why no session measured this case, as far as one of them tells."""
        failures = [one.taken.failure for one in self.seen.get(case, ()) if one.taken.failure]
        return failures[-1] if failures and not self.timed(case) else None

    def losses(self, case: Case) -> tuple[Failure, ...]:
        """What went wrong in some blocks or sessions of a case that others measured, the latest last."""
        if not self.timed(case):
            return ()
        seen = self.seen.get(case, ())
        return tuple(
            failure
            for one in seen
            for failure in (*one.taken.losses, *([one.taken.failure] if one.taken.failure else []))
        )

    def conditions(self, case: Case) -> tuple[Condition, ...]:
        """The different conditions that this case was run under."""
        # Most sessions share theirs.
        apart = {id(one.taken.condition): one.taken.condition for one in self.seen.get(case, ())}
        return tuple(dict.fromkeys(apart.values()))

    def fingerprints(self, case: Case) -> frozenset[str]:
        """The environments that measured this case."""
        return frozenset(one.session.fingerprint for one in self.timed(case))

    def reference(self, case: Case) -> str:
        """The variant that this case's group is measured against."""
        return next((one.session.reference for one in self.seen.get(case, ())), "")


def of_each(base: Side, new: Side, take: Callable[[Side], T]) -> tuple[T, T]:
    """What `take` makes of each; where one side is laid beside itself, it is made once."""
    first = take(base)
    return first, first if new is base else take(new)


def in_order(cases: Iterable[Case], reference: Callable[[Case], str]) -> list[Case]:
    """Group by group, each group's reference first; whatever order the cases come in."""
    return sorted(
        cases,
        key=lambda case: (
            *(case.subject, case.image, case.dtype, case.engine, case.batch),
            *(case.variant != reference(case), case.variant),
        ),
    )
