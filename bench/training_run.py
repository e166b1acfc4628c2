"""A training run as a report needs it, read from its JSON-lines log without Paddle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from bench.errors import InputError

__all__ = ["Epoch", "Evaluation", "TrainingRun", "read_training_run", "read_training_runs"]


class Epoch(msgspec.Struct, frozen=True):
    """One pass over the training images. Rates are images per second; accuracies 0 to 1.

    The validation figures are None without validation images, the test figures where the run didn't look at
    the test images before its end.
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


class Evaluation(msgspec.Struct, frozen=True):
    """Exact accuracy over a whole split: `correct` of `images`."""

    split: str
    weights: str
    augmentation: str
    correct: int
    images: int

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


def read_training_runs(folder: Path) -> tuple[TrainingRun, ...]:
    """Every log below `folder`, ordered by variant and seed."""
    runs = [read_training_run(path) for path in sorted(folder.rglob("*.jsonl"))]
    return tuple(sorted(runs, key=lambda run: (run.variant, run.seed)))


def read_training_run(path: Path) -> TrainingRun:
    """Reads one log; a cut last line (a run that was killed) is left out.

    Raises InputError with the line's number for anything else that is not a training log.
    """
    events = _events(path)
    start = next((event for event in events if event.get("event") == "run_start"), None)
    if start is None:
        raise InputError(f"{path}: not a training log (no run_start event); give the folder of a run")
    try:
        return _assemble(start, events)
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise InputError(f"{path}: a training log of another version ({error}); train again") from error


def _assemble(start: dict[str, Any], events: list[dict[str, Any]]) -> TrainingRun:
    empty: dict[str, Any] = {}
    stop = next((event for event in reversed(events) if event["event"] == "run_stop"), empty)
    seed = next((event for event in events if event["event"] == "seed"), {"seed": -1})
    target = start.get("target") or {}
    return TrainingRun(
        variant=start["variant"],
        seed=seed["seed"],
        dataset=start["dataset"],
        recipe=start["recipe"]["name"],
        planned_epochs=start["recipe"]["epochs"],
        status=stop.get("status", "running"),
        target=target.get("value"),
        target_source=target.get("source", ""),
        trainable_parameters=start["trainable_parameters"],
        train_images=start["images"]["train"],
        seconds=stop.get("seconds", 0.0),
        epochs=tuple(msgspec.convert(e, Epoch) for e in events if e["event"] == "epoch"),
        evaluations=tuple(msgspec.convert(e, Evaluation) for e in events if e["event"] == "eval_accuracy"),
        notes=tuple(start.get("notes", ())),
        kept_epoch=stop.get("kept_epoch"),
    )


def _events(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror})") from error
    events = []
    for number, line in enumerate(lines, start=1):
        try:
            event = msgspec.json.decode(line)
        except msgspec.DecodeError as error:
            if number == len(lines):
                break
            raise InputError(f"{path}: line {number} is not JSON ({error}); the log was edited") from error
        if not isinstance(event, dict) or "event" not in event:
            raise InputError(f"{path}: line {number} is no event of a training log")
        events.append(event)
    return events
