"""Foreign text made safe: names, messages and commands come from a user's model, machine or shell."""

from __future__ import annotations

import re

__all__ = ["escape", "fence", "guard", "printable", "shorten", "without_paths"]

# What GitHub-flavoured Markdown reads as markup anywhere in a line.
_SPECIAL = re.compile(r"([\\`*\[\]<>|#~$])")
# An underscore is emphasis only at the edge of a word; inside one it is left alone, for the raw text's sake.
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_AMPERSAND = re.compile(r"&(?=#?\w+;)")
# A spreadsheet takes a cell that starts like this for a formula (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_QUOTED_PATH = re.compile(r"""(['"])(?:file://)?/[^'"\n]*?([^/'"\n]+)/?\1""")
_BARE_PATH = re.compile(r"""(?:file://|(?<![\w./:…~\\-]))/(?:[^\s/'"`:,;()<>|]+/)*([^\s/'"`:,;()<>|]+)/?""")


def printable(text: str) -> str:
    """The text on one line, without control, bidirectional and other invisible characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def without_paths(text: str) -> str:
    """Cuts absolute paths down to their last part: a report is read elsewhere, by others."""
    return _BARE_PATH.sub(r"…/\1", _QUOTED_PATH.sub(r"\1…/\2\1", text))


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut in the middle, since names differ at their ends."""
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[len(text) - (limit - head - 1) :]}"


def escape(text: str) -> str:
    """Foreign text as plain Markdown, also inside a table: one line, no markup, no HTML, no path."""
    escaped = _SPECIAL.sub(r"\\\1", without_paths(printable(text)))
    return _AMPERSAND.sub("&amp;", _EDGE_UNDERSCORE.sub(r"\\_", escaped))


def guard(text: str) -> str:
    """Foreign text as a CSV cell that no spreadsheet takes for a formula; no path."""
    cleaned = without_paths(printable(text))
    # Looks at the raw text too, since cleaning removes a leading tab that some programs honour.
    return (
        f"'{cleaned}" if cleaned.startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS) else cleaned
    )


def fence(text: str) -> str:
    """Foreign text as a code block that it can't leave."""
    cleaned = without_paths(printable(text))
    longest = max((len(run) for run in re.findall(r"`+", cleaned)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}sh\n{cleaned}\n{marks}"
