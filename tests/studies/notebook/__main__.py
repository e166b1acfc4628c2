"""`python -m tests.studies.notebook`: computes, times and writes the page of the notebook's defects."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.options import need_paddle
from bench.errors import BenchError, InputError
from bench.storage import SUITE_FILE
from dyrelu.errors import DyReLUError
from tests.studies.notebook.page import PAGE_FILE, write_page

__all__ = ["app"]

_ROOT = Path(__file__).parents[3]
_PRESET = "preset.toml"
_PUBLISHED = _ROOT / "reports/published"
# The larger images' curves, once they are published: the small ones are nearly always right.
_CURVES = [_PUBLISHED / name / "training" for name in ("cifar10", "2026-11-24-quick-target")]
_LOGS = next((path for path in _CURVES if path.is_dir()), _CURVES[-1])
_WORK = Path("runs/seed-notebook")  # holds an interrupted measurement
_PASS_IMAGES = 1_024

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Argument(help="The page's folder, with its raw data and preset.toml.")]
DataFile = Annotated[
    Path | None,
    typer.Option(help="cifar-10-python.tar.gz; else DYRELU_CIFAR10 names it.", show_default=False),
]
Logs = Annotated[Path, typer.Option(help="Training logs whose curves are read.", show_default=False)]
Weights = Annotated[
    Path | None,
    typer.Option(help="Trained ResNet-8 (width 16) with dyrelu_c, for its map as well.", show_default=False),
]


@app.command()
def compute(folder: Folder, data_file: DataFile = None, logs: Logs = _LOGS, weights: Weights = None) -> None:
    """Compute whatever needs no clock: about a minute."""
    need_paddle("compute")
    from tests.studies.notebook.compute import compute_all
    from tests.studies.notebook.figures import COMPUTED_FILE, save_computed

    save_computed(compute_all(data_file, logs, weights), folder)
    print(folder / COMPUTED_FILE)


@app.command("time")
def time_command(folder: Folder, data_file: DataFile = None) -> None:
    """Time the notebook's way and the harness's: about ten minutes on a machine that does nothing else."""
    need_paddle("time")
    preset = folder / _PRESET
    if not preset.is_file():
        raise InputError(f"{preset}: there is none; give the folder of the page, which holds it")
    from dyrelu.data import cifar10
    from tests.studies.notebook.loader_passes import take_passes
    from tests.studies.notebook.stopwatch import STOPWATCH_FILE, save_stopwatch

    images = cifar10.load(data_file).test.images[:_PASS_IMAGES]
    save_stopwatch(take_passes(images), folder)
    print(folder / STOPWATCH_FILE)
    # From the root, where workers find the factories; by relative paths, since the suite records the command.
    given = os.path.relpath(preset.resolve(), _ROOT)
    command = [sys.executable, "-m", "bench", "run", "--preset", given, "--out", str(_WORK)]
    if (_ROOT / _WORK / "run.json").exists():
        command.append("--resume")
    if subprocess.run(command, cwd=_ROOT, check=False).returncode:
        raise InputError(f"{preset}: could not be measured, as said above; go on with the same command")
    shutil.copy(_ROOT / _WORK / SUITE_FILE, folder / SUITE_FILE)
    shutil.rmtree(_ROOT / _WORK)


@app.command()
def report(folder: Folder) -> None:
    """Write the page from what was computed and timed: seconds."""
    write_page(folder)
    print(folder / PAGE_FILE)


@app.command()
def make(folder: Folder, data_file: DataFile = None, logs: Logs = _LOGS, weights: Weights = None) -> None:
    """All three, one after the other."""
    compute(folder, data_file, logs, weights)
    time_command(folder, data_file)
    report(folder)


def main() -> None:
    """Ends with the status of whatever went wrong, said in one sentence."""
    try:
        app()
    except BenchError as error:
        print(f"notebook: {error}", file=sys.stderr)
        sys.exit(int(error.exit_status))
    except DyReLUError as error:
        print(f"notebook: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
