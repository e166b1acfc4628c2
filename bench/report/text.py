"""Foreign text made safe: names, messages and commands come from a user's model, machine or shell."""

from __future__ import annotations

import re

__all__ = ["defused", "escape", "fence", "guard", "printable", "shorten", "without_paths"]

# What GitHub-flavoured Markdown reads as markup anywhere in a line.
_SPECIAL = re.compile(r"([\\`*\[\]<>|#~$])")
# An underscore is emphasis only at the edge of a word; inside one it is left alone, for the raw text's sake.
_EDGE_UNDERSCORE = re.compile(r"(?<![^\W_])_|_(?![^\W_])")
_AMPERSAND = re.compile(r"&(?=#?\w+;)")
# What GitHub makes a link of unasked: web addresses, "www." and mail addresses (GFM 6.9).
_ADDRESS = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=[Ww]{3})\.|(?<=\S)@(?=\w)")
# What begins a list or is a line of its own, where the text happens to begin a line.
_LINE_START = re.compile(r"^[-+=](?=[-+=\s]|$)")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")
# A spreadsheet takes a cell that starts like this for a formula (OWASP, CSV injection); some take the wide
# signs of East Asian text too.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_PLAIN_NUMBER = re.compile(r"-?(?:\d+(?:\.\d+)?(?:e[+-]\d+)?|inf)")
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
    """Foreign text as plain Markdown, also inside a table: one line, no markup, no link, no HTML, no path."""
    escaped = _SPECIAL.sub(r"\\\1", without_paths(printable(text)))
    for markup in (_EDGE_UNDERSCORE, _ADDRESS, _LINE_START):
        escaped = markup.sub(r"\\\g<0>", escaped)
    return _AMPERSAND.sub("&amp;", _NUMBERED.sub(r"\1\\\2", escaped))


def guard(text: str) -> str:
    """Foreign text as a CSV cell that no spreadsheet takes for a formula; no path."""
    cleaned = without_paths(printable(text))
    # Looks at the raw text too, since cleaning removes a leading tab that some programs honour.
    is_formula = cleaned.startswith(_FORMULA_STARTS) or text.startswith(_FORMULA_STARTS)
    return f"'{cleaned}" if is_formula else cleaned


def defused(cell: str) -> str:
    """Any CSV cell on one line: what a spreadsheet would take for a formula gets a quote, no number does."""
    line = " ".join(cell.splitlines())
    starts = any(text.startswith(_FORMULA_STARTS) for text in (line, line.lstrip()))
    return f"'{line}" if starts and not _PLAIN_NUMBER.fullmatch(line) else line


def fence(text: str) -> str:
    """Foreign text as a code block that it can't leave."""
    cleaned = without_paths(printable(text))
    longest = max((len(run) for run in re.findall(r"`+", cleaned)), default=0)
    marks = "`" * max(3, longest + 1)
    return f"{marks}sh\n{cleaned}\n{marks}"
