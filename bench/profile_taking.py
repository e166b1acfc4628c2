"""A worker's work for a profile: ceilings, counts of layers, and bursts of every case in every mode."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from bench.case import Case
from bench.ceilings import cached_ceilings, keep_ceilings, measure_ceilings
from bench.clock import WallClock
from bench.device import Device
from bench.disturbance import discard_reason
from bench.failures import describe, failure
from bench.layer_counts import layer_counts
from bench.loading import Models
from bench.measure import Instruments, calibrate, measure_group
from bench.messages import (
    Begin,
    Calibrated,
    CaseFailed,
    Event,
    GroupDone,
    GroupTask,
    ProfileTask,
    Request,
)
from bench.profile_messages import (
    CeilingsFound,
    CeilingsTask,
    LayersCounted,
    LayersTask,
    Profiled,
    ProfiledOnce,
)
from bench.profile_modes import CaseModes, open_modes
from bench.profile_record import Mode
from bench.record import Stop, Window

__all__ = ["ProfileTaking"]

# Names no case: its part before the space is the mode, which no quoted key has.
_BETWEEN = " "


class ProfileTaking:
    """Does one request's share of a profile with one process's models, and says what it found."""

    def __init__(
        self, models: Models, device: Device, say: Callable[[Event], None], request: Request
    ) -> None:
        self._models = models
        self._device = device
        self._say = say
        self._request = request
        self._clock = WallClock()

    def take(self) -> None:
        """Does the task; a case that fails costs its own figures."""
        match self._request.task:
            case CeilingsTask() as task:
                self._find_ceilings(task)
            case LayersTask() as task:
                for case in task.cases:
                    self._count(case)
            case ProfileTask() as task:
                if task.calibrate:
                    self._say(Calibrated(task.block, calibrate(task.block, self._clock)))
                for group in task.groups:
                    self._run_group(group, task.block)
            case _:
                pass

    def _find_ceilings(self, task: CeilingsTask) -> None:
        threads = self._request.threads
        found = None if task.anew else cached_ceilings(task.fingerprint, threads)
        if found is not None:
            self._say(CeilingsFound(found))
            return
        self._device.probe.start()
        start = self._clock.now()
        found = measure_ceilings(threads, self._clock)
        disturbance = self._device.probe.stop()
        reason = discard_reason(disturbance, self._clock.now() - start, self._request.protocol)
        found = msgspec.structs.replace(found, measured=_today(), disturbed=reason)
        self._say(CeilingsFound(found, keep_ceilings(found, task.fingerprint)))

    def _count(self, case: Case) -> None:
        self._say(Begin(case.key))
        try:
            model = self._models.build(case.subject, case.variant)
            self._say(LayersCounted(case.key, *layer_counts(model, case)))
        except Exception as error:  # a model that can't be traced can be timed all the same
            self._say(LayersCounted(case.key, reason=describe(error)))

    def _run_group(self, group: GroupTask, block: int) -> None:
        """Samples a group; a case that raises leaves it, and the others start again."""
        ready: dict[str, CaseModes] = {}
        for case in group.cases:
            self._say(Begin(case.key))
            try:
                ready[case.key] = open_modes(self._models, case, self._clock)
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(case.key, failure(error, block)))
        while ready:
            passing = _Passing(self._say, ready)
            # The collector would run in the middle of somebody's burst.
            gc.collect()
            gc.disable()
            try:
                instruments = Instruments(self._clock, self._device.probe)
                measure_group(
                    passing.steps(), block, group.seed, self._request.protocol, instruments, passing
                )
                break
            except (Exception, SystemExit) as error:
                self._say(CaseFailed(passing.case, failure(error, block)))
                del ready[passing.case]
            finally:
                gc.enable()
        for key, modes in ready.items():
            self._say(ProfiledOnce(key, modes.missing, modes.parts, modes.timeline()))
        self._say(GroupDone(group.key))


@dataclass(slots=True)
class _Passing:
    """Passes a group's events on, each with its mode and what the mode saw; remembers the case it is at."""

    say: Callable[[Event], None]
    ready: dict[str, CaseModes]
    case: str = ""

    def steps(self) -> dict[str, Callable[[], None]]:
        """Every case in every mode, as `measure_group` takes them."""
        return dict(self._steps())

    def _steps(self) -> Iterator[tuple[str, Callable[[], None]]]:
        for key, modes in self.ready.items():
            for mode, run in modes.runs.items():
                yield f"{mode.value}{_BETWEEN}{key}", run.step

    def begin(self, case: str) -> None:
        _, _, self.case = case.partition(_BETWEEN)
        self.say(Begin(self.case))

    def window(self, case: str, window: Window) -> None:
        mode, _, key = case.partition(_BETWEEN)
        taken = self.ready[key].runs[Mode(mode)].take()
        # The step's own times, without what it takes to install hooks or to start a profiler.
        own = Window(
            window.block, taken.values or window.values, window.warmup, window.discarded, window.disturbance
        )
        columns = () if window.warmup else taken.columns
        self.say(Profiled(key, Mode(mode), own, taken.names if columns else (), columns))

    def stop(self, case: str, stop: Stop) -> None:
        """Why a mode's sampling ended is told by its windows."""


def _today() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
