"""Paddle's two tracers, for `full_graph` of `paddle.jit.to_static`: by the source, and by the bytecode."""

from __future__ import annotations

import pytest

__all__ = ["BY_BYTECODE", "BY_SOURCE", "TRACERS"]

BY_SOURCE = pytest.param(True, id="ast")
BY_BYTECODE = pytest.param(False, id="sot", marks=pytest.mark.own_process)
TRACERS = (BY_SOURCE, BY_BYTECODE)
