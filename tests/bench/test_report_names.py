"""Foreign names in every output: they stay names, in Markdown, in HTML and in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.cells import csv_text, number
from bench.report.html import page
from bench.report.html.document import document
from bench.report.html.elements import text_of
from bench.report.layout import Notes, bullets, table
from bench.report.text import defused, escape, fence, guard, printable, without_paths
from tests.bench.pages import parsed

pytestmark = pytest.mark.nopaddle


def shown(text: str) -> list[str]:
    """The kinds of elements that a piece of Markdown makes, and its text."""
    parts, _ = document(text, {})
    kinds = {node.tag for part in parts for node in part.iter()}
    return [" ".join(sorted(kinds - {"header"})), "".join(map(text_of, parts)).strip()]


def plain(text: str) -> str:
    return without_paths(printable(text))


# Signs that mean something to Markdown or HTML come often.
foreign = st.text(st.sampled_from("<>&\"'`*_[](){}#+-=.!|\\~$:@/ \n\t\r1wxa;") | st.characters(), max_size=30)


@given(foreign)
def test_a_foreign_name_stays_text_wherever_it_stands(name: str) -> None:
    expected, escaped = plain(name), escape(name)
    if expected:
        assert shown(escaped) == ["p", expected]
        assert shown(bullets([escaped])) == ["li ul", expected]
        assert shown(f"### {escaped}") == ["h3", expected]
    assert shown(f"**Speed, {escaped}.** a") == ["p strong", f"Speed, {expected}. a"]
    assert shown(f"x {escaped} x") == ["p", f"x {expected} x"]


@given(foreign)
def test_a_foreign_name_stays_in_its_cell(name: str) -> None:
    notes = Notes()
    cells = [[escape(name), f"1{notes.mark(escape(name))}"]]
    parts, _ = document(table(["Name", "Figure"], cells) + notes.text(), {})
    (row,) = (row for part in parts for body in part.iter("tbody") for row in body)
    assert text_of(row[0]) == plain(name)
    assert [cell.tag for cell in row] == ["th", "td"]
    assert not len(row[0])


@given(foreign)
def test_a_foreign_command_stays_in_its_block(command: str) -> None:
    assert shown(fence(command)) == ["code pre", plain(command)]


@given(foreign)
def test_no_foreign_text_becomes_a_tag_of_the_page(name: str) -> None:
    text = f"# Report: {escape(name)}\n\n## {escape(name)}\n\n{bullets([escape(name)])}\n"
    tree = parsed(page(text, {}))
    tags = {node.tag for node in tree.walk()}
    assert tags <= {
        *("page", "html", "head", "meta", "title", "style", "body", "a", "svg", "defs", "header", "h1"),
        *("nav", "ul", "li", "main", "section", "h2", "div", "script"),
    }
    assert tree.all("title")[0].text() == " ".join(f"Report: {plain(name)}".split())


@given(foreign)
def test_nothing_becomes_a_link_unasked(name: str) -> None:
    """GitHub's viewer links these without any markup; a backslash stops it (GFM 6.9)."""
    escaped = escape(f"x{name}https://a.example www.a.example a@b.example {name}")
    assert not re.search(r"[a-z]://|www\.|(?<=[^\s\\])@\w", escaped, re.IGNORECASE)


@pytest.mark.parametrize(
    "name", ["dyrelu_b", "resnet8-w16", "1x3x32x32", "-2+3", "v1.2", "3.5", "a:b", "a @ 2 GHz", "C++ (fast)"]
)
def test_ordinary_names_are_left_alone(name: str) -> None:
    assert escape(name) == name


FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@given(st.one_of(foreign, st.tuples(st.sampled_from(FORMULAS), foreign).map("".join)))
def test_no_cell_is_a_formula_whatever_column_a_name_got_into(name: str) -> None:
    """Also where a column forgot to guard its text."""
    for cell in (name, guard(name)):
        text = csv_text(["a", "b"], [{"a": cell, "b": "x"}])
        header, row = csv.reader(io.StringIO(text, newline=""))
        assert header == ["a", "b"]
        assert row[1] == "x"
        assert not row[0].startswith(FORMULAS) or re.fullmatch(r"-[\d.]+(e[+-]\d+)?", row[0])


@given(st.floats(allow_nan=False) | st.integers())
def test_numbers_stay_numbers(value: float) -> None:
    assert defused(number(value)) == number(value)


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20))
def test_ordinary_cells_stay_as_they_are(name: str) -> None:
    assert defused(name) == guard(name) == name
