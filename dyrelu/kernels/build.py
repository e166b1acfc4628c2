"""The operators' library in the cache: found, or built once by whichever process comes first."""

from __future__ import annotations

import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from dyrelu.errors import KernelError
from dyrelu.kernels.toolchain import Toolchain, cache_folder, cache_key, compiler_key, find_toolchain

__all__ = ["Library", "announcing", "built_library", "library_path"]

_NAME = "dyrelu_operators.so"


def _say_on_stderr(text: str) -> None:
    print(f"dyrelu: {text}", file=sys.stderr, flush=True)


_SAY: ContextVar[Callable[[str], None]] = ContextVar("dyrelu_say", default=_say_on_stderr)


@dataclass(frozen=True, slots=True)
class Library:
    """The operators on disk; `fresh` where they were built just now."""

    path: Path
    fresh: bool


def library_path() -> Path:
    """Where the library for this machine is or will be.

    Without a compiler it is one that a compiler left, be it another one. Raises KernelError if there is none.
    """
    folder = cache_folder() / cache_key()
    try:
        return folder / compiler_key(find_toolchain()) / _NAME
    except KernelError:
        left = sorted(folder.glob(f"*/{_NAME}"))
        if not left:
            raise
        return left[0]


def built_library() -> Library:
    """The library, built if it is not there yet.

    Raises KernelError where there is no compiler, it fails, or the cache can't be written.
    """
    library = library_path()
    if library.exists():
        return Library(library, fresh=False)
    toolchain = find_toolchain()
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with _locked(library.with_suffix(".lock")):
            fresh = not library.exists()  # another process may have built it while this one waited
            if fresh:
                _build(toolchain, library)
    except OSError as error:
        raise KernelError(
            f"the fused operator can't be kept in {library.parent} ({error.strerror}): "
            f"name a folder that can be written in DYRELU_KERNEL_CACHE."
        ) from error
    return Library(library, fresh)


@contextmanager
def announcing(say: Callable[[str], None]) -> Iterator[None]:
    """What is built inside is announced to `say`, a sentence each, instead of on standard error."""
    token = _SAY.set(say)
    try:
        yield
    finally:
        _SAY.reset(token)


def _build(toolchain: Toolchain, library: Path) -> None:
    _SAY.get()(f"building the fused operator into {library.parent}, once, in about 20 seconds.")
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
