"""Paddle in a process of ours that has to answer a signal."""

from __future__ import annotations

import signal
import threading
import warnings

from bench.signals import sigterm_held

__all__ = ["import_paddle"]


def import_paddle() -> None:
    """Import Paddle and keep this process's handler of SIGTERM.

    As it is imported, Paddle installs a handler in C++ that prints a dump and ends the process: Python's own
    stays where `signal.getsignal` shows it, but is never called again. A scheduler's SIGTERM would cut a
    training short without the sentence and the last lines of its log. Outside the main thread, where Python
    lets nobody set a handler, Paddle keeps the signal. One that is sent meanwhile waits, unless another
    thread takes it: to be called before a display has its own.
    """
    with sigterm_held(), warnings.catch_warnings():
        # On import Paddle misses ccache, with which nothing here is built.
        warnings.simplefilter("ignore")
        import paddle  # noqa: F401

        handler = signal.getsignal(signal.SIGTERM)
        # None is a handler that wasn't installed from Python, and can't be again.
        if handler is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
