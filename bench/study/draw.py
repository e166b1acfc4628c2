"""Simulated suites: whole blocks of real sessions, put together anew.

A suite of 60 cells is made of four racks, each with the cases of one real session, the last one cut. A rack
takes stretches of consecutive blocks from its session (moving blocks, Kunsch 1989, Annals of Statistics 17,
around the end as in Politis and Romano 1992), all of its cases together with all their bursts. So drift and
bursts of other work within a block, their neighbourhood from block to block, heavy tails, and what sets one
session apart from another are those of real sessions, and hit the cells of a rack at once. The racks of a
suite are drawn for themselves, which gives false alarms more chances than one session of 60 cells would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.study.pool import Floats, Pool

__all__ = ["CELLS", "STRETCH", "Shape", "Suites", "paired_suites", "two_session_suites"]

CELLS = 60
# Consecutive blocks that are drawn together: two of them see each other begin as often as each other.
STRETCH = 2
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Shape:
    """So many suites of so many blocks a side."""

    suites: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Suites:
    """Simulated suites; axes are suite, cell, block and burst.

    `ratios` are log ratios of new over base, of pairs of blocks. Between two sessions there are none: there
    `base` and `new` are block values as log ratios to the reference (of the reference: to the calibration),
    and `moved` is the log ratio of the calibrations. `is_reference` has the axis cell.
    """

    base_bursts: Floats
    new_bursts: Floats
    ratios: Floats | None
    base: Floats
    new: Floats
    moved: Floats
    is_reference: npt.NDArray[np.bool_]

    def slowed(self, cells: Places, effect: float) -> Suites:
        """One cell of each suite alone, `effect` (0.05 is 5%) slower on the new side."""
        log, rows = np.log1p(effect), np.arange(len(cells))

        def pick(values: Floats) -> Floats:
            return np.ascontiguousarray(values[rows, cells][:, None])

        return Suites(
            base_bursts=pick(self.base_bursts),
            new_bursts=pick(self.new_bursts) + log,
            ratios=None if self.ratios is None else pick(self.ratios) + log,
            base=pick(self.base),
            new=pick(self.new) + log,
            moved=pick(self.moved),
            is_reference=self.is_reference[cells][:, None],
        )


def paired_suites(pool: Pool, shape: Shape, rng: np.random.Generator) -> Suites:
    """Both sides from the same blocks of one session; which of them is called new is drawn a rack."""
    racks = _racks(pool)
    run = rng.integers(pool.runs, size=(shape.suites, racks))
    first = rng.integers(2, size=(shape.suites, racks))
    blocks = _stretches(pool, (shape.suites, racks, shape.blocks), rng)
    sign = np.where(first == 0, 1.0, -1.0)[:, :, None, None]
    ratios = pool.ratios[run[:, :, None], blocks] * sign
    sides = [_side(pool, (run, side, blocks)) for side in (first, 1 - first)]
    return _suites(pool, sides, ratios)


def two_session_suites(pool: Pool, shape: Shape, rng: np.random.Generator) -> Suites:
    """Each side from blocks of another session."""
    racks = _racks(pool)
    size = (shape.suites, racks)
    run = rng.integers(pool.runs, size=size)
    other = (run + 1 + rng.integers(max(1, pool.runs - 1), size=size)) % pool.runs
    sides = [
        _side(pool, (each, rng.integers(2, size=size), _stretches(pool, (*size, shape.blocks), rng)))
        for each in (run, other)
    ]
    return _suites(pool, sides, None)


@dataclass(frozen=True, slots=True)
class _Side:
    """Axes are suite, rack, block, case, burst."""

    bursts: Floats
    values: Floats
    calibration: Floats


def _side(pool: Pool, places: tuple[Places, Places, Places]) -> _Side:
    run, side, blocks = places[0][:, :, None], places[1][:, :, None], places[2]
    return _Side(
        pool.bursts[run, side, blocks], pool.values[run, side, blocks], pool.calibration[run, side, blocks]
    )


def _racks(pool: Pool) -> int:
    return -(-CELLS // len(pool.cases))


def _stretches(pool: Pool, shape: tuple[int, int, int], rng: np.random.Generator) -> Places:
    """Places of blocks in their session."""
    *before, blocks = shape
    starts = rng.integers(pool.blocks, size=(*before, -(-blocks // STRETCH)))
    places = (starts[..., None] + np.arange(STRETCH)) % pool.blocks
    return places.reshape(*before, -1)[..., :blocks]


def _suites(pool: Pool, sides: Sequence[_Side], ratios: Floats | None) -> Suites:
    own = np.arange(len(pool.cases)) == pool.reference
    base, new = (_against(pool, side, own) for side in sides)
    levels = [np.median(side.calibration, axis=2) for side in sides]
    moved = np.repeat((levels[1] - levels[0])[:, :, None], len(pool.cases), axis=2)
    return Suites(
        base_bursts=_cells(sides[0].bursts),
        new_bursts=_cells(sides[1].bursts),
        ratios=None if ratios is None else _cells(ratios),
        base=_cells(base),
        new=_cells(new),
        moved=moved.reshape(len(moved), -1)[:, :CELLS],
        is_reference=np.tile(own, moved.shape[1])[:CELLS],
    )


def _against(pool: Pool, side: _Side, own: npt.NDArray[np.bool_]) -> Floats:
    to_reference = side.values - side.values[..., pool.reference]
    return np.where(own, side.values - side.calibration[..., None], to_reference)


def _cells(values: Floats) -> Floats:
    """From suite, rack, block, case to suite, cell, block; a burst axis stays last."""
    moved = np.moveaxis(values, 3, 2)
    suites, racks, cases, *rest = moved.shape
    return np.ascontiguousarray(moved.reshape(suites, racks * cases, *rest)[:, :CELLS])
