"""`python -m bench.history.reader`: reads the files that it is asked for, until its standard input ends."""

from __future__ import annotations

import contextlib
import os
import sys

from bench.cycles import no_cycles
from bench.heap import retain_memory
from bench.history.digest import digest
from bench.history.messages import Batch, Broken, receive, send

__all__ = ["main"]


def main() -> None:
    """Answers each batch with its digests, in order."""
    # A file's text and arrays would be given back after it, and met as new pages in the next.
    retain_memory()
    with no_cycles(), contextlib.suppress(Broken):
        while True:
            batch = receive(sys.stdin.buffer, Batch)
            found = [digest(os.path.join(batch.folder, name), name) for name in batch.names]
            send(sys.stdout.buffer, found)


if __name__ == "__main__":
    main()
