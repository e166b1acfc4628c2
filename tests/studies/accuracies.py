"""The table of a page of trainings that were not measured: `python -m tests.studies.accuracies FOLDER`.

FOLDER is a published one; its logs are read, and `relu` is what the others are set against, paired by seed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.report.accuracy import accuracy_difference, split_accuracy
from bench.report.formats import percent, points
from bench.training_run import TrainingRun, read_training_runs

__all__ = ["rows"]

_REFERENCE = "relu"


def rows(runs: Sequence[TrainingRun]) -> Iterator[str]:
    """Markdown, one row a variant, the reference first."""
    by_variant: dict[str, list[TrainingRun]] = {}
    for run in sorted(runs, key=lambda run: (run.variant != _REFERENCE, run.variant, run.seed)):
        by_variant.setdefault(run.variant, []).append(run)
    for variant, own in by_variant.items():
        seeds = ", ".join(percent(run.test_accuracy) for run in own if run.test_accuracy is not None)
        test, flipped, trained = (
            split_accuracy(own, *which) for which in (("test",), ("test", "flip"), ("train",))
        )
        if test is None or test.low is None or test.high is None:
            continue
        cells = [
            variant,
            seeds,
            f"{percent(test.mean)} ({100 * test.low:.2f} to {100 * test.high:.2f})",
            *(percent(found.mean) if found else "" for found in (flipped, trained)),
        ]
        found = None if variant == _REFERENCE else accuracy_difference(own, by_variant[_REFERENCE])
        cells.append(f"{points(found.value)} ({points(found.low)} to {points(found.high)})" if found else "")
        yield f"| {' | '.join(cells)} |".replace("|  |", "| |")


if __name__ == "__main__":
    for line in rows(read_training_runs(Path(sys.argv[1]) / "training")):
        print(line)
