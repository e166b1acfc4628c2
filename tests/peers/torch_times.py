"""What `torch_engines` measured: its file, and the table that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.case import Case, Condition, DType
from bench.environment import Environment
from bench.protocol import Protocol
from bench.quality import block_values
from bench.record import LATENCY, Record, Series
from bench.report.formats import estimate, ratio
from bench.report.layout import table
from bench.statistics import Estimate, median_estimate, ratio_estimate
from bench.units import Direction, Unit
from tests.peers.engine_worker import IMAGE, Taken

__all__ = ["OTHERS", "PADDLE", "TIMES", "Heading", "Run", "block_ms", "page", "read"]

PADDLE = ("eager", "static", "inference", "inference_native")
OTHERS = ("onnxruntime", "openvino")
TIMES = "times.jsonl"


class Heading(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of the file: what was asked for, and where."""

    engines: tuple[str, ...]
    batches: tuple[int, ...]
    blocks: int
    threads: int
    seed: int
    protocol: Protocol
    environment: Environment


@dataclass(frozen=True, slots=True)
class Run:
    """What the file holds; `taken` is every process's result."""

    heading: Heading
    taken: tuple[Taken, ...]


def read(out: Path) -> Run:
    """Everything in a folder's file; a line that was cut short is left out."""
    first, *rest = (out / TIMES).read_bytes().split(b"\n")
    whole = [line for line in rest[:-1] if line]
    return Run(
        msgspec.json.decode(first, type=Heading), tuple(msgspec.json.decode(x, type=Taken) for x in whole)
    )


def block_ms(run: Run, engine: str, batch: int) -> dict[int, float]:
    """Milliseconds a step by block, by the rules of a suite."""
    windows = tuple(w for taken in run.taken if taken.engine == engine for w in taken.windows.get(batch, ()))
    series = Series(LATENCY, Unit.MILLISECONDS, Direction.LOWER_IS_BETTER, windows)
    case = Case("resnet18-cifar", "relu", batch, IMAGE, DType.FLOAT32, engine)
    condition = Condition(run.heading.threads, "plain", "random")
    return block_values(Record(case, condition, "", series=(series,)), run.heading.protocol)


def best_paddle(run: Run, batch: int) -> str:
    """Of the engines that are Paddle's own, the one with the smallest median."""
    times = {name: list(block_ms(run, name, batch).values()) for name in PADDLE}
    return min((name for name in PADDLE if times[name]), key=lambda name: np.median(times[name]))


def _against(run: Run, engine: str, other: str, batch: int) -> Estimate:
    own, theirs = block_ms(run, engine, batch), block_ms(run, other, batch)
    both = sorted(own.keys() & theirs.keys())
    return ratio_estimate([theirs[b] for b in both], [own[b] for b in both])


def rows(run: Run) -> Iterator[list[str]]:
    """For each batch its engines, the fastest first; throughput in images a second."""
    for batch in run.heading.batches:
        best = best_paddle(run, batch)
        times = {name: block_ms(run, name, batch) for name in run.heading.engines}
        timed = sorted((n for n in times if times[n]), key=lambda name: np.median([*times[name].values()]))
        for name in timed:
            rate = median_estimate([1000 * batch / ms for ms in times[name].values()])
            compared = "" if name == best else ratio(_against(run, name, best, batch))
            yield [str(batch), name, _version(run, name), estimate(rate), compared or "1 (best of Paddle's)"]
        for name in (name for name in times if not times[name]):
            yield [str(batch), name, _version(run, name), _failure(run, name, batch), ""]


def _version(run: Run, engine: str) -> str:
    if engine in OTHERS:
        return dict(run.heading.environment.packages).get(engine, "")
    return next((taken.version for taken in run.taken if taken.engine == engine), "")


def _failure(run: Run, engine: str, batch: int) -> str:
    return next((t.failures[batch] for t in run.taken if t.engine == engine and batch in t.failures), "")


def page(run: Run) -> str:
    """The table."""
    return table(["Batch", "Engine", "Version", "Images/s", "To the best of Paddle's"], list(rows(run)), 3)
