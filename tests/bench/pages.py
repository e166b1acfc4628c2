"""Reads an HTML page back into a tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

__all__ = ["Node", "parsed"]

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"}


@dataclass
class Node:
    """An element of a page with its children; text is a child too."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    def walk(self) -> Iterator[Node]:
        """Itself and every element below, in the page's order."""
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    def all(self, *tags: str) -> list[Node]:
        """Every element below with one of these tags."""
        return [node for node in self.walk() if node.tag in tags]

    def text(self, without: tuple[str, ...] = ()) -> str:
        """What a reader sees, in single spaces; elements with the tags in `without` are left out."""
        return " ".join("".join(self._texts(without)).split())

    def _texts(self, without: tuple[str, ...]) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            elif child.tag not in without:
                # Cells and lines don't run into each other.
                edge = " " if child.tag in _APART else ""
                yield from (edge, *child._texts(without), edge)


_APART = {"p", "li", "ul", "ol", "td", "th", "tr", "caption", "h1", "h2", "h3", "h4", "pre", "br", "section"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("page")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        closed = self._open.pop()
        assert closed.tag == tag, f"</{tag}> ends <{closed.tag}>"

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def finish(self) -> Node:
        self.close()
        assert self._open == [self.root], "an element is still open"
        return self.root


def parsed(text: str) -> Node:
    """The page as a tree; fails where an element isn't closed, or not in order."""
    reader = _Reader()
    reader.feed(text)
    return reader.finish()
