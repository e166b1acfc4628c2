"""The interface that every engine has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from bench.case import DType

__all__ = ["Engine", "Job", "Observed", "OperatorCall", "Prepared"]


@dataclass(frozen=True, slots=True)
class Job:
    """A model to run: a Paddle layer in eval mode, what it is called, and where its files may lie.

    `image` is the shape of one input without the batch axis; `folder` is private to one model with one set of
    weights and may already hold what an earlier process exported there. Engines that change a layer they
    export must ask `build` for one of their own. `dtype` is what the engine is to compute in.
    """

    build: Callable[[], Any]
    image: tuple[int, ...]
    folder: Path
    threads: int
    dtype: DType = DType.FLOAT32


@dataclass(frozen=True, slots=True)
class OperatorCall:
    """An operator of a step under the engine's own profiler, by the engine's name for it; milliseconds."""

    name: str
    start_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Observed:
    """A step under the engine's own profiler: how long it took (ms), and its operators' calls in order."""

    step_ms: float
    calls: tuple[OperatorCall, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to run at one input.

    `step` runs it once and returns when the device has finished; `output` gives the last step's result, and
    `gradient`, where a step goes backwards too, the gradient of the first parameter. `observed` runs a step
    under the engine's own profiler; None where it has none but Paddle's.
    """

    step: Callable[[], None]
    output: Callable[[], np.ndarray[Any, Any]]
    gradient: Callable[[], np.ndarray[Any, Any]] | None = None
    observed: Callable[[], Observed] | None = None


class Engine(Protocol):
    """One way of running a model.

    `reference` names the engine whose output on Paddle's own operators this one's has to equal. An engine
    that names itself runs on those as well while facts are taken, and is held to what it gave there.
    `classifies` is whether its output is that of a model in use, whose classes can be counted.
    `custom_operators` is whether operators of our own run there; where they don't, the model is built of
    Paddle's, and the record's condition says so. `paddle_tensors` is whether Paddle's allocator holds what it
    computes with, and so knows its peak. `dtypes` are what it can be asked to compute in.
    """

    name: str
    title: str
    reference: str
    classifies: bool
    custom_operators: bool
    paddle_tensors: bool
    dtypes: tuple[DType, ...]

    def unavailable(self) -> str:
        """Why this engine can't run here, with the remedy; empty where it can."""
        ...

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        """Loads the model; the result binds it to an input batch of any size.

        Binding anew may end what was bound before: only the last `Prepared` is to be used.
        """
        ...
