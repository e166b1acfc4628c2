"""`report`: remakes a run's report from what was measured. Needs no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.reporting import write_and_show

__all__ = ["report"]


def report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run, with its suite.json.")],
) -> int:
    """Write report.md, the CSV files and the plots again from suite.json and the training logs."""
    write_and_show(run_dir)
    return 0
