"""The operators' library in the cache: found, or built once by whichever process comes first."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dyrelu.errors import KernelError
from dyrelu.kernels.toolchain import Toolchain, cache_folder, cache_key, find_toolchain

__all__ = ["built_library", "library_path"]


def library_path(toolchain: Toolchain) -> Path:
    """Where the library of this toolchain, Paddle and processor is or will be."""
    return cache_folder() / cache_key(toolchain.version) / "dyrelu_operators.so"


def built_library() -> Path:
    """The library, built if it is not there yet.

    Raises KernelError where there is no compiler, it fails, or the cache can't be written.
    """
    toolchain = find_toolchain()
    library = library_path(toolchain)
    if library.exists():
        return library
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with _locked(library.with_suffix(".lock")):
            if not library.exists():  # another process may have built it while this one waited
                _build(toolchain, library)
    except OSError as error:
        raise KernelError(
            f"the fused operator can't be kept in {library.parent} ({error.strerror}): "
            f"name a folder that can be written in DYRELU_KERNEL_CACHE."
        ) from error
    return library


def _build(toolchain: Toolchain, library: Path) -> None:
    print(
        f"dyrelu: building the fused operator into {library.parent}, once, in about 10 seconds.",
        file=sys.stderr,
        flush=True,
    )
    # Built beside its place and moved there whole: a process that is killed leaves nothing half done.
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        fresh = Path(folder, library.name)
        toolchain.build(fresh)
        os.replace(fresh, library)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock of this file; the system lets it go when the process ends, however it ends."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
