"""The running record of a measurement: one line a finished piece of work, on disk before the next begins."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.case import Case, DType
from bench.ceilings import Ceilings
from bench.errors import InputError
from bench.profile_record import LayerFacts, Mode, ModeBlock, OperatorFacts, Part, TimelineEvent
from bench.record import Fact, Failure, Stop, Window
from bench.storage import write_atomically

__all__ = [
    "CalibrationEntry",
    "CeilingsEntry",
    "Entry",
    "ExaminationEntry",
    "FactsEntry",
    "GroupEntry",
    "Journal",
    "LayersEntry",
    "NoteEntry",
    "ProfileEntry",
    "SessionEntry",
    "VariantEntry",
]


class SessionEntry(msgspec.Struct, frozen=True, tag="session"):
    """What must not change while a session is resumed: the environment, the weights by digest, and what the
    variants run on.
    """

    environment: str
    weights: dict[str, str]
    kernels: dict[str, str] = {}


class VariantEntry(msgspec.Struct, frozen=True, tag="variant"):
    """Facts of a subject's variant that no engine changes. `kernel` is what its activations were found to run
    on; empty where they have no choice.
    """

    subject: str
    variant: str
    facts: tuple[Fact, ...]
    kernel: str = ""


class FactsEntry(msgspec.Struct, frozen=True, tag="facts"):
    """A case's facts, or why it can't be measured."""

    case: str
    facts: tuple[Fact, ...] = ()
    failure: Failure | None = None


class ExaminationEntry(msgspec.Struct, frozen=True, tag="examination"):
    """What a variant on an engine made of the test images, or why none of its cases can be measured."""

    subject: str
    variant: str
    engine: str
    dtype: DType
    facts: tuple[Fact, ...] = ()
    failure: Failure | None = None

    def concerns(self, case: Case) -> bool:
        """Whether it is about this case, at any batch size."""
        return (self.subject, self.variant, self.engine, self.dtype) == (
            case.subject,
            case.variant,
            case.engine,
            case.dtype,
        )


class GroupEntry(msgspec.Struct, frozen=True, tag="group"):
    """A group finished in a block. `order` is that of the first bursts; `unpaired` if it was cut."""

    block: int
    group: str
    order: tuple[str, ...]
    windows: dict[str, tuple[Window, ...]]
    stops: dict[str, Stop]
    failures: dict[str, Failure]
    unpaired: bool


class CalibrationEntry(msgspec.Struct, frozen=True, tag="calibration"):
    """A block's calibration, by metric."""

    block: int
    windows: dict[str, Window]


class CeilingsEntry(msgspec.Struct, frozen=True, tag="ceilings"):
    """The machine's ceilings, for a profile."""

    ceilings: Ceilings


class LayersEntry(msgspec.Struct, frozen=True, tag="layers"):
    """What the layers and operators of a case do; nothing where it could not be counted."""

    case: str
    layers: tuple[LayerFacts, ...]
    operators: dict[str, OperatorFacts]


class ProfileEntry(msgspec.Struct, frozen=True, tag="profile"):
    """A group profiled in a block, by case key; `unpaired` if a worker was lost in it."""

    block: int
    group: str
    modes: dict[str, tuple[ModeBlock, ...]]
    missing: dict[str, dict[Mode, str]]
    parts: dict[str, tuple[Part, ...]]
    timelines: dict[str, tuple[TimelineEvent, ...]]
    failures: dict[str, Failure]
    unpaired: bool


class NoteEntry(msgspec.Struct, frozen=True, tag="note"):
    """A warning for the report."""

    text: str


Entry = (
    SessionEntry
    | VariantEntry
    | FactsEntry
    | ExaminationEntry
    | GroupEntry
    | CalibrationEntry
    | CeilingsEntry
    | LayersEntry
    | ProfileEntry
    | NoteEntry
)


class Journal:
    """An append-only file of entries, held in memory as well."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries = list(self._read())

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Every finished entry, in order."""
        return tuple(self._entries)

    def note(self, text: str) -> None:
        """Appends a warning for the report, once."""
        if NoteEntry(text) not in self._entries:
            self.append(NoteEntry(text))

    def _read(self) -> tuple[Entry, ...]:
        """Every finished entry. A last line that was cut by a crash is dropped, from the file too."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise InputError(f"{self._path}: can't be read ({error.strerror})") from error
        whole, newline, rest = content.rpartition(b"\n")
        if rest:
            with self._path.open("r+b") as file:
                file.truncate(len(whole) + len(newline))
        decoder = msgspec.json.Decoder(Entry)
        entries = []
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                entries.append(decoder.decode(line))
            except msgspec.DecodeError as error:
                raise InputError(
                    f"{self._path}: line {number} is damaged ({error}); start again in another folder"
                ) from error
        return tuple(entries)

    def forget(self, unwanted: Callable[[Entry], bool]) -> None:
        """Takes out entries that are to be made again. Raises InputError where the file can't be written."""
        kept = [entry for entry in self._entries if not unwanted(entry)]
        if len(kept) < len(self._entries):
            write_atomically(self._path, b"".join(msgspec.json.encode(entry) + b"\n" for entry in kept))
            self._entries = kept

    def append(self, entry: Entry) -> None:
        """Writes one entry and waits until it is on disk. Raises InputError where it can't."""
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError(
                f"{self._path}: can't be written ({error.strerror}); finished work is kept, "
                "go on with --resume"
            ) from error
        self._entries.append(entry)
