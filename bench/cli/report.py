"""`report`: remakes a run's report from what was measured. Needs no Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli.reporting import write_and_show
from bench.errors import UsageError
from bench.exchange import to_pytest_benchmark
from bench.storage import SUITE_FILE, load_suite, write_atomically

__all__ = ["report"]


Export = typer.Option(help="Write this file as well.", show_default=False)


def report(
    run_dir: Annotated[Path, typer.Argument(help="Folder of a run, with its suite.json.")],
    export_markdown: Annotated[Path | None, Export] = None,
    export_html: Annotated[Path | None, Export] = None,
    export_csv: Annotated[Path | None, Export] = None,
    export_json: Annotated[Path | None, Export] = None,
    export_pytest_benchmark: Annotated[Path | None, Export] = None,
) -> int:
    """Write report.md, report.html, the CSV files and the plots again from suite.json and the training logs.

    The exports are the report in either form, results.csv, the suite, and its times for `pytest-benchmark
    compare`.
    """
    folder = _folder(run_dir)
    # Before anything is written: not every suite fits into that format.
    times = to_pytest_benchmark(load_suite(folder)) if export_pytest_benchmark is not None else b""
    write_and_show(folder)
    exports = (
        ("report.md", export_markdown),
        ("report.html", export_html),
        ("results.csv", export_csv),
        (SUITE_FILE, export_json),
    )
    for name, target in exports:
        if target is not None:
            write_atomically(target, (folder / name).read_bytes())
    if export_pytest_benchmark is not None:
        write_atomically(export_pytest_benchmark, times)
    return 0


def _folder(path: Path) -> Path:
    """The run's folder, also where its suite was named."""
    if not path.is_file():
        return path
    if path.name != SUITE_FILE:
        raise UsageError(f"{path}: is a file; give the folder of a run, which holds {SUITE_FILE}")
    return path.parent
