"""Settings that every test shares."""

from __future__ import annotations

import os

# Before anything imports Paddle, which would set one thread. Two is what the smallest machine has.
os.environ.setdefault("OMP_NUM_THREADS", "2")
# zlib and numpy.random must be loaded before Paddle 2.6's libraries are (they crash otherwise).
import zlib  # noqa: F401

import numpy.random  # noqa: F401
