"""Runs every rule on simulated suites and counts what it says. Runs and seed determine the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from bench.study.draw import CELLS, Shape, paired_suites, two_session_suites
from bench.study.family import SLOWER
from bench.study.pool import Pool
from bench.study.raw import Kind
from bench.study.rules import AB, COMPARE, Setting, StudyRule, counts, rules_of

__all__ = ["CHUNK", "EFFECTS", "Plan", "Simulated", "Tally", "first_chunks", "simulate"]

EFFECTS = (0.03, 0.05, 0.10)
# Suites that are in memory at once.
CHUNK = 200
# Those that a quick test remakes.
_FIRST = 100
_SETTINGS = {Setting.PAIRED: paired_suites, Setting.SESSIONS: two_session_suites}
_PLACES = {setting: place for place, setting in enumerate(Setting)}
_KINDS = {kind: place for place, kind in enumerate(Kind)}
# Of which a curve is drawn.
_CURVES = (AB, COMPARE)


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is simulated. `blocks` is the stated number, `curve` those of the curve of detection."""

    blocks: int
    seed: int = 0
    suites: int = 5000
    slow_suites: int = 1000
    curve: tuple[int, ...] = (6, 8, 10, 12, 14, 16, 20, 24, 32)
    curve_suites: int = 2000


class Tally(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a rule said of suites of one kind. `alarmed` suites had a false slower or faster.

    `inconclusive` and `cells` count cells of null suites; `found` the suites whose slowed cell was called
    slower, by effect in percent.
    """

    kind: Kind
    setting: Setting
    rule: str
    blocks: int
    suites: int
    alarmed: int
    cells: int
    inconclusive: int
    found: dict[int, int]

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return msgspec.structs.replace(
            self,
            suites=self.suites + other.suites,
            alarmed=self.alarmed + other.alarmed,
            cells=self.cells + other.cells,
            inconclusive=self.inconclusive + other.inconclusive,
            found={effect: hits + other.found[effect] for effect, hits in self.found.items()},
        )


class Simulated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All counts. `first` are those of a few suites that a quick test remakes."""

    seed: int
    blocks: int
    tallies: tuple[Tally, ...]
    curve: tuple[Tally, ...]
    first: tuple[Tally, ...]


Tell = Callable[[str], None]


def simulate(pools: Mapping[Kind, Pool], plan: Plan, tell: Tell) -> Simulated:
    """Takes minutes: suites of quiet and of busy noise, in both settings."""
    tallies: list[Tally] = []
    curve: list[Tally] = []
    for kind, pool in pools.items():
        # Ours need no bursts, and a curve is long.
        light = replace(pool, bursts=pool.bursts[..., :0])
        for setting in Setting:
            tell(f"{kind.value}, {setting.value}: {plan.suites} suites of {plan.blocks} blocks")
            tallies += _all(_chunks(kind, pool, setting, plan, Shape(plan.suites, plan.blocks)))
            ours = [rule for rule in rules_of(setting) if rule.name in _CURVES]
            for blocks in plan.curve:
                shape = Shape(plan.curve_suites, blocks)
                curve += _all(_chunks(kind, light, setting, plan, shape, ours))
    return Simulated(plan.seed, plan.blocks, tuple(tallies), tuple(curve), first_chunks(pools, plan))


def first_chunks(pools: Mapping[Kind, Pool], plan: Plan) -> tuple[Tally, ...]:
    """The first suites of each kind and setting, under every rule: seconds."""
    shape = Shape(min(_FIRST, plan.suites), plan.blocks)
    return tuple(
        tally
        for kind, pool in pools.items()
        for setting in Setting
        for tally in _chunks(kind, pool, setting, plan, shape)
    )


def _chunks(
    kind: Kind,
    pool: Pool,
    setting: Setting,
    plan: Plan,
    shape: Shape,
    rules: Sequence[StudyRule] = (),
) -> Iterator[Tally]:
    """Each rule's counts of one chunk after another; slow rules stop early."""
    for chunk, start in enumerate(range(0, shape.suites, CHUNK)):
        key = [plan.seed, _KINDS[kind], _PLACES[setting], shape.blocks, chunk]
        part = Shape(min(CHUNK, shape.suites - start), shape.blocks)
        wanted = [rule for rule in rules or rules_of(setting) if not rule.slow or start < plan.slow_suites]
        yield from _chunk(kind, pool, setting, part, wanted, np.random.default_rng(key))


def _chunk(
    kind: Kind,
    pool: Pool,
    setting: Setting,
    shape: Shape,
    rules: Sequence[StudyRule],
    rng: np.random.Generator,
) -> Iterator[Tally]:
    suites = _SETTINGS[setting](pool, shape, rng)
    # A slowdown of the reference would move its whole group, which is another question.
    cells = rng.choice(np.flatnonzero(~suites.is_reference), size=shape.suites)
    slowed = {effect: suites.slowed(cells, effect) for effect in EFFECTS}
    for rule in rules:
        verdicts, found = rule.judge(suites, cells, slowed)
        alarmed, inconclusive = counts(verdicts)
        hits = {_percent(effect): int((said == SLOWER).sum()) for effect, said in found.items()}
        yield Tally(
            *(kind, setting, rule.name, shape.blocks, shape.suites),
            alarmed=alarmed,
            cells=shape.suites * CELLS,
            inconclusive=inconclusive,
            found=hits,
        )


def _percent(effect: float) -> int:
    return round(100 * effect)


def _all(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """The chunks of each rule together."""
    together: dict[str, Tally] = {}
    for tally in tallies:
        known = together.get(tally.rule)
        together[tally.rule] = tally if known is None else known.plus(tally)
    return tuple(together.values())
