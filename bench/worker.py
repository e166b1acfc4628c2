"""The worker process: takes one request on standard input, says what happens on a descriptor of its own.

Standard output and error stay free for what libraries print there. Run by the runner as
`python -m bench.worker FD`.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from bench.clock import WallClock
from bench.device import open_device
from bench.errors import UsageError
from bench.examining import examine
from bench.fact_taking import FactTaking
from bench.failures import failure, is_full_disk
from bench.heap import retain_memory
from bench.inject import injected
from bench.loading import Models
from bench.measure import Instruments, calibrate, measure_group
from bench.messages import (
    Announced,
    Begin,
    BlockTask,
    Calibrated,
    CaseFailed,
    DiskFull,
    Event,
    FactsTask,
    Finished,
    GroupDone,
    GroupTask,
    KernelsSettled,
    KernelTask,
    Measured,
    Note,
    ProfileTask,
    Refused,
    Request,
    Stopped,
)
from bench.profile_messages import CeilingsTask, LayersTask
from bench.profile_taking import ProfileTaking
from bench.record import Stop, Window
from bench.subjects import settle_kernels
from bench.turns import Waiter

__all__ = ["main"]

Array = np.ndarray[Any, Any]
_PR_SET_PDEATHSIG = 1  # prctl(2)
_MEMORY_NOT_RETAINED = (
    "The C library of this machine could not be told to keep freed memory, so times include meeting new "
    "pages, as many as depends on what was allocated before."
)


class _Worker:
    """One request's work. It holds the loaded models, so that a block loads each once."""

    def __init__(self, request: Request, say: Callable[[Event], None], turns: Waiter | None = None) -> None:
        self._request = request
        self._say = say
        self._turns = turns or Waiter()
        # Before any model is loaded: it reads the level of the GPU's memory.
        self._device = open_device(request.threads, self._turns)
        self._models = Models(request, lambda text: say(Note(text)))

    def run(self) -> None:
        """Does the task."""
        try:
            match self._request.task:
                case KernelTask():
                    self._settle_kernels()
                case FactsTask():
                    self._facts().take(self._request.task)
                    self._examine(self._request.task)
                case BlockTask():
                    self._run_block(self._request.task)
                case CeilingsTask() | LayersTask() | ProfileTask():
                    ProfileTaking(self._models, self._device, self._say, self._request).take()
        except Exception as error:
            if not is_full_disk(error):
                raise
            self._say(DiskFull(Path(self._request.folder).name))
        else:
            for note in self._device.notes():
                self._say(Note(note))
            self._say(Finished())

    def _settle_kernels(self) -> None:
        try:
            settled = settle_kernels(self._request.subjects, lambda text: self._say(Announced(text)))
        except UsageError as error:
            self._say(Refused(str(error)))
        else:
            self._say(KernelsSettled(settled.kernels, settled.reason))

    def _facts(self) -> FactTaking:
        return FactTaking(self._models, self._device, self._say, self._request.protocol)

    def _examine(self, task: FactsTask) -> None:
        if task.examination is not None:
            examine(self._models, task, task.examination, self._say, self._request.protocol)

    def _run_block(self, task: BlockTask) -> None:
        if task.calibrate:
            self._say(Calibrated(task.block, calibrate(task.block, WallClock())))
        for group in task.groups:
            self._run_group(group, task.block)

    def _run_group(self, group: GroupTask, block: int) -> None:
        """Samples a group; a case that raises leaves it, and the others start again."""
        steps = {}
        for case in group.cases:
            self._say(Begin(case.key))
            self._turns.wait()
            try:
                step = self._models.prepare(case).step
                steps[case.key] = injected(step, case.key, self._request.injection, WallClock())
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(case.key, failure(error, block)))
        while steps:
            current = _Current(self._say, self._turns)
            # The collector would run in the middle of somebody's burst.
            gc.collect()
            gc.disable()
            try:
                instruments = Instruments(WallClock(), self._device.probe)
                measure_group(steps, block, group.seed, self._request.protocol, instruments, current)
                break
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(current.case, failure(error, block)))
                del steps[current.case]
            finally:
                gc.enable()
        self._say(GroupDone(group.key))


class _Current:
    """Passes a group's events on and remembers which case it is at."""

    def __init__(self, say: Callable[[Event], None], turns: Waiter) -> None:
        self._say = say
        self._turns = turns
        self.case = ""

    def begin(self, case: str) -> None:
        self.case = case
        self._say(Begin(case))
        self._turns.wait()

    def window(self, case: str, window: Window) -> None:
        self._say(Measured(case, window))

    def stop(self, case: str, stop: Stop) -> None:
        self._say(Stopped(case, stop))


def main(descriptor: int, turns: int | None = None) -> None:
    """Serves the one request on standard input; in turns with another worker, where `turns` calls it."""
    # Ctrl-C is the runner's to handle: it ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    # A user's model is named package.module:factory, where the user stands.
    sys.path.insert(0, os.getcwd())
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    if request.memory_limit:
        resource.setrlimit(resource.RLIMIT_AS, (request.memory_limit, request.memory_limit))
    with os.fdopen(descriptor, "wb", buffering=0) as channel:
        if request.protocol.retains_memory and not retain_memory():
            _write(channel, Note(_MEMORY_NOT_RETAINED))
        _Worker(request, lambda event: _write(channel, event), Waiter(turns)).run()


def _end_with_parent() -> None:
    """Asks the kernel to end this process when the runner is gone, however it went."""
    parent = os.getppid()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the runner is gone")


def _write(channel: Any, event: Event) -> None:
    line = msgspec.json.encode(event) + b"\n"
    while line:
        line = line[channel.write(line) :]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
