"""Train one model: epochs, checkpoints, the log and the final evaluation.

The loop prints nothing. The test images are looked at once, after the last epoch; every choice before that is
served by the validation images.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from paddle import nn

from dyrelu.errors import CheckpointError
from dyrelu.training.checkpoint import write_snapshot
from dyrelu.training.ema import MovingAverage
from dyrelu.training.epoch import Clock, Trainer, run_epoch, steps_per_epoch
from dyrelu.training.evaluation import logits_of, score
from dyrelu.training.final import finish
from dyrelu.training.initialisation import initialise
from dyrelu.training.job import OnProgress, Progress, TrainingJob, TrainingResult
from dyrelu.training.log import SCHEMA_VERSION, Epoch, ImageCounts, LogWriter, RunStart, RunStop, Seed, Status
from dyrelu.training.losses import mean_cross_entropy
from dyrelu.training.optimiser import build_optimiser
from dyrelu.training.resume import libraries, restore, snapshot
from dyrelu.training.streams import Stream

__all__ = ["train"]


def train(
    model: nn.Layer,
    job: TrainingJob,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    clock: Clock = time.perf_counter,
) -> TrainingResult:
    """Initialise and train `model` as `job` says; afterwards it holds the weights kept, in evaluation mode.

    Args:
        model: its parameters are overwritten. Takes (N, C, H, W) float32, gives (N, classes).
        job: data, recipe, seed and folder.
        resume: go on from the folder's checkpoint, if there is one; with the same number of threads the
            weights come out bit for bit as without the interruption.
        on_progress: called every few steps.
        clock: seconds, monotonic.

    Raises:
        RecipeError: the recipe does not fit the data or the model.
        CheckpointError: the folder holds a run already, or one that cannot be resumed; or it cannot be
            written.
        DivergenceError: the loss is no finite number.
        KeyboardInterrupt: passed on, after the log has been told; the last checkpoint stands.
    """
    trainer = _make_trainer(model, job, on_progress or _ignore, clock)
    _prepare_folder(job, resume)
    done, elapsed = restore(trainer) if resume and job.checkpoint.exists() else (0, 0.0)
    start = clock() - elapsed
    with _quiet_batch_norm(), LogWriter(job.log) as log, _logged_stop(log, trainer, start):
        if done == 0:
            initialise(model, job.seed)
            _write_head(log, trainer)
        for epoch in range(done + 1, job.recipe.epochs + 1):
            log.write(_epoch_event(trainer, epoch))
            # After the log: a kill between the two costs a repeated epoch, never a missing line.
            write_snapshot(job.checkpoint, snapshot(trainer, epoch, clock() - start))
        return finish(log, trainer, start)


def _make_trainer(model: nn.Layer, job: TrainingJob, on_progress: OnProgress, clock: Clock) -> Trainer:
    steps = job.recipe.epochs * steps_per_epoch(job.recipe, len(job.dataset.train))
    return Trainer(
        model=model,
        job=job,
        optimiser=build_optimiser(model, job.recipe),
        average=MovingAverage(model, job.recipe, steps),
        clock=clock,
        on_progress=on_progress,
    )


def _ignore(_progress: Progress) -> None:
    """The progress of a caller that did not ask for it."""


def _prepare_folder(job: TrainingJob, resume: bool) -> None:
    try:
        job.folder.mkdir(parents=True, exist_ok=True)
        if not resume and (job.log.exists() or job.checkpoint.exists()):
            raise CheckpointError(
                f"{job.folder} holds a training run already: resume it or choose another folder"
            )
        if not job.checkpoint.exists():
            # Killed before its first checkpoint: nothing to go on from, so neither is its log.
            job.log.unlink(missing_ok=True)
    except OSError as error:
        raise CheckpointError(
            f"cannot write {job.folder} ({error.strerror}): choose a writable folder"
        ) from error


@contextmanager
def _quiet_batch_norm() -> Iterator[None]:
    """Paddle 3 warns of each trained batch norm that it tracks its statistics, which is what it is for."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="When training, we now always track global mean and variance"
        )
        yield


@contextmanager
def _logged_stop(log: LogWriter, trainer: Trainer, start: float) -> Iterator[None]:
    """Tell the log of an end before the end, whatever its cause."""
    try:
        yield
    except BaseException as error:
        status = Status.INTERRUPTED if isinstance(error, KeyboardInterrupt) else Status.FAILED
        stop = RunStop(status=status, seconds=trainer.clock() - start, accuracy=None, target_reached=None)
        # A full disk may be what ended the run: then the first error is the one to hear of.
        with suppress(CheckpointError):
            log.write(stop)
        raise


def _write_head(log: LogWriter, trainer: Trainer) -> None:
    job = trainer.job
    parameters = [p for p in trainer.model.parameters() if not p.stop_gradient]
    log.write(
        RunStart(
            schema_version=SCHEMA_VERSION,
            variant=job.variant,
            options=dict(job.options),
            dataset=job.dataset.name,
            dataset_digest=job.dataset.digest,
            recipe=job.recipe,
            images=ImageCounts(
                train=len(job.dataset.train),
                validation=len(job.dataset.validation),
                test=len(job.dataset.test),
            ),
            trainable_parameters=sum(int(np.prod(p.shape, dtype=int)) for p in parameters),
            threads=job.threads,
            libraries=libraries(),
            target=job.target,
        )
    )
    streams = {stream.name.lower(): int(stream) for stream in Stream}
    log.write(Seed(seed=job.seed, streams=streams, split_seed=job.dataset.split_seed))


def _epoch_event(trainer: Trainer, epoch: int) -> Epoch:
    start = trainer.clock()
    outcome = run_epoch(trainer, epoch)
    dataset = trainer.job.dataset
    logits = logits_of(trainer.model, dataset.validation.images, dataset.normalisation)
    return Epoch(
        epoch=epoch,
        loss=outcome.loss,
        train_accuracy=outcome.accuracy,
        validation_loss=mean_cross_entropy(logits, dataset.validation.labels),
        validation_accuracy=score(logits, dataset.validation.labels).accuracy,
        learning_rate=outcome.learning_rate,
        images_per_second=outcome.images / outcome.seconds if outcome.seconds > 0 else 0.0,
        seconds=trainer.clock() - start,
    )
