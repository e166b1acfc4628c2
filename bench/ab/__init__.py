"""Two sides measured in one session: `with revision_sides(...) as sides: measure_sides(folder, sides, ...)`.

A machine shifts between two runs by more than what a change costs. Here both sides' workers are alive in
every block and take turns burst by burst, so that what the machine does it does to both.
"""

from __future__ import annotations

from bench.ab.folder import AbFolder, AbRequest, SideEntry
from bench.ab.revisions import find_project, resolve_revision
from bench.ab.session import measure_sides
from bench.ab.sides import Pair, Side, interpreter_sides, model_sides, revision_sides, same_sides

__all__ = [
    "AbFolder",
    "AbRequest",
    "Pair",
    "Side",
    "SideEntry",
    "find_project",
    "interpreter_sides",
    "measure_sides",
    "model_sides",
    "resolve_revision",
    "revision_sides",
    "same_sides",
]
