"""What a real session leaves behind for the study: times of bursts, and what the command said of them.

A run's two suites are megabytes of single steps. Kept is what the rules look at: of each burst the mean and
the lower quartile of its steps, and whether it was disturbed. Warm-up isn't kept.
"""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from bench.blocks import latency_series
from bench.case import Case, Condition
from bench.compare import Observed, observe
from bench.compare.bursts import Bursts
from bench.compare.observed import Blocks, Facts, SeenSession, Taken
from bench.environment import Environment
from bench.errors import InputError
from bench.quality import block_values, spoilt_blocks
from bench.record import LATENCY, Protocol, Record, Series, Suite, Window
from bench.selftest import Injected
from bench.storage import write_atomically
from bench.units import Direction, Unit

__all__ = [
    "RAW_VERSION",
    "BlockTimes",
    "CaseTimes",
    "Kind",
    "RawRun",
    "RawSide",
    "Said",
    "observed_sides",
    "raw_side",
    "read_run",
    "read_runs",
    "run_path",
    "write_run",
]

# 1: first schema. `commit` was added since.
RAW_VERSION = 1
_SUFFIX = ".json.gz"
# A clock reads nanoseconds of bursts that take milliseconds; what is left out is a ten-millionth.
_DIGITS = 7
_QUARTILE = 0.25


class Kind(StrEnum):
    """What was done to a run: nothing, other work beside it, or known extra work on its second side."""

    QUIET = "quiet"
    BUSY = "busy"
    INJECTED = "injected"


class BlockTimes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A case's bursts of one block, in order, in ms a step. `discarded` are the places of disturbed ones."""

    block: int
    means: tuple[float, ...]
    quartiles: tuple[float, ...]
    discarded: tuple[int, ...] = ()


class CaseTimes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A case on one side. In `unpaired` blocks a worker was lost."""

    case: Case
    condition: Condition
    blocks: tuple[BlockTimes, ...]
    unpaired: tuple[int, ...] = ()


class RawSide(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One side's session. `calibration` is, by block, in ms, what `compare` takes of its workloads."""

    session: str
    started: str
    calibration: dict[int, float]
    cases: tuple[CaseTimes, ...]


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the command said of one case; None is what is not known. `ratio` is time of B over A."""

    verdict: str
    ratio: float | None
    low: float | None
    high: float | None
    p_value: float


class RawRun(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of `selftest`. `said` is by case key; `load` the machine's load before and after.

    `seconds` is what the whole command took, facts and comparison included. `commit` is that of the code,
    with what it lacks of what ran, and empty where it isn't known.
    """

    version: Annotated[int, Meta(ge=1, le=RAW_VERSION)]
    kind: Kind
    number: Annotated[int, Meta(ge=1)]
    command: str
    preset: str
    protocol: Protocol
    environment: Environment
    pair: str
    sides: tuple[RawSide, RawSide]
    injected: Injected | None
    said: dict[str, Said]
    status: int
    last_line: str
    seconds: float
    load: tuple[float, float]
    commit: str = ""

    @property
    def name(self) -> str:
        """What its file is called, without the ending."""
        return f"{self.kind.value}-{self.number:02}"


def raw_side(suite: Suite) -> RawSide:
    """What is kept of a side's suite."""
    session, seen = suite.sessions[0], observe(suite, "").sessions[0]
    return RawSide(
        session=session.id,
        started=session.started,
        calibration={block: _rounded(value) for block, value in seen.calibration.by_number().items()},
        cases=tuple(
            CaseTimes(record.case, record.condition, _blocks(record), record.unpaired)
            for record in suite.records
        ),
    )


def _blocks(record: Record) -> tuple[BlockTimes, ...]:
    series = latency_series(record)
    if series is None:
        return ()
    windows: dict[int, list[Window]] = {}
    for window in series.windows:
        if not window.warmup:
            windows.setdefault(window.block, []).append(window)
    return tuple(_block(series, block, found) for block, found in sorted(windows.items()))


def _block(series: Series, block: int, windows: Sequence[Window]) -> BlockTimes:
    return BlockTimes(
        block,
        tuple(_rounded(series.unit.in_ms(float(np.mean(window.values)))) for window in windows),
        tuple(
            _rounded(series.unit.in_ms(float(np.quantile(window.values, _QUARTILE)))) for window in windows
        ),
        tuple(place for place, window in enumerate(windows) if window.discarded),
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")


def observed_sides(run: RawRun) -> tuple[Observed, Observed]:
    """Both sides as `compare` takes them, facts and failures left out."""
    a, b = (_observed(run, side, name) for side, name in zip(run.sides, "AB", strict=True))
    return a, b


def _observed(run: RawRun, side: RawSide, name: str) -> Observed:
    session = SeenSession(
        id=side.session,
        pair=run.pair,
        started=side.started,
        reference=run.protocol.reference,
        fingerprint=run.environment.fingerprint,
        environment=run.environment,
        planned=tuple(times.case for times in side.cases),
        calibration=Blocks.of(side.calibration),
        cases=tuple(_taken(times, run.protocol) for times in side.cases),
    )
    return Observed(name, (session,))


def _taken(times: CaseTimes, protocol: Protocol) -> Taken:
    """By the rules of a suite, whose bursts here are of one step each."""
    windows = tuple(
        Window(block.block, (mean,), discarded="disturbed" if place in block.discarded else "")
        for block in times.blocks
        for place, mean in enumerate(block.means)
    )
    series = Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows)
    record = Record(times.case, times.condition, "", series=(series,), unpaired=times.unpaired)
    values = block_values(record, protocol)
    unusable = {*times.unpaired, *spoilt_blocks(record, protocol)}
    return Taken(
        case=times.case,
        condition=times.condition,
        blocks=Blocks.of({block: value for block, value in values.items() if block not in unusable}),
        unusable=tuple(sorted(unusable & {*values, *times.unpaired})),
        timed=bool(values),
        failure=None,
        facts=Facts(),
        bursts={block.block: _bursts(block) for block in times.blocks if block.block not in times.unpaired},
    )


def _bursts(block: BlockTimes) -> Bursts:
    return tuple(
        None if place in block.discarded else quartile for place, quartile in enumerate(block.quartiles)
    )


def run_path(folder: Path, name: str) -> Path:
    """Where a run's file lies."""
    return folder / f"{name}{_SUFFIX}"


def write_run(run: RawRun, folder: Path) -> Path:
    """Writes it, whole or not at all; the same run gives the same bytes. Raises InputError."""
    path = run_path(folder, run.name)
    write_atomically(path, gzip.compress(msgspec.json.encode(run), 9, mtime=0))
    return path


def read_run(path: Path) -> RawRun:
    """Reads one. Raises InputError naming the file."""
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=RawRun)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error}); collect it anew") from error
    except (ValueError, EOFError) as error:
        raise InputError(f"{path}: no run of the study ({error}); collect it anew") from error


def read_runs(folder: Path) -> tuple[RawRun, ...]:
    """All of a folder, by name. Raises InputError for an empty one, and for a file that can't be read."""
    runs = tuple(read_run(path) for path in sorted(folder.glob(f"*{_SUFFIX}")))
    if not runs:
        raise InputError(
            f"{folder}: holds no runs; collect some with `python -m bench.study collect --out {folder}`"
        )
    return runs
