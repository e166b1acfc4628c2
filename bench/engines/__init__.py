"""Ways of running a model, one a file, found by name.

An engine module defines `ENGINE`, an object with the interface `Engine`. Nothing here imports Paddle before
an engine is used.
"""

from __future__ import annotations

import importlib
import pkgutil

from bench.engines.base import Engine, Job, Observed, OperatorCall, Prepared
from bench.errors import UsageError

__all__ = ["Engine", "Job", "Observed", "OperatorCall", "Prepared", "engine", "names"]

_INTERFACE = "base"


def names() -> tuple[str, ...]:
    """Every engine in this folder, sorted."""
    return tuple(sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name != _INTERFACE))


def engine(name: str) -> Engine:
    """The engine of this name. Raises UsageError naming the known ones."""
    if name not in names():
        raise UsageError(f"unknown engine {name!r}; choose from {', '.join(names())}")
    found: Engine = importlib.import_module(f"{__name__}.{name}").ENGINE
    return found
