"""Matplotlib's SVG made fit to stand inside a page.

Inside a page an id has to be unique, a style sheet would reach everything, and a content security policy that
forbids inline styles forbids the `style` attribute. So styles become attributes and classes, ids are dropped,
and what is drawn several times is kept once for all pictures of the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree

from bench.report.html.colours import hex_colour
from bench.report.html.elements import Element, element

__all__ = ["Drawing", "parse_svg"]

_HREF = "{http://www.w3.org/1999/xlink}href"
# Two decimals of a point are 9 micrometres; matplotlib writes six.
_LONG = re.compile(r"-?\d+\.\d{3,}")
_NO_ROTATION = re.compile(r"rotate\(-?0(?:\.0+)? .*\)")
# What older versions of matplotlib write in place of font-size and font-weight.
_FONT = re.compile(r"(?:(?P<weight>bold|\d00) )?(?P<size>[\d.]+px)\b")
# The page says which family, and joins and caps are the same everywhere.
_DROPPED = ("font-family", "font-stretch", "-inkscape-font-specification")
_KEPT = ("d", "x", "y", "width", "height", "clip-path", "transform", "id", "viewBox")


class Drawing:
    """The parts of one SVG: groups by the id that was given to them, and what they refer to."""

    def __init__(self, root: Element) -> None:
        self._groups = {name: group for group in root.iter() if (name := group.get("id", ""))}
        self.definitions = {
            name: _cleaned(part, keep_id=True)
            for parent in root.iter()
            if _local(parent) == "defs"
            for part in parent
            if (name := part.get("id", ""))
        }

    def group(self, name: str) -> Element:
        """A cleaned copy of a group; what it refers to is in `definitions`. Raises KeyError for no group."""
        return _cleaned(self._groups[name], keep_id=False)


def parse_svg(text: str) -> Drawing:
    """Reads what matplotlib wrote (under `svg.fonttype` "none"). Raises ParseError for what isn't XML."""
    return Drawing(ElementTree.fromstring(text))


def _cleaned(found: Element, *, keep_id: bool) -> Element:
    made = element(_local(found), dict(_attributes(found, keep_id)))
    if _local(found) == "text":
        made.text = found.text
        return made
    for child in found:
        if _local(child) not in ("defs", "metadata"):
            made.append(_cleaned(child, keep_id=keep_id))
    # A group that says nothing of its own only makes the page longer.
    return made[0] if made.tag == "g" and not made.attrib and len(made) == 1 else made


def _local(found: Element) -> str:
    return found.tag.rpartition("}")[2] if isinstance(found.tag, str) else ""


def _attributes(found: Element, keep_id: bool) -> Iterator[tuple[str, str]]:
    for name, value in found.attrib.items():
        if name == _HREF:
            yield "href", value
        elif name in _KEPT and (keep_id or name != "id") and not _NO_ROTATION.fullmatch(value):
            yield name, _short(value)
    classes = []
    for name, value in _declarations(found.get("style", "")):
        digits = hex_colour(value)
        if digits and name in ("fill", "stroke"):
            classes.append(f"{name[0]}-{digits}")
        if name not in _DROPPED:
            yield name, _short(value)
    if classes:
        yield "class", " ".join(classes)


def _declarations(style: str) -> Iterator[tuple[str, str]]:
    for declaration in style.split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font":
            font = _FONT.search(value)
            if font is not None:
                yield "font-size", font["size"]
                if font["weight"]:
                    yield "font-weight", font["weight"]
        elif name:
            yield name, value


def _short(value: str) -> str:
    """On one line, with numbers no longer than can be seen."""
    shorter = _LONG.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), value)
    return " ".join(shorter.split())
