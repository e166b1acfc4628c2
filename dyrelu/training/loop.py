"""Train one model: epochs, checkpoints, the log and the final evaluation.

The loop prints nothing. The test images are looked at once, after the last epoch; every choice before that is
served by the validation images. Only a recipe that selects `best_on_test` looks at them after every epoch.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np
from paddle import nn

from dyrelu.data.dataset import Examples
from dyrelu.errors import CheckpointError, RecipeError
from dyrelu.training.checkpoint import write_snapshot
from dyrelu.training.convolution import fast_convolutions
from dyrelu.training.distributed import Alone, Communicator
from dyrelu.training.ema import MovingAverage
from dyrelu.training.epoch import Clock, Trainer, run_epoch, steps_per_epoch
from dyrelu.training.evaluation import Score, logits_of, score
from dyrelu.training.final import finish
from dyrelu.training.initialisation import initialise
from dyrelu.training.job import OnProgress, Progress, TrainingJob, TrainingResult
from dyrelu.training.log import SCHEMA_VERSION, Epoch, ImageCounts, LogWriter, RunStart, RunStop, Seed, Status
from dyrelu.training.losses import mean_cross_entropy
from dyrelu.training.notes import run_notes
from dyrelu.training.optimiser import build_optimiser
from dyrelu.training.ranks import Ranks
from dyrelu.training.recipes import Selection
from dyrelu.training.resume import libraries, restore, share_state, snapshot
from dyrelu.training.selection import BestEpoch
from dyrelu.training.state import state_of
from dyrelu.training.streams import Stream

__all__ = ["train"]


def train(
    model: nn.Layer,
    job: TrainingJob,
    *,
    resume: bool = False,
    on_progress: OnProgress | None = None,
    clock: Clock = time.perf_counter,
    communicator: Communicator | None = None,
) -> TrainingResult:
    """Initialise and train `model` as `job` says; afterwards it holds the weights kept, in evaluation mode.

    In a distributed job every process calls this; all but process 0 only train, touch no file, and end with
    the last step's weights and process 0's result.

    Args:
        model: its parameters are overwritten. Takes (N, C, H, W) float32, gives (N, classes).
        job: data, recipe, seed and folder.
        resume: go on from the folder's checkpoint, if there is one; with the same number of threads the
            weights come out bit for bit as without the interruption.
        on_progress: called every few steps.
        clock: seconds, monotonic.
        communicator: the job's processes; without one this process is alone.

    Raises:
        RecipeError: the recipe does not fit the data or the model.
        CheckpointError: the folder holds a run already, or one that cannot be resumed; or it cannot be
            written.
        DivergenceError: the loss is no finite number.
        KernelError: DYRELU_KERNEL=fused, and the operators can't be had.
        DistributedError: another process of the job is gone; the last checkpoint stands.
        KeyboardInterrupt: passed on, after the log has been told; the last checkpoint stands.
    """
    recipe, ranks = job.recipe, (communicator or Alone()).ranks
    steps = recipe.epochs * steps_per_epoch(recipe, len(job.dataset.train))
    _check_fit(job, ranks)
    with _quiet_batch_norm(), fast_convolutions(model) as convolution:
        trainer = Trainer(
            model=model,
            job=job,
            optimiser=build_optimiser(model, recipe),
            average=MovingAverage(model, recipe, steps),
            best=BestEpoch(),
            communicator=communicator or Alone(),
            clock=clock,
            on_progress=on_progress or _ignore,
            convolution=convolution,
        )
        return _lead(trainer, resume) if ranks.leads else _follow(trainer)


def _lead(trainer: Trainer, resume: bool) -> TrainingResult:
    """Train, write and evaluate: all there is to do for a process that is alone."""
    job, clock, communicator = trainer.job, trainer.clock, trainer.communicator
    _prepare_folder(job, resume)
    done, elapsed = restore(trainer) if resume and job.checkpoint.exists() else (0, 0.0)
    start = clock() - elapsed
    with LogWriter(job.log) as log, _logged_stop(log, trainer, start):
        if done == 0:
            initialise(trainer.model, job.seed)
            _write_head(log, trainer)
        share_state(trainer, done)
        for epoch in range(done + 1, job.recipe.epochs + 1):
            communicator.wait_for_leader()
            log.write(_epoch_event(trainer, epoch))
            # After the log: a kill between the two costs a repeated epoch, never a missing line.
            write_snapshot(job.checkpoint, snapshot(trainer, epoch, clock() - start))
        result = finish(log, trainer, start)
        communicator.wait_for_leader()
        communicator.from_leader([result.accuracy, result.seconds])
        return result


def _follow(trainer: Trainer) -> TrainingResult:
    """Train along with process 0, which may evaluate and write for long between two epochs."""
    job, communicator = trainer.job, trainer.communicator
    for epoch in range(share_state(trainer, 0) + 1, job.recipe.epochs + 1):
        communicator.wait_for_leader()
        run_epoch(trainer, epoch)
    communicator.wait_for_leader()
    accuracy, seconds = communicator.from_leader([0.0, 0.0])
    trainer.model.eval()
    reached = job.target.reached_by(accuracy) if job.target else None
    return TrainingResult(job.weights, job.log, accuracy, reached, seconds)


def _check_fit(job: TrainingJob, ranks: Ranks) -> None:
    recipe = job.recipe
    if recipe.batch_size % ranks.size or recipe.batch_size // ranks.size < 2:
        raise RecipeError(
            f"batch_size {recipe.batch_size} cannot be shared by {ranks.size} processes: choose a "
            f"multiple of {ranks.size} that leaves each at least 2 images (batch norm)"
        )
    small, size = recipe.small_first, min(job.dataset.image_shape[1:])
    if small is not None and small.size > size:
        raise RecipeError(
            f"recipe {recipe.name!r} begins with images of {small.size} pixels and the data has {size}: "
            f"choose a small_first size of at most {size}"
        )
    wanted, found = recipe.validation_images, len(job.dataset.validation)
    if wanted is not None and wanted != found:
        raise RecipeError(
            f"recipe {recipe.name!r} holds out {wanted} validation images and the data {found}: load the "
            f"data with validation_images={wanted}"
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
            ranks=trainer.communicator.ranks.size,
            convolution=trainer.convolution,
            notes=run_notes(job.recipe, job.dataset, trainer.communicator.ranks.size),
        )
    )
    streams = {stream.name.lower(): int(stream) for stream in Stream}
    log.write(Seed(seed=job.seed, streams=streams, split_seed=job.dataset.split_seed))


def _epoch_event(trainer: Trainer, epoch: int) -> Epoch:
    start = trainer.clock()
    outcome = run_epoch(trainer, epoch)
    dataset = trainer.job.dataset
    validation = _evaluate(trainer, dataset.validation) if len(dataset.validation) else None
    test = None
    if trainer.job.recipe.select is Selection.BEST_ON_TEST:
        test = _evaluate(trainer, dataset.test)
        trainer.best.offer(epoch, test[1].correct, state_of(trainer.model))
    return Epoch(
        epoch=epoch,
        loss=outcome.loss,
        train_accuracy=outcome.accuracy,
        validation_loss=validation and validation[0],
        validation_accuracy=validation and validation[1].accuracy,
        test_loss=test and test[0],
        test_accuracy=test and test[1].accuracy,
        learning_rate=outcome.learning_rate,
        images_per_second=outcome.images / outcome.seconds if outcome.seconds > 0 else 0.0,
        seconds=trainer.clock() - start,
    )


def _evaluate(trainer: Trainer, examples: Examples) -> tuple[float, Score]:
    """Mean loss in nats, and the score, of the weights as they are."""
    logits = logits_of(trainer.model, examples.images, trainer.job.normalisation)
    return mean_cross_entropy(logits, examples.labels), score(logits, examples.labels)
