"""Files: suites, and the atomic writing that everything else uses."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import msgspec

from bench.errors import InputError
from bench.record import SCHEMA_VERSION, Suite

__all__ = ["SUITE_FILE", "load_suite", "save_suite", "suite_path", "write_atomically"]

SUITE_FILE = "suite.json"


class _Version(msgspec.Struct):
    schema_version: int


def write_atomically(path: Path, content: bytes) -> None:
    """Writes the whole file or nothing: a reader never meets half of it, also after a full disk.

    Raises InputError naming the file where it can't be written.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # mkstemp files are private; results are meant to be read by others, as the umask allows.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise InputError(
            f"{path}: can't be written ({error.strerror}); give another folder with --out"
        ) from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)


def save_suite(suite: Suite, path: Path) -> None:
    """Writes `suite.json`, one record a line so that two versions can be compared by eye."""
    write_atomically(path, msgspec.json.format(msgspec.json.encode(suite), indent=1) + b"\n")


def suite_path(target: Path) -> Path:
    """The suite file of a run folder, or the file itself."""
    return target / SUITE_FILE if target.is_dir() else target


def load_suite(target: Path) -> Suite:
    """Reads a suite from its file or run folder. Raises InputError, with the reason and the remedy."""
    path = suite_path(target)
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: there is no such file; give the folder of a finished run, or finish it with --resume"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path}: not a suite file, or cut short ({error}); remake it with `dyrelu-bench run --resume`"
        ) from error
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema {version} is newer than this version reads ({SCHEMA_VERSION}); "
            "upgrade dyrelu-bench"
        )
    try:
        return msgspec.json.decode(content, type=Suite)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: not a valid suite ({error}); measure again") from error
