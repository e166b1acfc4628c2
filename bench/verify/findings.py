"""What a check found: what is wrong, and what could not be checked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Findings", "together"]


@dataclass(frozen=True, slots=True)
class Findings:
    """`problems` and `notes` are sentences that begin with a file's name; `files` and `runs` were checked."""

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    files: int = 0
    runs: int = 0


def together(found: Iterable[Findings]) -> Findings:
    """All of them as one; what several checks say alike is said once."""
    every = list(found)
    return Findings(
        tuple(dict.fromkeys(problem for each in every for problem in each.problems)),
        tuple(dict.fromkeys(note for each in every for note in each.notes)),
        sum(each.files for each in every),
        sum(each.runs for each in every),
    )
