"""Paddle in a process of ours that has to answer a signal."""

from __future__ import annotations

import signal
import threading

__all__ = ["import_paddle"]


def import_paddle() -> None:
    """Import Paddle and keep this process's handler of SIGTERM.

    As it is imported, Paddle installs a handler in C++ that prints a dump and ends the process: Python's own
    stays where `signal.getsignal` shows it, but is never called again. A scheduler's SIGTERM would cut a
    training short without the sentence and the last lines of its log. Without effect outside the main thread,
    where Python allows no handler to be set.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    # One that is sent in between waits.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        import paddle  # noqa: F401

        handler = signal.getsignal(signal.SIGTERM)
        # None is a handler that wasn't installed from Python, and can't be again.
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
