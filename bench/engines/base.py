"""The interface that every engine has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = ["Engine", "Job", "Prepared"]


@dataclass(frozen=True, slots=True)
class Job:
    """A model to run: a Paddle layer in eval mode, what it is called, and where its files may lie.

    `image` is the shape of one input without the batch axis; `folder` is private to one model with one set of
    weights and may already hold what an earlier process exported there. Engines that change a layer they
    export must ask `build` for one of their own.
    """

    build: Callable[[], Any]
    image: tuple[int, ...]
    folder: Path
    threads: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """A model ready to run at one input.

    `step` runs it once and returns when the device has finished; `output` gives the last step's result.
    """

    step: Callable[[], None]
    output: Callable[[], np.ndarray[Any, Any]]


class Engine(Protocol):
    """One way of running a model."""

    name: str
    title: str

    def unavailable(self) -> str:
        """Why this engine can't run here, with the remedy; empty where it can."""
        ...

    def load(self, job: Job) -> Callable[[np.ndarray[Any, Any]], Prepared]:
        """Loads the model; the result binds it to an input batch of any size.

        Binding anew may end what was bound before: only the last `Prepared` is to be used.
        """
        ...
