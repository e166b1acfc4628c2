"""Work shared out to processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
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
    with _interrupts_noted() as noted:
        # A child of fork would hold the locks of threads that it doesn't have.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(number, mp_context=context, initializer=_leave_interrupts_to_the_parent)
        try:
            with _one_thread_each():
                yield _map(pool, noted)
        except BaseException as error:
            _end_children()
            if isinstance(error, BrokenProcessPool):
                raise WorkerError(
                    "a process of the simulation was ended, for want of memory perhaps; give fewer with "
                    "--processes"
                ) from error
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _end_children() -> None:
    for child in multiprocessing.active_children():
        child.terminate()


@contextlib.contextmanager
def _interrupts_noted() -> Iterator[list[int]]:
    """An interrupt ends the children and is noted; KeyboardInterrupt is raised on leaving.

    Raised at once, where the pool had just taken a lock, it left that lock to nobody: the pool's own thread
    waited for it, and the end of the program for that thread, for ever.
    """
    noted: list[int] = []

    def note(number: int, _frame: object) -> None:
        noted.append(number)
        _end_children()

    # Whoever ignores an interrupt goes on doing so, and is ended at once where that is how it is.
    handled = [number for number in (signal.SIGINT, signal.SIGTERM) if callable(signal.getsignal(number))]
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, note) for number in handled if is_main}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if noted:
            # Whatever else was raised came of it.
            raise KeyboardInterrupt from None


def _map(pool: ProcessPoolExecutor, noted: Sequence[int]) -> Map:
    """The pool's map, which raises KeyboardInterrupt once an interrupt was noted.

    The pool's own takes back what waits where it ends early, while the pool's thread may be saying why of the
    same: then that thread ends in a traceback.
    """

    def results(waiting: deque[Future[_Result]]) -> Iterator[_Result]:
        while waiting:
            result = waiting.popleft().result()
            if noted:
                raise KeyboardInterrupt
            yield result

    def mapped(function: Callable[[_Part], _Result], parts: Iterable[_Part], /) -> Iterator[_Result]:
        return results(deque([pool.submit(function, part) for part in parts]))

    return mapped


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
