"""Tables of a page: captioned, with scopes, in a box of their own that scrolls, and ready to be sorted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.report.html.elements import Content, Element, element, extend, text_of

__all__ = ["Cell", "sort_number", "table"]

# A figure as `bench.report.formats` writes it, at the start of a cell; what follows it (an interval, a unit,
# the mark of a note) doesn't decide the order.
_FIGURE = re.compile(r"(?:[≥≤]\s*)?([+-]?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)\s*([KMG]iB)?")
_UNITS = {"KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell, and whether its column holds figures, which are aligned right."""

    content: tuple[Content, ...]
    is_figure: bool


def sort_number(text: str) -> float | None:
    """The number by which a cell is sorted, sizes in bytes; None for a cell that doesn't begin with one."""
    found = _FIGURE.match(text)
    if found is None:
        return None
    return float(found[1].replace(",", "")) * _UNITS.get(found[2], 1.0)


def table(name: str, caption: str, header: Sequence[Cell], rows: Sequence[Sequence[Cell]]) -> Element:
    """`name` is an id that is unique on the page. The columns before the first figure name the row.

    The box can be focused, so that a keyboard scrolls it; it is named by the caption.
    """
    figures = [column for column, cell in enumerate(header) if cell.is_figure]
    naming = figures[0] if figures else 1
    head = element("tr", None, *(_cell("th", cell, {"scope": "col"}) for cell in header))
    body = [
        element("tr", None, *(_body_cell(cell, at < naming) for at, cell in enumerate(row))) for row in rows
    ]
    return element(
        "div",
        {"class": "scroll", "role": "region", "aria-labelledby": name, "tabindex": "0"},
        element(
            "table",
            None,
            element("caption", {"id": name}, caption),
            element("thead", None, head),
            element("tbody", None, *body),
        ),
    )


def _body_cell(cell: Cell, names_row: bool) -> Element:
    if names_row:
        return _cell("th", cell, {"scope": "row"})
    made = _cell("td", cell, {})
    number = sort_number(text_of(made)) if cell.is_figure else None
    if number is not None:
        made.set("data-number", f"{number:.17g}")
    return made


def _cell(tag: str, cell: Cell, attributes: dict[str, str]) -> Element:
    made = element(tag, attributes | ({"class": "figure"} if cell.is_figure else {}))
    extend(made, cell.content)
    return made
