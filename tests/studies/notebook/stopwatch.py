"""Throughput as the notebook took it (3), read and written. Needs no Paddle; `loader_passes` takes it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bench.environment import Environment
from bench.errors import InputError
from bench.storage import write_atomically

__all__ = ["STOPWATCH_FILE", "Pass", "Stopwatch", "load_stopwatch", "save_stopwatch"]

STOPWATCH_FILE = "stopwatch.json"


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pass over the images: `seconds` with the loader's, `network_seconds` those inside the network."""

    network: str
    images: int
    seconds: float
    network_seconds: float

    @property
    def images_per_second(self) -> float:
        """What the notebook printed."""
        return self.images / self.seconds


class Stopwatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The passes, where they were taken, and how."""

    environment: Environment
    batch: int
    workers: int
    threads: str
    passes: tuple[Pass, ...]

    def of(self, network: str) -> Pass:
        """A network's pass. Raises InputError where there is none."""
        for taken in self.passes:
            if taken.network == network:
                return taken
        raise InputError(f"{STOPWATCH_FILE}: has no pass of {network}; take it anew")


def save_stopwatch(taken: Stopwatch, folder: Path) -> None:
    """Writes it whole or not at all."""
    write_atomically(
        folder / STOPWATCH_FILE, msgspec.json.format(msgspec.json.encode(taken), indent=1) + b"\n"
    )


def load_stopwatch(folder: Path) -> Stopwatch | None:
    """None where nothing was timed yet. Raises InputError for a damaged file."""
    path = folder / STOPWATCH_FILE
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Stopwatch)
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: is damaged ({error}); make it with `python -m tests.studies.notebook time`"
        ) from error
