"""`profile`: where a step's time goes, layer by layer and operator by operator, and what a variant adds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.cli.output import emit
from bench.cli.progress import Reporter
from bench.errors import UsageError
from bench.presets import Changes

__all__ = ["profile"]


def profile(
    preset: options.PresetName = "profile",
    variant: options.Variants = None,
    batch: options.Batches = None,
    engine: options.Engines = None,
    model: options.Models = None,
    weights: options.Weights = None,
    input: options.Input = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    blocks: options.Blocks = None,
    max_time: options.MaxTime = None,
    timeout: options.Timeout = None,
    fresh_ceilings: Annotated[
        bool,
        typer.Option("--fresh-ceilings", help="Measure the machine's ceilings anew, not from the cache."),
    ] = False,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option(help="Measure nothing: set two profiles side by side.", show_default=False),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="Measure nothing: remake the files of this profile.", show_default=False),
    ] = None,
    export_markdown: Annotated[
        Path | None, typer.Option(help="Write the page to this file as well.", show_default=False)
    ] = None,
    out: options.Out = None,
    resume: options.Resume = False,
) -> int:
    """Profile a preset's networks, or models of yours, in eager mode or on another engine.

    Writes profile.json (raw samples) and from it profile.md, CSV files, plots, and profile_trace.json for
    chrome://tracing or Perfetto. Weights are the folder's trained ones where there are any, else random.
    """
    if compare is not None:
        return _compare(compare, export_markdown)
    if report is not None:
        return _show(report, export_markdown)
    changes = Changes(
        variants=tuple(variant) if variant else None,
        batches=tuple(batch) if batch else None,
        # What a preset is measured on says nothing of what its profile is wanted of.
        engines=tuple(engine) if engine else ("eager",),
        models=tuple(model) if model else None,
        weights=tuple(weights) if weights else None,
        image=options.image_shape(input),
        threads=threads,
        seed=seed,
        blocks=blocks,
        max_time=max_time,
        timeout_s=timeout,
    )
    chosen = options.resolve(preset, changes)
    options.only_process("profile")
    options.need_paddle("profile")
    from bench.profile_session import make_profile, profile_status

    folder, request = options.make_request(chosen, out, resume)
    with folder.claimed(request, resume) as standing:
        with Reporter() as reporter:
            reporter.line(f"writing to {folder.path}")
            status = profile_status(make_profile(folder, standing, reporter, fresh_ceilings))
        _show(folder.path, export_markdown)
    return int(status)


def _show(folder: Path, export_markdown: Path | None) -> int:
    """Writes the files and prints the summary; the last line counts."""
    if folder.is_file():
        raise UsageError(f"{folder}: is a file; give the folder of a profile, which holds profile.json")
    # Matplotlib and pandas take a second to import, which no other verb should pay.
    from bench.profile_storage import load_profile
    from bench.report.profiling import summary_lines, write_profile
    from bench.storage import write_atomically

    written = write_profile(folder)
    page = next(path for path in written if path.suffix == ".md")
    if export_markdown is not None:
        write_atomically(export_markdown, page.read_bytes())
    emit(f"profile: {page}")
    for line in summary_lines(load_profile(folder)):
        emit(line)
    return 0


def _compare(sides: tuple[Path, Path], export_markdown: Path | None) -> int:
    from bench.profile_storage import load_profile
    from bench.report.profiling import compare_markdown
    from bench.storage import write_atomically

    text = compare_markdown(*(load_profile(side) for side in sides))
    if export_markdown is not None:
        write_atomically(export_markdown, text.encode())
    emit(text.rstrip("\n"))
    return 0
