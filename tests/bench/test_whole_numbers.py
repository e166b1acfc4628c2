"""Lists of whole numbers are read as one by one, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.columns import aligned
from bench.history.whole_numbers import whole_numbers

pytestmark = pytest.mark.nopaddle

LARGEST = 10**16
ALIGNED = "aligned"


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


def read(texts: Sequence[str], counts: Sequence[int] | None = None, largest: int = LARGEST) -> list[int]:
    counts = [len(json.loads(text)) for text in texts] if counts is None else counts
    found: list[int] = whole_numbers([raw(text) for text in texts], counts, largest).tolist()
    return found


def in_line(numbers: Sequence[int], more: int = 0) -> str:
    width = max(len(str(number)) for number in numbers) + more
    return "[" + ",".join(str(number).rjust(width) for number in numbers) + "]"


LISTS = st.lists(
    st.integers(1, 16).flatmap(
        lambda digits: st.lists(st.integers(1, 10**digits - 1), min_size=1, max_size=30).map(in_line)
    ),
    max_size=9,
)


@given(LISTS)
def test_it_is_what_json_says(texts: list[str]) -> None:
    assert read(texts) == [number for text in texts for number in json.loads(text)]


@given(st.lists(st.integers(1, LARGEST - 1), min_size=1, max_size=30), st.integers(0, 3))
def test_there_may_be_more_blanks(numbers: list[int], more: int) -> None:
    text = in_line(numbers, more)
    if len(text) - 1 <= 17 * len(numbers):
        assert read([text]) == numbers
    else:
        with pytest.raises(ValueError, match=ALIGNED):
            read([text])


@given(st.lists(st.lists(st.integers(1, LARGEST - 1), min_size=1, max_size=9), min_size=1, max_size=5))
def test_what_a_suite_is_written_with_can_be_read(lists: list[list[int]]) -> None:
    texts = [bytes(aligned(numbers)).decode() for numbers in lists]
    assert read(texts) == [number for numbers in lists for number in numbers]


@pytest.mark.parametrize("digits", range(1, 17))
def test_any_number_of_digits(digits: int) -> None:
    numbers = [10 ** (digits - 1), 10**digits - 1, 10**digits // 7 + 10 ** (digits - 1)]
    assert read([in_line(numbers)]) == numbers


BAD = (
    *("[]", "[0]", "[5,0]", "[0,5]", "[-5]", "[5.0]", "[5e3]", "[5 ]", "[5, 66]", "[5 ,6 ]", "[ 5,\n6]"),
    *("[5\n]", "[[5]]", "[5,[6]]", '["5"]', '"5"', '"[5]"', "5", "555", "null", "true", "{}", '{"a":[5]}'),
    *(
        "[null]",
        "[[5],[6]]",
        "[[]]",
        "[ 5,-6]",
        "[ 5,.6]",
        "[15,1e]",
        "[55,0 ]",
        "[ 0,55]",
        "[[],[]]",
        "[5,]",
    ),
    *(f"[{LARGEST + 1}]", "[9223372036854775808]", "[99999999999999999999999]", "[ 5,6 ]", "[[  ]]"),
)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_anything_else_is_refused_wherever_it_stands(bad: str, count: int) -> None:
    for texts, counts in (
        ([bad], [count]),
        (["[5]", bad], [1, count]),
        ([bad, "[ 5,66]"], [count, 2]),
        (["[555,  6]", bad, "[1]"], [2, count, 1]),
    ):
        with pytest.raises(ValueError, match=r"numbers?\b"):
            read(texts, counts)


@pytest.mark.parametrize("count", [0, 1, 3, 4])
def test_another_number_of_numbers_is_refused(count: int) -> None:
    for text in ("[5,6]", "[ 5, 6]", "[12345678,      22]"):
        with pytest.raises(ValueError, match=r"numbers?\b"):
            read([text], [count])


def test_what_two_lists_have_too_few_and_too_many_is_refused() -> None:
    with pytest.raises(ValueError, match=r"numbers?\b"):
        read(["[5,6,7]", "[8]"], [2, 2])


@pytest.mark.parametrize("number", [0, 8])
def test_each_list_is_held_to_the_bounds(number: int) -> None:
    with pytest.raises(ValueError, match="below 1 or above 7"):
        read(["[1]", f"[7,{number}]"], largest=7)
    assert read(["[1]", "[7,6]"], largest=7) == [1, 7, 6]
