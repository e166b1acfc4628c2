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
from urllib.parse import quote

import msgspec
import numpy as np

from bench import engines
from bench.case import Case
from bench.clock import WallClock
from bench.device import open_device
from bench.engines import Job, Prepared
from bench.failures import ParityError, describe, failure, is_full_disk
from bench.measure import Instruments, calibrate, measure_group
from bench.messages import (
    Begin,
    BlockTask,
    Calibrated,
    CaseFacts,
    CaseFailed,
    DiskFull,
    Event,
    FactsTask,
    Finished,
    GroupDone,
    GroupTask,
    Measured,
    ModelFacts,
    Note,
    Request,
    Stopped,
)
from bench.metrics.flops import flop_facts
from bench.metrics.parameters import parameter_facts
from bench.record import Fact, Stop, Window
from bench.subjects import Subject, open_subject, settle_weights

__all__ = ["main"]

Array = np.ndarray[Any, Any]
_UNTRAINED = (
    "Models that were never trained (batch-norm statistics 0 and 1) got these from one batch of random "
    "images: outputs would be meaningless otherwise, and times are the same."
)
_PR_SET_PDEATHSIG = 1  # prctl(2)
_INPUT_SEED = 20200319  # the same inputs in every process, so that outputs can be compared between them


class _Worker:
    """One request's work. It holds the loaded models, so that a block loads each once."""

    def __init__(self, request: Request, say: Callable[[Event], None]) -> None:
        self._request = request
        self._say = say
        # Before any model is loaded: it reads the level of the GPU's memory.
        self._device = open_device(request.threads)
        self._subjects: dict[str, Subject] = {spec.name: open_subject(spec) for spec in request.subjects}
        self._images = {spec.name: tuple(spec.image) for spec in request.subjects}
        self._loaded: dict[tuple[str, str, str], Callable[[Array], Prepared]] = {}

    def run(self) -> None:
        """Does the task."""
        try:
            match self._request.task:
                case FactsTask():
                    self._take_facts(self._request.task)
                case BlockTask():
                    self._run_block(self._request.task)
        except Exception as error:
            if not is_full_disk(error):
                raise
            self._say(DiskFull(Path(self._request.folder).name))
        else:
            for note in self._device.notes():
                self._say(Note(note))
            self._say(Finished())

    def _take_facts(self, task: FactsTask) -> None:
        for case in task.cases:
            self._say(Begin(case.key))
            try:
                facts = self._case_facts(case)
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(case.key, failure(error)))
            else:
                self._say(CaseFacts(case.key, facts))
        if task.image:
            self._take_model_facts(task)

    def _case_facts(self, case: Case) -> tuple[Fact, ...]:
        """Runs the case twice, checks its output, and gives the peaks of memory meanwhile."""
        prepared = self._prepare(case)
        self._device.start()
        prepared.step()
        prepared.step()
        facts = self._device.facts()
        self._check(case, prepared.output())
        return facts

    def _check(self, case: Case, output: Array) -> None:
        """Parity: eager float32 is the reference, left in a file by its own process."""
        if not np.isfinite(output).all():
            raise ParityError("the output is not finite; check the weights")
        reference = self._folder(case.subject, case.variant) / f"reference-b{case.batch}.npy"
        if case.engine == "eager":
            np.save(reference, output)
            return
        if not reference.exists():
            raise ParityError("eager mode gave no output to compare with, so this one can't be checked")
        expected = np.load(reference)
        if expected.shape != output.shape:
            raise ParityError(f"the output's shape is {output.shape}, eager mode gives {expected.shape}")
        scale = float(np.abs(expected).max()) or 1.0
        error = float(np.abs(output - expected).max()) / scale
        if error > self._request.protocol.parity_tolerance:
            raise ParityError(
                f"the output differs from eager mode's by {error:.1e} of its largest value "
                f"(tolerance {self._request.protocol.parity_tolerance:.0e}); its time would be no comparison"
            )

    def _take_model_facts(self, task: FactsTask) -> None:
        name = (task.subject, task.variant)
        self._say(Begin(""))
        facts: tuple[Fact, ...] = ()
        try:
            facts = parameter_facts(self._build(*name))
            facts += flop_facts(self._build(*name), task.image)
        except Exception as error:
            self._say(Note(f"{task.variant}: parameters or FLOPs could not be counted: {describe(error)}"))
        for engine in task.engines:
            # What goes wrong here goes wrong again, and is said, where the cases of this engine are run.
            with contextlib.suppress(Exception):
                self._load(engine, task.subject, task.variant)
        self._say(ModelFacts(*name, facts))

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
            try:
                steps[case.key] = self._prepare(case).step
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(case.key, failure(error, block)))
        while steps:
            current = _Current(self._say)
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

    def _prepare(self, case: Case) -> Prepared:
        rng = np.random.default_rng([_INPUT_SEED, case.batch])
        batch = rng.standard_normal((case.batch, *case.image), dtype=np.float32)
        return self._load(case.engine, case.subject, case.variant)(batch)

    def _load(self, engine: str, subject: str, variant: str) -> Callable[[Array], Prepared]:
        key = (engine, subject, variant)
        if key not in self._loaded:
            job = Job(
                build=lambda: self._build(subject, variant),
                image=self._images[subject],
                folder=self._folder(subject, variant) / engine,
                threads=self._request.threads,
            )
            self._loaded[key] = engines.engine(engine).load(job)
        return self._loaded[key]

    def _build(self, subject: str, variant: str) -> Any:
        weights = self._request.weights.get(f"{subject}/{variant}")
        model = self._subjects[subject].build(variant, Path(weights) if weights else None)
        if weights is None:
            file = self._folder(subject, variant) / "weights.safetensors"
            if settle_weights(model, self._images[subject], file):
                self._say(Note(_UNTRAINED))
        return model

    def _folder(self, subject: str, variant: str) -> Path:
        folder = Path(self._request.folder) / quote(subject, safe="") / quote(variant, safe="")
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class _Current:
    """Passes a group's events on and remembers whose turn it is."""

    def __init__(self, say: Callable[[Event], None]) -> None:
        self._say = say
        self.case = ""

    def begin(self, case: str) -> None:
        self.case = case
        self._say(Begin(case))

    def window(self, case: str, window: Window) -> None:
        self._say(Measured(case, window))

    def stop(self, case: str, stop: Stop) -> None:
        self._say(Stopped(case, stop))


def main(descriptor: int) -> None:
    """Serves the one request on standard input."""
    # Ctrl-C is the runner's to handle: it ends its workers itself.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    # A user's model is named package.module:factory, where the user stands.
    sys.path.insert(0, os.getcwd())
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    if request.memory_limit:
        resource.setrlimit(resource.RLIMIT_AS, (request.memory_limit, request.memory_limit))
    with os.fdopen(descriptor, "wb", buffering=0) as channel:
        _Worker(request, lambda event: _write(channel, event)).run()


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
    main(int(sys.argv[1]))
