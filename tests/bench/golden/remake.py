"""Remakes the golden report after a wanted change: `python -m tests.bench.golden.remake`; read the diff."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench.report import write_report
from tests.bench.target_suites import troubled_with_targets
from tests.bench.training_logs import TROUBLED_TRAINING, write_run

__all__ = ["GOLDEN_FILES", "main"]

GOLDEN_FILES = (
    "report.md",
    "comparison.csv",
    "results.csv",
    "batches.csv",
    "targets.csv",
    "training.csv",
    "tipc.jsonl",
)


def main() -> None:
    """Writes the text files beside this one; pictures depend on library versions and aren't kept."""
    with tempfile.TemporaryDirectory() as folder:
        run = write_run(Path(folder), troubled_with_targets(), TROUBLED_TRAINING)
        write_report(run)
        for name in GOLDEN_FILES:
            (Path(__file__).parent / name).write_bytes((run / name).read_bytes())


if __name__ == "__main__":
    main()
