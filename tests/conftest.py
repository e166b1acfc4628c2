"""Settings that every test shares."""

from __future__ import annotations

import faulthandler
import functools
import importlib.util
import os
import signal
import sys
from pathlib import Path

import pytest

# Before anything imports Paddle, which would set one thread. Two is what the smallest machine has.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# Threads that wait leave their core to the other test process, and to what both start.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("KMP_BLOCKTIME", "0")
# zlib and numpy.random must be loaded before Paddle 2.6's libraries are (they crash otherwise).
import zlib  # noqa: F401

import numpy.random  # noqa: F401

from tests.own_process import pytest_pyfunc_call  # noqa: F401

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_NO_PADDLE = importlib.util.find_spec("paddle") is None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without Paddle only modules that hold tests marked `nopaddle` can be imported."""
    if not _NO_PADDLE or not collection_path.name.startswith("test_"):
        return None
    return "nopaddle" not in collection_path.read_text() or None


@functools.cache
def _standard_error() -> int:
    """A copy of it from before a test's output is captured, which is lost if the process crashes."""
    return os.dup(2)


def pytest_configure() -> None:
    _standard_error()


@functools.cache
def _crashes_shown() -> None:
    """Python's stack; Paddle's handlers, set on import, would print theirs into what is captured."""
    sys.modules["paddle"].disable_signal_handler()
    faulthandler.disable()  # enabled again while it is enabled, it would leave other handlers in place
    faulthandler.enable(_standard_error())


@pytest.fixture(autouse=True)
def crashes_shown() -> None:
    if "paddle" in sys.modules:
        _crashes_shown()


@pytest.fixture(autouse=True)
def same_threads() -> None:
    """A predictor made by an earlier test may have left another number of threads to the whole process.

    Sums of floats depend on it, and some tests compare a run here with one in a process of its own.
    """
    paddle = sys.modules.get("paddle")
    if paddle is not None:
        paddle.base.core.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
