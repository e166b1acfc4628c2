"""A chunk of simulated suites, and what rules say of it. Pool, shape and seed determine the counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from bench.study.draw import CELLS, Shape, Suites, paired_suites, two_session_suites
from bench.study.family import SLOWER, Verdicts
from bench.study.pool import Pool
from bench.study.raw import Kind
from bench.study.rules import OUR_RULE, Pace, Setting, StudyRule, counts, rules_of
from bench.study.tally import BY_CASE, Tally, percent_of

__all__ = ["EFFECTS", "Chunk", "Drawing", "counted"]

EFFECTS = (0.03, 0.05, 0.10)
# Suites that are in memory at once.
_CHUNK = 200
_SETTINGS = {Setting.PAIRED: paired_suites, Setting.SESSIONS: two_session_suites}
_PLACES = {setting: place for place, setting in enumerate(Setting)}
_KINDS = {kind: place for place, kind in enumerate(Kind)}
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Drawing:
    """What suites are drawn from; `half` 0 is all sessions."""

    kind: Kind
    pool: Pool
    setting: Setting
    seed: int
    half: int = 0

    def chunks(
        self, shape: Shape, rules: Sequence[StudyRule], most: Callable[[Pace], int] | None = None
    ) -> Iterator[Chunk]:
        """So many suites, in chunks; a rule gets `most` suites by its pace if that is given."""
        for number, start in enumerate(range(0, shape.suites, _CHUNK)):
            part = Shape(min(_CHUNK, shape.suites - start), shape.blocks)
            wanted = [rule.name for rule in rules if most is None or start < most(rule.pace)]
            yield Chunk(self, part, number, tuple(wanted))


@dataclass(frozen=True, slots=True)
class Chunk:
    """The `number`th part of what is drawn, and the names of the rules that judge it: rules themselves can't
    be sent to a process.
    """

    drawing: Drawing
    shape: Shape
    number: int
    rules: tuple[str, ...]


def counted(chunk: Chunk) -> tuple[Tally, ...]:
    """Each rule's counts."""
    drawing, shape = chunk.drawing, chunk.shape
    places = _KINDS[drawing.kind], _PLACES[drawing.setting]
    rng = np.random.default_rng([drawing.seed, *places, shape.blocks, chunk.number, drawing.half])
    suites = _SETTINGS[drawing.setting](drawing.pool, shape, rng)
    # Between two sessions a slowdown of the reference would move its whole group: another question.
    free = np.ones(CELLS, bool) if drawing.setting is Setting.PAIRED else ~suites.is_reference
    cells = rng.choice(np.flatnonzero(free), size=shape.suites)
    slowed = {effect: suites.slowed(cells, effect) for effect in EFFECTS}
    found = []
    for rule in rules_of(drawing.setting):
        if rule.name not in chunk.rules:
            continue
        verdicts, of_slowed = rule.judge(suites, cells, slowed)
        alarmed, alarms, inconclusive = counts(verdicts)
        hits = {effect: said == SLOWER for effect, said in of_slowed.items()}
        tally = Tally(
            *(drawing.kind, drawing.setting, rule.name, shape.blocks, shape.suites, alarmed),
            cells=shape.suites * CELLS,
            alarms=alarms,
            inconclusive=inconclusive,
            found={percent_of(effect): int(hit.sum()) for effect, hit in hits.items()},
        )
        if rule.ours and drawing.setting is Setting.PAIRED:
            tally = _detailed(tally, drawing.pool.names, suites, (rule, verdicts), cells, hits[BY_CASE])
        found.append(tally)
    return tuple(found)


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
