"""`merge`: the shards of one run as one suite and one report. Needs no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.progress import Reporter
from bench.cli.reporting import write_and_show
from bench.errors import ExitStatus, worst
from bench.merge_folder import merge_folders
from bench.pipeline import measurement_status

__all__ = ["merge"]


def merge(
    parts: Annotated[list[Path], typer.Argument(metavar="PART...", help="Folders of `run --shard`.")],
    out: Annotated[Path, typer.Option("--out", help="Folder of the merged suite and its report.")],
) -> int:
    """Join the shards of one run. A lost shard's cases are rows without a result, and the status is 5."""
    merged = merge_folders(parts, out)
    with Reporter() as reporter:
        for note in merged.notes:
            reporter.line(note)
    write_and_show(out)
    gaps = ExitStatus.CASE_FAILED if merged.lost else ExitStatus.DONE
    return worst({gaps, measurement_status(merged.suite)})
