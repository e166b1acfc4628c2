"""A list of whole numbers is read as one by one, and nothing else is."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.history.whole_numbers import whole_numbers

pytestmark = pytest.mark.nopaddle

LARGEST = 10**18


def raw(text: str) -> msgspec.Raw:
    return msgspec.Raw(text.encode())


@given(st.lists(st.integers(1, LARGEST), min_size=1, max_size=99))
def test_it_is_what_json_says(numbers: list[int]) -> None:
    text = json.dumps(numbers, separators=(",", ":"))
    assert whole_numbers(raw(text), len(numbers), LARGEST).tolist() == json.loads(text)


@given(st.lists(st.integers(1, LARGEST), min_size=1, max_size=30), st.integers(0, 3))
def test_it_may_be_aligned(numbers: list[int], more: int) -> None:
    width = max(len(str(number)) for number in numbers) + more
    text = "[" + ",".join(str(number).rjust(width) for number in numbers) + "]"
    assert json.loads(text) == numbers
    if width <= 16:
        assert whole_numbers(raw(text), len(numbers), LARGEST).tolist() == numbers
    elif more:
        with pytest.raises(ValueError, match="numbers between blanks"):
            whole_numbers(raw(text), len(numbers), LARGEST)


@pytest.mark.parametrize("digits", range(1, 19))
def test_any_number_of_digits(digits: int) -> None:
    numbers = [10 ** (digits - 1), 10**digits - 1, 10**digits // 7 + 10 ** (digits - 1)]
    text = json.dumps(numbers, separators=(",", ":"))
    assert whole_numbers(raw(text), 3, LARGEST).tolist() == numbers


BAD = (
    *("[]", "[0]", "[5,0]", "[0,5]", "[-5]", "[5.0]", "[5e3]", "[5 ]", "[5, 66]", "[5 ,6 ]", "[ 5,\n6]"),
    *("[5\n]", "[[5]]", "[5,[6]]", '["5"]', '"5"', '"[5]"', "5", "555", "null", "true", "{}", '{"a":[5]}'),
    *("[null]", "[[5],[6]]", "[[]]", "[ 5,-6]", "[ 5,.6]", "[15,1e]", "[55,0 ]", "[ 0,55]"),
    *(f"[{LARGEST + 1}]", "[9223372036854775808]", "[99999999999999999999999]"),
)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_anything_else_is_refused(bad: str, count: int) -> None:
    with pytest.raises(ValueError, match=r"numbers?\b"):
        whole_numbers(raw(bad), count, LARGEST)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_another_number_of_numbers_is_refused(count: int) -> None:
    with pytest.raises(ValueError, match=f"2 numbers instead of {count}"):
        whole_numbers(raw("[5,6]"), count, LARGEST)
