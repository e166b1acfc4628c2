"""Memory that is freed stays with the process: counted in page faults, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

_BYTES = 24 * 2**20
_ROUNDS = 20
_PROGRAM = f"""
import ctypes, resource, sys
from bench.heap import retain_memory

if sys.argv[1] == "retain" and not retain_memory():
    raise SystemExit(3)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range({_ROUNDS}):
    blocks = [libc.malloc({_BYTES}) for _ in range(4)]
    for block in blocks:
        ctypes.memset(block, 1, {_BYTES})
    for block in blocks:
        libc.free(block)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _faults(mode: str) -> int:
    done = subprocess.run([sys.executable, "-c", _PROGRAM, mode], capture_output=True, text=True)
    if done.returncode == 3:
        pytest.skip("this C library can't be told to keep memory")
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_retained_memory_meets_each_page_once() -> None:
    pages = 4 * _BYTES // 4096
    assert _faults("retain") < 2 * pages
    assert _faults("default") > 2 * _faults("retain")
