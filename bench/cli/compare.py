"""`compare`: two sides, each one or more suites, judged case by case. Needs no Paddle."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.cli import comparing, gating
from bench.cli.progress import Reporter
from bench.cycles import no_cycles

if TYPE_CHECKING:
    from bench.compared import Comparison
    from bench.verdict import Rule

__all__ = ["compare"]


# Thousands of sessions are millions of objects, none of them in a cycle; the few of a plot can wait.
@no_cycles()
def compare(
    base: Annotated[Path, typer.Argument(help="A suite file or folder of a run: what was.")],
    new: Annotated[Path, typer.Argument(help="A suite file or folder of a run: what is.")],
    more_base: Annotated[
        list[Path] | None,
        typer.Option("--base", help="A further session of the base (repeatable).", show_default=False),
    ] = None,
    more_new: Annotated[
        list[Path] | None,
        typer.Option("--new", help="A further session of the new side (repeatable).", show_default=False),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Folder of earlier suites, which show by how much two sessions differ here.",
            show_default=False,
        ),
    ] = None,
    threshold: comparing.Threshold = "2%",
    fail_on: gating.FailOn = None,
    allow: gating.Allow = None,
    github: gating.Github = None,
    export_markdown: comparing.Export = None,
    export_csv: comparing.Export = None,
    export_json: comparing.Export = None,
    export_junit: gating.ExportJUnit = None,
    export_comment: gating.ExportComment = None,
    plot: comparing.Plot = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for compare.md, .csv, .json, .png and .svg.", show_default=False),
    ] = None,
) -> int:
    """Compare two runs: what became slower or faster, which facts changed, what is missing.

    Either side may also be a JSON file of pytest-benchmark, or a folder of suites. Two runs are not paired,
    since the machine shifts between them: `ab` tells smaller changes.
    """
    from bench.compare import CompareOptions, compare_observed

    rule = comparing.rule_of(threshold)
    outputs = comparing.Outputs(export_markdown, export_csv, export_json, plot, out)
    flags = gating.GateFlags(fail_on, allow, github=github, junit=export_junit, comment=export_comment)
    flags.rules()  # a mistake in them is said before thousands of files are read
    paths = ([base, *(more_base or ())], [new, *(more_new or ())])
    with Reporter() as reporter:
        old = comparing.read_side(paths[0], reporter)
        # Whoever lays a folder beside itself need not wait for it twice.
        read = [old, old if paths[0] == paths[1] else comparing.read_side(paths[1], reporter)]
        sides = [side.observed for side in read]
        options = CompareOptions(rule, spreads=comparing.spreads_of(history, sides))
    skipped = tuple(dict.fromkeys(note for side in read for note in side.notes))

    def judge(rule: Rule) -> Comparison:
        found = compare_observed(sides[0], sides[1], replace(options, rule=rule))
        return replace(found, notes=(*found.notes, *skipped))

    decision = gating.gated(judge, flags, rule)
    details = comparing.show(decision.comparison, outputs)
    return gating.publish(decision, flags, details)
