"""Which optional packages are not there, and how to get them."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence

__all__ = ["missing_packages"]


def missing_packages(modules: Sequence[str], extra: str) -> str:
    """A sentence's part that names the modules that can't be found and the extra that brings them.

    Empty where all are there. Imports nothing, so that a list of engines costs no start of any.
    """
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if not absent:
        return ""
    are = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {are} not installed: pip install 'dyrelu-bench[{extra}]'"
