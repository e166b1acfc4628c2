"""Stages as the verbs run them: with progress shown and the result said."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.cli.progress import Reporter
from bench.errors import ExitStatus, UsageError
from bench.heap import retain_memory
from bench.pipeline import Trained, measure, measurement_status, train_all
from bench.record import Suite
from bench.run_folder import RunFolder, RunRequest
from bench.subjects import DataSource

if TYPE_CHECKING:
    from dyrelu.training import Ranks

__all__ = ["measure_stage", "train_stage"]


def train_stage(
    folder: RunFolder, request: RunRequest, source: DataSource, reporter: Reporter, ranks: Ranks
) -> ExitStatus:
    """Trains, and says for each variant whether the target was reached."""
    training = request.preset.train
    if training is None:
        raise UsageError(f"preset {request.preset.name} trains nothing; use the verb run")
    # A step's large tensors would else be given back to the system and met as new pages in the next.
    if not retain_memory():
        reporter.line("this machine's C library can't be told to keep freed memory: training may be slower")
    results = train_all(folder, request, training, source, reporter, ranks)
    for result in results:
        reporter.line(_sentence(result))
    missed = any(not result.reached for result in results)
    return ExitStatus.TARGET_MISSED if missed else ExitStatus.DONE


def _sentence(result: Trained) -> str:
    verdict = "reached" if result.reached else "MISSED"
    return (
        f"{result.variant} (seed {result.seed}): test accuracy {result.accuracy:.2%}, "
        f"target {result.target:.2%} {verdict}"
    )


def measure_stage(
    folder: RunFolder, request: RunRequest, reporter: Reporter, source: DataSource | None = None
) -> tuple[Suite, ExitStatus]:
    """Measures and writes the suite. `source` is where test images that don't ship come from."""
    suite = measure(folder, request, reporter, source or DataSource())
    return suite, measurement_status(suite)
