"""What can be measured: the project's own networks and anybody's."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol

import msgspec

from bench.errors import InputError, UsageError
from bench.presets.schema import DyReLUSpec, ModelsSpec, Options, SubjectSpec

__all__ = [
    "Subject",
    "check_subject",
    "given_weights",
    "known_variants",
    "open_subject",
    "settle_weights",
    "variant_options",
]

_RANDOM_WEIGHTS_SEED = 0
# Repeated from dyrelu.models, which can't be imported without Paddle.
_RESNET_DEPTHS = (18, 34, 50, 101, 152)


class Subject(Protocol):
    """Builds Paddle layers by the name of their variant."""

    def build(self, variant: str, weights: Path | None) -> Any:
        """A layer in eval mode, with these weights or with reproducible random ones."""
        ...


def open_subject(spec: SubjectSpec) -> Subject:
    """Imports what is needed to build; this is where Paddle comes in."""
    return _DyReLU(spec) if isinstance(spec, DyReLUSpec) else _Models(spec)


def check_subject(spec: SubjectSpec) -> None:
    """Refuses what can't be built, before anything runs and without Paddle. Raises UsageError."""
    if not isinstance(spec, DyReLUSpec):
        return
    from dyrelu.activations import names

    unknown = [variant for variant in spec.variants if variant not in names()]
    if unknown:
        raise UsageError(f"unknown variant {unknown[0]!r}; choose from {', '.join(names())}")
    if spec.family == "resnet_cifar" and (spec.depth < 8 or (spec.depth - 2) % 6):
        raise UsageError(f"{spec.name}: depth {spec.depth} is not 6n+2; choose 8, 14, 20 or the like")
    if spec.family in ("resnet", "resnet_sites") and spec.depth not in _RESNET_DEPTHS:
        known = ", ".join(map(str, _RESNET_DEPTHS))
        raise UsageError(f"{spec.name}: there is no ResNet of depth {spec.depth}; choose from {known}")
    if spec.family == "mobilenet_v2" and spec.image[0] != 3:
        raise UsageError(
            f"{spec.name}: takes images with 3 channels, but image has {spec.image[0]}; say image = [3, ...]"
        )


def given_weights(spec: SubjectSpec, variant: str) -> Path | None:
    """The weights file that a preset or a flag names. Raises InputError where there is none such."""
    if isinstance(spec, DyReLUSpec):
        return None
    named = next(entry.weights for entry in spec.models if entry.name == variant)
    if named and not Path(named).is_file():
        raise InputError(f"weights {named}: there is no such file; give a safetensors file")
    return Path(named) if named else None


def known_variants() -> dict[str, tuple[str, ...]]:
    """The activations that there are, with the names of their options. Needs no Paddle."""
    from dyrelu import activations

    return {name: activations.options(name) for name in activations.names()}


def variant_options(spec: SubjectSpec, variant: str) -> tuple[tuple[str, str], ...]:
    """The options that this variant takes, as they go into a record's condition."""
    if not isinstance(spec, DyReLUSpec):
        return ()
    return tuple((name, str(value)) for name, value in _taken(spec.options, variant).items())


def _taken(options: Options, variant: str) -> dict[str, Any]:
    from dyrelu.activations import options as taken_by

    return {k: v for k, v in msgspec.structs.asdict(options).items() if k in taken_by(variant)}


def settle_weights(model: Any, image: tuple[int, ...], file: Path) -> bool:
    """Gives a model that came without a weights file the weights that all workers of a session share.

    The first worker that comes by leaves them in `file`; the result is whether it had to draw batch-norm
    statistics, since the model was never trained.
    """
    from dyrelu.training import calibrate_batch_norm, load_state, save_state

    if file.exists():
        load_state(model, file)
        return False
    calibrated = bool(calibrate_batch_norm(model, image))
    save_state(model, file)
    return calibrated


class _DyReLU:
    def __init__(self, spec: DyReLUSpec) -> None:
        self._spec = spec

    def build(self, variant: str, weights: Path | None) -> Any:
        from dyrelu.activations import build
        from dyrelu.training import initialise, load_weights

        model = _network(self._spec, build(variant, **_taken(self._spec.options, variant)))
        if weights is None:
            initialise(model, _RANDOM_WEIGHTS_SEED)
        else:
            load_weights(model, weights)
        model.eval()
        return model


def _network(spec: DyReLUSpec, act_layer: Any) -> Any:
    """A new network of the family that is asked for."""
    from dyrelu import models

    if spec.family == "resnet_cifar":
        return models.resnet_cifar(
            depth=spec.depth,
            width=spec.width,
            act_layer=act_layer,
            num_classes=spec.classes,
            in_channels=spec.image[0],
        )
    if spec.family == "resnet_sites":
        return models.resnet_sites(
            act_layer=act_layer, depth=spec.depth, stem=models.Stem(spec.stem), image=spec.image
        )
    if spec.family == "resnet":
        config = models.ResNetConfig(
            depth=spec.depth,
            num_classes=spec.classes,
            stem=models.Stem(spec.stem),
            in_channels=spec.image[0],
        )
        return models.ResNet(config, act_layer=act_layer)
    return _mobilenet_v2(spec, act_layer)


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
            from dyrelu.training import load_state

            load_state(model, weights)
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
