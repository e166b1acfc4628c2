"""A long list of whole numbers, read from its text as an array."""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

__all__ = ["whole_numbers"]

_BLANK, _COMMA, _ZERO, _NINE, _OPENING, _CLOSING = b" ,09[]"
# Characters that are read at once, as one number of 64 bits, and how many of them a number may have.
_AT_ONCE, _TWICE = 8, 16


def whole_numbers(text: msgspec.Raw, count: int, largest: int) -> NDArray[np.int64]:
    """The numbers of a JSON list, as `msgspec.Raw` has seen that it is JSON.

    Raises ValueError where it isn't a list of `count` whole numbers from 1 to `largest`, or has blanks other
    than those that align its numbers to the right.
    """
    characters = np.frombuffer(text, dtype=np.uint8)
    inside = characters[1:-1]
    if not len(inside) or (characters[0], characters[-1]) != (_OPENING, _CLOSING):
        raise ValueError("no list of numbers")
    commas, blanks = np.count_nonzero(inside == _COMMA), np.count_nonzero(inside == _BLANK)
    # Below the digits are signs, points and blanks; above them letters, quotes and brackets.
    if inside.max() > _NINE or np.count_nonzero(inside < _ZERO) != commas + blanks:
        raise ValueError("something else than whole numbers")
    if commas + 1 != count:
        raise ValueError(f"{commas + 1} numbers instead of {count}")
    # Of a number with the comma after it.
    width, rest = divmod(len(inside) + 1, count)
    if not rest and width <= _TWICE + 1 and _is_aligned(characters[1:].reshape(count, width)):
        numbers = _of_a_table(bytes(text), count, width)
    elif not blanks:
        numbers = np.fromstring(inside.tobytes(), dtype=np.int64, sep=",", count=count)
    else:
        raise ValueError("numbers between blanks")
    # One that is too large for the type comes out as the largest of the type.
    if numbers.min() < 1 or numbers.max() > largest:
        raise ValueError(f"a number below 1 or above {largest}")
    return numbers


def _is_aligned(table: NDArray[np.uint8]) -> bool:
    """Whether every row ends in a digit and a comma. Blanks inside a number, or nothing else, are no JSON."""
    return bool((table[:-1, -1] == _COMMA).all() and (table[:, -2] >= _ZERO).all())


def _of_a_table(text: bytes, count: int, width: int) -> NDArray[np.int64]:
    """The numbers of a text whose rows have `width` characters, the comma included."""
    text = b" " * _TWICE + text
    end = _TWICE + width  # of the first number: behind the bracket, before the comma
    digits = width - 1
    numbers = _eight_digits(text, count, width, end - _AT_ONCE, min(digits, _AT_ONCE))
    if digits > _AT_ONCE:
        upper = _eight_digits(text, count, width, end - _TWICE, digits - _AT_ONCE)
        numbers = numbers + upper * np.uint64(10**_AT_ONCE)
    return numbers.astype(np.int64)


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
