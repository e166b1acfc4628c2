"""Where a worker runs: by which interpreter, in which folder, with which variables."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["HERE", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """An interpreter, a working folder (None is this process's), and variables beside this process's.

    A variable that is None is taken away. `isolated` keeps what lies in the working folder from being
    imported in place of what is installed.
    """

    python: str = sys.executable
    folder: Path | None = None
    variables: tuple[tuple[str, str | None], ...] = ()
    isolated: bool = False

    def command(self, *arguments: str) -> list[str]:
        """The interpreter with these arguments."""
        return [self.python, *(("-P",) if self.isolated else ()), *arguments]

    def environment(self, variables: Mapping[str, str] | None = None) -> dict[str, str]:
        """This process's environment as it is there, with these variables besides."""
        changed: dict[str, str | None] = {**os.environ, **(variables or {}), **dict(self.variables)}
        return {name: value for name, value in changed.items() if value is not None}


HERE = Place()
