"""HTML as a tree: text and attributes are escaped by the serialiser, and by nothing else.

No markup is ever joined from strings, so there is no place at which a foreign name could become a tag. Only
`style` and `script` hold raw text, as HTML wants it: they are files of this package.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

__all__ = ["Content", "Element", "document_text", "element", "extend", "text_of"]

Element = ElementTree.Element
Content = Element | str
_RAW = ("style", "script")


def element(tag: str, attributes: Mapping[str, str] | None = None, *children: Content) -> Element:
    """An element with these children, in order."""
    made = Element(tag, dict(attributes or {}))
    extend(made, children)
    return made


def extend(parent: Element, children: Sequence[Content]) -> None:
    """Appends elements and text. The library keeps text in two places, which is hidden here."""
    for child in children:
        if not isinstance(child, str):
            parent.append(child)
        elif len(parent):
            parent[-1].tail = (parent[-1].tail or "") + child
        else:
            parent.text = (parent.text or "") + child


def text_of(root: Element) -> str:
    """All text inside, without markup."""
    return "".join(root.itertext())


def document_text(root: Element) -> str:
    """The document in HTML's syntax. Raises ValueError for a style or script that would end itself."""
    for raw in root.iter():
        if raw.tag in _RAW and "</" in text_of(raw):
            raise ValueError(f"the text of <{raw.tag}> holds '</', which would end it")
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html") + "\n"
