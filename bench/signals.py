"""Signals that have to wait for a moment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["sigterm_held"]


@contextmanager
def sigterm_held() -> Iterator[None]:
    """Until its end a SIGTERM waits for this thread, and for good for those that begin meanwhile."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
