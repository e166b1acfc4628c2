"""The HTML report in a real browser: it runs without errors, fetches nothing, sorts, fits, can be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench.report import write_report
from bench.report.text import printable, without_paths
from tests.bench.browsing import contrasts, launched, opened
from tests.bench.suites import HOSTILE_NAMES
from tests.bench.target_suites import hostile_with_targets, troubled_with_targets
from tests.bench.training_logs import TROUBLED_TRAINING, Training, write_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.nopaddle

_PHONE = {"width": 360, "height": 740}
# A4 between its margins, in CSS pixels.
_SHEET = {"width": 688, "height": 1000}
_LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = write_run(tmp_path_factory.mktemp("troubled"), troubled_with_targets(), TROUBLED_TRAINING)
    write_report(run)
    return run / "report.html"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = [Training(name, correct=520) for name in HOSTILE_NAMES]
    run = write_run(tmp_path_factory.mktemp("hostile"), hostile_with_targets(), runs)
    write_report(run)
    return run / "report.html"


@pytest.fixture(params=["troubled", "hostile"])
def either(request: pytest.FixtureRequest) -> Path:
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Path)
    return found


def test_it_runs_without_an_error_and_fetches_nothing(browser: Browser, either: Path) -> None:
    watched = opened(browser, either)
    page = watched.page
    for button in page.locator("thead button").all()[:12]:
        button.click()
    for mark in page.locator("circle.value").all()[:6]:
        mark.hover(force=True)
    assert page.locator("thead button").count() > 40
    assert watched.errors == []
    assert watched.requests == [either.as_uri()]
    page.close()


def test_the_policy_holds_even_if_markup_got_in(browser: Browser, hostile: Path) -> None:
    """What the escaping prevents is tried from inside: the second wall stands by itself."""
    watched = opened(browser, hostile)
    attacks = (
        "<img src='https://x.example/a.png' onerror='window.hit = 1'>"
        "<iframe src='https://x.example/'></iframe><svg onload='window.hit = 2'></svg>"
        "<link rel=stylesheet href='https://x.example/a.css'><p style='color: red' id=styled>x</p>"
    )
    watched.page.evaluate("text => document.body.insertAdjacentHTML('beforeend', text)", attacks)
    refused = watched.page.evaluate("fetch('https://x.example/').then(() => false, () => true)")
    assert refused
    assert watched.page.evaluate("window.hit") is None
    assert watched.page.evaluate("getComputedStyle(styled).color") != "rgb(255, 0, 0)"
    # What the policy stops is asked for, and never sent.
    asked = {url for url in watched.requests if not url.startswith("file:")}
    assert len(asked) >= 2
    assert {url: watched.failed.get(url) for url in asked} == dict.fromkeys(asked, "csp")
    assert any("Content Security Policy" in error for error in watched.errors)
    watched.page.close()


def test_a_hostile_name_stays_text(browser: Browser, hostile: Path) -> None:
    watched = opened(browser, hostile)
    page = watched.page
    cells = {" ".join(text.split()) for text in page.locator("tbody th, tbody td").all_text_contents()}
    for name in HOSTILE_NAMES:
        assert without_paths(printable(name)) in cells
    labels = page.locator("circle.value").evaluate_all(
        "marks => marks.map(m => m.getAttribute('aria-label'))"
    )
    assert any("=cmd()" in label for label in labels)
    assert page.locator("img, iframe, b, form, a:not([href^='#'])").count() == 0
    assert watched.errors == []
    page.close()


def column(page: Page, table: int, name: str) -> list[str]:
    heads = page.locator("table").nth(table).locator("thead th").all_text_contents()
    index = [head.strip() for head in heads].index(name)
    rows = page.locator("table").nth(table).locator("tbody tr").all()
    return [row.locator("th, td").nth(index).text_content() or "" for row in rows]


def table_of(page: Page, caption: str) -> int:
    return page.locator("caption").all_text_contents().index(caption)


def test_tables_sort_by_click(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled).page
    index = table_of(page, "Throughput and latency: eager")
    before = column(page, index, "p50 ms")
    head = page.locator("table").nth(index).locator("thead th", has_text="p50 ms")
    states = []
    orders = []
    for _ in range(3):
        head.locator("button").click()
        states.append(head.get_attribute("aria-sort"))
        orders.append(column(page, index, "p50 ms"))
    assert states == ["ascending", "descending", "none"]
    # The case that was skipped has no figure and comes last either way.
    assert before[-1] == orders[0][-1] == orders[1][-1] == ""
    figures = [float(text) for text in orders[0][:-1]]
    assert figures == sorted(map(float, before[:-1]))
    assert orders[1][:-1] == orders[0][:-1][::-1]
    assert orders[2] == before
    page.close()


def test_tables_sort_by_keyboard_and_one_column_at_a_time(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled).page
    index = table_of(page, "Memory: eager")
    heads = page.locator("table").nth(index).locator("thead th")
    heads.nth(1).locator("button").focus()
    page.keyboard.press("Enter")
    assert column(page, index, "Variant") == sorted(column(page, index, "Variant"))
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    sizes = column(page, index, "Peak resident")
    assert [head.get_attribute("aria-sort") for head in heads.all()] == ["none", "none", "ascending", "none"]
    assert sizes[:2] == ["310.3 MiB", "312.3 MiB"]
    assert page.evaluate("document.activeElement.textContent") == "Peak resident"
    page.close()


def test_sizes_in_different_units_are_sorted_by_size(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled).page
    index = table_of(page, "Memory: eager")
    page.locator("table").nth(index).locator("thead button").nth(3).click()
    page.locator("table").nth(index).locator("thead button").nth(3).click()
    sizes = column(page, index, "Peak of tensors")
    assert sizes[0].endswith("MiB")
    assert sizes[-2] == "478.5 KiB"
    assert sizes[-1] == ""
    page.close()


def test_values_are_shown_on_hover_and_on_focus(browser: Browser, troubled: Path) -> None:
    watched = opened(browser, troubled)
    page = watched.page
    tip = page.locator("#tip")
    assert tip.is_hidden()
    panel = page.locator(
        ".panels svg[aria-label^='eager']", has=page.locator("circle[aria-label*='images/s']")
    ).last
    panel.scroll_into_view_if_needed()
    marks = panel.locator("circle.value")
    marks.nth(1).hover(force=True)
    assert tip.text_content() == marks.nth(1).get_attribute("aria-label")
    page.mouse.move(0, 0)
    assert tip.is_hidden()
    marks.first.focus()
    for key, index in (("ArrowRight", 1), ("End", -1), ("ArrowLeft", -2), ("Home", 0)):
        page.keyboard.press(key)
        focused = page.evaluate("document.activeElement.getAttribute('aria-label')")
        assert focused == marks.nth(index % marks.count()).get_attribute("aria-label")
        assert tip.is_visible()
        assert tip.text_content() == focused
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert panel.locator("circle[tabindex='0']").count() == 1
    assert watched.errors == []
    page.close()


@pytest.mark.parametrize("viewport", [_PHONE, {"width": 1280, "height": 900}], ids=["phone", "desk"])
def test_the_page_never_scrolls_sideways(browser: Browser, either: Path, viewport: dict[str, int]) -> None:
    page = opened(browser, either, viewport=viewport).page
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    if viewport is _PHONE:
        wide = page.locator(".scroll").evaluate_all(
            "all => all.filter(b => b.scrollWidth > b.clientWidth).length"
        )
        assert wide > 3
    page.close()


def test_wide_tables_are_scrolled_by_keyboard(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled, viewport=_PHONE, reduced_motion="reduce").page
    box = page.locator(".scroll").first
    box.focus()
    page.keyboard.press("ArrowRight")
    # Not by the browser's own waiting, whose second look is code that the page's policy refuses.
    deadline = time.monotonic() + 10
    while not box.evaluate("b => b.scrollLeft > 0"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)
    assert box.evaluate("b => getComputedStyle(b).outlineStyle") != "none"
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read(browser: Browser, troubled: Path, scheme: str) -> None:
    page = opened(browser, troubled, color_scheme=scheme).page
    page.locator("circle.value").first.focus()
    found = contrasts(page)
    assert len(found) > 300
    assert [text for contrast, text in found if contrast < _LEAST_CONTRAST] == []
    page.close()


def test_light_and_dark_differ_and_plots_follow(browser: Browser, troubled: Path) -> None:
    shots, plots = [], []
    for scheme in ("light", "dark"):
        page = opened(browser, troubled, color_scheme=scheme).page
        shots.append(page.screenshot())
        plots.append(page.locator(".panels svg").first.screenshot())
        brightness = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert brightness == ("rgb(255, 255, 255)" if scheme == "light" else "rgb(27, 31, 36)")
        page.close()
    assert shots[0] != shots[1]
    assert plots[0] != plots[1]


def test_on_paper_nothing_is_cut_and_nothing_is_dark(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled, viewport=_SHEET, color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("document.documentElement.scrollWidth") <= _SHEET["width"]
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("nav").is_hidden()
    assert page.locator("circle.value").first.is_visible()
    assert [text for contrast, text in contrasts(page) if contrast < _LEAST_CONTRAST] == []
    assert page.pdf(format="A4", print_background=True).startswith(b"%PDF")
    page.close()


def test_who_asked_for_less_motion_gets_none(browser: Browser, troubled: Path) -> None:
    for motion, behaviour in (("reduce", "auto"), ("no-preference", "smooth")):
        page = opened(browser, troubled, reduced_motion=motion).page
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == behaviour
        page.close()


def test_the_first_stop_skips_to_the_report(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled, reduced_motion="reduce").page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the report"
    assert page.locator(".skip").evaluate("a => a.getBoundingClientRect().left") >= 0
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'content'")
    page.close()


def test_without_scripts_everything_is_there(browser: Browser, troubled: Path) -> None:
    page = opened(browser, troubled, java_script_enabled=False).page
    assert page.locator("thead button").count() == 0
    assert page.locator("circle.value > title").count() > 100
    assert page.locator("tbody tr").count() > 80
    page.close()
