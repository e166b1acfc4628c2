"""`audit`: the MACs and FLOPs of networks, counted in three ways that have to agree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.cli.output import emit
from bench.cli.progress import Reporter
from bench.errors import ExitStatus
from bench.presets import Changes
from bench.subjects import import_paddle

__all__ = ["audit"]


def audit(
    preset: options.PresetName = "quick",
    variant: options.Variants = None,
    model: options.Models = None,
    input: options.Input = None,
    export_markdown: Annotated[
        Path | None, typer.Option(help="Write the tables to this file as well.", show_default=False)
    ] = None,
    export_csv: Annotated[
        Path | None, typer.Option(help="Write one row a layer to this file.", show_default=False)
    ] = None,
) -> int:
    """Count by traced operators, by layers, and by the formula of each kind of layer.

    Status 6 where they disagree, an operator is unknown, or a layer with work in it has no formula.
    """
    changes = Changes(
        variants=tuple(variant) if variant else None,
        models=tuple(model) if model else None,
        image=options.image_shape(input),
    )
    chosen = options.resolve(preset, changes)
    options.need_paddle("audit")
    options.apply_threads(1)
    from bench.audit_stage import audit_preset
    from bench.report.audit import audit_csv, audit_markdown, summary
    from bench.storage import write_atomically

    import_paddle()
    with Reporter() as reporter:
        audits = audit_preset(chosen, reporter.advance)
    text = audit_markdown(audits)
    if export_markdown is not None:
        write_atomically(export_markdown, text.encode())
    if export_csv is not None:
        write_atomically(export_csv, audit_csv(audits).encode())
    emit(text.rstrip("\n"))
    emit("")
    emit(summary(audits))
    return int(ExitStatus.DONE if all(one.agrees for one in audits) else ExitStatus.TARGET_MISSED)
