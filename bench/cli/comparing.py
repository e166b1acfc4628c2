"""What every verb that ends in a comparison shares: reading sides, the threshold, showing and exporting."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from bench.cli.output import emit
from bench.errors import InputError, UsageError
from bench.storage import SUITE_FILE, write_atomically
from bench.verdict import Rule

if TYPE_CHECKING:
    from bench.cli.progress import Reporter
    from bench.compare import Observed, Spreads
    from bench.compared import Comparison

__all__ = [
    "Export",
    "Outputs",
    "Plot",
    "Read",
    "Threshold",
    "read_side",
    "rule_of",
    "share_of",
    "show",
    "spreads_of",
]

_PERCENT = re.compile(r"(?P<number>\d{1,6}(?:\.\d+)?|\.\d+)%", re.ASCII)
_PICTURES = {".png": "png", ".svg": "svg"}
# The files of `--out`.
_NAME = "compare"
# What makes a folder that of a run, finished or not.
_RUN = "run.json"
# What makes a folder that of an `ab`, which holds two sides.
_AB = "ab.json"

Threshold = Annotated[
    str,
    typer.Option("--threshold", help="Percent of time that matters in practice; a smaller change doesn't."),
]
Export = Annotated[Path | None, typer.Option(help="Write this file as well.", show_default=False)]
Plot = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw all ratios into this .png or .svg file.", show_default=False),
]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a comparison is written to; None is nowhere. `folder` gets all of them and both pictures.

    Raises UsageError for a picture of an unknown kind.
    """

    markdown: Path | None = None
    csv: Path | None = None
    json: Path | None = None
    plot: Path | None = None
    folder: Path | None = None

    def __post_init__(self) -> None:
        if self.plot is not None and self.plot.suffix.lower() not in _PICTURES:
            raise UsageError(
                f"--plot {self.plot}: the picture's kind is unknown; end the name in .png or .svg"
            )
        if self.folder is not None and self.folder.is_file():
            raise UsageError(f"--out {self.folder}: is a file; give a folder")


def share_of(flag: str, text: str) -> float:
    """The share of time that a flag gives as a percentage: 0.02 for "2%". Raises UsageError."""
    found = _PERCENT.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{flag} {text!r}: is no percentage; give one with its sign, such as 2% or 0.5%")
    return float(found["number"]) / 100


def rule_of(threshold: str) -> Rule:
    """The rule with this threshold, such as "2%" or "0.5%". Raises UsageError."""
    return Rule(share_of("--threshold", threshold))


@dataclass(frozen=True, slots=True)
class Read:
    """What was read of a side; `notes` are sentences on what was skipped."""

    observed: tuple[Observed, ...]
    notes: tuple[str, ...] = ()


def read_side(paths: Sequence[Path], reporter: Reporter) -> Read:
    """What the comparison needs of these files and folders, one after another: only that is kept.

    A folder that is no run's is one of suites, each of them a session: what is no suite in it is named and
    skipped. Raises InputError for anything else that can't be read, and UsageError for the folder of an `ab`.
    """
    from bench.compare import observe
    from bench.exchange import load_results

    found: list[Observed] = []
    notes: list[str] = []
    for path in paths:
        if (path / _AB).exists():
            raise UsageError(
                f"{path}: is an ab's, of two sides; give one of them, {path / 'A'} or {path / 'B'}"
            )
        if path.is_dir() and not (path / SUITE_FILE).exists() and not (path / _RUN).exists():
            suites, skipped = _folder_of_suites(path)
            found += suites
            notes += skipped
        else:
            found.append(observe(load_results(path), _name(path)))
    for note in notes:
        reporter.line(note)
    return Read(tuple(found), tuple(notes))


def _folder_of_suites(folder: Path) -> tuple[list[Observed], list[str]]:
    """The folder's suites, and what was skipped in it."""
    from bench.history import observed_suites
    from bench.report.text import without_paths

    suites, skipped = observed_suites(folder)
    if not suites:
        raise InputError(f"{folder}: holds no suite file; give a run's folder or its suite.json")
    # The side is called by what the user gave, however many suites lie in it.
    named = [msgspec.structs.replace(suite, name=_name(folder)) for suite in suites]
    return named, [without_paths(f"{folder / name}: skipped: {reason}") for name, reason in skipped.items()]


def spreads_of(history: Path | None, sides: Sequence[Sequence[Observed]]) -> Spreads:
    """How much sessions differ, as a history of this machine shows it; where it doesn't, the default.

    Raises InputError for a folder that can't be read, and UsageError for sides of several environments.
    """
    from bench.compare import DEFAULT_SPREADS, Spreads
    from bench.compared import Basis
    from bench.history import spreads

    if history is None:
        return DEFAULT_SPREADS
    sessions = [session for side in sides for suite in side for session in suite.sessions]
    fingerprints = {session.fingerprint for session in sessions}
    if len(fingerprints) > 1:
        raise UsageError(
            f"--history {history}: the sides are of {len(fingerprints)} environments, whose histories say "
            "nothing of each other; leave it away"
        )
    # What is to be judged says nothing of the spread that it is judged by.
    found = spreads(history, next(iter(fingerprints), ""), {session.id for session in sessions})
    return Spreads(
        found[Basis.REFERENCE] or DEFAULT_SPREADS.reference,
        found[Basis.CALIBRATION] or DEFAULT_SPREADS.calibration,
    )


def _name(path: Path) -> str:
    """What the user calls it; where it lies on this machine is nobody's business."""
    from bench.report.text import without_paths

    return without_paths(str(path.parent if path.name == SUITE_FILE and path.parent.name else path))


def show(comparison: Comparison, outputs: Outputs) -> str:
    """Prints the comparison, all but its last line, writes the files, and gives it as Markdown."""
    from rich.console import Console

    from bench.report.comparing.markdown import markdown
    from bench.report.comparing.terminal import terminal

    console = Console()
    with console.capture() as captured:
        console.print(terminal(comparison))
    emit(captured.get().rstrip("\n"))
    text = markdown(comparison)
    _write(comparison, outputs, text)
    return text


def _write(comparison: Comparison, outputs: Outputs, text: str) -> None:
    if outputs.markdown is not None:
        write_atomically(outputs.markdown, text.encode())
    if outputs.csv is not None:
        write_atomically(outputs.csv, _csv(comparison))
    if outputs.json is not None:
        write_atomically(outputs.json, _json(comparison))
    if outputs.plot is not None:
        pictures = _pictures(comparison)
        if pictures:
            write_atomically(outputs.plot, pictures[_PICTURES[outputs.plot.suffix.lower()]])
        else:
            # What was found is said all the same, and decides the exit status.
            emit(f"--plot {outputs.plot}: not written, since there is no ratio that could be drawn")
    if outputs.folder is not None:
        for name, content in _folder_files(comparison).items():
            write_atomically(outputs.folder / name, content)


def _folder_files(comparison: Comparison) -> dict[str, bytes]:
    from bench.report.comparing.markdown import markdown

    files = {f"{_NAME}.{ending}": content for ending, content in _pictures(comparison).items()}
    picture = f"{_NAME}.png" if files else ""
    return files | {
        f"{_NAME}.md": markdown(comparison, picture).encode(),
        f"{_NAME}.csv": _csv(comparison),
        f"{_NAME}.json": _json(comparison),
    }


# Pandas and matplotlib take a second to import, which only those pay who want what they make.
def _csv(comparison: Comparison) -> bytes:
    from bench.report.comparing.csv import csv

    return csv(comparison).encode()


def _json(comparison: Comparison) -> bytes:
    from bench.report.comparing.json import json

    return json(comparison).encode()


def _pictures(comparison: Comparison) -> dict[str, bytes]:
    """By their endings; empty where there is nothing to draw."""
    from bench.report.comparing.plot import draw_comparison, has_ratios

    return draw_comparison(comparison) if has_ratios(comparison) else {}
