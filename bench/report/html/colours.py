"""The plots' colours by class, so that a page can change them with the reader's light.

On paper and in light they are those of the pictures beside the report. In the dark each has a lighter
counterpart, in the same order of hues, that stands out from `PAPER_DARK` by at least 3:1 (WCAG 2.2, 1.4.11).
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DARK", "PAPER_DARK", "PAPER_LIGHT", "dark_rules", "hex_colour"]

PAPER_LIGHT, PAPER_DARK = "#ffffff", "#1b1f24"
DARK: Mapping[str, str] = {
    "#3b3b3b": "#d6d6d6",
    "#0072b2": "#4ea1e6",
    "#d55e00": "#f5894a",
    "#009e73": "#35c79b",
    "#cc79a7": "#dc92bb",
    "#e69f00": "#f0b83d",
    "#56b4e9": "#9bdcff",
    "#8c564b": "#c9998f",
    "#777777": "#9a9fa6",
    "#e3e3e3": "#3a4048",
    "#444444": "#c3c7cc",
    "#000000": "#e8eaed",
    "#ffffff": PAPER_DARK,
}


def hex_colour(value: str) -> str:
    """The six digits that name a colour's class; empty for what isn't such a colour."""
    digits = value.removeprefix("#").lower()
    return digits if value.startswith("#") and len(digits) == 6 else ""


def dark_rules() -> str:
    """CSS that gives every known colour its dark counterpart, as stroke and as fill."""
    rules = []
    for light, dark in DARK.items():
        digits = hex_colour(light)
        rules += [f".s-{digits}{{stroke:{dark}}}", f".f-{digits}{{fill:{dark}}}"]
    return "\n".join(rules)
