"""Both sides' sessions: facts of each, then their blocks together."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable

import msgspec

from bench.ab.abilities import unknown_cases
from bench.ab.folder import AbFolder, AbRequest, SideEntry
from bench.ab.order import alternate, begins, take_turns
from bench.ab.sides import Pair, Side
from bench.ab.weights import share_weights
from bench.block_stage import block_turns, run_block
from bench.clock import Clock, WallClock
from bench.cores import can_share_core, cores_for
from bench.facts_stage import fact_turns
from bench.journal import Entry, GroupEntry
from bench.launch import Launch, launch
from bench.measuring import OpenSession, Setting, open_session
from bench.pipeline import MeasuringListener
from bench.record import Suite
from bench.run_folder import RunFolder, RunRequest
from bench.runner import Progress
from bench.schedule import block_tasks
from bench.turns import Seat, Turns

__all__ = ["Sessions", "measure_sides", "run_sides"]

_NAMES = ("A", "B")
Sessions = tuple[OpenSession, OpenSession]


def measure_sides(
    folder: AbFolder, sides: Pair, request: RunRequest, resume: bool, listener: MeasuringListener
) -> tuple[Suite, Suite]:
    """Measures both sides, going on behind what their journals hold, and writes a `suite.json` for each.

    `request` holds what both have in common; the presets are the sides' own. Raises UsageError and
    EnvironmentMismatch where a side can't be measured, or can't be gone on with.
    """
    common = _common(request, sides)
    own = tuple(
        msgspec.structs.replace(request, preset=side.preset, session=f"{request.session}-{name}")
        for name, side in zip(_NAMES, sides, strict=True)
    )
    with folder.claimed(common, (own[0], own[1]), resume) as (standing, requests):
        a, b = (
            open_session(_reached(place, side), asked, listener.line, setting)
            for place, side, asked, setting in zip(
                folder.sides, sides, requests, _settings(sides, standing), strict=True
            )
        )
        for side, session in zip(sides, (a, b), strict=True):
            _note_unknown(side, session)
        done = run_sides((a, b), standing.in_turns, WallClock(), listener)
        return a.close(done), b.close(done)


def _common(request: RunRequest, sides: Pair) -> AbRequest:
    measure = sides[0].preset.measure
    first = [begins(measure.seed, block) for block in range(measure.blocks)]
    entries = [SideEntry(side.label, side.identity, side.content) for side in sides]
    return AbRequest(
        pair=request.session,
        seed=measure.seed,
        sides=(entries[0], entries[1]),
        order=tuple(_NAMES[side] + _NAMES[1 - side] for side in first),
        in_turns=all(side.abilities.turns for side in sides),
        same_core=can_share_core(request.threads) and all(side.abilities.cores for side in sides),
        command=request.command,
        started=request.started,
    )


def _reached(folder: RunFolder, side: Side) -> RunFolder:
    """The folder as the side's workers reach it, wherever they stand."""
    return folder if side.place.folder is None else RunFolder(folder.path.absolute())


def _settings(sides: Pair, common: AbRequest) -> tuple[Setting, Setting]:
    a, b = Seat(), Seat()
    turns = Turns(a, b, common.same_core), Turns(b, a, common.same_core)
    launches = (_launch(sides[0], turns[0], common), _launch(sides[1], turns[1], common))
    ours, theirs = (
        Setting(
            launch=launch,
            environment=side.environment,
            pair=common.pair,
            unknown=unknown_cases(side.preset, side.abilities),
            settles=side.abilities.kernels,
            injection=side.injection,
        )
        for side, launch in zip(sides, launches, strict=True)
    )
    return ours, theirs


def _launch(side: Side, turns: Turns, common: AbRequest) -> Launch:
    return functools.partial(launch, place=side.place, turns=turns if common.in_turns else None)


def _note_unknown(side: Side, session: OpenSession) -> None:
    """Rows that are missing on one side only: new or gone, and no failures."""
    known = {case.variant for case in session.heading.cases}, {case.engine for case in session.heading.cases}
    planned = session.context.plan.cases
    names = {case.variant for case in planned} - known[0], {case.engine for case in planned} - known[1]
    for what, unknown in zip(("variant", "engine"), names, strict=True):
        for name in sorted(unknown):
            session.context.journal.note(
                f"{side.label} doesn't know the {what} {name}: its cases are left out."
            )


def run_sides(sessions: Sessions, in_turns: bool, clock: Clock, progress: Progress) -> int:
    """Takes both sides' facts, then times blocks until they are done or the time is over; gives how many are.

    With `in_turns` both workers of a block are alive at once, and only one works at a time; without, they run
    directly after one another.
    """
    started = clock.now()
    plan = sessions[0].context.plan
    limit, blocks = plan.max_time_s, plan.protocol.blocks
    _take_facts(sessions, progress)
    share_weights(*sessions)
    _forget_halves(sessions)
    for block in range(blocks):
        if limit and clock.now() - started >= limit:
            return block
        progress.advance("blocks", block, blocks)
        _run_pair(sessions, block, in_turns)
    progress.advance("blocks", blocks, blocks)
    return blocks


def _take_facts(sessions: Sessions, progress: Progress) -> None:
    """Both sides at once where neither takes a core from the other: facts are no times.

    One after the other on a GPU, of whose memory the driver only knows how much all processes hold.
    """
    alone = any(session.heading.environment.accelerators for session in sessions)
    together = not alone and cores_for(2 * sessions[0].context.plan.threads)
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(
                contextlib.closing(fact_turns(session.context, _advance(progress, f"facts of {name}")))
            )
            for name, session in zip(_NAMES, sessions, strict=True)
        ]
        for group in [workers] if together else [[worker] for worker in workers]:
            alternate(group)


def _advance(progress: Progress, stage: str) -> Callable[[int, int], None]:
    return lambda done, total: progress.advance(stage, done, total)


def _run_pair(sessions: Sessions, block: int, in_turns: bool) -> None:
    plan = sessions[0].context.plan
    first = begins(plan.protocol.seed, block)
    if not in_turns:
        for side in (first, 1 - first):
            run_block(sessions[side].context, block)
        return
    # Both sides' groups: one may lack some, but the order of those that both have is the same.
    cases = tuple(dict.fromkeys(case for session in sessions for case in session.context.plan.cases))
    place = {task.key: number for number, task in enumerate(block_tasks(cases, plan.protocol.seed, block))}
    with contextlib.ExitStack() as stack:
        workers = [
            stack.enter_context(contextlib.closing(block_turns(session.context, block)))
            for session in sessions
        ]
        take_turns(workers, first, place)


def _forget_halves(sessions: Sessions) -> None:
    """What one side did of a block when an earlier attempt ended: without its other half it is no pair."""
    done = [
        {(e.block, e.group) for e in session.context.journal.entries if isinstance(e, GroupEntry)}
        for session in sessions
    ]
    for session, other in zip(sessions, reversed(done), strict=True):
        session.context.journal.forget(_is_half(other))


def _is_half(others: set[tuple[int, str]]) -> Callable[[Entry], bool]:
    return lambda entry: isinstance(entry, GroupEntry) and (entry.block, entry.group) not in others
