"""Has every rule judge simulated suites. Runs and seed determine the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.study.chunks import Chunk, Drawing, counted
from bench.study.draw import Shape
from bench.study.pool import Pool
from bench.study.processes import Map, processes
from bench.study.raw import Kind
from bench.study.rules import AB, AS_MEASURED, COMPARE, Pace, Setting, rules_of
from bench.study.tally import Simulated, Tally

__all__ = ["Plan", "Pools", "first_chunks", "simulate"]

# Those that a quick test remakes.
_FIRST = 50
# Of which a curve is drawn, and what the number of blocks is chosen by.
_CURVES = (AB, COMPARE)
_CERTIFIED = (AB, AS_MEASURED)
Pools = Mapping[Kind, Pool]


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


def simulate(
    pools: Pools, halves: tuple[Pools, Pools], plan: Plan, tell: Tell, workers: int = 1
) -> Simulated:
    """Suites of quiet and of busy noise, in both settings, counted by so many processes: the counts are the
    same with any number of them.

    `halves` are of two halves of the sessions: one to choose the number of blocks by, one to hold it to.
    """
    with processes(workers) as run:
        choice = tuple(_choice(halves[0], plan, tell, run)) if plan.blocks is None else ()
        blocks = plan.blocks or _chosen(choice, plan)
        shape = Shape(plan.suites, blocks)
        tell(f"the other half of the sessions: {plan.suites} suites of {blocks} blocks")
        certified = _all(run, _light(halves[1], shape, plan.seed, half=2, names=_CERTIFIED))
        tallies: list[Tally] = []
        for kind, pool in pools.items():
            for setting in Setting:
                tell(f"{kind.value}, {setting.value}: {plan.suites} suites of {blocks} blocks")
                drawing = Drawing(kind, pool, setting, plan.seed)
                tallies += _all(run, drawing.chunks(shape, rules_of(setting), plan.most))
        tell(f"curve: {plan.curve_suites} suites each")
        curve: list[Tally] = []
        for each in plan.curve:
            shape = Shape(plan.curve_suites, each)
            curve += _all(run, _light(pools, shape, plan.seed, half=0, names=_CURVES))
    first = first_chunks(pools, blocks, plan)
    return Simulated(
        *(plan.seed, blocks, plan.blocks is None, choice, certified, tuple(tallies), tuple(curve), first)
    )


def _choice(half: Pools, plan: Plan, tell: Tell, run: Map) -> Iterator[Tally]:
    for blocks in plan.curve:
        tell(f"one half of the sessions: {plan.curve_suites} suites of {blocks} blocks")
        shape = Shape(plan.curve_suites, blocks)
        yield from _all(run, _light(half, shape, plan.seed, half=1, names=(AB,)))


def _chosen(choice: Sequence[Tally], plan: Plan) -> int:
    """The fewest blocks that suffice on every kind of noise; the most there are, where none do."""
    enough = (
        blocks
        for blocks in plan.curve
        if all(tally.meets(surely=True) for tally in choice if tally.blocks == blocks)
    )
    return min(enough, default=max(plan.curve))


def _light(pools: Pools, shape: Shape, seed: int, half: int, names: Sequence[str]) -> Iterator[Chunk]:
    """For some of our rules, which need no bursts."""
    for kind, pool in pools.items():
        light = replace(pool, bursts=pool.bursts[..., :0], paired_bursts=pool.paired_bursts[..., :0])
        for setting in Setting:
            rules = [rule for rule in rules_of(setting) if rule.name in names]
            if rules:
                yield from Drawing(kind, light, setting, seed, half).chunks(shape, rules)


def first_chunks(pools: Pools, blocks: int, plan: Plan) -> tuple[Tally, ...]:
    """The first suites of each kind and setting, under every rule: seconds."""
    shape = Shape(min(_FIRST, plan.suites), blocks)
    return tuple(
        tally
        for kind, pool in pools.items()
        for setting in Setting
        for chunk in Drawing(kind, pool, setting, plan.seed).chunks(
            shape, [rule for rule in rules_of(setting) if rule.pace is not Pace.SLOWEST]
        )
        for tally in counted(chunk)
    )


def _all(run: Map, chunks: Iterable[Chunk]) -> tuple[Tally, ...]:
    """The counts of all chunks of a kind, a setting and a rule together."""
    together: dict[tuple[Kind, Setting, str], Tally] = {}
    for tallies in run(counted, chunks):
        for tally in tallies:
            key = tally.kind, tally.setting, tally.rule
            known = together.get(key)
            together[key] = tally if known is None else known.plus(tally)
    return tuple(together.values())
