"""Standard output, which may be a pipe whose reader has gone, or a full disk."""

from __future__ import annotations

import os
import sys

from bench.errors import InputError

__all__ = ["emit"]


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


def _to_nowhere() -> None:
    """What is still buffered must go somewhere when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
