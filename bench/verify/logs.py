"""The figures of a training log, recomputed from its own counts.

An accuracy is a count over images, so that a share that no count gives was never measured: a changed digit
shows even where the log is all that there is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.errors import InputError
from bench.training_run import Epoch
from bench.verify.findings import Findings
from bench.verify.manifest import AskedRun

__all__ = ["CheckedLog", "check_logs"]

# A share times its images is a whole number, but for the rounding of two floats; counts are below 10**7.
_WHOLE = 1e-6
_FOLDER = re.compile(r"(?P<variant>.+)-seed(?P<seed>\d+)")


class _Recipe(msgspec.Struct, frozen=True):
    epochs: int
    batch_size: int | None = None


class _Target(msgspec.Struct, frozen=True):
    value: float


class _Start(msgspec.Struct, frozen=True, tag_field="event", tag="run_start"):
    variant: str
    dataset: str
    recipe: msgspec.Raw
    images: dict[str, int]
    target: _Target | None = None
    dataset_digest: str = ""
    threads: int | None = None


class _Seed(msgspec.Struct, frozen=True, tag_field="event", tag="seed"):
    seed: int


class _Score(msgspec.Struct, frozen=True, tag_field="event", tag="eval_accuracy"):
    split: str
    augmentation: str
    correct: int
    images: int
    accuracy: float | None = None


class _Stop(msgspec.Struct, frozen=True, tag_field="event", tag="run_stop"):
    status: str
    accuracy: float | None = None
    target_reached: bool | None = None


_Event = _Start | _Seed | Epoch | _Score | _Stop
_EVENT = msgspec.json.Decoder(_Event)


@dataclass(frozen=True, slots=True)
class CheckedLog:
    """One log, named from the folder, in which every event that a run needs is there."""

    name: str
    start: _Start
    recipe: _Recipe
    seed: int
    epochs: tuple[Epoch, ...]
    scores: tuple[_Score, ...]
    stop: _Stop

    @property
    def run(self) -> AskedRun:
        """Which run it is."""
        return AskedRun(self.start.variant, self.seed)


def check_logs(folder: Path) -> tuple[Findings, tuple[AskedRun, ...]]:
    """Checks every log below `training`, and gives the runs that they hold."""
    logs, problems = [], []
    for path in sorted((folder / "training").rglob("*.jsonl")):
        name = path.relative_to(folder).as_posix()
        try:
            logs.append(_read(path, name))
        except InputError as error:
            problems.append(str(error))
            continue
        problems += [f"{name}: {text}" for text in _faults(logs[-1])]
    problems += _compared(logs)
    return Findings(tuple(problems), runs=len(logs)), tuple(log.run for log in logs)


def _read(path: Path, name: str) -> CheckedLog:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"{name}: can't be read ({error.strerror})") from error
    events = [_event(line, f"{name}: line {number}") for number, line in enumerate(lines, start=1)]
    starts = [event for event in events if isinstance(event, _Start)]
    seeds = [event for event in events if isinstance(event, _Seed)]
    stops = [event for event in events if isinstance(event, _Stop)]
    for word, found in (("run_start", starts), ("seed", seeds), ("run_stop", stops)):
        if len(found) != 1:
            raise InputError(f"{name}: has {len(found)} {word} events where a finished run has one")
    try:
        recipe = msgspec.json.decode(starts[0].recipe, type=_Recipe)
    except ValueError as error:
        raise InputError(f"{name}: has no recipe that a training log has ({error})") from error
    return CheckedLog(
        name=name,
        start=starts[0],
        recipe=recipe,
        seed=seeds[0].seed,
        epochs=tuple(event for event in events if isinstance(event, Epoch)),
        scores=tuple(event for event in events if isinstance(event, _Score)),
        stop=stops[0],
    )


def _event(line: bytes, place: str) -> _Event:
    try:
        event: _Event = _EVENT.decode(line)
        return event
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is no event of a training log ({error})") from error


def _faults(log: CheckedLog) -> Iterator[str]:
    if log.stop.status != "finished":
        yield f"the run was {log.stop.status}, not finished"
    numbers = [epoch.epoch for epoch in log.epochs]
    if numbers != list(range(1, log.recipe.epochs + 1)):
        yield f"holds {len(numbers)} epochs, which are not 1 to {log.recipe.epochs} in order"
    found = _FOLDER.fullmatch(Path(log.name).parent.name)
    if found and (found["variant"], found["seed"]) != (log.start.variant, str(log.seed)):
        yield f"holds {log.start.variant} from seed {log.seed}, which its folder's name denies"
    yield from _epoch_faults(log)
    yield from _score_faults(log)


def _epoch_faults(log: CheckedLog) -> Iterator[str]:
    images = log.start.images
    batch = log.recipe.batch_size
    # An incomplete last batch is left out of a pass.
    passed = None if batch is None else images.get("train", 0) // batch * batch
    shown = {"train_accuracy": passed}
    shown |= {f"{split}_accuracy": images.get(split) for split in ("validation", "test")}
    for epoch in log.epochs:
        for field, count in shown.items():
            share = getattr(epoch, field)
            if batch is not None and share is not None and count and not _is_share(share, count):
                yield f"epoch {epoch.epoch} has a {field} of {share!r}, which is no share of {count} images"
        if not math.isfinite(epoch.loss):
            yield f"epoch {epoch.epoch} has a loss of {epoch.loss!r}"


def _is_share(share: float, images: int) -> bool:
    return abs(share * images - round(share * images)) < _WHOLE


def _score_faults(log: CheckedLog) -> Iterator[str]:
    plain: Mapping[str, _Score] = {s.split: s for s in log.scores if s.augmentation == "none"}
    kinds = [(score.split, score.augmentation) for score in log.scores]
    yield from (f"evaluates {split} ({how}) twice" for split, how in kinds if kinds.count((split, how)) > 1)
    for score in log.scores:
        whole = log.start.images.get(score.split)
        if not 0 <= score.correct <= score.images or score.images == 0:
            yield f"counts {score.correct} right answers of {score.images} {score.split} images"
        elif score.accuracy is not None and score.accuracy != score.correct / score.images:
            yield f"has a {score.split} accuracy of {score.accuracy!r} for {score.correct} of {score.images}"
        # Of the training images a part may do.
        if whole is not None and score.split != "train" and score.images != whole:
            yield f"evaluates {score.images} {score.split} images where there are {whole}"
    test = plain.get("test")
    if test is None or test.images == 0:
        yield "has no evaluation of the test images"
        return
    accuracy = test.correct / test.images
    if log.stop.accuracy not in (None, accuracy):
        yield f"ends with an accuracy of {log.stop.accuracy!r}, where its test images say {accuracy!r}"
    if log.start.target is not None and log.stop.target_reached not in (
        None,
        accuracy >= log.start.target.value,
    ):
        yield f"says {log.stop.target_reached} of its target {log.start.target.value!r} at {accuracy!r}"


def _compared(logs: Sequence[CheckedLog]) -> Iterator[str]:
    """One recipe, one data set for all; and no run twice under two names."""
    for log in logs[1:]:
        for what in ("dataset", "dataset_digest", "images", "threads"):
            if getattr(log.start, what) != getattr(logs[0].start, what):
                yield f"{log.name}: has another {what} than {logs[0].name}"
        if bytes(log.start.recipe) != bytes(logs[0].start.recipe):
            yield f"{log.name}: has another recipe than {logs[0].name}"
    losses: dict[tuple[str, tuple[float, ...]], CheckedLog] = {}
    for log in logs:
        key = (log.start.variant, tuple(epoch.loss for epoch in log.epochs))
        if log.epochs and key in losses:
            yield f"{log.name}: has the losses of {losses[key].name}, so that one run stands there twice"
        losses.setdefault(key, log)
