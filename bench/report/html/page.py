"""The whole page: one file with its style, script and pictures, and a policy that forbids all else."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from importlib import resources

from bench.report.html.colours import PAPER_DARK, PAPER_LIGHT, dark_rules
from bench.report.html.document import document
from bench.report.html.elements import Element, document_text, element, text_of
from bench.report.html.pictures import Picture

__all__ = ["page"]

# Where the style sheet takes in the colours of the plots.
_PLOT_COLOURS = "/* plot colours */"


def page(markdown: str, pictures: Mapping[str, Picture]) -> str:
    """The report's Markdown as a page; `pictures` are by the address under which it links them.

    Raises ValueError for markup that the page has no form for.
    """
    figures = {address: found.figure for address, found in pictures.items()}
    parts, titles = document(markdown, figures)
    heading = next((part for part in parts[0] if part.tag == "h1"), None)
    title = "Benchmark report" if heading is None else text_of(heading)
    style = _asset("page.css").replace(_PLOT_COLOURS, dark_rules())
    script = _asset("page.js")
    return document_text(
        element(
            "html",
            {"lang": "en"},
            _head(title, style, _policy(style, script)),
            element(
                "body",
                None,
                element("a", {"class": "skip", "href": "#content"}, "Skip to the report"),
                _definitions(pictures),
                parts[0],
                _contents(titles),
                element("main", {"id": "content", "tabindex": "-1"}, *parts[1:]),
                element("div", {"id": "tip", "aria-hidden": "true", "hidden": "hidden"}),
                element("script", None, script),
            ),
        )
    )


def _head(title: str, style: str, policy: str) -> Element:
    return element(
        "head",
        None,
        element("meta", {"charset": "utf-8"}),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": policy}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        element("meta", {"name": "color-scheme", "content": "light dark"}),
        *_theme("light", PAPER_LIGHT),
        *_theme("dark", PAPER_DARK),
        element("title", None, title),
        element("style", None, style),
    )


def _theme(scheme: str, colour: str) -> list[Element]:
    media = f"(prefers-color-scheme: {scheme})"
    return [element("meta", {"name": "theme-color", "content": colour, "media": media})]


def _policy(style: str, script: str) -> str:
    """Nothing is fetched, and no style or script runs but these two, whatever a name may hold."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src {_digest(style)}",
            f"script-src {_digest(script)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _definitions(pictures: Mapping[str, Picture]) -> Element:
    """Shapes that pictures refer to, each once. Hidden by its size: what isn't rendered can't be used."""
    every = {name: shape for found in pictures.values() for name, shape in found.definitions.items()}
    hidden = {"class": "shapes", "width": "0", "height": "0", "aria-hidden": "true"}
    return element("svg", hidden, element("defs", None, *every.values()))


def _contents(titles: list[tuple[str, str]]) -> Element:
    links = [element("li", None, element("a", {"href": f"#{name}"}, title)) for name, title in titles]
    return element("nav", {"aria-label": "Contents"}, element("ul", None, *links))


def _asset(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")
