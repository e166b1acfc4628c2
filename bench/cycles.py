"""A pause for Python's collector of cycles, where there are many objects and no cycle."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["no_cycles"]


@contextmanager
def no_cycles() -> Iterator[None]:
    """A suite is many objects without a cycle: to look for one takes as long as to read it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
