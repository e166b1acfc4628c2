"""What an index keeps: something encoded, and the checksum that tells whether it was kept as it was."""

from __future__ import annotations

import zlib

import msgspec

__all__ = ["Damaged", "Kept", "kept", "whole"]


class Damaged(Exception):
    """What the index says is not what was put into it."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Something encoded as MessagePack, and its checksum."""

    content: bytes
    checksum: int


def kept(value: object) -> Kept:
    """Encoded for the index."""
    content = msgspec.msgpack.encode(value)
    return Kept(content, zlib.crc32(content))


def whole(content: object, checksum: object) -> bytes:
    """The content of a row, if it is what was put in. Raises Damaged.

    SQLite keeps whatever it is given, whatever a column is declared as.
    """
    if not isinstance(content, bytes) or zlib.crc32(content) != checksum:
        raise Damaged
    return content
