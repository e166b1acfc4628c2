"""Work shared out to processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Protocol, TypeVar

from bench.cores import THREAD_VARIABLES
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
    """A `map` over so many processes; one is this one. Leaving this by an exception ends what they are at.

    Raises WorkerError where a process was ended from outside.
    """
    if number == 1:
        yield map
        return
    # A child of fork would hold the locks of threads that it doesn't have.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(number, mp_context=context, initializer=_leave_interrupts_to_the_parent)
    try:
        with _one_thread_each():
            yield pool.map
    except BaseException as error:
        for child in multiprocessing.active_children():
            child.terminate()
        if isinstance(error, BrokenProcessPool):
            raise WorkerError(
                "a process of the simulation was ended, for want of memory perhaps; give fewer with "
                "--processes"
            ) from error
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Children that start meanwhile multiply matrices on one thread: more than there are cores for wait for
    each other.
    """
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The parent's own way to end tidily is not a child's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
