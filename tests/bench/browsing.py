"""A headless Chromium for tests, and pages that are watched in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

__all__ = ["Watched", "contrasts", "launched", "opened"]

_COMMANDS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_VARIABLE = "DYRELU_CHROMIUM"

# No network of its own, no graphics card, and nothing kept between runs.
_ARGUMENTS = (
    *("--disable-gpu", "--disable-quic", "--disable-sync", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update"),
)
# For every text that is seen: its contrast to the nearest background. Colours come as rgb() or rgba().
_CONTRASTS = """
() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (c) => {
    const s = c.slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * s[0] + 0.7152 * s[1] + 0.0722 * s[2];
  };
  const paper = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const c = parse(getComputedStyle(at).backgroundColor);
      if (c.length === 3 || c[3] > 0) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const node of document.body.querySelectorAll("*:not(script):not(circle):not(title)")) {
    const texts = Array.from(node.childNodes).filter((c) => c.nodeType === 3);
    const own = texts.map((c) => c.data.trim()).join("");
    if (!own || !node.getClientRects().length) continue;
    const style = getComputedStyle(node);
    const ink = parse(node.closest("svg") ? style.fill : style.color);
    const [a, b] = [light(ink), light(paper(node))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), own.slice(0, 40)]);
  }
  return found;
}
"""


@dataclass
class Watched:
    """A page, and what it did."""

    page: Page
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)


@contextmanager
def launched() -> Iterator[Browser]:
    """The browser; skips the test where the driver or the browser is missing, with the remedy."""
    driver = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install '.[test,browser]'")
    path = _chromium()
    with driver.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield found
        found.close()


def _chromium() -> str:
    named = os.environ.get(_VARIABLE)
    if named:
        assert Path(named).is_file(), f"{_VARIABLE}={named}: there is no such file"
        return named
    found = next(filter(None, map(shutil.which, _COMMANDS)), None)
    if found is None:
        pytest.skip(f"no Chromium: install it (Debian: apt-get install chromium) or name it in {_VARIABLE}")
    return found


def opened(browser: Browser, file: Path, **settings: Any) -> Watched:
    """A new page with the file; `settings` are the driver's own, such as `viewport` and `color_scheme`."""
    page = browser.new_page(**settings)
    watched = Watched(page)
    page.on("request", lambda request: watched.requests.append(request.url))
    page.on("requestfailed", lambda request: watched.failed.update({request.url: str(request.failure)}))
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("console", lambda message: watched.errors.append(message.text))
    page.on("dialog", lambda dialog: watched.errors.append(f"dialog: {dialog.message}"))
    page.goto(file.as_uri())
    return watched


def contrasts(page: Page) -> list[tuple[float, str]]:
    """Of every text that is seen: its contrast to the nearest background, and how it begins."""
    return [(float(contrast), str(text)) for contrast, text in page.evaluate(_CONTRASTS)]
