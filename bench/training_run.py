"""A training run as a report needs it, read from its JSON-lines log without Paddle."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from bench.errors import InputError

__all__ = [
    "Epoch",
    "Evaluation",
    "TrainingRun",
    "read_training_run",
    "read_training_runs",
    "unstarted_logs",
]

Share = Annotated[float, Meta(ge=0, le=1)]
Amount = Annotated[float, Meta(ge=0, le=1e12)]
Count = Annotated[int, Meta(ge=0, le=10**12)]
Positive = Annotated[int, Meta(ge=1, le=10**12)]
Name = Annotated[str, Meta(min_length=1)]


class Epoch(msgspec.Struct, frozen=True, tag_field="event", tag="epoch"):
    """One pass over the training images. Rates are images per second; accuracies 0 to 1.

    The validation figures are None without validation images, the test figures where the run didn't look at
    the test images before its end.
    """

    epoch: Positive
    loss: float
    train_accuracy: Share
    validation_loss: float | None
    validation_accuracy: Share | None
    learning_rate: float
    images_per_second: Amount
    seconds: Amount
    test_loss: float | None = None
    test_accuracy: Share | None = None


class Evaluation(msgspec.Struct, frozen=True, tag_field="event", tag="eval_accuracy"):
    """Exact accuracy over a whole split: `correct` of `images`."""

    split: str
    weights: str
    augmentation: str
    correct: Count
    images: Count

    def __post_init__(self) -> None:
        if self.correct > self.images:
            raise ValueError(f"{self.correct} correct of {self.images} images")

    @property
    def accuracy(self) -> float:
        """Share of right answers, 0 to 1."""
        return self.correct / self.images if self.images else float("nan")


class TrainingRun(msgspec.Struct, frozen=True):
    """One variant trained from one seed. `status` is "running" where the log has no end.

    `notes` are sentences that a reader of the figures must know; `kept_epoch` is the epoch whose weights were
    kept, None where it is the last.
    """

    variant: str
    seed: int
    dataset: str
    recipe: str
    planned_epochs: int
    status: str
    target: float | None
    target_source: str
    trainable_parameters: int
    train_images: int
    seconds: float
    epochs: tuple[Epoch, ...]
    evaluations: tuple[Evaluation, ...]
    notes: tuple[str, ...] = ()
    kept_epoch: int | None = None

    def evaluation(self, split: str, augmentation: str = "none") -> Evaluation | None:
        """The final evaluation of a split, or None where the run didn't get there."""
        found = [e for e in self.evaluations if e.split == split and e.augmentation == augmentation]
        return found[-1] if found else None

    @property
    def test_accuracy(self) -> float | None:
        """Plain test accuracy, 0 to 1; None where the run didn't get there."""
        found = self.evaluation("test")
        return found.accuracy if found else None

    @property
    def target_reached(self) -> bool | None:
        """None where there is no target or no test accuracy."""
        if self.target is None or self.test_accuracy is None:
            return None
        return self.test_accuracy >= self.target


class _Recipe(msgspec.Struct, frozen=True):
    name: str
    epochs: Count


class _Target(msgspec.Struct, frozen=True):
    value: Share
    source: str = ""


class _Images(msgspec.Struct, frozen=True):
    train: Count


class _Start(msgspec.Struct, frozen=True, tag_field="event", tag="run_start"):
    variant: Name
    dataset: str
    recipe: _Recipe
    images: _Images
    trainable_parameters: Count
    target: _Target | None = None
    notes: tuple[str, ...] = ()


class _Seed(msgspec.Struct, frozen=True, tag_field="event", tag="seed"):
    seed: Count


class _Stop(msgspec.Struct, frozen=True, tag_field="event", tag="run_stop"):
    status: Name
    seconds: Amount = 0.0
    kept_epoch: Positive | None = None


_Event = _Start | _Seed | Epoch | Evaluation | _Stop
_EVENT = msgspec.json.Decoder(_Event)


def read_training_runs(folder: Path) -> tuple[TrainingRun, ...]:
    """The run of every log below `folder`, ordered by variant and seed; `unstarted_logs` have none.

    Raises InputError for a log that can't be read, and for two of the same variant and seed.
    """
    logs = [(path, run) for path in _logs(folder) if (run := read_training_run(path)) is not None]
    logs.sort(key=lambda log: (log[1].variant, log[1].seed))
    for (path, run), (other, following) in pairwise(logs):
        if (run.variant, run.seed) == (following.variant, following.seed):
            raise InputError(
                f"{path} and {other}: both hold {run.variant} from seed {run.seed}; keep the one that counts"
            )
    return tuple(run for _, run in logs)


def unstarted_logs(folder: Path) -> tuple[str, ...]:
    """Logs below `folder`, named from there, of runs that were killed before they began."""
    return tuple(
        path.relative_to(folder).as_posix() for path in _logs(folder) if read_training_run(path) is None
    )


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.jsonl"))


def read_training_run(path: Path) -> TrainingRun | None:
    """Reads one log; a cut last line (a run that was killed) is left out. None for a run that never began.

    Raises InputError with the line's number for anything else that is not a training log.
    """
    events = _events(path)
    start = next((event for event in events if isinstance(event, _Start)), None)
    seed = next((event for event in events if isinstance(event, _Seed)), None)
    if not events or (start is not None and len(events) == 1):
        return None
    if start is None or seed is None:
        missing = "run_start" if start is None else "seed"
        raise InputError(f"{path}: not a training log (no {missing} event); give the folder of a run")
    stop = next((event for event in reversed(events) if isinstance(event, _Stop)), None)
    return TrainingRun(
        variant=start.variant,
        seed=seed.seed,
        dataset=start.dataset,
        recipe=start.recipe.name,
        planned_epochs=start.recipe.epochs,
        status=stop.status if stop else "running",
        target=start.target.value if start.target else None,
        target_source=start.target.source if start.target else "",
        trainable_parameters=start.trainable_parameters,
        train_images=start.images.train,
        seconds=stop.seconds if stop else 0.0,
        epochs=tuple(event for event in events if isinstance(event, Epoch)),
        evaluations=tuple(event for event in events if isinstance(event, Evaluation)),
        notes=start.notes,
        kept_epoch=stop.kept_epoch if stop else None,
    )


def _events(path: Path) -> list[_Event]:
    try:
        *lines, cut = path.read_bytes().split(b"\n")
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    events: list[_Event] = []
    for number, line in enumerate(lines, start=1):
        try:
            events.append(_EVENT.decode(line))
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"{path}: line {number} is no event of a training log ({error}); the log was edited, or is "
                "of another version: train again"
            ) from error
    try:
        # An editor may have taken the last line's end away.
        return [*events, _EVENT.decode(cut)]
    except (ValueError, RecursionError):
        return events
