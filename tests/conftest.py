"""Settings that every test shares."""

from __future__ import annotations

import os
import sys

import pytest

# Before anything imports Paddle, which would set one thread. Two is what the smallest machine has.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# zlib and numpy.random must be loaded before Paddle 2.6's libraries are (they crash otherwise).
import zlib  # noqa: F401

import numpy.random  # noqa: F401


@pytest.fixture(autouse=True)
def same_threads() -> None:
    """A predictor made by an earlier test may have left another number of threads to the whole process.

    Sums of floats depend on it, and some tests compare a run here with one in a process of its own.
    """
    paddle = sys.modules.get("paddle")
    if paddle is not None:
        paddle.base.core.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
