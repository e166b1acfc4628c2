"""How a subject is trained, in the instrument's words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UsageError
from bench.presets.schema import SubjectSpec, Training
from bench.subjects.networks import open_subject, variant_options

if TYPE_CHECKING:
    from dyrelu.data import ImageDataset
    from dyrelu.training import Ranks, Recipe
    from dyrelu.training.distributed import Communicator
    from dyrelu.training.job import OnProgress

__all__ = [
    "DataSource",
    "TrainingRequest",
    "known_recipes",
    "launched_ranks",
    "load_dataset",
    "open_communicator",
    "recipe_of",
    "subject_errors",
    "train",
    "training_notes",
]


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where a data set that doesn't ship with the project comes from."""

    file: Path | None = None
    download: bool = False


def load_dataset(training: Training, source: DataSource) -> ImageDataset:
    """The images of a preset, split as its recipe says.

    Raises DyReLUError where they can't be had or aren't what they should be.
    """
    from dyrelu.data import cifar10, digits

    held_out = recipe_of(training).validation_images
    if training.dataset == "digits":
        if source.file is not None or source.download:
            raise UsageError("--data-file and --download: the digits come with scikit-learn; leave them out")
        return digits.load(validation_images=digits.VALIDATION_IMAGES if held_out is None else held_out)
    return cifar10.load(
        source.file,
        download=source.download,
        validation_images=cifar10.VALIDATION_IMAGES if held_out is None else held_out,
    )


def training_notes(training: Training, dataset: ImageDataset, ranks: Ranks) -> tuple[str, ...]:
    """Sentences that whoever reads the accuracies must know."""
    from dyrelu.training import run_notes

    return run_notes(recipe_of(training), dataset, ranks.size)


def launched_ranks(environment: Mapping[str, str]) -> Ranks:
    """Which process of a distributed job this is; alone where no launcher started it."""
    from dyrelu.training import launched_ranks

    return launched_ranks(environment)


def recipe_of(training: Training) -> Recipe:
    """The preset's recipe, for as many epochs as it says."""
    from dyrelu.training import recipe

    changes = {"epochs": training.epochs, "hyper_lr_scale": training.hyper_lr_scale}
    return recipe(training.recipe, **{name: value for name, value in changes.items() if value is not None})


def open_communicator(ranks: Ranks) -> Communicator:
    """Joins the job's processes, once a process. Raises DyReLUError where they can't be reached."""
    from dyrelu.training import open_communicator

    return open_communicator(ranks)


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """One variant to train from one seed into one folder."""

    spec: SubjectSpec
    training: Training
    variant: str
    seed: int
    folder: Path
    threads: int


def train(
    request: TrainingRequest,
    dataset: ImageDataset,
    resume: bool,
    on_progress: OnProgress,
    communicator: Communicator,
) -> float:
    """Trains in this process, with the others of its job, and gives the plain test accuracy (0 to 1)."""
    from dyrelu.training import Target, TrainingJob
    from dyrelu.training import train as train_model

    training = request.training
    job = TrainingJob(
        dataset=dataset,
        recipe=recipe_of(training),
        seed=request.seed,
        folder=request.folder,
        variant=request.variant,
        threads=request.threads,
        target=Target(value=training.target_of(request.variant), source=training.target_source),
        options=dict(variant_options(request.spec, request.variant)),
    )
    model = open_subject(request.spec).build(request.variant, None)
    result = train_model(model, job, resume=resume, on_progress=on_progress, communicator=communicator)
    return result.accuracy


def known_recipes() -> tuple[str, ...]:
    """The names of the recipes. Needs no Paddle."""
    from dyrelu.training import recipe_names

    return recipe_names()


def subject_errors() -> type[Exception]:
    """What the subject raises for bad input: one sentence for the user, like a BenchError."""
    from dyrelu.errors import DyReLUError

    return DyReLUError
