"""The study as a whole: from the raw data to what the page shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.errors import InputError
from bench.storage import write_atomically
from bench.study.pool import Pool, pool_of
from bench.study.raw import Kind, RawRun, read_runs
from bench.study.real import RunResult, run_result
from bench.study.tally import Simulated

__all__ = [
    "RAW",
    "SIMULATED",
    "Study",
    "alike",
    "halves_of",
    "load_simulated",
    "load_study",
    "pools_of",
    "save_simulated",
]

RAW = "raw"
SIMULATED = "simulated.json"


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that the page is made of."""

    runs: tuple[RawRun, ...]
    results: tuple[RunResult, ...]
    pools: Mapping[Kind, Pool]
    simulated: Simulated


def load_study(folder: Path) -> Study:
    """Raises InputError where raw data or simulation are missing or damaged."""
    runs = alike(read_runs(folder / RAW))
    results = tuple(map(run_result, runs))
    return Study(runs, results, pools_of(runs), load_simulated(folder / SIMULATED))


def alike(runs: Sequence[RawRun]) -> tuple[RawRun, ...]:
    """The runs. Raises InputError where they were measured in different ways or places."""
    for run in runs[1:]:
        first = msgspec.structs.replace(runs[0].protocol, seed=run.protocol.seed)
        if run.protocol != first:
            raise InputError(
                f"{run.name}: was measured by another protocol than {runs[0].name}; remove one, collect anew"
            )
        if run.environment.fingerprint != runs[0].environment.fingerprint:
            raise InputError(
                f"{run.name}: was measured elsewhere than {runs[0].name}; remove one, and collect it anew"
            )
    return tuple(runs)


def pools_of(runs: Sequence[RawRun], where: str = "") -> dict[Kind, Pool]:
    """Noise of both kinds. Runs with extra work are no noise. Raises InputError where a kind has none."""
    pools = {}
    for kind in (Kind.QUIET, Kind.BUSY):
        own = [run for run in runs if run.kind is kind]
        if len(own) < 2:
            raise InputError(f"{len(own)} {kind.value} runs{where}, and two sessions take two; collect more")
        pools[kind] = pool_of(own)
    return pools


def halves_of(runs: Sequence[RawRun]) -> tuple[dict[Kind, Pool], dict[Kind, Pool]]:
    """Runs with odd numbers, and those with even ones. Raises InputError where either has too few."""
    odd, even = (pools_of([run for run in runs if run.number % 2 == rest], " in one half") for rest in (1, 0))
    return odd, even


def save_simulated(simulated: Simulated, path: Path) -> None:
    """Writes it, whole or not at all."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(simulated), indent=1) + b"\n")


def load_simulated(path: Path) -> Simulated:
    """Reads it. Raises InputError naming the file, and the remedy."""
    remedy = "make it with `python -m bench.study simulate`"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Simulated)
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); {remedy}") from error
    except ValueError as error:
        raise InputError(f"{path}: no simulation ({error}); {remedy}") from error
