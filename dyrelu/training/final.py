"""After the last epoch: the weights that are kept, and the look at the test images.

It is the only look, unless these images pick the epoch.
"""

from __future__ import annotations

from dyrelu.data.dataset import Examples
from dyrelu.training.checkpoint import WeightsInfo, save_weights
from dyrelu.training.epoch import Trainer
from dyrelu.training.evaluation import Score, logits_of, score
from dyrelu.training.job import TrainingResult
from dyrelu.training.log import EvalAccuracy, EvalAugmentation, LogWriter, RunStop, SplitName, Status
from dyrelu.training.state import apply_state, state_of

__all__ = ["TRAIN_EVALUATION_CAP", "finish"]

TRAIN_EVALUATION_CAP = 10_000
"""The final training accuracy is taken on the first so many training images: a fifth of CIFAR-10 is known to
within half a point, and the whole would cost as much as the rest of the evaluation five times over."""


def finish(log: LogWriter, trainer: Trainer, start: float) -> TrainingResult:
    """Keep the weights that the recipe says, evaluate them, and log the end; `start` is on the trainer's
    clock.

    Raises:
        CheckpointError: the weights cannot be written.
    """
    job, model, dataset = trainer.job, trainer.model, trainer.job.dataset
    kind = job.recipe.weights_kind
    if average := trainer.average.arrays():
        apply_state(model, average, "the moving average")
    if trainer.best.weights:
        apply_state(model, trainer.best.weights, f"epoch {trainer.best.epoch}")
    model.eval()
    save_weights(job.weights, state_of(model), WeightsInfo(variant=job.variant, kind=kind))
    some_train = Examples(
        dataset.train.images[:TRAIN_EVALUATION_CAP], dataset.train.labels[:TRAIN_EVALUATION_CAP]
    )
    _log_scores(log, trainer, SplitName.TRAIN, some_train, (EvalAugmentation.NONE,))
    both = (EvalAugmentation.NONE, EvalAugmentation.FLIP) if job.recipe.mirrors else (EvalAugmentation.NONE,)
    if len(dataset.validation):
        _log_scores(log, trainer, SplitName.VALIDATION, dataset.validation, both)
    accuracy = _log_scores(log, trainer, SplitName.TEST, dataset.test, both).accuracy
    reached = job.target.reached_by(accuracy) if job.target else None
    seconds = trainer.clock() - start
    log.write(
        RunStop(
            status=Status.FINISHED,
            seconds=seconds,
            accuracy=accuracy,
            target_reached=reached,
            kept_epoch=trainer.best.epoch or None,
        )
    )
    return TrainingResult(job.weights, job.log, accuracy, reached, seconds)


def _log_scores(
    log: LogWriter,
    trainer: Trainer,
    split: SplitName,
    examples: Examples,
    augmentations: tuple[EvalAugmentation, ...],
) -> Score:
    """Log one line an augmentation; returns the first one's score."""
    scores = []
    for augmentation in augmentations:
        flip = augmentation is EvalAugmentation.FLIP
        found = score(
            logits_of(trainer.model, examples.images, trainer.job.normalisation, flip=flip),
            examples.labels,
        )
        log.write(
            EvalAccuracy(
                split=split,
                weights=trainer.job.recipe.weights_kind,
                augmentation=augmentation,
                correct=found.correct,
                images=found.images,
                accuracy=found.accuracy,
            )
        )
        scores.append(found)
    return scores[0]
