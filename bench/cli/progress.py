"""Progress on standard error: a live line on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from rich.console import Console
from rich.status import Status
from rich.text import Text

if TYPE_CHECKING:
    from dyrelu.training.job import Progress as TrainingProgress

__all__ = ["Reporter"]

_SECONDS_BETWEEN_LINES = 10.0


class Reporter:
    """Shows one thing at a time. Use it as a context manager, so that the live line goes away."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._status: Status | None = None
        self._last_line = -_SECONDS_BETWEEN_LINES
        self._stages: dict[str, float] = {}

    def __enter__(self) -> Reporter:
        if self._console.is_terminal:
            self._status = self._console.status("starting")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def line(self, text: str) -> None:
        """Says something that stays."""
        if self._status is not None:
            self._console.print(text, markup=False, highlight=False)
            return
        # Nobody reads it any more: no reason to stop what is being measured.
        with contextlib.suppress(OSError):
            print(text, file=sys.stderr, flush=True)

    def advance(self, stage: str, done: int, total: int) -> None:
        """Shows a stage of measuring."""
        started = self._stages.setdefault(stage, time.monotonic())
        text = f"measuring: {stage} {done}/{total}"
        if 0 < done < total:
            text += f", {_duration((time.monotonic() - started) / done * (total - done))} left"
        self._show(text, urgent=done in (0, total))

    def training(self, variant: str, seed: int, progress: TrainingProgress) -> None:
        """Shows training in the words of Paddle's own suites."""
        self._show(
            f"training {variant} seed {seed}: epoch {progress.epoch}/{progress.epochs} "
            f"step {progress.step}/{progress.steps}, loss: {progress.loss:.4f}, "
            f"reader_cost: {progress.reader_cost:.5f} s, batch_cost: {progress.batch_cost:.5f} s, "
            f"ips: {progress.images_per_second:.1f} images/s, eta: {_duration(progress.eta_seconds)}"
        )

    def _show(self, text: str, urgent: bool = False) -> None:
        if self._status is not None:
            # As text: a name in brackets is no markup.
            self._status.update(Text(text))
        elif urgent or time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.line(text)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
