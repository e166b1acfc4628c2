"""`verify`: whether a published folder still holds what it says. Needs no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.output import emit
from bench.errors import ExitStatus, UsageError

__all__ = ["verify"]


def verify(
    folders: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Folders of published results.")],
    seal: Annotated[
        bool, typer.Option("--seal", help="Check the figures, then write MANIFEST.json.")
    ] = False,
    preset: Annotated[
        str | None,
        typer.Option(help="With --seal: what asked for the runs, if not named there.", show_default=False),
    ] = None,
) -> int:
    """Recompute every figure of a published folder from its logs and suite, and compare its files with the
    manifest.

    Anything missing, repeated, edited or foreign is listed, and the status is 2: such a folder is bad input.
    """
    # Remaking a report draws plots, whose library takes a second to import.
    from bench.verify import MANIFEST_FILE, Findings, seal_folder, verify_folder

    if preset is not None and not seal:
        raise UsageError("--preset: says which runs were asked for, which is settled by --seal; add it")
    every: list[Findings] = []
    for folder in folders:
        if seal:
            found, written = seal_folder(folder, preset)
            emit(f"{folder}: {f'sealed by {MANIFEST_FILE}' if written else 'not sealed'}")
        else:
            found = verify_folder(folder)
            emit(f"{folder}: {'holds' if not found.problems else 'does not hold'}")
        every.append(found)
        for problem in found.problems:
            emit(f"  problem: {problem}")
        for note in found.notes:
            emit(f"  note: {note}")
    problems = sum(len(found.problems) for found in every)
    files, runs = sum(found.files for found in every), sum(found.runs for found in every)
    emit(f"{problems} problems, {len(folders)} folders, {files} files, {runs} training runs")
    return ExitStatus.USAGE if problems else ExitStatus.DONE
