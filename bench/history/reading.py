"""Reads many files, by several processes where that is faster."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from bench.cycles import no_cycles
from bench.history.change_points import import_search
from bench.history.digest import Digest, digest
from bench.history.messages import Batch, Broken, receive, send

__all__ = ["read_files"]

# A process takes most of a second to start, in which this many files are read.
_FEW_FILES = 64
# Beyond this the disk is what is waited for.
_MOST_PROCESSES = 8
_FILES_A_BATCH = 8
# Read before what is read is taken: it bounds the memory that waits.
_BATCHES_AHEAD = 32


def read_files(folder: Path, names: Sequence[str]) -> Iterator[tuple[str, Digest]]:
    """Each file's name and digest, in the order given. No more than a few suites are in memory at once."""
    processes = min(len(os.sched_getaffinity(0)), _MOST_PROCESSES, len(names) // _FEW_FILES)
    done = 0
    if processes > 1:
        # A process that can't be started, or was killed: what is left is read here.
        with contextlib.suppress(OSError, Broken):
            for pair in _by_processes(folder, names, processes):
                yield pair
                done += 1
    for name in names[done:]:
        with no_cycles():
            found = digest(str(folder / name), name)
        yield name, found


class _Reader:
    """Another process that reads files. It ends when its standard input does, so with this process too."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.history.reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            # Ctrl-C in the terminal is for this process.
            start_new_session=True,
        )

    def read(self, batch: Batch) -> list[Digest]:
        """Raises Broken where the process is gone."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        send(self._process.stdin, batch)
        return receive(self._process.stdout, list[Digest])

    def end(self) -> None:
        """Ends it, whatever it is at."""
        self._process.kill()
        self._process.communicate()


def _by_processes(folder: Path, names: Sequence[str], processes: int) -> Iterator[tuple[str, Digest]]:
    batches = [names[start : start + _FILES_A_BATCH] for start in range(0, len(names), _FILES_A_BATCH)]
    readers: list[_Reader] = []
    idle: SimpleQueue[_Reader] = SimpleQueue()

    def read(batch: Sequence[str]) -> list[tuple[str, Digest]]:
        reader = idle.get()
        try:
            return list(zip(batch, reader.read(Batch(str(folder), tuple(batch))), strict=True))
        finally:
            idle.put(reader)

    threads = ThreadPoolExecutor(processes + 1)
    try:
        for _ in range(processes):
            readers.append(_Reader())
            idle.put(readers[-1])
        # This process has nothing to do meanwhile; whether it fails is seen where it is used.
        threads.submit(import_search)
        for start in range(0, len(batches), _BATCHES_AHEAD):
            for found in threads.map(read, batches[start : start + _BATCHES_AHEAD]):
                yield from found
    finally:
        for reader in readers:
            reader.end()
        threads.shutdown(cancel_futures=True)
