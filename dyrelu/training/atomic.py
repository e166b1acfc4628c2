"""Replace a file whole or not at all."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from dyrelu.errors import CheckpointError

__all__ = ["write_atomically"]


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` beside `path`, flush it to the disk and rename it: a kill leaves the old file or the new
    one.

    Raises:
        CheckpointError: the folder cannot be written, or the disk is full.
    """
    # A fixed name, so that what a killed run left is overwritten by the next instead of piling up.
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        # On a full disk the unfinished file would take the room that the log needs.
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"cannot write {path} ({error.strerror}): make the folder writable or free some space"
        ) from error


def _sync_folder(folder: Path) -> None:
    # The rename itself is durable only once the folder is.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
