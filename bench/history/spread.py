"""How much sessions of the same code differ on one machine, from its history."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.compare import MOST_EXPLAINED, Spread, df_of_part
from bench.compared import Basis
from bench.history.change_points import Search, change_points
from bench.history.changes import Line, lines_of
from bench.history.gather import gather
from bench.history.index import Index
from bench.history.load import through_index
from bench.history.series import Gathered, Quantity

__all__ = ["spread", "spread_of", "spreads"]

_QUANTITIES = {Basis.REFERENCE: Quantity.RATIO, Basis.CALIBRATION: Quantity.CALIBRATION}


@dataclass(frozen=True, slots=True)
class _Part:
    """One series: degrees of freedom, squares around its levels, and what of them its blocks explain."""

    degrees: int
    squares: float
    explained: float


def spread(
    folder: Path, fingerprint: str, basis: Basis = Basis.REFERENCE, without: Collection[str] = ()
) -> Spread | None:
    """The standard deviation, between sessions of the same code, of a session's mean log ratio of times.

    It is what the sessions in `folder` that ran in this environment show beyond what their blocks explain.
    For Basis.REFERENCE the ratio is a case's to the reference, for Basis.CALIBRATION the reference's to the
    calibration. `without` names sessions that don't count: those that are to be judged by it. None where no
    case has two believable sessions. Raises InputError for a folder that can't be read, and ValueError for
    Basis.BLOCKS, whose pairs no session shifts.
    """
    if basis not in _QUANTITIES:
        raise ValueError(f"{basis.value} have no spread between sessions")
    return spreads(folder, fingerprint, without)[basis]


def spreads(folder: Path, fingerprint: str, without: Collection[str] = ()) -> dict[Basis, Spread | None]:
    """Both spreads at once."""

    def take(index: Index) -> dict[Basis, Spread | None]:
        sessions = index.sessions(fingerprint)
        gathered = gather((path, session) for path, session in sessions if session.id not in without)
        search = index.answers.remembering(change_points)
        return {basis: spread_of(gathered, quantity, search) for basis, quantity in _QUANTITIES.items()}

    return through_index(folder, take)


def spread_of(gathered: Gathered, quantity: Quantity, search: Search = change_points) -> Spread | None:
    """The same of what was gathered from one environment.

    A change of the code moves levels, so that only deviations from the levels between change points count.
    The pooled variance has the degrees of freedom of a single series: what shifts in a session shifts for all
    its cases at once. The share that the blocks explain is taken off, up to a half, and the degrees of the
    rest are those of the difference (Satterthwaite 1946, Biometrics Bulletin 2), with the share as known.
    """
    left_out = _later_sides(gathered)
    found = ((line, _part(line, left_out)) for line in lines_of(gathered, quantity, search))
    parts = [(line, part) for line, part in found if part.degrees]
    if not parts:
        return None
    degrees = sum(part.degrees for _, part in parts)
    between = math.fsum(part.squares for _, part in parts) / degrees
    explained = math.fsum(part.explained for _, part in parts) / degrees
    variance = max(between - explained, (1 - MOST_EXPLAINED) * between)
    single = max(part.degrees for _, part in parts)
    df = df_of_part(single, variance, between) if between else float(single)
    sessions = {line.series.sessions[p] for line, _ in parts for s in line.segments for p in s.positions}
    count = len(sessions - left_out)
    return Spread(math.sqrt(variance), df, f"from a history of {count} sessions in this environment")


def _later_sides(gathered: Gathered) -> frozenset[int]:
    """Sessions that a pair has beside its first: two sides of one `ab` are no two sessions."""
    seen: set[str] = set()
    later = set()
    for place, session in enumerate(gathered.sessions):
        if session.pair in seen:
            later.add(place)
        elif session.pair:
            seen.add(session.pair)
    return frozenset(later)


def _part(line: Line, left_out: frozenset[int]) -> _Part:
    series = line.series
    degrees, squares, explained = 0, 0.0, 0.0
    for segment in line.segments:
        chosen = [
            place
            for place in segment.positions
            if series.sessions[place] not in left_out and np.isfinite(series.log_ratios[place])
        ]
        if len(chosen) > 1:
            logs = series.log_ratios[chosen]
            degrees += len(chosen) - 1
            squares += float(np.sum((logs - logs.mean()) ** 2))
            explained += (len(chosen) - 1) * float(np.mean(series.variances[chosen]))
    return _Part(degrees, squares, explained)
