"""What rules said of simulated suites, as counts, and what of them is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from bench.study.raw import Kind
from bench.study.real import lower_bound, upper_bound
from bench.study.rules import Setting

__all__ = ["BY_CASE", "WANTED", "Simulated", "Tally", "Wanted", "percent_of"]

_Key = TypeVar("_Key")
# The effect whose finding is counted by case as well.
BY_CASE = 0.05


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `ab` has to reach: shares of suites found (at 5%), of suites alarmed, of inconclusive cells."""

    found: float = 0.95
    alarmed: float = 0.01
    inconclusive: float = 0.05


WANTED = Wanted()


class Tally(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule said of suites of one kind. `alarmed` suites had a false slower or faster.

    `alarms` and `inconclusive` count cells of null suites; `found` the suites whose slowed cell was called
    slower, by effect in percent. Of our rules in one session: `at_limit` are suites with any slower where
    all cells are slower by just the threshold; `slowed_by_case` counts suites by the place of their slowed
    case, and `found_by_case` those that found 5% there; `by_session` is in how many suites the cells of the
    run of this name alarmed.
    """

    kind: Kind
    setting: Setting
    rule: str
    blocks: int
    suites: int
    alarmed: int
    cells: int
    alarms: int
    inconclusive: int
    found: dict[int, int]
    at_limit: int | None = None
    slowed_by_case: dict[int, int] = {}
    found_by_case: dict[int, int] = {}
    by_session: dict[str, int] = {}

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        limits = (self.at_limit, other.at_limit)
        return msgspec.structs.replace(
            self,
            suites=self.suites + other.suites,
            alarmed=self.alarmed + other.alarmed,
            cells=self.cells + other.cells,
            alarms=self.alarms + other.alarms,
            inconclusive=self.inconclusive + other.inconclusive,
            found={effect: hits + other.found[effect] for effect, hits in self.found.items()},
            at_limit=None if None in limits else sum(limit or 0 for limit in limits),
            slowed_by_case=_sum(self.slowed_by_case, other.slowed_by_case),
            found_by_case=_sum(self.found_by_case, other.found_by_case),
            by_session=_sum(self.by_session, other.by_session),
        )

    def meets(self, wanted: Wanted = WANTED, *, surely: bool = False) -> bool:
        """Whether this is what `ab` has to reach; inconclusive cells are limited on quiet machines only.

        `surely` asks it of the lower bound of what is found: what just passes once fails half of the time.
        """
        quiet = self.kind is not Kind.QUIET or self.inconclusive <= wanted.inconclusive * self.cells
        alarmed = upper_bound(self.alarmed, self.suites) <= wanted.alarmed
        hits = self.found[percent_of(BY_CASE)]
        found = lower_bound(hits, self.suites) if surely else hits / self.suites
        return quiet and alarmed and found >= wanted.found


def _sum(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}


class Simulated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All counts, of suites of `blocks`, which were `chosen` or given.

    `choice` are those of one half of the sessions, by which it was chosen, if it was; `certified` are of the
    other half. `tallies` and `curve` are of all. `first` are those of a few suites that a quick test remakes.
    """

    seed: int
    blocks: int
    chosen: bool
    choice: tuple[Tally, ...]
    certified: tuple[Tally, ...]
    tallies: tuple[Tally, ...]
    curve: tuple[Tally, ...]
    first: tuple[Tally, ...]


def percent_of(effect: float) -> int:
    """How an effect is named."""
    return round(100 * effect)
