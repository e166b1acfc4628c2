"""Pieces of a Markdown page: tables, bullets, pictures and the notes below a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from tabulate import tabulate

__all__ = ["Notes", "bullets", "picture", "picture_path", "table"]

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


class Notes:
    """Collects what is to be said below one table; the same text gets the same mark."""

    def __init__(self) -> None:
        self._texts: list[str] = []

    def mark(self, text: str) -> str:
        """The mark of a note, empty for an empty text. `text` is Markdown already."""
        if not text:
            return ""
        if text not in self._texts:
            self._texts.append(text)
        return " " + str(self._texts.index(text) + 1).translate(_SUPERSCRIPTS)

    def text(self) -> str:
        """The notes as Markdown, with an empty line before them; empty without notes."""
        if not self._texts:
            return ""
        lines = [
            f"{str(number).translate(_SUPERSCRIPTS)} {text}"
            for number, text in enumerate(self._texts, start=1)
        ]
        return "\n\n" + "  \n".join(lines)


def table(header: Sequence[str], rows: Iterable[Sequence[str]], text_columns: int = 1) -> str:
    """A Markdown table; the first `text_columns` columns are aligned left, figures right."""
    alignment = ["left" if column < text_columns else "right" for column in range(len(header))]
    return str(
        tabulate(list(rows), headers=header, tablefmt="pipe", disable_numparse=True, colalign=alignment)
    )


def bullets(lines: Iterable[str]) -> str:
    """A list, one line an item."""
    return "\n".join(f"- {line}" for line in lines)


def picture(plots: Mapping[str, str], name: str) -> str:
    """The link to a plot with an empty line before it; empty where it wasn't drawn."""
    return f"\n\n![{plots[name]}]({picture_path(name)})" if name in plots else ""


def picture_path(name: str) -> str:
    """Where a plot lies beside the report."""
    return f"plots/{name}.png"
