"""One pass over the training images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import paddle
from paddle import nn

from dyrelu.data.augment import Draws, augment, draw
from dyrelu.data.shrink import shrink
from dyrelu.errors import RecipeError
from dyrelu.training.distributed import Communicator
from dyrelu.training.ema import MovingAverage
from dyrelu.training.job import DivergenceError, OnProgress, Progress, TrainingJob
from dyrelu.training.losses import smoothed_cross_entropy
from dyrelu.training.notes import Convolution
from dyrelu.training.recipes import Recipe
from dyrelu.training.schedule import learning_rate
from dyrelu.training.selection import BestEpoch
from dyrelu.training.streams import Stream, generator

__all__ = ["Clock", "EpochOutcome", "EpochPlan", "Trainer", "plan_epoch", "run_epoch", "steps_per_epoch"]

Clock = Callable[[], float]

_REPORT_STEPS = 10
"""Steps between two looks at the loss: each look waits for the device, so not at every step."""


@dataclass(frozen=True, slots=True)
class Trainer:
    """What every epoch of a run works with."""

    model: nn.Layer
    job: TrainingJob
    optimiser: paddle.optimizer.Momentum
    average: MovingAverage
    best: BestEpoch
    communicator: Communicator
    clock: Clock
    on_progress: OnProgress
    convolution: Convolution


@dataclass(frozen=True, slots=True)
class EpochPlan:
    """Which image comes when, and how each is augmented, in order of the epoch."""

    order: npt.NDArray[np.intp]
    draws: Draws


@dataclass(frozen=True, slots=True)
class EpochOutcome:
    """Means over the images of a pass (all processes'), as seen while training; `seconds` of the pass."""

    loss: float
    accuracy: float
    learning_rate: float
    images: int
    seconds: float


def steps_per_epoch(recipe: Recipe, images: int) -> int:
    """Whole batches only: a small last batch would feed batch norm poor statistics.

    Raises:
        RecipeError: there are fewer images than one batch needs.
    """
    if images < recipe.batch_size:
        raise RecipeError(
            f"batch_size {recipe.batch_size} exceeds the {images} training images: choose a smaller batch"
        )
    return images // recipe.batch_size


def plan_epoch(recipe: Recipe, images: int, size: tuple[int, int], seed: int, epoch: int) -> EpochPlan:
    """The plan of `epoch` (from 1) for images of `size` (H, W): a function of its arguments, so that resuming
    needs no stored state.
    """
    order = generator(seed, Stream.ORDER, epoch).permutation(images)
    starts_mirrored = generator(seed, Stream.MIRROR).random(images) < 0.5
    mirrored = starts_mirrored[order] ^ (epoch % 2 == 0)
    draws = draw(recipe.augmentation, images, size, generator(seed, Stream.AUGMENTATION, epoch), mirrored)
    return EpochPlan(order, draws)


def run_epoch(trainer: Trainer, epoch: int) -> EpochOutcome:
    """Train for one pass; `epoch` counts from 1.

    Raises:
        DivergenceError: the loss is no finite number.
    """
    recipe, clock = trainer.job.recipe, trainer.clock
    steps = steps_per_epoch(recipe, len(trainer.job.dataset.train))
    trainer.model.train()
    window = _Window(trainer, epoch, steps)
    start = clock()
    rate = 0.0
    for step, (inputs, labels) in enumerate(_batches(trainer, epoch, steps, window)):
        overall = (epoch - 1) * steps + step
        rate = learning_rate(recipe, overall, steps)
        window.add(*_step(trainer, inputs, labels, rate))
        trainer.average.update(overall)
        if (step + 1) % _REPORT_STEPS == 0 or step + 1 == steps:
            window.report(step + 1)
    images = steps * recipe.batch_size
    return EpochOutcome(window.loss_sum / steps, window.correct / images, rate, images, clock() - start)


def _step(
    trainer: Trainer, inputs: paddle.Tensor, labels: paddle.Tensor, rate: float
) -> tuple[paddle.Tensor, paddle.Tensor]:
    logits = trainer.model(inputs)
    loss = smoothed_cross_entropy(logits, labels, trainer.job.recipe.label_smoothing)
    loss.backward()
    trainer.communicator.average_gradients(trainer.model)
    trainer.optimiser.set_lr(rate)
    trainer.optimiser.step()
    trainer.optimiser.clear_grad()
    return loss.detach(), (logits.detach().argmax(axis=1) == labels).sum()


def _batches(
    trainer: Trainer, epoch: int, steps: int, window: _Window
) -> Iterator[tuple[paddle.Tensor, paddle.Tensor]]:
    job, clock, ranks = trainer.job, trainer.clock, trainer.communicator.ranks
    dataset, normalisation = job.dataset, job.normalisation
    start = clock()
    plan = plan_epoch(job.recipe, len(dataset.train), dataset.image_shape[1:], job.seed, epoch)
    share = job.recipe.batch_size // ranks.size
    small = job.recipe.small_first
    if small is not None and not small.applies(epoch, job.recipe.epochs):
        small = None
    for step in range(steps):
        first = step * job.recipe.batch_size + ranks.rank * share
        part = slice(first, first + share)
        chosen = plan.order[part]
        images = augment(dataset.train.images[chosen], job.recipe.augmentation, plan.draws[part])
        inputs = normalisation(images)
        if small is not None:
            inputs = shrink(inputs, small.size)
        batch = paddle.to_tensor(inputs), paddle.to_tensor(dataset.train.labels[chosen])
        window.reader_seconds += clock() - start
        yield batch
        start = clock()


class _Window:
    """Sums up steps between two reports, and over the epoch."""

    def __init__(self, trainer: Trainer, epoch: int, steps: int) -> None:
        self.loss_sum = 0.0
        self.correct = 0
        self.reader_seconds = 0.0
        self._trainer = trainer
        self._epoch = epoch
        self._steps = steps
        self._epoch_start = trainer.clock()
        self._start = self._epoch_start
        self._pending: list[tuple[paddle.Tensor, paddle.Tensor]] = []

    def add(self, loss: paddle.Tensor, correct: paddle.Tensor) -> None:
        """Take in a step without waiting for the device."""
        self._pending.append((loss, correct))

    def report(self, step: int) -> None:
        """Read the device's figures, check them and tell the caller."""
        own = [float(loss.numpy()) for loss, _ in self._pending]
        own_correct = sum(int(correct.numpy()) for _, correct in self._pending)
        communicator = self._trainer.communicator
        # Before the check, so that all processes find the same and end together.
        *sums, correct = communicator.total([*own, own_correct])
        losses = [loss / communicator.ranks.size for loss in sums]
        if not all(map(math.isfinite, losses)):
            raise DivergenceError(
                f"the loss became {next(x for x in losses if not math.isfinite(x))} in epoch {self._epoch} "
                f"by step {step}: lower peak_learning_rate or hyper_lr_scale, or lengthen warmup"
            )
        self.loss_sum += math.fsum(losses)
        self.correct += int(correct)
        now = self._trainer.clock()
        self._trainer.on_progress(self._progress(step, losses, now))
        self._pending.clear()
        self.reader_seconds = 0.0
        self._start = self._trainer.clock()

    def _progress(self, step: int, losses: list[float], now: float) -> Progress:
        recipe = self._trainer.job.recipe
        batch_cost = (now - self._start) / len(losses)
        mean_cost = (now - self._epoch_start) / step
        steps_left = (recipe.epochs - self._epoch) * self._steps + self._steps - step
        return Progress(
            epoch=self._epoch,
            epochs=recipe.epochs,
            step=step,
            steps=self._steps,
            loss=math.fsum(losses) / len(losses),
            images_per_second=recipe.batch_size / batch_cost if batch_cost > 0 else math.inf,
            eta_seconds=mean_cost * steps_left,
            reader_cost=self.reader_seconds / len(losses),
            batch_cost=batch_cost,
        )
