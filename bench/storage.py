"""Files: suites, and the atomic writing that everything else uses."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.errors import InputError
from bench.record import HARNESS_OVERHEAD, SCHEMA_VERSION, Series, Suite
from bench.suite_format import decode_suite, encode_suite

__all__ = [
    "LEAST_TIME",
    "SUITE_FILE",
    "load_suite",
    "save_suite",
    "suite_path",
    "timeless",
    "write_atomically",
]

SUITE_FILE = "suite.json"
# Of any unit; no clock tells less, and what is derived from more is finite.
LEAST_TIME = 1e-12


class _Version(msgspec.Struct):
    schema_version: Annotated[int, Meta(ge=1)]


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
    """Writes `suite.json`, compactly: raw samples make it long enough."""
    write_atomically(path, encode_suite(suite))


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
        suite = decode_suite(content)
    except (ValueError, RecursionError) as error:
        # What this version can't read may be of a newer one.
        _check_version(path, _version(path, content))
        raise InputError(f"{path}: not a valid suite ({error}); measure again") from error
    _check_version(path, suite.schema_version)
    found = [series for session in suite.sessions for series in session.calibration]
    found += [series for record in suite.records for series in record.series]
    if (series := timeless(found)) is not None:
        raise InputError(f"{path}: not a valid suite ({series.metric} has a time of nothing); measure again")
    return suite


def _version(path: Path, content: bytes) -> int:
    try:
        return msgspec.json.decode(content, type=_Version).schema_version
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{path}: not a suite file, or cut short ({error}); remake it with `dyrelu-bench run --resume`"
        ) from error


def _check_version(path: Path, version: int) -> None:
    if version > SCHEMA_VERSION:
        raise InputError(
            f"{path}: schema {version} is newer than this version reads ({SCHEMA_VERSION}); "
            "upgrade dyrelu-bench"
        )


def timeless(every: Iterable[Series]) -> Series | None:
    """A series with a time of nothing, which only the harness's own overhead can have."""
    timed = (series for series in every if series.metric != HARNESS_OVERHEAD and series.windows)
    return next((s for s in timed if min(map(min, [w.values for w in s.windows])) < LEAST_TIME), None)
