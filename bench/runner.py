"""Runs a plan: facts first, then randomised blocks, each finished piece on disk before the next begins.

Reads no arguments, prints nothing and touches no Paddle: workers do the work, an observer is told of it, and
what came out is in the journal, from which `assemble` makes records.
"""

from __future__ import annotations

from typing import Protocol as Interface

from bench.block_stage import run_block
from bench.clock import Clock
from bench.facts_stage import take_facts
from bench.plan import Context

__all__ = ["Progress", "run_session"]


class Progress(Interface):
    """Told how far the run is."""

    def advance(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` pieces of a stage are finished."""
        ...


def run_session(context: Context, clock: Clock, progress: Progress) -> int:
    """Takes the facts, then times blocks until they are done or the time is over; gives how many are done.

    May be called on a journal that an interrupted session left: it goes on behind what is there.
    """
    started = clock.now()
    limit, blocks = context.plan.max_time_s, context.plan.protocol.blocks
    take_facts(context, lambda done, total: progress.advance("facts", done, total))
    for block in range(blocks):
        if limit and clock.now() - started >= limit:
            return block
        progress.advance("blocks", block, blocks)
        run_block(context, block)
    progress.advance("blocks", blocks, blocks)
    return blocks
