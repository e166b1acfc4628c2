"""What can be measured: the project's own networks and anybody's. The one file that knows `dyrelu`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from bench.errors import InputError, UsageError
from bench.presets.schema import DyReLUSpec, ModelsSpec, Options, SubjectSpec, Training

if TYPE_CHECKING:
    from dyrelu.data import ImageDataset
    from dyrelu.training import Ranks, Recipe
    from dyrelu.training.distributed import Communicator
    from dyrelu.training.job import OnProgress

__all__ = [
    "DataSource",
    "Subject",
    "TrainingRequest",
    "check_subject",
    "given_weights",
    "kernel",
    "launched_ranks",
    "load_dataset",
    "open_communicator",
    "open_subject",
    "subject_errors",
    "train",
    "training_notes",
    "variant_options",
]

_RANDOM_WEIGHTS_SEED = 0


class Subject(Protocol):
    """Builds Paddle layers by the name of their variant."""

    def build(self, variant: str, weights: Path | None) -> Any:
        """A layer in eval mode, with these weights or with reproducible random ones."""
        ...


def open_subject(spec: SubjectSpec) -> Subject:
    """Imports what is needed to build; this is where Paddle comes in."""
    return _DyReLU(spec) if isinstance(spec, DyReLUSpec) else _Models(spec)


def check_subject(spec: SubjectSpec) -> None:
    """Refuses unknown variants before anything runs, without Paddle. Raises UsageError."""
    if not isinstance(spec, DyReLUSpec):
        return
    from dyrelu.activations import names

    unknown = [variant for variant in spec.variants if variant not in names()]
    if unknown:
        raise UsageError(f"unknown variant {unknown[0]!r}; choose from {', '.join(names())}")


def given_weights(spec: SubjectSpec, variant: str) -> Path | None:
    """The weights file that a preset or a flag names. Raises InputError where there is none such."""
    if isinstance(spec, DyReLUSpec):
        return None
    named = next(entry.weights for entry in spec.models if entry.name == variant)
    if named and not Path(named).is_file():
        raise InputError(f"weights {named}: there is no such file; give a safetensors file")
    return Path(named) if named else None


def variant_options(spec: SubjectSpec, variant: str) -> tuple[tuple[str, str], ...]:
    """The options that this variant takes, as they go into a record's condition."""
    if not isinstance(spec, DyReLUSpec):
        return ()
    return tuple((name, str(value)) for name, value in _taken(spec.options, variant).items())


def kernel(spec: SubjectSpec) -> str:
    """Which implementation of the activations runs."""
    return "plain" if isinstance(spec, DyReLUSpec) else "model's own"


def _taken(options: Options, variant: str) -> dict[str, Any]:
    from dyrelu.activations import options as taken_by

    return {k: v for k, v in msgspec.structs.asdict(options).items() if k in taken_by(variant)}


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

    held_out = _recipe(training).validation_images
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

    return run_notes(_recipe(training), dataset, ranks.size)


def launched_ranks(environment: Mapping[str, str]) -> Ranks:
    """Which process of a distributed job this is; alone where no launcher started it."""
    from dyrelu.training import launched_ranks

    return launched_ranks(environment)


def _recipe(training: Training) -> Recipe:
    from dyrelu.training import recipe

    overrides: dict[str, object] = {} if training.epochs is None else {"epochs": training.epochs}
    return recipe(training.recipe, **overrides)


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
        recipe=_recipe(training),
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


def subject_errors() -> type[Exception]:
    """What the subject raises for bad input: one sentence for the user, like a BenchError."""
    from dyrelu.errors import DyReLUError

    return DyReLUError


class _DyReLU:
    def __init__(self, spec: DyReLUSpec) -> None:
        self._spec = spec

    def build(self, variant: str, weights: Path | None) -> Any:
        from dyrelu import models
        from dyrelu.activations import build
        from dyrelu.training import initialise, load_weights

        spec = self._spec
        act_layer = build(variant, **_taken(spec.options, variant))
        model: Any
        if spec.family == "resnet_cifar":
            model = models.resnet_cifar(
                depth=spec.depth,
                width=spec.width,
                act_layer=act_layer,
                num_classes=spec.classes,
                in_channels=spec.image[0],
            )
        elif spec.family == "resnet":
            config = models.ResNetConfig(
                depth=spec.depth,
                num_classes=spec.classes,
                stem=models.Stem(spec.stem),
                in_channels=spec.image[0],
            )
            model = models.ResNet(config, act_layer=act_layer)
        else:
            model = _mobilenet_v2(spec, act_layer)
        if weights is None:
            initialise(model, _RANDOM_WEIGHTS_SEED)
        else:
            load_weights(model, weights)
        model.eval()
        return model


def _mobilenet_v2(spec: DyReLUSpec, act_layer: Any) -> Any:
    """Paddle's own network with each of its ReLU6 replaced, so that its definition isn't written again."""
    import paddle

    from dyrelu import replace_activations

    model = paddle.vision.models.mobilenet_v2(num_classes=spec.classes)
    replace_activations(model, act_layer, paddle.zeros([1, *spec.image]))
    return model


class _Models:
    def __init__(self, spec: ModelsSpec) -> None:
        self._factories = {entry.name: entry.factory for entry in spec.models}

    def build(self, variant: str, weights: Path | None) -> Any:
        import paddle

        paddle.seed(_RANDOM_WEIGHTS_SEED)
        model = _call_factory(self._factories[variant])
        if weights is not None:
            from dyrelu.training import load_weights

            load_weights(model, weights)
        model.eval()
        return model


def _call_factory(name: str) -> Any:
    """Imports package.module:callable and calls it. Raises UsageError that names the step that failed."""
    import paddle

    module_name, colon, attribute = name.partition(":")
    if not (module_name and colon and attribute):
        raise UsageError(f"model {name!r} is not of the form package.module:callable")
    try:
        module = importlib.import_module(module_name)
    except ImportError as error:
        raise UsageError(f"model {name!r}: {module_name} can't be imported ({error})") from error
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise UsageError(f"model {name!r}: {module_name} has no callable {attribute!r}")
    model = factory()
    if not isinstance(model, paddle.nn.Layer):
        raise UsageError(f"model {name!r} returned {type(model).__name__}, not a paddle.nn.Layer")
    return model
