"""Why the counters differ, in words; each line is what the table of single layers shows."""

from __future__ import annotations

from typing import Any

from bench.report.layout import bullets

__all__ = ["reasons"]


def reasons(theirs: dict[str, Any]) -> str:
    """The list, with what fvcore itself says that it left out of the network with variant C."""
    found = theirs["fvcore"]["networks"]["dyrelu_c"]
    names = ", ".join(f"{name.removeprefix('aten::')} ({n})" for name, n in found["left_out"].items())
    return bullets((f"fvcore left out of the network with DyReLU-C: {names}.",))
