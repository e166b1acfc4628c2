"""What the tests of the fused operator share."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import paddle
import pytest

from tests.dyrelu.cases import CASES, Case

__all__ = ["COMPILES", "NEEDED", "needs_compiler", "run_python", "ties"]

ROOT = Path(__file__).parents[2]

COMPILES = shutil.which("g++") is not None and not paddle.__version__.startswith("2.")
NEEDED = "the fused operator needs a C++ compiler (g++) and Paddle 3.3 or newer"

needs_compiler = pytest.mark.skipif(not COMPILES, reason=NEEDED)


def ties() -> list[Case]:
    """One case of each variant and map, K = 2."""
    return [case for case in CASES if case.options["k"] == 2 and case.options.get("tau", 10.0) == 10.0]


def run_python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter on this code, with these variables added to the environment."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=240,
    )
