"""Settings that every test shares."""

from __future__ import annotations

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

# A shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_NO_PADDLE = importlib.util.find_spec("paddle") is None


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Without Paddle only modules that hold tests marked `nopaddle` can be imported."""
    if not _NO_PADDLE or not collection_path.name.startswith("test_"):
        return None
    return "nopaddle" not in collection_path.read_text() or None


@pytest.fixture(autouse=True)
def same_threads() -> None:
    """A predictor made by an earlier test may have left another number of threads to the whole process.

    Sums of floats depend on it, and some tests compare a run here with one in a process of its own.
    """
    paddle = sys.modules.get("paddle")
    if paddle is not None:
        paddle.base.core.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
