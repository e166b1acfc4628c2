"""The typed form of a preset file. Every key that a file may hold is here, with its default and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from bench.case import Case, DType
from bench.ratio_target import RatioTarget

__all__ = [
    "Changes",
    "DyReLUSpec",
    "Measurement",
    "ModelEntry",
    "ModelsSpec",
    "Options",
    "Preset",
    "SubjectSpec",
    "Training",
]

# Everything has an upper bound: what is beyond it is a slip of the pen, and infinity has no place in a plan.
Positive = Annotated[int, Meta(ge=1, le=1_000_000)]
Repeats = Annotated[int, Meta(ge=1, le=100_000)]
Duration = Annotated[float, Meta(gt=0, le=1e6)]
Seed = Annotated[int, Meta(ge=0, le=2**32 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]
Name = Annotated[str, Meta(min_length=1)]
_IMAGENET = 224
Batches = Annotated[tuple[Positive, ...], Meta(min_length=1)]
Engines = Annotated[tuple[Name, ...], Meta(min_length=1)]


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of the dynamic activations: reduction R, pieces K, C's spatial mode, exact-ReLU start."""

    reduction: Positive = 8
    k: Annotated[int, Meta(ge=2, le=1_000_000)] = 2
    spatial: Literal["residual", "paper", "seed"] = "residual"
    zero_init: bool = False


class DyReLUSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="dyrelu"):
    """The project's own networks: one family, several activations.

    `depth` and `stem` are the ResNets'; `width` is the small family's first stage. `resnet_sites` is no
    network but a ResNet's activations alone, each on a map of its own size. `engines` and `batches` are
    [measure]'s where they aren't given.
    """

    family: Literal["resnet_cifar", "resnet", "resnet_sites", "mobilenet_v2"]
    classes: Positive
    image: tuple[Positive, Positive, Positive]
    variants: Annotated[tuple[Name, ...], Meta(min_length=1)]
    depth: Positive = 18
    width: Positive = 16
    stem: Literal["cifar", "imagenet"] = "cifar"
    options: Options = Options()
    engines: Engines | None = None
    batches: Batches | None = None

    @property
    def name(self) -> str:
        """Such as resnet8-w16, resnet18-cifar, resnet18-cifar-sites, mobilenet_v2, mobilenet_v2-32."""
        if self.family == "resnet_cifar":
            return f"resnet{self.depth}-w{self.width}"
        if self.family == "mobilenet_v2":
            return self.family if self.image[1] == _IMAGENET else f"{self.family}-{self.image[1]}"
        return f"resnet{self.depth}-{self.stem}{'-sites' if self.family == 'resnet_sites' else ''}"


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody's model: `factory` is package.module:callable, called with no argument.

    `weights` is a safetensors file with the layer's state; without one the weights are random.
    """

    name: Name
    factory: Name
    weights: str = ""


class ModelsSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="kind", tag="models"):
    """Any Paddle models with one input shape. `engines` and `batches` as for the project's own."""

    image: Annotated[tuple[Positive, ...], Meta(min_length=1)]
    models: Annotated[tuple[ModelEntry, ...], Meta(min_length=1)]
    name: Name = "models"
    engines: Engines | None = None
    batches: Batches | None = None

    @property
    def variants(self) -> tuple[str, ...]:
        """The names of the models."""
        return tuple(entry.name for entry in self.models)


SubjectSpec = DyReLUSpec | ModelsSpec


class Training(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Training to a target. `target` is a test accuracy (0 to 1); `epochs` None leaves it to the recipe.

    `targets` has the target of each variant that isn't judged by the common one. `hyper_lr_scale` takes the
    place of the recipe's factor on the learning rate of hyper functions, for every variant alike.
    """

    dataset: Literal["digits", "cifar10"]
    recipe: Name
    target: Share
    target_source: Name
    targets: Mapping[str, Share] = msgspec.field(default_factory=dict)
    seeds: Annotated[tuple[Seed, ...], Meta(min_length=1)] = (0,)
    epochs: Repeats | None = None
    hyper_lr_scale: Annotated[float, Meta(gt=0, le=1000)] | None = None

    def target_of(self, variant: str) -> float:
        """The test accuracy that this variant has to reach."""
        return self.targets.get(variant, self.target)


class Measurement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is measured, and how long. `threads` 0 means all cores; `max_time` is in minutes, 0 is no limit.

    Bursts are `burst_ms` long and at least `min_iterations` steps; a case may take `case_seconds` in a block
    and is given up after `timeout_s` without a sign of life. `memory_limit` (bytes, 0 is none) bounds the
    address space of a worker. An engine that isn't installed is a row, and with `require_engines` a failure.
    `bfloat16_engines` are measured in bfloat16 as well, where the machine can.
    """

    batches: Batches
    engines: Engines
    dtype: DType = DType.FLOAT32
    threads: Annotated[int, Meta(ge=0, le=4096)] = 0
    seed: Seed = 0
    blocks: Repeats = 9
    rounds: Repeats = 5
    burst_ms: Duration = 20.0
    min_iterations: Repeats = 5
    case_seconds: Duration = 10.0
    relative_interval: Share = 0.0
    timeout_s: Duration = 120.0
    max_time: Annotated[float, Meta(ge=0, le=1e6)] = 0.0
    memory_limit: Annotated[int, Meta(ge=0, le=2**60)] = 0
    require_engines: bool = False
    bfloat16_engines: tuple[Name, ...] = ()


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole job. The first variant of the first subject is the one that ratios are taken to.

    Only the first subject is trained. `targets` are bounds on ratios; those of accuracies are [train]'s.
    """

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    description: str
    subjects: Annotated[tuple[SubjectSpec, ...], Meta(min_length=1)]
    measure: Measurement
    train: Training | None = None
    targets: tuple[RatioTarget, ...] = ()

    @property
    def reference(self) -> str:
        """The variant that ratios are taken to."""
        return self.subjects[0].variants[0]

    @property
    def engines(self) -> tuple[str, ...]:
        """Every engine that any subject is measured on."""
        return tuple(dict.fromkeys(case.engine for case in self.cases()))

    def cases(self) -> tuple[Case, ...]:
        """Every case, by subject, type, engine, batch (ascending) and variant."""
        measure = self.measure
        return tuple(
            Case(subject.name, variant, batch, subject.image, dtype, engine)
            for subject in self.subjects
            for dtype, engines in (
                (measure.dtype, subject.engines or measure.engines),
                (DType.BFLOAT16, measure.bfloat16_engines),
            )
            for engine in engines
            for batch in sorted(subject.batches or self.measure.batches)
            for variant in subject.variants
        )


class Changes(msgspec.Struct, frozen=True):
    """What the command line changes in a preset; None leaves it as it is.

    `batches` and `engines` take the place of [measure]'s and of every subject's own.
    """

    variants: tuple[str, ...] | None = None
    batches: tuple[int, ...] | None = None
    engines: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    weights: tuple[str, ...] | None = None
    image: tuple[int, ...] | None = None
    threads: int | None = None
    seed: int | None = None
    blocks: int | None = None
    epochs: int | None = None
    max_time: float | None = None
    timeout_s: float | None = None
