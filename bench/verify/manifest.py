"""The manifest of a published folder: a digest of every file, and the training runs that belong to it.

`sha256` is that of the file's bytes, as `sha256sum` prints it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.errors import InputError
from bench.storage import write_atomically
from bench.verify.findings import Findings

__all__ = ["MANIFEST_FILE", "AskedRun", "Manifest", "check_files", "read_manifest", "take", "write_manifest"]

MANIFEST_FILE = "MANIFEST.json"
# 1: the first.
_SCHEMA_VERSION = 1
_REMEDY = "take the folder as it was published, or seal it anew with `dyrelu-bench verify --seal`"

Hash = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file holds."""

    sha256: Hash
    bytes: Annotated[int, Meta(ge=0)]


class AskedRun(msgspec.Struct, frozen=True, order=True, forbid_unknown_fields=True):
    """A training run that the preset asked for."""

    variant: str
    seed: Annotated[int, Meta(ge=0)]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`files` by their path from the folder; `matplotlib` is the version that can redraw the plots."""

    schema_version: Annotated[int, Meta(ge=1, le=_SCHEMA_VERSION)]
    matplotlib: str
    runs: tuple[AskedRun, ...]
    files: dict[str, Digest]


def take(folder: Path, runs: tuple[AskedRun, ...]) -> Manifest:
    """The manifest of the folder as it is. Raises InputError for a file that can't be read or published."""
    files = {}
    for path in _entries(folder):
        if path.is_symlink():
            raise InputError(f"{path}: is a link, which nobody else has the target of; put the file there")
        files[_name(path, folder)] = _digest(path)
    return Manifest(_SCHEMA_VERSION, metadata.version("matplotlib"), runs, files)


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Writes it into the folder, and gives its path."""
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"
    write_atomically(folder / MANIFEST_FILE, content)
    return folder / MANIFEST_FILE


def read_manifest(folder: Path) -> Manifest:
    """Raises InputError where there is none that can be read."""
    path = folder / MANIFEST_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError as error:
        raise InputError(
            f"{MANIFEST_FILE}: there is none, so that nothing says what belongs to {folder}; {_REMEDY}"
        ) from error
    except OSError as error:
        raise InputError(f"{MANIFEST_FILE}: can't be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{MANIFEST_FILE}: is damaged, or of a newer version ({error}); {_REMEDY}"
        ) from error


def check_files(folder: Path, manifest: Manifest) -> Findings:
    """Every file of the manifest is there as it was, and no other is."""
    there = {_name(path, folder): path for path in _entries(folder)}
    problems = [f"{name}: is missing" for name in sorted(manifest.files.keys() - there.keys())]
    for name, path in there.items():
        if name not in manifest.files:
            problems.append(f"{name}: is foreign; the manifest has no such file")
        elif path.is_symlink():
            problems.append(f"{name}: is a link instead of the file")
        elif _digest(path) != manifest.files[name]:
            problems.append(f"{name}: was changed; its digest is not the manifest's")
    return Findings(tuple(problems), files=len(there))


def _entries(folder: Path) -> Iterator[Path]:
    """All that is no folder, hidden files too, in a stable order; the manifest itself is left out."""
    for path in sorted(folder.rglob("*")):
        if (path.is_symlink() or not path.is_dir()) and path != folder / MANIFEST_FILE:
            yield path


def _name(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()


def _digest(path: Path) -> Digest:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    return Digest(hashlib.sha256(content).hexdigest(), len(content))
