"""`python -m bench.study`: collects real runs, and remakes the page from them."""

from __future__ import annotations

import functools
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import BenchError, ExitStatus
from bench.study.collect import Settings, collect, wanted
from bench.study.page import PAGE_FILE, write_page
from bench.study.raw import read_runs
from bench.study.simulate import Plan, simulate
from bench.study.study import RAW, SIMULATED, alike, halves_of, load_study, pools_of, save_simulated

__all__ = ["app"]

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)

Folder = Annotated[Path, typer.Argument(help="The study's folder, with its raw data.")]
Count = Annotated[int, typer.Option(min=0, help="Runs of this kind, counting those that are there.")]


@app.callback()
def study() -> None:
    """How often each rule is wrong, and what it finds, on the noise of real sessions."""


@app.command("collect")
def collect_command(
    out: Annotated[Path, typer.Option(help="Folder of the raw data; what it holds is not measured again.")],
    quiet: Count = 0,
    busy: Count = 0,
    injected: Count = 0,
    preset: str = "gate",
    blocks: Annotated[int | None, typer.Option(help="Instead of the preset's.", min=1)] = None,
    work: Annotated[Path, typer.Option(help="Holds a run while it is measured.")] = Path("runs/gate-study"),
) -> None:
    """Measure one thing against itself: quiet, beside a busy process, and with 10% of extra work."""
    runs = wanted(quiet, busy, injected)
    made = collect(out, work, runs, Settings(preset, blocks), lambda line: print(line, flush=True))
    print(f"{made} runs made, {len(runs) - made} were there")


@app.command("simulate")
def simulate_command(
    folder: Folder,
    blocks: Annotated[
        int | None, typer.Option(help="A side (default: chosen by one half of the sessions).", min=6)
    ] = None,
    suites: Annotated[int, typer.Option(min=1)] = 5000,
    seed: int = 0,
    processes: Annotated[
        int | None, typer.Option(help="That count, over 1 GB each (default: one a core).", min=1)
    ] = None,
) -> None:
    """Draw suites from the raw data, and count what every rule says of them: up to an hour."""
    runs = alike(read_runs(folder / RAW))
    plan = Plan(blocks, seed, suites)
    workers = processes or len(os.sched_getaffinity(0))
    tell = functools.partial(print, flush=True)
    simulated = simulate(pools_of(runs), halves_of(runs), plan, tell, workers)
    save_simulated(simulated, folder / SIMULATED)


@app.command("report")
def report_command(folder: Folder) -> None:
    """Write the page from the raw data and the simulation: seconds."""
    write_page(load_study(folder), folder)
    print(folder / PAGE_FILE)


def main() -> None:
    """Ends with the status of whatever went wrong, said in one sentence."""
    # Whoever is ended tidies up, and ends the command that is measuring.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except BenchError as error:
        print(f"bench.study: {error}", file=sys.stderr)
        sys.exit(int(error.exit_status))
    except (KeyboardInterrupt, SystemExit) as end:
        # The library makes a status of an interrupt.
        if isinstance(end, SystemExit) and end.code != ExitStatus.INTERRUPTED:
            raise
        print("bench.study: interrupted; give the same command again", file=sys.stderr)
        sys.exit(int(ExitStatus.INTERRUPTED))


if __name__ == "__main__":
    main()
