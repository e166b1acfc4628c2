"""What every verb that compares shares: the gate's flags, its decision, and what CI gets to see of it.

A verb takes the flags below as its own, and then does

    flags = GateFlags(fail_on, allow, below_floor, github, export_junit, export_comment)
    decision = gated(lambda rule: compare(base, new, replace(options, rule=rule)), flags)
    emit(...)  # decision.comparison, which has the verdicts at the thresholds that were asked for
    return publish(decision, flags, details)  # prints the last line; the value is the exit status
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from bench.cli.output import emit
from bench.decision import Decision
from bench.errors import ExitStatus, InputError, UsageError, worst
from bench.gate import Judge, decide
from bench.gate_rules import GateRules, parse_rules
from bench.storage import write_atomically
from bench.verdict import Rule

__all__ = [
    "Allow",
    "BelowFloor",
    "ExportComment",
    "ExportJUnit",
    "FailOn",
    "GateFlags",
    "Github",
    "gated",
    "publish",
    "with_missed",
]

FailOn = Annotated[
    list[str] | None,
    typer.Option(
        "--fail-on",
        help="[PATTERN:]METRIC:SHARE%, such as 'throughput:5%' or 'resnet8*/eager/*:latency:2.5%', or "
        "[PATTERN:]KIND with inconclusive, new, changed or environment (repeatable; the last that fits "
        "decides).",
        show_default=False,
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow",
        help="[PATTERN:]KIND that shall not fail: missing, failed or refused (repeatable).",
        show_default=False,
    ),
]
BelowFloor = Annotated[
    bool, typer.Option("--below-floor", help="Accept thresholds that the self-test says can't be told here.")
]
Github = Annotated[
    bool | None,
    typer.Option(
        "--github/--no-github",
        help="Annotations and a step summary for GitHub Actions (default: where it runs there).",
        show_default=False,
    ),
]
ExportJUnit = Annotated[
    Path | None, typer.Option("--export-junit", help="Write JUnit's XML here.", show_default=False)
]
ExportComment = Annotated[
    Path | None,
    typer.Option("--export-comment", help="Write a pull request's comment here.", show_default=False),
]

_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@dataclass(frozen=True, slots=True)
class GateFlags:
    """What the user asked of the gate and of its outputs. `github` None leaves it to the environment."""

    fail_on: Sequence[str] | None = None
    allow: Sequence[str] | None = None
    below_floor: bool = False
    github: bool | None = None
    junit: Path | None = None
    comment: Path | None = None

    def rules(self) -> GateRules:
        """The rules, read. Raises UsageError; a verb that measures first calls this before it does."""
        if self.github and not os.environ.get(_SUMMARY_VARIABLE):
            raise UsageError(f"--github: {_SUMMARY_VARIABLE} is not set; this is no step of GitHub Actions")
        return parse_rules(self.fail_on or (), self.allow or ())

    @property
    def for_github(self) -> bool:
        """Whether GitHub Actions is told."""
        return os.environ.get("GITHUB_ACTIONS") == "true" if self.github is None else self.github


def gated(judge: Judge, flags: GateFlags, default: Rule | None = None) -> Decision:
    """The decision. `default` judges what no rule names. Raises UsageError."""
    return decide(flags.rules(), judge, default)


def with_missed(decision: Decision, missed: Iterable[str]) -> Decision:
    """The decision with a sentence for each target that the new side missed by itself."""
    sentences = tuple(missed)
    if not sentences:
        return decision
    status = worst({decision.status, ExitStatus.TARGET_MISSED})
    return replace(decision, status=status, reasons=(*decision.reasons, *sentences))


def publish(decision: Decision, flags: GateFlags, details: str = "") -> ExitStatus:
    """Writes what CI reads and prints the last line, which counts; gives the exit status.

    `details` is the comparison as Markdown, for those outputs that have room for it.
    """
    # Only a verb that compares pays for importing what draws tables.
    from bench.report.ci import comment, junit, step_summary, workflow_commands

    if flags.junit is not None:
        write_atomically(flags.junit, junit(decision).encode())
    if flags.comment is not None:
        write_atomically(flags.comment, comment(decision, details).encode())
    if flags.for_github:
        summary = os.environ.get(_SUMMARY_VARIABLE)
        if summary:
            _append(Path(summary), step_summary(decision, details))
        if lines := workflow_commands(decision):
            emit(lines)
    for reason in decision.reasons:
        emit(reason)
    emit(decision.last_line())
    return decision.status


def _append(path: Path, text: str) -> None:
    """Adds to the step's summary, which other commands of the step may have begun."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(
            f"{_SUMMARY_VARIABLE} {path}: can't be written ({error.strerror}); go on with --no-github"
        ) from error
