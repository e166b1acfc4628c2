"""Long lists of whole numbers, read from their text as an array."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["whole_numbers"]

_BLANK, _COMMA, _ZERO, _NINE = b" ,09"
# Characters that are read at once, as one number of 64 bits, and how many of them a number may have.
_AT_ONCE, _TWICE = 8, 16


def whole_numbers(texts: Sequence[msgspec.Raw], counts: Sequence[int], largest: int) -> NDArray[np.int64]:
    """The numbers of JSON lists, one list after another, as `msgspec.Raw` has seen that they are JSON.

    All are read at once: for each by itself it takes twice as long. Raises ValueError where one isn't a list
    of so many whole numbers from 1 to `largest`, of at most 16 characters and aligned to the right.
    """
    contents = [bytes(text) for text in texts]
    by_width: dict[int, list[int]] = {}
    for place, (content, count) in enumerate(zip(contents, counts, strict=True)):
        by_width.setdefault(_width(content, count), []).append(place)
    numbers = np.empty(sum(counts), dtype=np.int64)
    ends = list(itertools.accumulate(counts))
    for width, places in by_width.items():
        # Behind its last number a list has a bracket, where others have a comma.
        rows = b"".join([contents[place][1:] for place in places])
        found = _of_a_table(rows, len(places), width)
        start = 0
        for place in places:
            stop = start + counts[place]
            numbers[ends[place] - counts[place] : ends[place]] = found[start:stop]
            start = stop
    # One that is too large for the type is too wide for a table.
    if len(numbers) and (numbers.min() < 1 or numbers.max() > largest):
        raise ValueError(f"a number below 1 or above {largest}")
    return numbers


def _width(content: bytes, count: int) -> int:
    """Of a number with what stands behind it."""
    if content[:1] != b"[" or count < 1:
        raise ValueError("no list of numbers")
    width, rest = divmod(len(content) - 1, count)
    if rest or not 2 <= width <= _TWICE + 1:
        raise ValueError("a list of numbers that aren't aligned")
    return width


def _of_a_table(rows: bytes, lists: int, width: int) -> NDArray[np.uint64]:
    """The numbers of rows of `width` characters, which come from so many lists."""
    _check(np.frombuffer(rows, dtype=np.uint8), lists, width)
    text = b" " * _TWICE + rows
    count, digits = len(rows) // width, width - 1
    end = _TWICE + digits  # of the first number
    numbers = _eight_digits(text, count, width, end - _AT_ONCE, min(digits, _AT_ONCE))
    if digits > _AT_ONCE:
        upper = _eight_digits(text, count, width, end - _TWICE, digits - _AT_ONCE)
        numbers = numbers + upper * np.uint64(10**_AT_ONCE)
    return numbers


def _check(characters: NDArray[np.uint8], lists: int, width: int) -> None:
    """Raises ValueError where a row is anything else than blanks, digits and a comma, or a list's bracket.

    Blanks between digits, and none of these at all, are no JSON. Below the digits are signs, points and
    blanks; above them letters, quotes and brackets.
    """
    table = characters.reshape(-1, width)
    if np.count_nonzero(characters > _NINE) != lists:
        raise ValueError("something else than whole numbers")
    if np.count_nonzero(table[:, -1] == _COMMA) != len(table) - lists or (table[:, -2] < _ZERO).any():
        raise ValueError("numbers that aren't aligned")
    commas_and_blanks = len(table) - lists + np.count_nonzero(characters == _BLANK)
    if np.count_nonzero(characters < _ZERO) != commas_and_blanks:
        raise ValueError("something else than whole numbers")


def _eight_digits(text: bytes, count: int, width: int, start: int, digits: int) -> NDArray[np.uint64]:
    """The last so many of eight characters, in every row, as a number.

    Digits are joined to pairs, pairs to fours and fours to eights, all of a number at once (Lemire, Quickly
    parsing eight digits, 2018). The first character is the lowest byte. The low half of a digit's character
    is the digit, that of a blank 0.
    """
    words = np.ndarray((count,), dtype="<u8", buffer=text, offset=start, strides=(width,))
    found = words & np.uint64((0x0F0F0F0F0F0F0F0F << 8 * (_AT_ONCE - digits)) & (2**64 - 1))
    for shift, mask in ((8, 0x00FF00FF00FF00FF), (16, 0x0000FFFF0000FFFF), (32, 0x00000000FFFFFFFF)):
        found = (found * np.uint64(10 ** (shift // 8)) + (found >> np.uint64(shift))) & np.uint64(mask)
    return found
