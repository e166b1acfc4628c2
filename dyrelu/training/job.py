"""What goes into a training run and what comes out of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from dyrelu.data.dataset import ImageDataset, Normalisation
from dyrelu.errors import DyReLUError
from dyrelu.training.log import Target
from dyrelu.training.recipes import Recipe

__all__ = [
    "DivergenceError",
    "OnProgress",
    "Progress",
    "TrainingJob",
    "TrainingResult",
    "normalisation_of",
]

CHECKPOINT_NAME = "checkpoint.safetensors"
WEIGHTS_NAME = "weights.safetensors"
LOG_NAME = "training.jsonl"


class DivergenceError(DyReLUError):
    """The loss became infinite or not a number, so that going on would train nothing."""


def normalisation_of(dataset: ImageDataset, recipe: Recipe) -> Normalisation:
    """From stored pixels to network input: the recipe's, else the data set's."""
    own, scaling = dataset.normalisation, recipe.scaling
    if scaling is None:
        return own
    channels = dataset.image_shape[0]
    return Normalisation(own.scale, (scaling.mean,) * channels, (scaling.std,) * channels)


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """Everything that decides a run's outcome, but for the model.

    `folder` receives training.jsonl, checkpoint.safetensors and weights.safetensors; no other process may
    train into it at the same time. `variant` and `options` (the activation's) only label the run. `threads`
    is what the caller set Paddle to: it is recorded, and a resumed run must have the same, because sums of
    floats depend on it.
    """

    dataset: ImageDataset
    recipe: Recipe
    seed: int
    folder: Path
    variant: str
    threads: int
    target: Target | None = None
    options: Mapping[str, bool | int | float | str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def normalisation(self) -> Normalisation:
        """From stored pixels to network input: the recipe's, else the data set's."""
        return normalisation_of(self.dataset, self.recipe)

    @property
    def log(self) -> Path:
        """The JSON lines."""
        return self.folder / LOG_NAME

    @property
    def checkpoint(self) -> Path:
        """The state after the last finished epoch."""
        return self.folder / CHECKPOINT_NAME

    @property
    def weights(self) -> Path:
        """The weights that a finished run keeps."""
        return self.folder / WEIGHTS_NAME


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Epochs and steps count from 1, steps within the epoch.

    `loss` is the mean since the last report; `reader_cost` and `batch_cost` are seconds per step since then,
    for making the batch alone and for the whole step; `eta_seconds` covers the training steps left.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    images_per_second: float
    eta_seconds: float
    reader_cost: float
    batch_cost: float


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """A finished run. `accuracy` is on the test images, without flip averaging, a fraction from 0 to 1."""

    weights: Path
    log: Path
    accuracy: float
    target_reached: bool | None
    seconds: float
