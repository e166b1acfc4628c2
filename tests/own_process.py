"""Tests that want a process of their own, in which nothing has been done before: one for all of a file.

Paddle's bytecode tracer collects garbage for every frame that it looks at, which in a process of thousands of
tests took 18 seconds for one of them. And a crash here takes no other file's tests along.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile

import pytest

__all__ = ["pytest_pyfunc_call"]

_MARK = "own_process"
_IN_ONE = "DYRELU_TESTS_IN_OWN_PROCESS"


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """A marked test passes if all the marked ones of its file pass there."""
    if _IN_ONE in os.environ or pyfuncitem.get_closest_marker(_MARK) is None:
        return None
    failure = _failure(str(pyfuncitem.path))
    if failure:
        pytest.fail(failure, pytrace=False)
    return True


@functools.cache
def _failure(file: str) -> str:
    """What pytest says of them; empty where they pass."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", file, "-m", _MARK, "-q", f"--basetemp={folder}/tests"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider"],
            env=os.environ | {_IN_ONE: "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return f"{done.stdout}\nexit status {done.returncode}" if done.returncode else ""
