"""What is marked to run in a process of its own does, and fails if it fails there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.nopaddle

CONFTEST = "from tests.own_process import pytest_pyfunc_call\n"
TESTS = """
import os, pytest

@pytest.fixture(scope="module")
def parent():
    return os.environ["PROCESS"]

def test_here(parent):
    assert parent == str(os.getppid())

@pytest.mark.own_process
@pytest.mark.parametrize("number", [1, 2])
def test_there(parent, number):
    assert parent != str(os.getppid())
    {statement}
"""


def run(folder: Path, statement: str) -> tuple[int, str]:
    """Exit status and output of pytest for a file whose marked tests run this statement."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    own_process:\n")
    (folder / "test_it.py").write_text(TESTS.replace("{statement}", statement))
    code = "import os, sys, pytest; os.environ['PROCESS'] = str(os.getppid()); sys.exit(pytest.main(['-q']))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_passes_elsewhere(tmp_path: Path) -> None:
    status, output = run(tmp_path, "assert number")
    assert status == 0, output
    assert "3 passed" in output


def test_a_failure_there_is_one_here_with_its_words(tmp_path: Path) -> None:
    status, output = run(tmp_path, "assert number == 1, 'another number'")
    assert status == 1
    assert "2 failed, 1 passed" in output
    assert "another number" in output


def test_a_crash_there_is_a_failure_here(tmp_path: Path) -> None:
    status, output = run(tmp_path, "os.abort()")
    assert status == 1
    assert "2 failed, 1 passed" in output
    assert re.search(r"exit status -6\b", output)
