"""The HTML report: it says what the Markdown says, stands alone, and a name can't become markup in it."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from bench.report.formats import amount, bytes_text, exact, percent
from bench.report.html import page, picture
from bench.report.html.colours import DARK, PAPER_DARK
from bench.report.html.document import document
from bench.report.html.elements import Element, document_text, element, text_of
from bench.report.html.tables import sort_number
from bench.report.layout import picture_path
from bench.report.markdown import markdown
from bench.report.plots import PLOTS
from bench.report.table import Report, assemble
from bench.target_answers import Answer
from bench.training_run import read_training_runs
from tests.bench.pages import Node, parsed
from tests.bench.suites import HOSTILE_NAMES
from tests.bench.target_suites import hostile_with_targets, troubled_with_targets
from tests.bench.training_logs import TROUBLED_TRAINING, Training, write_log

pytestmark = pytest.mark.nopaddle

# Well below what a mail or a phone takes; the largest published one is the measure.
_MOST_BYTES = 600_000


def assembled(folder: Path, *, hostile: bool) -> Report:
    runs = [Training(name) for name in HOSTILE_NAMES] if hostile else TROUBLED_TRAINING
    for run in runs:
        write_log(folder, run)
    suite = hostile_with_targets() if hostile else troubled_with_targets()
    return assemble(suite, read_training_runs(folder))


def texts(report: Report) -> tuple[str, str]:
    """The report as Markdown and as a page."""
    drawn = [plot for plot in PLOTS if plot.has_data(report)]
    text = markdown(report, {plot.name: plot.alternative for plot in drawn})
    return text, page(text, {picture_path(plot.name): picture(plot, report) for plot in drawn})


@pytest.fixture(scope="module", params=["troubled", "hostile"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Report:
    return assembled(tmp_path_factory.mktemp("training"), hostile=request.param == "hostile")


@pytest.fixture(scope="module")
def both(report: Report) -> tuple[str, str]:
    return texts(report)


@pytest.fixture(scope="module")
def tree(both: tuple[str, str]) -> Node:
    return parsed(both[1])


def one(tree: Node, tag: str) -> Node:
    (found,) = tree.all(tag)
    return found


def test_every_word_of_the_markdown_is_there(both: tuple[str, str], tree: Node) -> None:
    """Read by the parser's own renderer, which knows nothing of ours."""
    rendered = parsed(MarkdownIt("commonmark", {"html": False}).enable("table").render(both[0]))
    ours = one(tree, "header").text() + " " + one(tree, "main").text(without=("figure", "caption"))
    assert ours == rendered.text()


def test_every_picture_of_the_markdown_is_there(both: tuple[str, str], tree: Node) -> None:
    captions = [figure.all("figcaption")[0].text() for figure in tree.all("figure")]
    assert captions == [f"{alternative}." for alternative in re.findall(r"!\[(.+?)\]\(plots", both[0])]
    assert len(captions) == 6
    assert all(figure.all("circle") for figure in tree.all("figure"))


def test_nothing_is_fetched_and_nothing_else_may_run(both: tuple[str, str], tree: Node) -> None:
    assert not tree.all("img", "link", "iframe", "object", "embed", "base", "form", "image", "foreignobject")
    for node in tree.walk():
        assert not [name for name in node.attributes if name.startswith("on")]
        assert not node.attributes.keys() & {"style", "src", "srcset", "action"}
        assert node.attributes.get("href", "#").startswith("#")
    (policy,) = (
        node.attributes["content"]
        for node in tree.all("meta")
        if node.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        (text,) = one(tree, tag).children
        assert isinstance(text, str)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
        assert "url(" not in text
        assert "import" not in text
    assert len(both[1].encode()) < _MOST_BYTES


def test_what_assistive_technology_needs_is_there(tree: Node) -> None:
    assert one(tree, "html").attributes["lang"] == "en"
    assert one(one(tree, "head"), "title").text() == one(tree, "h1").text()
    levels = [int(node.tag[1]) for node in tree.all("h1", "h2", "h3", "h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    ids = [node.attributes["id"] for node in tree.walk() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    for node in tree.walk():
        for name in (node.attributes.get("aria-labelledby"), node.attributes.get("href", "")[1:]):
            assert not name or name in ids, name
        if node.tag == "use":
            assert node.attributes["href"][1:] in ids
        assert re.sub(r"url\(#|\)", "", node.attributes.get("clip-path", "")) in ["", *ids]


def test_tables_are_captioned_and_have_scopes(tree: Node) -> None:
    tables = tree.all("table")
    assert len(tables) >= 8
    for found in tables:
        assert found.all("caption")[0].text()
        assert {cell.attributes["scope"] for cell in found.all("thead")[0].all("th")} == {"col"}
        for row in found.all("tbody")[0].all("tr"):
            assert [cell.attributes["scope"] for cell in row.all("th")], row.text()


def place(shape: Element, x: str, y: str) -> tuple[float, float]:
    return float(shape.get(x, "nan")), float(shape.get(y, "nan"))


def test_each_mark_lies_on_its_sign(report: Report) -> None:
    for plot in PLOTS:
        # Curves have lines, whose points have no sign of their own.
        if plot.name == "learning_curves":
            continue
        for panel in picture(plot, report).figure.iter("svg"):
            signs = [place(use, "x", "y") for use in panel.iter("use")]
            for mark in panel.iter("circle"):
                x, y = place(mark, "cx", "cy")
                assert any(math.hypot(x - a, y - b) < 0.02 for a, b in signs), mark.get("aria-label")


def test_marks_say_what_the_tables_say(tmp_path: Path) -> None:
    text, html = texts(assembled(tmp_path, hostile=False))
    said = [mark.attributes["aria-label"] for mark in parsed(html).all("circle")]
    for words in (
        "dyrelu_a, batch 32: 6,156 (6,077–6,208) images/s, inconclusive",
        "dyrelu_b, batch 1: 0.704 (0.685–0.720) of relu",
        "relu, batch 128: 346.6 MiB",
    ):
        assert words in said
        assert words.split(": ")[1].split(" of ")[0].split(" images")[0] in text
    assert any(words.startswith("dyrelu_b, seed 0, epoch 12: validation accuracy 9") for words in said)
    assert any(words.startswith("dyrelu_a: 95.37% (") for words in said)
    bounds = [words for words in said if "bound ≥" in words]
    assert bounds
    assert all(words.endswith(tuple(f": {answer.value}" for answer in Answer)) for words in bounds)


def test_a_panel_is_one_stop_of_the_tabulator(tree: Node) -> None:
    panels = [node for node in tree.all("svg") if node.attributes.get("role") == "group"]
    assert len(panels) > 5
    for panel in panels:
        stops = [mark.attributes["tabindex"] for mark in panel.all("circle")]
        assert stops.count("0") == min(1, len(stops))
        assert panel.attributes["aria-label"]


def test_every_colour_of_every_plot_has_its_dark_counterpart(tree: Node) -> None:
    classes = " ".join(node.attributes.get("class", "") for node in tree.walk())
    used = set(re.findall(r"\b[sf]-([0-9a-f]{6})\b", classes))
    # What matplotlib calls the fill of an interval's caps, which are lines without any.
    assert used - {"1f77b4"} <= {colour.removeprefix("#") for colour in DARK}


def luminance(colour: str) -> float:
    """Relative luminance by WCAG 2.2."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_dark_colours_stand_out_and_differ() -> None:
    backs = ("#ffffff", "#e3e3e3")  # paper, and the grid, which is to be faint
    for light, dark in DARK.items():
        if light not in backs:
            assert (luminance(dark) + 0.05) / (luminance(PAPER_DARK) + 0.05) >= 3, light
    assert len(set(DARK.values())) == len(DARK)


def shown(text: str) -> list[str]:
    """The kinds of elements that a piece of Markdown makes, and its text."""
    parts, _ = document(text, {})
    kinds = {node.tag for part in parts for node in part.iter()}
    return [" ".join(sorted(kinds - {"header"})), "".join(map(text_of, parts)).strip()]


def test_what_no_section_uses_yet_has_its_form() -> None:
    text = "> a\n\n1. b\n\n---\n\n    c\n\n`d` **e** *f*  \ng\nh ![i](elsewhere.png) <b>j</b>\n"
    assert shown(text) == ["blockquote br code em hr li ol p pre strong", "abcd e fg\nh [i] <b>j</b>"]


def test_links_lead_to_files_beside_the_report_only() -> None:
    links = "[a](profile/trace.json) [b](https://x.example) [c](javascript:1) [d](//x.example)"
    parts, _ = document(links, {})
    assert [link.get("href") for part in parts for link in part.iter("a")] == ["profile/trace.json"]
    assert text_of(parts[0]) == "a b [c](javascript:1) d"


def test_a_style_that_would_end_itself_is_refused() -> None:
    with pytest.raises(ValueError, match="</"):
        document_text(element("html", None, element("style", None, "a::before{content:'</style>'}")))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1,234 (1,200–1,300)", 1234),
        ("≥ 26,315,264 ¹", 26_315_264),
        ("512.0 KiB", 2**19),
        ("3.0 MiB ²", 3 * 2**20),
        ("98.15%", 98.15),
        ("1 (reference)", 1),
        ("0.542, inconclusive ¹", 0.542),
        ("≤ 1.3 (aim)", 1.3),
        ("+0.33%", 0.33),
        ("skipped", None),
        ("³", None),
        ("", None),
    ],
)
def test_a_cell_is_sorted_by_its_figure(text: str, expected: float | None) -> None:
    assert sort_number(text) == expected


@given(st.floats(1e-6, 1e12), st.floats(1e-6, 1e12))
def test_figures_are_sorted_as_they_are_written(a: float, b: float) -> None:
    low, high = sorted((a, b))
    for written in (amount, exact, bytes_text, percent):
        one, other = sort_number(written(low)), sort_number(written(high))
        assert one is not None
        assert other is not None
        # Rounding may make two alike, and at the border of two units bring the larger one down by a digit.
        assert one <= other * 1.01
