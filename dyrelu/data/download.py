"""Fetch one file so that its final name only ever holds checked content."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import TypeVar
from urllib.request import urlopen

from dyrelu.errors import DataError

__all__ = ["fetch"]

T = TypeVar("T")

_MAX_BYTES = 512 * 2**20  # three times the published archive: a server gone wrong cannot fill the disk
_CHUNK_BYTES = 2**20
_TIMEOUT_S = 60.0


def fetch(url: str, target: Path, read: Callable[[Path], T]) -> T:
    """Download `url`, let `read` check and parse it, and only then give it the name `target`.

    Returns:
        What `read` made of the file.

    Raises:
        DataError: the server, the disk or `read` refused; nothing is left behind.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise DataError(f"cannot write to {target.parent} ({error.strerror}): make it writable") from error
    partial = Path(name)
    try:
        with os.fdopen(handle, "wb") as out:
            _copy(url, out.write)
            out.flush()
            os.fsync(out.fileno())
        result = read(partial)
        partial.replace(target)
    except (OSError, HTTPException) as error:
        raise DataError(f"the download of {url} failed ({error}): try again, or fetch it by hand") from error
    finally:
        partial.unlink(missing_ok=True)
    return result


def _copy(url: str, write: Callable[[bytes], int]) -> None:
    with urlopen(url, timeout=_TIMEOUT_S) as response:
        received = 0
        while chunk := response.read(_CHUNK_BYTES):
            received += len(chunk)
            if received > _MAX_BYTES:
                raise DataError(f"{url} sends more than {_MAX_BYTES} bytes: this is not the CIFAR-10 archive")
            write(chunk)
