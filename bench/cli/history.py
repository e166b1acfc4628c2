"""`history`: a folder of suites as series, with what changed in them. Needs no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli.comparing import Export, rule_of
from bench.cli.output import emit
from bench.errors import ExitStatus
from bench.storage import write_atomically

if TYPE_CHECKING:
    from bench.history import History

__all__ = ["history"]


def history(
    folder: Annotated[Path, typer.Argument(help="Folder with suite files, in it and below it.")],
    add: Annotated[
        list[Path] | None,
        typer.Option("--add", help="Copy this suite (its file or run folder) into it first (repeatable)."),
    ] = None,
    threshold: Annotated[
        str, typer.Option("--threshold", help="List changes of a level from so many percent on.")
    ] = "2%",
    export_markdown: Export = None,
    export_csv: Export = None,
    plots: Annotated[
        Path | None,
        typer.Option("--plots", help="Folder for a plot a subject and engine.", show_default=False),
    ] = None,
) -> int:
    """Show the series of every case: speed, ratio to the reference and facts, and where they changed.

    Different environments are different series. Any number of processes may add to a folder at once.
    """
    from bench.history import add_suite, read_history

    theta = rule_of(threshold).theta
    for source in add or ():
        emit(f"added: {add_suite(folder, source)}")
    found = read_history(folder, theta)
    _show(found)
    _write(found, export_markdown, export_csv, plots)
    emit(found.last_line())
    return ExitStatus.DONE


def _show(found: History) -> None:
    from rich.console import Console

    from bench.history.views.terminal import terminal

    console = Console()
    with console.capture() as captured:
        console.print(terminal(found))
    emit(captured.get().rstrip("\n"))


def _write(found: History, markdown_file: Path | None, csv_file: Path | None, plots: Path | None) -> None:
    # Matplotlib and pandas take a second to import, which nobody should pay who wants no file.
    if plots is not None:
        from bench.history.views.plot import draw_history

        for name, images in draw_history(found).items():
            for ending, content in images.items():
                write_atomically(plots / f"{name}.{ending}", content)
    if markdown_file is not None:
        from bench.history.views.markdown import markdown

        write_atomically(markdown_file, markdown(found).encode())
    if csv_file is not None:
        from bench.history.views.csv import csv

        write_atomically(csv_file, csv(found).encode())
