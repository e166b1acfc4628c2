"""What a process that reads files is asked and answers: values with their length before them, on a pipe."""

from __future__ import annotations

from typing import IO, TypeVar

import msgspec

__all__ = ["Batch", "Broken", "receive", "send"]

T = TypeVar("T")
_LENGTH_BYTES = 8


class Batch(msgspec.Struct, frozen=True):
    """Files to read, named from the folder."""

    folder: str
    names: tuple[str, ...]


class Broken(Exception):
    """The other end of a pipe is gone."""


def send(pipe: IO[bytes], value: object) -> None:
    """Writes a value. Raises Broken."""
    content = msgspec.msgpack.encode(value)
    try:
        pipe.write(len(content).to_bytes(_LENGTH_BYTES, "big") + content)
        pipe.flush()
    except (OSError, ValueError) as error:
        raise Broken from error


def receive(pipe: IO[bytes], kind: type[T]) -> T:
    """Waits for a value. Raises Broken at the pipe's end, and for what isn't such a value."""
    try:
        length = int.from_bytes(_exactly(pipe, _LENGTH_BYTES), "big")
        return msgspec.msgpack.decode(_exactly(pipe, length), type=kind)
    except (OSError, ValueError) as error:
        raise Broken from error


def _exactly(pipe: IO[bytes], count: int) -> bytes:
    content = pipe.read(count)
    if len(content) != count:
        raise Broken
    return content
