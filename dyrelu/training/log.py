"""The training log: JSON lines, one event a line, each on disk before the run goes on.

Needs no Paddle to read or write. All figures of a report can be recomputed from these lines; they hold no
absolute path, no host name and no date.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from dyrelu.errors import CheckpointError
from dyrelu.training.atomic import write_atomically
from dyrelu.training.notes import Convolution
from dyrelu.training.recipes import Recipe, WeightsKind

__all__ = [
    "SCHEMA_VERSION",
    "Epoch",
    "EvalAccuracy",
    "EvalAugmentation",
    "Event",
    "ImageCounts",
    "LogWriter",
    "RunStart",
    "RunStop",
    "Seed",
    "SplitName",
    "Status",
    "Target",
    "cut_back",
    "read_log",
]

SCHEMA_VERSION = 1
"""History: 1, the first."""


class SplitName(Enum):
    """A part of the data set."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


class EvalAugmentation(Enum):
    """Test-time augmentation: none, or the mean of the logits of an image and its mirror image."""

    NONE = "none"
    FLIP = "flip"


class Status(Enum):
    """How a run ended."""

    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Target(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What plain test accuracy (a fraction from 0 to 1) a run has to reach, and who says so."""

    value: float
    source: str
    metric: str = "test_accuracy"

    def reached_by(self, accuracy: float) -> bool:
        """Reaching it exactly is enough."""
        return accuracy >= self.value


class ImageCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Images in each part."""

    train: int
    validation: int
    test: int


class RunStart(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_start"):
    """What is about to be trained, on what, with what (whose `convolution`), by how many processes (`ranks`).

    `notes` are sentences for whoever reads the figures.
    """

    schema_version: int
    variant: str
    options: Mapping[str, bool | int | float | str]
    dataset: str
    dataset_digest: str
    recipe: Recipe
    images: ImageCounts
    trainable_parameters: int
    threads: int
    libraries: Mapping[str, str]
    target: Target | None
    ranks: int = 1
    convolution: Convolution = Convolution.PADDLE
    notes: Sequence[str] = ()


class Seed(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="seed"):
    """The run's seed, the numbers of its streams (`dyrelu.training.streams`), the seed of the data split."""

    seed: int
    streams: Mapping[str, int]
    split_seed: int


class Epoch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event", tag="epoch"):
    """One pass. Accuracies are fractions of images, never means over batches.

    `loss` (smoothed as the recipe says) and `train_accuracy` are over the augmented images, as seen while the
    weights changed; the validation and test figures are of the weights after the pass, without smoothing and
    averaging: None without validation images, and without a selection that looks at the test images.
    `images_per_second` counts the pass alone, `seconds` the evaluation too.
    """

    epoch: int
    loss: float
    train_accuracy: float
    validation_loss: float | None
    validation_accuracy: float | None
    learning_rate: float
    images_per_second: float
    seconds: float
    test_loss: float | None = None
    test_accuracy: float | None = None


class EvalAccuracy(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="eval_accuracy"):
    """Accuracy of the kept weights: `correct` of `images`, never augmented but as `augmentation` says."""

    split: SplitName
    weights: WeightsKind
    augmentation: EvalAugmentation
    correct: int
    images: int
    accuracy: float


class RunStop(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="run_stop"):
    """How it ended. `accuracy` is on the test images; `seconds` include those before a resume.

    `kept_epoch` is the epoch whose weights were kept, where the test images picked one.
    """

    status: Status
    seconds: float
    accuracy: float | None
    target_reached: bool | None
    kept_epoch: int | None = None


Event = RunStart | Seed | Epoch | EvalAccuracy | RunStop


class LogWriter:
    """Appends events to a log; a context manager."""

    def __init__(self, path: Path) -> None:
        try:
            # Unbuffered: one event is one write, so that an interruption cannot leave half of it in a buffer.
            self._file = path.open("ab", buffering=0)
            self._end = path.stat().st_size
        except OSError as error:
            raise CheckpointError(
                f"cannot write {path} ({error.strerror}): choose a writable folder"
            ) from error

    def write(self, event: Event) -> None:
        """Append one line and flush it to the disk; a line that does not fit leaves nothing behind.

        Raises:
            CheckpointError: the disk does not take it.
        """
        line = msgspec.json.encode(event) + b"\n"
        try:
            # A disk that runs full takes a part of the line first, and says so only to the next write.
            written = 0
            while written < len(line):
                written += self._file.write(line[written:])
            os.fsync(self._file.fileno())
            self._end += len(line)
        except OSError as error:
            self._file.truncate(self._end)
            raise CheckpointError(
                f"cannot write {self._file.name} ({error.strerror}): free some space and resume"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_log(path: Path) -> list[Event]:
    """All events; a last line that a kill cut short is left out.

    Raises:
        CheckpointError: the file cannot be read, or a whole line is no event of this schema.
    """
    return [event for event, _ in _read_lines(path)]


def cut_back(path: Path, last_epoch: int) -> None:
    """Drop, atomically, what a checkpoint of `last_epoch` does not cover: later epochs, results and stops.

    Raises:
        CheckpointError: the log does not hold each epoch up to `last_epoch` exactly once.
    """
    kept = [
        (event, line)
        for event, line in _read_lines(path)
        if isinstance(event, RunStart | Seed) or (isinstance(event, Epoch) and event.epoch <= last_epoch)
    ]
    epochs = [event.epoch for event, _ in kept if isinstance(event, Epoch)]
    if epochs != list(range(1, last_epoch + 1)) or not isinstance(kept[0][0] if kept else None, RunStart):
        raise CheckpointError(
            f"{path} does not hold the epochs 1 to {last_epoch} of the checkpoint beside it: "
            "train again into another folder"
        )
    write_atomically(path, b"".join(line for _, line in kept))


def _read_lines(path: Path) -> Iterator[tuple[Event, bytes]]:
    try:
        lines: Sequence[bytes] = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise CheckpointError(f"cannot read {path} ({error.strerror}): name an existing log") from error
    decoder = msgspec.json.Decoder(Event)
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return
        try:
            yield decoder.decode(line), line
        except msgspec.DecodeError as error:
            raise CheckpointError(f"line {number} of {path} is no training event ({error})") from error
