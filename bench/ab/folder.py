"""The folder of an `ab`: a normal run folder for each side, and what both have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bench.errors import InputError, UsageError
from bench.run_folder import RunFolder, RunRequest
from bench.storage import write_atomically

__all__ = ["AbFolder", "AbRequest", "SideEntry"]

_REQUEST = "ab.json"


class SideEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A side as it is kept. `content` is what must not change while the session is resumed."""

    label: str
    identity: str
    content: str


class AbRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `ab.json` holds. `pair` is that of both sessions; `order` has, for each block, who begins.

    `in_turns` is whether both sides' workers were alive at once and took turns, burst by burst; otherwise
    they ran one after the other; `same_core` is whether they shared the core that they worked on.
    `started` is UTC.
    """

    pair: str
    seed: int
    sides: tuple[SideEntry, SideEntry]
    order: tuple[str, ...]
    in_turns: bool
    command: str
    started: str
    same_core: bool = False


class AbFolder:
    """Where an `ab` lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sides = RunFolder(path / "A"), RunFolder(path / "B")

    @property
    def request(self) -> Path:
        """What both sides have in common."""
        return self.path / _REQUEST

    def check(self, resume: bool) -> None:
        """Raises UsageError early for a folder that holds something else, or nothing to go on with."""
        if resume and not self.request.exists():
            raise UsageError(f"{self.path}: holds no ab to go on with; leave --resume out")
        if not resume and self.request.exists():
            raise UsageError(f"{self.path}: holds an ab already; go on with --resume, or give another folder")
        if not resume and self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise UsageError(f"{self.path}: is not empty and holds no ab; give another folder with --out")

    @contextlib.contextmanager
    def claimed(
        self, request: AbRequest, sides: tuple[RunRequest, RunRequest], resume: bool
    ) -> Iterator[tuple[AbRequest, tuple[RunRequest, RunRequest]]]:
        """Holds both sides' folders for one writer and gives the requests that stand in them.

        Raises UsageError where they are for other work, or other sides.
        """
        self.check(resume)
        standing = self._standing(request) if resume else request
        # ab.json comes first: wherever this is cut short, what stands there can be gone on with.
        if not resume:
            write_atomically(
                self.request, msgspec.json.format(msgspec.json.encode(request), indent=1) + b"\n"
            )
        with contextlib.ExitStack() as stack:
            a, b = (
                stack.enter_context(folder.claimed(side, (folder.path / "run.json").exists()))
                for folder, side in zip(self.sides, sides, strict=True)
            )
            yield standing, (a, b)

    def _standing(self, request: AbRequest) -> AbRequest:
        try:
            standing = msgspec.json.decode(self.request.read_bytes(), type=AbRequest)
        except (msgspec.DecodeError, OSError) as error:
            raise InputError(f"{self.request}: damaged ({error}); start again in another folder") from error
        for was, now in zip(standing.sides, request.sides, strict=True):
            if was.content != now.content:
                raise UsageError(
                    f"{self.path}: was begun with {was.label} ({was.identity}), and {now.label} is something "
                    f"else now ({now.identity}); go on with what it was, or start again in another folder"
                )
        return standing
