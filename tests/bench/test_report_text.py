"""Foreign text in Markdown, CSV and code blocks; numbers in words."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from bench.record import Bound, Fact
from bench.report.formats import amount, bytes_text, estimate, fact_text, points, ratio, relative
from bench.report.layout import Notes, table
from bench.report.markdown import markdown
from bench.report.table import assemble
from bench.report.text import escape, fence, guard, printable, shorten, without_paths
from bench.statistics import Estimate
from bench.units import Unit
from tests.bench.suites import HOSTILE_NAMES, hostile_suite

pytestmark = pytest.mark.nopaddle

_PARSER = MarkdownIt("commonmark").enable("table")


def flat(text: str) -> list[Token]:
    found: list[Token] = []
    for token in _PARSER.parse(text):
        found += [token, *(token.children or [])]
    return found


@given(st.text(max_size=40))
def test_escaped_text_is_nothing_but_text(text: str) -> None:
    kinds = {token.type for token in flat(f"x {escape(text)} x")}
    assert kinds <= {"paragraph_open", "inline", "text", "text_special", "paragraph_close"}


@given(st.text(max_size=40))
def test_escaped_text_stays_in_its_cell(text: str) -> None:
    tokens = flat(table(["Name", "Figure"], [[f"n{escape(text)}", "1"]]))
    assert [token.type for token in tokens].count("td_open") == 2


@given(st.text(max_size=40))
def test_a_guarded_cell_is_no_formula(text: str) -> None:
    assert not guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(st.text(alphabet="`ab \n", max_size=30))
def test_a_fence_can_not_be_left(text: str) -> None:
    blocks = [token for token in flat(fence(text)) if token.type == "fence"]
    assert [block.content.strip() for block in blocks] == [printable(text)]


def test_a_report_of_hostile_names_has_no_html_links_or_extra_headings() -> None:
    tokens = flat(markdown(assemble(hostile_suite(), ()), {}))
    kinds = {token.type for token in tokens}
    assert not kinds & {"html_inline", "html_block", "link_open", "image", "code_inline"}
    headings = [after.content for token, after in pairwise(tokens) if token.tag == "h1"]
    assert headings[0] == "Benchmark report: quick"
    rows = [token for token in tokens if token.type == "td_open"]
    assert len(rows) > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("see /home/me/x.log", "see …/x.log"),
        ("--out=/srv/runs/7/", "--out=…/7"),
        ("--out '/srv/a b/run'", "--out '…/run'"),
        ("file:///etc/passwd", "…/passwd"),
        ("resnet/eager/b8/relu", "resnet/eager/b8/relu"),
        ("a relative/path and 3 images/s", "a relative/path and 3 images/s"),
        ("https://example.org/a", "https://example.org/a"),
        ('File "/opt/x.py", line 3', 'File "…/x.py", line 3'),
    ],
)
def test_absolute_paths_keep_their_last_part_only(text: str, expected: str) -> None:
    assert without_paths(text) == expected


def test_names_inside_words_stay_readable() -> None:
    assert escape("dyrelu_b") == "dyrelu_b"
    assert escape("_x_") == "\\_x\\_"


@given(st.text(max_size=60), st.integers(3, 20))
def test_shortened_text_fits(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


def test_printable_drops_what_can_not_be_seen() -> None:
    assert printable(HOSTILE_NAMES[3]) == "_hidden [31m evil"


def test_the_same_note_gets_the_same_mark() -> None:
    notes = Notes()
    assert (notes.mark("a"), notes.mark("b"), notes.mark("a"), notes.mark("")) == (" ¹", " ²", " ¹", "")
    assert notes.text() == "\n\n¹ a  \n² b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1234.4, "1,234"), (85.34, "85.3"), (0.07123, "0.0712"), (0.0, "0"), (5.0, "5.00")],
)
def test_amounts_keep_three_digits(value: float, expected: str) -> None:
    assert amount(value) == expected


def test_estimates_show_an_interval_only_where_there_is_one() -> None:
    nan = float("nan")
    assert estimate(Estimate(85.34, 84.0, 86.0, 9)) == "85.3 (84.0–86.0)"
    assert estimate(Estimate(85.34, nan, nan, 3)) == "85.3"
    assert ratio(Estimate(0.71, 0.69, 0.73, 9)) == "0.710 (0.690–0.730)"
    assert ratio(Estimate(0.71, nan, nan, 3)) == "0.710"


def test_units_and_changes() -> None:
    assert bytes_text(512 * 1024) == "512.0 KiB"
    assert bytes_text(3 * 2**20) == "3.0 MiB"
    assert points(0.0056) == "+0.56"
    assert relative(11_360_662, 11_183_562) == "+1.6%"
    assert relative(100.04, 100) == "+0.040%"
    assert relative(350, 100) == "+250%"
    assert relative(7, 7) == "0%"
    assert fact_text(Fact("flops", Unit.FLOPS, 3, Bound.AT_LEAST), "3") == "≥ 3"
