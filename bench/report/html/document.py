"""The report's Markdown as HTML, so that every section is described once and no output lacks anything.

The Markdown is read as a reader's viewer would read it, with raw HTML switched off. What comes of it is built
from a closed list of elements; a kind of markup that isn't on it is an error, since leaving it out would be
silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from bench.report.html.elements import Content, Element, element, text_of
from bench.report.html.tables import Cell, table

__all__ = ["document"]

# Markup that says the same under the same name.
_PLAIN = ("p", "ul", "ol", "li", "strong", "em", "blockquote", "hr")
# A file beside the report; anything else isn't followed, since the page needs no network.
_RELATIVE = re.compile(r"(?!/)[\w./-]+(?:#[\w-]*)?")


def document(text: str, pictures: Mapping[str, Element]) -> tuple[list[Element], list[tuple[str, str]]]:
    """The page's parts: what precedes the first section, then a `section` for each heading of level two.

    `pictures` are figures by the address under which the Markdown links them. Also gives the sections'
    headings, each as id and text.
    """
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return _Builder(pictures).build(SyntaxTreeNode(parser.parse(text)))


class _Builder:
    """Walks one document. Remembers the headings, which name tables, and the ids that are taken."""

    def __init__(self, pictures: Mapping[str, Element]) -> None:
        self._pictures = pictures
        self._taken: set[str] = set()
        self._headings = [""]

    def build(self, root: SyntaxTreeNode) -> tuple[list[Element], list[tuple[str, str]]]:
        """See `document`."""
        parts = [element("header")]
        titles = []
        for node in root.children:
            made = self._block(node)
            if made.tag == "h2":
                parts.append(element("section", {"aria-labelledby": made.get("id", "")}))
                titles.append((made.get("id", ""), text_of(made)))
            parts[-1].append(made)
        return parts, titles

    def _block(self, node: SyntaxTreeNode) -> Element:
        if node.type == "heading":
            return self._heading(node)
        if node.type == "table":
            return self._table(node)
        if node.type in ("fence", "code_block"):
            # It scrolls, so that a keyboard has to reach it.
            return element("pre", {"tabindex": "0"}, element("code", None, node.content.rstrip("\n")))
        pictured = _lone_picture(node)
        if pictured is not None and (known := self._pictures.get(pictured)) is not None:
            return known
        return element(_tag(node), None, *self._children(node))

    def _children(self, node: SyntaxTreeNode) -> list[Content]:
        found: list[Content] = []
        for child in node.children:
            # A tight list's paragraphs are marked to be left out.
            if child.type == "inline":
                found += _inline(child)
            elif child.type == "paragraph" and child.hidden:
                found += self._children(child)
            else:
                found.append(self._block(child))
        return found

    def _heading(self, node: SyntaxTreeNode) -> Element:
        made = element(node.tag, None, *self._children(node))
        level, said = int(node.tag[1:]), text_of(made)
        made.set("id", self._id(said))
        if level > 1:
            self._headings = [*self._headings[: level - 2], said]
        return made

    def _id(self, text: str) -> str:
        words = "-".join(re.findall(r"[a-z0-9]+", text.lower()))[:40]
        stem = name = words or "part"
        number = 1
        while name in self._taken:
            number += 1
            name = f"{stem}-{number}"
        self._taken.add(name)
        return name

    def _table(self, node: SyntaxTreeNode) -> Element:
        rows = [[_cell(cell) for cell in row.children] for part in node.children for row in part.children]
        caption = self._caption()
        return table(self._id(f"table {caption}"), caption, rows[0], rows[1:])

    def _caption(self) -> str:
        """The headings above, the outer one only where the inner doesn't begin with it."""
        outer = self._headings[0]
        inner = self._headings[-1]
        return inner if inner.startswith(outer) else f"{outer}: {inner}"


def _lone_picture(node: SyntaxTreeNode) -> str | None:
    """The address of the picture that is all there is in a paragraph."""
    if node.type != "paragraph" or len(node.children) != 1:
        return None
    inline = node.children[0].children
    return str(inline[0].attrGet("src")) if len(inline) == 1 and inline[0].type == "image" else None


def _cell(node: SyntaxTreeNode) -> Cell:
    content = [part for child in node.children for part in _inline(child)]
    return Cell(tuple(content), "right" in str(node.attrGet("style") or ""))


def _inline(node: SyntaxTreeNode) -> list[Content]:
    found: list[Content] = []
    for child in node.children:
        found += _inline_parts(child)
    return found


def _inline_parts(node: SyntaxTreeNode) -> Sequence[Content]:
    if node.type in ("text", "text_special"):
        return [node.content]
    if node.type == "softbreak":
        return ["\n"]
    if node.type == "hardbreak":
        return [element("br")]
    if node.type == "code_inline":
        return [element("code", None, node.content)]
    if node.type == "image":
        # Of a picture that isn't here its words remain.
        return [f"[{node.content}]"]
    if node.type == "link":
        address = str(node.attrGet("href"))
        words = _inline(node)
        return [element("a", {"href": address}, *words)] if _RELATIVE.fullmatch(address) else words
    return [element(_tag(node), None, *_inline(node))]


def _tag(node: SyntaxTreeNode) -> str:
    if node.tag not in _PLAIN:
        raise ValueError(f"Markdown of type {node.type} has no HTML: give it one in {__name__}")
    return node.tag
