"""Simulated suites: whole blocks of real sessions, put together anew.

A suite of 60 cells is made of racks, each with the cases of one real session; the few that are too many are
left out, others in each draw. A rack takes pairs of consecutive blocks from its session, of which each
side begins one (a block bootstrap of blocks that don't overlap, Carlstein 1986, Annals of Statistics 14), all
of its cases together with all their bursts. So drift and bursts of other work within a block, a block's
neighbour, heavy tails, and what sets one session apart from another are those of real sessions, and hit the
cells of a rack at once. The racks of a suite are drawn for themselves, which gives false alarms more chances
than one session of 60 cells would.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bench.study.pool import PAIR, Floats, Pool

__all__ = ["CELLS", "Shape", "Suites", "paired_suites", "two_session_suites"]

CELLS = 60
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Shape:
    """So many suites of so many blocks a side."""

    suites: int
    blocks: int


@dataclass(frozen=True, slots=True)
class Suites:
    """Simulated suites; axes are suite, cell, block and burst.

    `ratios` are log ratios of new over base, of pairs of blocks, and `as_measured` the same of sessions whose
    means are their own. Between two sessions there are none: there `base` and `new` are block values as log
    ratios to the reference (of the reference: to the calibration), and `moved` is the log ratio of the
    calibrations. `is_reference` and `case` (its place in the pool) have the axis cell; `session` is the place
    in the pool of the session that a cell's new side comes from.
    """

    base_bursts: Floats
    new_bursts: Floats
    ratios: Floats | None
    as_measured: Floats | None
    base: Floats
    new: Floats
    moved: Floats
    is_reference: npt.NDArray[np.bool_]
    case: Places
    session: Places

    def slowed(self, cells: Places, effect: float) -> Suites:
        """One cell of each suite alone, `effect` (0.05 is 5%) slower on the new side."""
        rows = np.arange(len(cells))

        def pick(values: Floats) -> Floats:
            return np.ascontiguousarray(values[rows, cells][:, None])

        one = Suites(
            base_bursts=pick(self.base_bursts),
            new_bursts=pick(self.new_bursts),
            ratios=None if self.ratios is None else pick(self.ratios),
            as_measured=None if self.as_measured is None else pick(self.as_measured),
            base=pick(self.base),
            new=pick(self.new),
            moved=pick(self.moved),
            is_reference=self.is_reference[cells][:, None],
            case=self.case[cells][:, None],
            session=self.session[rows, cells][:, None],
        )
        return one.all_slowed(effect)

    def all_slowed(self, effect: float) -> Suites:
        """Every cell slower on the new side."""
        log = np.log1p(effect)
        return replace(
            self,
            new_bursts=self.new_bursts + log,
            ratios=None if self.ratios is None else self.ratios + log,
            as_measured=None if self.as_measured is None else self.as_measured + log,
            new=self.new + log,
        )


def paired_suites(pool: Pool, shape: Shape, rng: np.random.Generator) -> Suites:
    """Both sides from the same blocks of one session; which of them is called new is drawn a rack."""
    size = (shape.suites, _racks(pool))
    run, first = rng.integers(pool.runs, size=size), rng.integers(2, size=size)
    blocks = _blocks(pool, (*size, shape.blocks), rng)
    keep = _kept(pool, rng)
    sign = np.where(first == 0, 1.0, -1.0)[:, :, None, None]
    sides = [_side(pool, pool.paired_bursts, (run, side, blocks)) for side in (first, 1 - first)]
    ratios, as_measured = (
        _cells(values[run[:, :, None], blocks] * sign, keep) for values in (pool.ratios, pool.as_measured)
    )
    return replace(_suites(pool, sides, run, keep), ratios=ratios, as_measured=as_measured)


def two_session_suites(pool: Pool, shape: Shape, rng: np.random.Generator) -> Suites:
    """Each side from blocks of another session, as they were."""
    size = (shape.suites, _racks(pool))
    run = rng.integers(pool.runs, size=size)
    other = (run + 1 + rng.integers(max(1, pool.runs - 1), size=size)) % pool.runs
    sides = [
        _side(
            pool, pool.bursts, (each, rng.integers(2, size=size), _blocks(pool, (*size, shape.blocks), rng))
        )
        for each in (run, other)
    ]
    return _suites(pool, sides, other, _kept(pool, rng))


@dataclass(frozen=True, slots=True)
class _Side:
    """Axes are suite, rack, block, case, burst."""

    bursts: Floats
    values: Floats
    calibration: Floats


def _side(pool: Pool, bursts: Floats, places: tuple[Places, Places, Places]) -> _Side:
    run, side, blocks = places[0][:, :, None], places[1][:, :, None], places[2]
    return _Side(
        bursts[run, side, blocks], pool.values[run, side, blocks], pool.calibration[run, side, blocks]
    )


def _racks(pool: Pool) -> int:
    return -(-CELLS // len(pool.cases))


def _kept(pool: Pool, rng: np.random.Generator) -> Places:
    """The cells of the racks that a suite has room for."""
    return np.sort(rng.permutation(_racks(pool) * len(pool.cases))[:CELLS])


def _blocks(pool: Pool, shape: tuple[int, int, int], rng: np.random.Generator) -> Places:
    """Places of blocks in their session, drawn by pairs."""
    *before, blocks = shape
    pairs = rng.integers(pool.blocks // PAIR, size=(*before, -(-blocks // PAIR)))
    places = PAIR * pairs[..., None] + np.arange(PAIR)
    return places.reshape(*before, -1)[..., :blocks]


def _suites(pool: Pool, sides: Sequence[_Side], run: Places, keep: Places) -> Suites:
    cases, racks = len(pool.cases), run.shape[1]
    own = np.arange(cases) == pool.reference
    base, new = (_against(pool, side, own) for side in sides)
    levels = [np.median(side.calibration, axis=2) for side in sides]
    return Suites(
        base_bursts=_cells(sides[0].bursts, keep),
        new_bursts=_cells(sides[1].bursts, keep),
        ratios=None,
        as_measured=None,
        base=_cells(base, keep),
        new=_cells(new, keep),
        moved=np.repeat(levels[1] - levels[0], cases, axis=1)[:, keep],
        is_reference=np.tile(own, racks)[keep],
        case=np.tile(np.arange(cases), racks)[keep],
        session=np.repeat(run, cases, axis=1)[:, keep],
    )


def _against(pool: Pool, side: _Side, own: npt.NDArray[np.bool_]) -> Floats:
    to_reference = side.values - side.values[..., pool.reference]
    return np.where(own, side.values - side.calibration[..., None], to_reference)


def _cells(values: Floats, keep: Places) -> Floats:
    """From suite, rack, block, case to suite, cell, block; a burst axis stays last."""
    moved = np.moveaxis(values, 3, 2)
    suites, racks, cases, *rest = moved.shape
    return np.ascontiguousarray(moved.reshape(suites, racks * cases, *rest)[:, keep])
