"""What a reader of a run's figures must know: said in its log, on the console and in reports."""

from __future__ import annotations

from enum import Enum

from dyrelu.data.dataset import ImageDataset
from dyrelu.training.recipes import RECIPES, Recipe, Selection

__all__ = ["Convolution", "resumed_note", "run_notes"]


class Convolution(Enum):
    """Whose convolutions a run trains with: oneDNN's on the CPU, or Paddle's own (`dyrelu.kernels`)."""

    ONEDNN = "onednn"
    PADDLE = "paddle"


def run_notes(recipe: Recipe, dataset: ImageDataset, ranks: int = 1) -> tuple[str, ...]:
    """One sentence for each departure from: its rates, the last epoch, a validation part, one process."""
    notes = []
    named = RECIPES.get(recipe.name)
    if named is not None and recipe.hyper_lr_scale != named.hyper_lr_scale:
        notes.append(
            f"The learning rate of hyper functions is {recipe.hyper_lr_scale:g} of the trunk's, where the "
            f"{recipe.name} recipe has {named.hyper_lr_scale:g}."
        )
    if recipe.select is Selection.BEST_ON_TEST:
        notes.append(
            f"The {recipe.name} recipe evaluates the test images after every epoch and keeps the best "
            "epoch's weights (best_on_test), so its test accuracy is optimistic."
        )
    if not len(dataset.validation):
        notes.append(
            f"All {len(dataset.train)} training images are trained on; there is no validation part, so "
            "nothing but the test images can show overfitting."
        )
    if ranks > 1:
        notes.append(
            f"Trained data-parallel by {ranks} processes with {recipe.batch_size // ranks} of each batch's "
            f"{recipe.batch_size} images each; batch-norm statistics are local to a process, and process 0's "
            "are kept."
        )
    return tuple(notes)


def resumed_note(epoch: int, before: Convolution, after: Convolution) -> str:
    """Of a run that goes on after `epoch` with other convolutions than before."""
    names = {Convolution.ONEDNN: "oneDNN's convolutions", Convolution.PADDLE: "Paddle's own convolutions"}
    return (
        f"Trained with {names[before]} up to epoch {epoch} and resumed with {names[after]}: the weights "
        "differ from those of an uninterrupted run, and images/s before and after do not compare."
    )
