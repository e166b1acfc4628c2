"""Work shared out to processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar

from bench.errors import WorkerError

__all__ = ["Map", "processes"]

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


class Map(Protocol):
    """As the built-in `map` of one iterable: results in the order of what they are of."""

    def __call__(
        self, function: Callable[[_Part], _Result], parts: Iterable[_Part], /
    ) -> Iterator[_Result]: ...


@contextlib.contextmanager
def processes(number: int) -> Iterator[Map]:
    """A `map` over so many processes; one is this one. What isn't begun when this is left early, never is.

    Raises WorkerError where a process was ended from outside.
    """
    if number == 1:
        yield map
        return
    # A child of fork would hold the locks of threads that it doesn't have.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(number, mp_context=context, initializer=_leave_interrupts_to_the_parent)
    try:
        yield pool.map
    except BrokenProcessPool as error:
        raise WorkerError(
            "a process of the simulation was ended, for want of memory perhaps; give fewer with --processes"
        ) from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
