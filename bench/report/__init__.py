"""Reports: from a suite and its training logs to Markdown, CSV, plots and a terminal table.

Renderers return text or figures; `write_report` alone writes files. Needs no Paddle. What draws plots takes a
second to import, so that it is imported on first use: a comparison needs no more than the words of a report.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.report.terminal import terminal_summary
    from bench.report.write import write_report

__all__ = ["terminal_summary", "write_report"]

_MODULES = {"terminal_summary": "terminal", "write_report": "write"}


def __getattr__(name: str) -> Any:
    """Imports what this package offers on first use (PEP 562)."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
