"""What the runner and its workers say to each other: a request in, events out, as JSON lines."""

from __future__ import annotations

import msgspec

from bench.case import Case, DType
from bench.inject import Injection
from bench.presets.schema import SubjectSpec
from bench.profile_messages import (
    CeilingsFound,
    CeilingsTask,
    LayersCounted,
    LayersTask,
    Profiled,
    ProfiledOnce,
)
from bench.record import Fact, Failure, FailureKind, Protocol, Stop, Window

__all__ = [
    "Announced",
    "Begin",
    "BlockTask",
    "Calibrated",
    "CaseFacts",
    "CaseFailed",
    "DiskFull",
    "Event",
    "Examination",
    "Examined",
    "FactsTask",
    "Finished",
    "GroupDone",
    "GroupTask",
    "KernelTask",
    "KernelsSettled",
    "Lost",
    "Measured",
    "ModelFacts",
    "Note",
    "ProfileTask",
    "Refused",
    "Request",
    "Started",
    "Stopped",
    "Task",
]


class KernelTask(msgspec.Struct, frozen=True, tag="kernel"):
    """Settle what the variants run on, and build what has to be built."""


class Examination(msgspec.Struct, frozen=True):
    """Ask one engine for the classes of the test images, in batches of so many; `images` is their file."""

    engine: str
    dtype: DType
    images: str
    batch: int

    @property
    def key(self) -> str:
        """What stands in the place of a case's key while it goes on."""
        return f"test images/{self.engine}/{self.dtype.value}"


class FactsTask(msgspec.Struct, frozen=True, tag="facts"):
    """Take the facts of one variant on one engine; cases come with ascending batches.

    `image`, the shape of one input, asks for the facts that no batch changes as well, and for everything that
    `engines` make of the model once, such as exported programs. `examination` comes after the cases.
    """

    subject: str
    variant: str
    cases: tuple[Case, ...]
    image: tuple[int, ...] = ()
    engines: tuple[str, ...] = ()
    examination: Examination | None = None


class GroupTask(msgspec.Struct, frozen=True):
    """Sample the cases of one group, interleaved in an order that follows from the seed."""

    key: str
    seed: int
    cases: tuple[Case, ...]


class BlockTask(msgspec.Struct, frozen=True, tag="block"):
    """Time groups in the given order."""

    block: int
    calibrate: bool
    groups: tuple[GroupTask, ...]


class ProfileTask(msgspec.Struct, frozen=True, tag="profile"):
    """Time groups in the given order, each case in every mode that it can be run in."""

    block: int
    calibrate: bool
    groups: tuple[GroupTask, ...]


Task = KernelTask | FactsTask | BlockTask | CeilingsTask | LayersTask | ProfileTask


class Request(msgspec.Struct, frozen=True):
    """Everything a worker needs. `weights` maps subject/variant to a file; `injection` slows it on purpose.

    `kernels` maps subject/variant to what it has to run on; one that isn't there chooses for itself.
    """

    subjects: tuple[SubjectSpec, ...]
    protocol: Protocol
    threads: int
    memory_limit: int
    folder: str
    weights: dict[str, str]
    task: Task
    injection: Injection | None = None
    kernels: dict[str, str] = {}


class Announced(msgspec.Struct, frozen=True, tag="announced"):
    """Something that whoever waits should be told."""

    text: str


class KernelsSettled(msgspec.Struct, frozen=True, tag="kernels"):
    """What each subject/variant runs on; `reason` is why the fused operator can't be had, if so."""

    kernels: dict[str, str]
    reason: str


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """What was asked for can't be had; a sentence for the user."""

    message: str


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """Work on a case starts, and its time limit runs anew."""

    case: str


class ModelFacts(msgspec.Struct, frozen=True, tag="model"):
    """Facts of a variant that no engine and no batch changes. `kernel` is what its activations run on, empty
    where they have no choice.
    """

    subject: str
    variant: str
    facts: tuple[Fact, ...]
    kernel: str = ""


class CaseFacts(msgspec.Struct, frozen=True, tag="facts"):
    """Facts of a case, whose output was right."""

    case: str
    facts: tuple[Fact, ...]


class Examined(msgspec.Struct, frozen=True, tag="examined"):
    """What an engine made of the test images; `failure` is why its times can't count."""

    subject: str
    variant: str
    engine: str
    dtype: DType
    facts: tuple[Fact, ...] = ()
    failure: Failure | None = None


class Measured(msgspec.Struct, frozen=True, tag="window"):
    """One burst."""

    case: str
    window: Window


class Stopped(msgspec.Struct, frozen=True, tag="stop"):
    """Sampling of a case ended."""

    case: str
    stop: Stop


class Calibrated(msgspec.Struct, frozen=True, tag="calibration"):
    """The block's calibration, by metric."""

    block: int
    windows: dict[str, Window]


class GroupDone(msgspec.Struct, frozen=True, tag="group"):
    """All cases of a group have their samples."""

    key: str


class CaseFailed(msgspec.Struct, frozen=True, tag="failed"):
    """A case gave an error; the worker goes on with the others (and starts their group again)."""

    case: str
    failure: Failure


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something a reader of the report must know."""

    text: str


class DiskFull(msgspec.Struct, frozen=True, tag="disk full"):
    """No room for the worker's own files: no fault of the case, and no reason to go on."""

    path: str


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The worker's last word."""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """Said by the runner's side before anything else: the worker's process is there."""


class Lost(msgspec.Struct, frozen=True, tag="lost"):
    """Said by the runner's side in place of a worker that died, hung or was killed."""

    kind: FailureKind
    message: str


Event = (
    Begin
    | Announced
    | KernelsSettled
    | Refused
    | ModelFacts
    | CaseFacts
    | Examined
    | CeilingsFound
    | LayersCounted
    | Profiled
    | ProfiledOnce
    | Measured
    | Stopped
    | Calibrated
    | GroupDone
    | CaseFailed
    | Note
    | DiskFull
    | Finished
    | Started
    | Lost
)
