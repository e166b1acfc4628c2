"""A clock that moves only when told, and a machine that does what the test wants."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from bench.record import Disturbance, Stop, Window

QUIET = Disturbance(steal=0.0, pressure=0.0, involuntary_switches=0, load=0.1)
BUSY = Disturbance(steal=0.0, pressure=0.9, involuntary_switches=50, load=3.0)


class FakeClock:
    """Seconds that pass only by `advance`."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += seconds

    def step(self, seconds: float) -> Callable[[], None]:
        """A step that takes so long."""
        return lambda: self.advance(seconds)


class FakeProbe:
    """Reports what it is given, the last for ever."""

    def __init__(self, *reports: Disturbance) -> None:
        self._reports: Iterator[Disturbance] = iter(reports[:-1])
        self._last = reports[-1]

    def start(self) -> None:
        pass

    def stop(self) -> Disturbance:
        return next(self._reports, self._last)


class Recorder:
    """An observer that keeps what it is told."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.windows: list[tuple[str, Window]] = []
        self.stops: dict[str, Stop] = {}

    def begin(self, case: str) -> None:
        self.begun.append(case)

    def window(self, case: str, window: Window) -> None:
        self.windows.append((case, window))

    def stop(self, case: str, stop: Stop) -> None:
        self.stops[case] = stop

    def measured(self, case: str) -> list[Window]:
        return [window for name, window in self.windows if name == case and not window.warmup]
