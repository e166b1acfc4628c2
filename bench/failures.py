"""What an exception in a worker means: which kind of failure, in one line."""

from __future__ import annotations

import errno

from bench.errors import BenchError, EngineUnavailable
from bench.record import Failure, FailureKind

__all__ = ["ParityError", "describe", "failure", "is_full_disk"]

_MESSAGE_LIMIT = 400


class ParityError(Exception):
    """An engine's output is not the eager float32 one."""


def failure(error: BaseException, block: int = -1) -> Failure:
    """What a case's error means for it. A full disk is no failure of the case, and is raised again."""
    if is_full_disk(error):
        raise error
    text = describe(error)
    if isinstance(error, ParityError):
        return Failure(FailureKind.PARITY, text, block)
    if isinstance(error, EngineUnavailable):
        return Failure(FailureKind.UNAVAILABLE, text, block)
    if isinstance(error, MemoryError) or "ResourceExhausted" in text or "Out of memory" in text:
        return Failure(FailureKind.OUT_OF_MEMORY, text, block)
    return Failure(FailureKind.ERROR, text, block)


def is_full_disk(error: BaseException | None) -> bool:
    """Also where somebody made an error of his own of it."""
    while error is not None:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return True
        error = error.__cause__
    return False


def describe(error: BaseException) -> str:
    """One line of an error: Paddle's are pages, with the reason in the lines that start with a bracket."""
    name = type(error).__name__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    chosen = next((line for line in lines if line.startswith("(")), lines[-1] if lines else "")
    if isinstance(error, SystemExit):
        return f"the model called sys.exit({error.code!r})"
    if isinstance(error, ParityError | BenchError) or chosen.startswith(f"{name}:"):
        return chosen[:_MESSAGE_LIMIT]
    return f"{name}: {chosen}"[:_MESSAGE_LIMIT] if chosen else name
