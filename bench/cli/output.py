"""Standard output, which may be a pipe whose reader has gone, or a full disk."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator

from bench.errors import InputError

__all__ = ["emit", "only_ours"]


def emit(text: str) -> None:
    """Prints a line. A reader that has gone changes no status; a full disk is one sentence."""
    try:
        print(text)
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere()
    except OSError as error:
        _to_nowhere()
        raise InputError(f"standard output can't be written ({error.strerror})") from error


@contextlib.contextmanager
def only_ours() -> Iterator[None]:
    """Inside, what libraries print on standard output goes to standard error, also from their C++."""
    sys.stdout.flush()
    kept = os.dup(sys.stdout.fileno())
    try:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        yield
    finally:
        sys.stdout.flush()
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, sys.stdout.fileno())
        os.close(kept)


def _to_nowhere() -> None:
    """What is still buffered must go somewhere when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
