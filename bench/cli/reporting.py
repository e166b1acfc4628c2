"""Writes a report and shows its summary: what `report` does, and how `suite` and `run` end."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from bench.cli.output import emit
from bench.storage import load_suite
from bench.training_run import read_training_runs

__all__ = ["write_and_show"]


def write_and_show(run_dir: Path) -> None:
    """Writes the report into the run's folder and prints its summary; the last line counts."""
    # Matplotlib and pandas take a second to import, which no other verb should pay.
    from bench.report import terminal_summary, write_report

    written = write_report(run_dir)
    report = next(path for path in written if path.name == "report.md")
    emit(f"report: {report}")
    console = Console()
    with console.capture() as captured:
        console.print(terminal_summary(load_suite(run_dir), read_training_runs(run_dir / "training")))
    emit(captured.get().rstrip("\n"))
