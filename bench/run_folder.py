"""The folder of a run: what lies where in it, who may write to it, and what it was asked to hold."""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import msgspec

from bench.case import Case
from bench.errors import InputError, UsageError
from bench.presets.schema import Preset
from bench.shard import Shard, of_shard
from bench.storage import SUITE_FILE, write_atomically

__all__ = ["RunFolder", "RunRequest"]

_REQUEST = "run.json"
_LOCK = ".lock"


class RunRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a run folder was made for; a resumed run must ask for the same. `started` is UTC.

    `shard` None is the whole preset.
    """

    preset: Preset
    threads: int
    session: str
    command: str
    started: str
    shard: Shard | None = None

    def cases(self) -> tuple[Case, ...]:
        """What this run measures."""
        cases = self.preset.cases()
        return cases if self.shard is None else of_shard(cases, self.shard)


class RunFolder:
    """A run's place on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def suite(self) -> Path:
        """The result."""
        return self.path / SUITE_FILE

    @property
    def journal(self) -> Path:
        """Finished pieces of measuring."""
        return self.path / "journal.jsonl"

    @property
    def training(self) -> Path:
        """One folder a training run."""
        return self.path / "training"

    @property
    def exports(self) -> Path:
        """Exported programs; needed only while measuring."""
        return self.path / "exports"

    def training_of(self, variant: str, seed: int) -> Path:
        """Where a variant is trained from a seed."""
        return self.training / f"{quote(variant, safe='')}-seed{seed}"

    def weights_of(self, variant: str, seed: int) -> Path | None:
        """The trained weights, if the training was finished."""
        path = self.training_of(variant, seed) / "weights.safetensors"
        return path if path.exists() else None

    @property
    def holds_run(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / _REQUEST).exists()

    def standing(self) -> RunRequest:
        """What the folder was made for. Raises InputError where it holds no run."""
        path = self.path / _REQUEST
        try:
            return msgspec.json.decode(path.read_bytes(), type=RunRequest)
        except OSError as error:
            raise InputError(f"{self.path}: holds no run ({_REQUEST}: {error.strerror})") from error
        except msgspec.DecodeError as error:
            raise InputError(f"{path}: damaged ({error}); start again in another folder") from error

    def discard_exports(self) -> None:
        """Removes what only measuring needed."""
        shutil.rmtree(self.exports, ignore_errors=True)

    @contextmanager
    def claimed(self, request: RunRequest, resume: bool) -> Iterator[RunRequest]:
        """Holds the folder for one writer and gives the request that stands in it.

        Raises UsageError for a folder that holds another run or anything else, or is in use.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_content(resume)
            lock = (self.path / _LOCK).open("w")
        except OSError as error:
            raise InputError(
                f"{self.path}: can't be written ({error.strerror}); give another folder with --out"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UsageError(
                    f"{self.path}: another run is writing there; wait for it, or give another folder "
                    "with --out"
                ) from error
            # The file stays: removing it would let two others lock two different ones.
            yield self._standing(request)

    def _check_content(self, resume: bool) -> None:
        if self.holds_run:
            if not resume:
                raise UsageError(
                    f"{self.path}: holds a run already; go on with it by --resume, or give another folder"
                )
        elif any(entry.name != _LOCK for entry in self.path.iterdir()):
            raise UsageError(f"{self.path}: is not empty and holds no run; give another folder with --out")

    def _standing(self, request: RunRequest) -> RunRequest:
        """The request in the folder, which must be for the same work; or this one, now written there."""
        if not self.holds_run:
            return self._written(request)
        standing = self.standing()
        same = (standing.preset, standing.threads) == (request.preset, request.threads)
        if same and standing.shard is None and request.shard and not self.journal.exists():
            # What was only trained may still be shared out, in a copy of the folder for each shard.
            return self._written(request)
        if not same or standing.shard != request.shard:
            raise UsageError(
                f"{self.path}: was started with other settings ({standing.command}); resume it with the "
                "same, or give another folder"
            )
        return standing

    def _written(self, request: RunRequest) -> RunRequest:
        content = msgspec.json.format(msgspec.json.encode(request), indent=1) + b"\n"
        write_atomically(self.path / _REQUEST, content)
        return request
