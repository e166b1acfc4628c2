"""Runs every rule on simulated suites and counts what it says. Runs and seed determine the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from bench.study.draw import CELLS, Shape, Suites, paired_suites, two_session_suites
from bench.study.family import SLOWER, Verdicts
from bench.study.pool import Pool
from bench.study.raw import Kind
from bench.study.rules import AB, AS_MEASURED, COMPARE, OUR_RULE, Pace, Setting, StudyRule, counts, rules_of
from bench.study.tally import BY_CASE, Simulated, Tally, percent_of

__all__ = ["CHUNK", "EFFECTS", "Plan", "Pools", "first_chunks", "simulate"]

EFFECTS = (0.03, 0.05, 0.10)
# Suites that are in memory at once.
CHUNK = 200
# Those that a quick test remakes.
_FIRST = 100
_SETTINGS = {Setting.PAIRED: paired_suites, Setting.SESSIONS: two_session_suites}
_PLACES = {setting: place for place, setting in enumerate(Setting)}
_KINDS = {kind: place for place, kind in enumerate(Kind)}
# Of which a curve is drawn, and what the number of blocks is chosen by.
_CURVES = (AB, COMPARE)
_CERTIFIED = (AB, AS_MEASURED)
Pools = Mapping[Kind, Pool]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is simulated. `blocks` is the stated number; None has it chosen from those of the curve."""

    blocks: int | None = None
    seed: int = 0
    suites: int = 5000
    slow_suites: int = 1000
    slowest_suites: int = 200
    curve: tuple[int, ...] = (6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64)
    curve_suites: int = 2000

    def most(self, pace: Pace) -> int:
        """Suites for a rule of this pace."""
        most = {Pace.QUICK: self.suites, Pace.SLOW: self.slow_suites, Pace.SLOWEST: self.slowest_suites}
        return most[pace]


Tell = Callable[[str], None]


def simulate(pools: Pools, halves: tuple[Pools, Pools], plan: Plan, tell: Tell) -> Simulated:
    """Suites of quiet and of busy noise, in both settings: minutes, or an hour on an old machine.

    `halves` are of two halves of the sessions: one to choose the number of blocks by, one to hold it to.
    """
    choice = tuple(_choice(halves[0], plan, tell)) if plan.blocks is None else ()
    blocks = plan.blocks or _chosen(choice, plan)
    tell(f"the other half of the sessions: {plan.suites} suites of {blocks} blocks")
    certified = tuple(_light(halves[1], Shape(plan.suites, blocks), plan.seed, half=2, names=_CERTIFIED))
    tallies: list[Tally] = []
    for kind, pool in pools.items():
        for setting in Setting:
            tell(f"{kind.value}, {setting.value}: {plan.suites} suites of {blocks} blocks")
            drawing = _Drawing(kind, pool, setting, plan.seed)
            tallies += _all(drawing.chunks(Shape(plan.suites, blocks), rules_of(setting), plan.most))
    tell(f"curve: {plan.curve_suites} suites each")
    curve = [
        tally
        for each in plan.curve
        for tally in _light(pools, Shape(plan.curve_suites, each), plan.seed, half=0, names=_CURVES)
    ]
    first = first_chunks(pools, blocks, plan)
    return Simulated(
        *(plan.seed, blocks, plan.blocks is None, choice, certified, tuple(tallies), tuple(curve), first)
    )


def _choice(half: Pools, plan: Plan, tell: Tell) -> Iterator[Tally]:
    for blocks in plan.curve:
        tell(f"one half of the sessions: {plan.curve_suites} suites of {blocks} blocks")
        yield from _light(half, Shape(plan.curve_suites, blocks), plan.seed, half=1, names=(AB,))


def _chosen(choice: Sequence[Tally], plan: Plan) -> int:
    """The fewest blocks that suffice on every kind of noise; the most there are, where none do."""
    enough = (
        blocks
        for blocks in plan.curve
        if all(tally.meets(surely=True) for tally in choice if tally.blocks == blocks)
    )
    return min(enough, default=max(plan.curve))


def _light(pools: Pools, shape: Shape, seed: int, half: int, names: Sequence[str]) -> Iterator[Tally]:
    """Some of our rules, which need no bursts."""
    for kind, pool in pools.items():
        light = replace(pool, bursts=pool.bursts[..., :0], paired_bursts=pool.paired_bursts[..., :0])
        for setting in Setting:
            rules = [rule for rule in rules_of(setting) if rule.name in names]
            if rules:
                yield from _all(_Drawing(kind, light, setting, seed, half).chunks(shape, rules))


def first_chunks(pools: Pools, blocks: int, plan: Plan) -> tuple[Tally, ...]:
    """The first suites of each kind and setting, under every rule: seconds."""
    shape = Shape(min(_FIRST, plan.suites), blocks)
    return tuple(
        tally
        for kind, pool in pools.items()
        for setting in Setting
        for tally in _Drawing(kind, pool, setting, plan.seed).chunks(
            shape, [rule for rule in rules_of(setting) if rule.pace is not Pace.SLOWEST]
        )
    )


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What suites are drawn from; `half` 0 is all sessions."""

    kind: Kind
    pool: Pool
    setting: Setting
    seed: int
    half: int = 0

    def chunks(
        self, shape: Shape, rules: Sequence[StudyRule], most: Callable[[Pace], int] | None = None
    ) -> Iterator[Tally]:
        """Each rule's counts of one chunk after another, of `most` suites by its pace if that is given."""
        for chunk, start in enumerate(range(0, shape.suites, CHUNK)):
            key = [self.seed, _KINDS[self.kind], _PLACES[self.setting], shape.blocks, chunk, self.half]
            part = Shape(min(CHUNK, shape.suites - start), shape.blocks)
            wanted = [rule for rule in rules if most is None or start < most(rule.pace)]
            yield from self._chunk(part, wanted, np.random.default_rng(key))

    def _chunk(self, shape: Shape, rules: Sequence[StudyRule], rng: np.random.Generator) -> Iterator[Tally]:
        suites = _SETTINGS[self.setting](self.pool, shape, rng)
        # Between two sessions a slowdown of the reference would move its whole group: another question.
        free = np.ones(CELLS, bool) if self.setting is Setting.PAIRED else ~suites.is_reference
        cells = rng.choice(np.flatnonzero(free), size=shape.suites)
        slowed = {effect: suites.slowed(cells, effect) for effect in EFFECTS}
        for rule in rules:
            verdicts, found = rule.judge(suites, cells, slowed)
            alarmed, alarms, inconclusive = counts(verdicts)
            hits = {effect: said == SLOWER for effect, said in found.items()}
            tally = Tally(
                *(self.kind, self.setting, rule.name, shape.blocks, shape.suites, alarmed),
                cells=shape.suites * CELLS,
                alarms=alarms,
                inconclusive=inconclusive,
                found={percent_of(effect): int(hit.sum()) for effect, hit in hits.items()},
            )
            detailed = rule.ours and self.setting is Setting.PAIRED
            if detailed:
                tally = _detailed(tally, self.pool.names, suites, (rule, verdicts), cells, hits[BY_CASE])
            yield tally


def _detailed(
    tally: Tally,
    names: Sequence[str],
    suites: Suites,
    said: tuple[StudyRule, Verdicts],
    cells: Places,
    hits: npt.NDArray[np.bool_],
) -> Tally:
    """With what is counted of our rules only."""
    rule, verdicts = said
    at_limit, _ = rule.judge(_at_limit(suites), cells, {})
    slowed = suites.case[cells]
    alarming = np.abs(verdicts) == 1
    alarmed = {
        name: int((alarming & (suites.session == place)).any(axis=1).sum())
        for place, name in enumerate(names)
    }
    return msgspec.structs.replace(
        tally,
        at_limit=int((at_limit == SLOWER).any(axis=1).sum()),
        slowed_by_case={int(case): int((slowed == case).sum()) for case in np.unique(slowed)},
        found_by_case={int(case): int(hits[slowed == case].sum()) for case in np.unique(slowed)},
        by_session={name: number for name, number in alarmed.items() if number},
    )


def _at_limit(suites: Suites) -> Suites:
    """All cells as slow as may be, without the bursts that our rules don't look at."""
    light = replace(suites, base_bursts=suites.base_bursts[..., :0], new_bursts=suites.new_bursts[..., :0])
    return light.all_slowed(float(np.expm1(OUR_RULE.log_limit)))


def _all(tallies: Iterable[Tally]) -> tuple[Tally, ...]:
    """The chunks of each rule together."""
    together: dict[str, Tally] = {}
    for tally in tallies:
        known = together.get(tally.rule)
        together[tally.rule] = tally if known is None else known.plus(tally)
    return tuple(together.values())
