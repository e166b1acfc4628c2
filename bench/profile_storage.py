"""The file that a profile is kept in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.errors import InputError
from bench.profile_record import PROFILE_SCHEMA, Profile
from bench.storage import write_atomically

__all__ = ["PROFILE_FILE", "load_profile", "save_profile"]

PROFILE_FILE = "profile.json"


class _Version(msgspec.Struct):
    schema_version: Annotated[int, Meta(ge=1)]


def save_profile(profile: Profile, path: Path) -> None:
    """Writes it, whole or not at all. Raises InputError where it can't be written."""
    write_atomically(path, msgspec.json.encode(profile) + b"\n")


def load_profile(target: Path) -> Profile:
    """Reads a profile from its file or folder. Raises InputError, with the reason and the remedy."""
    path = target / PROFILE_FILE if target.is_dir() else target
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path}: can't be read ({error.strerror}); give the folder of a finished `dyrelu-bench profile`"
        ) from error
    try:
        profile = msgspec.json.decode(content, type=Profile)
    except (ValueError, RecursionError) as error:
        _refuse_newer(path, content)
        raise InputError(f"{path}: not a valid profile ({error}); profile again") from error
    if profile.schema_version > PROFILE_SCHEMA:
        _refuse_newer(path, content)
    return profile


def _refuse_newer(path: Path, content: bytes) -> None:
    try:
        version = msgspec.json.decode(content, type=_Version).schema_version
    except (ValueError, RecursionError):
        return
    if version > PROFILE_SCHEMA:
        raise InputError(
            f"{path}: schema {version} is newer than this version reads ({PROFILE_SCHEMA}); "
            "upgrade dyrelu-bench"
        )
