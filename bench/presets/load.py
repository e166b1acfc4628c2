"""Finds, reads and changes presets, loudly: a typo is an error that names the known keys."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import msgspec

from bench.errors import InputError, UsageError
from bench.presets.ratio_targets import check_ratio_targets
from bench.presets.schema import (
    Changes,
    DyReLUSpec,
    Measurement,
    ModelEntry,
    ModelsSpec,
    Options,
    Preset,
    SubjectSpec,
    Training,
)
from bench.ratio_target import RatioTarget

__all__ = ["load_preset", "preset_names", "with_changes"]

_TABLES: dict[str, tuple[type[msgspec.Struct], ...]] = {
    "$": (Preset,),
    "$.subjects[...]": (DyReLUSpec, ModelsSpec),
    "$.subjects[...].options": (Options,),
    "$.subjects[...].models[...]": (ModelEntry,),
    "$.measure": (Measurement,),
    "$.train": (Training,),
    "$.targets[...]": (RatioTarget,),
}


def preset_names() -> tuple[str, ...]:
    """The presets that ship with the package."""
    files = resources.files("bench.presets").iterdir()
    return tuple(sorted(file.name[:-5] for file in files if file.name.endswith(".toml")))


def load_preset(name_or_file: str) -> Preset:
    """A shipped preset by its name, or anybody's by its file. Raises InputError."""
    if name_or_file in preset_names():
        content = resources.files("bench.presets").joinpath(f"{name_or_file}.toml").read_bytes()
        return _decode(content, name_or_file)
    path = Path(name_or_file)
    if path.suffix != ".toml" and not path.exists():
        raise InputError(
            f"unknown preset {name_or_file!r}; choose from {', '.join(preset_names())}, "
            "or give a TOML file of your own"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"preset {path}: can't be read ({error.strerror})") from error
    return _decode(content, str(path))


def _decode(content: bytes, source: str) -> Preset:
    try:
        preset = msgspec.toml.decode(content, type=Preset)
    except msgspec.ValidationError as error:
        raise InputError(f"preset {source}: {_explain(str(error))}") from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InputError(f"preset {source}: not valid TOML ({error})") from error
    targets = preset.train.targets if preset.train else {}
    if unknown := sorted(set(targets) - set(preset.subjects[0].variants)):
        raise UsageError(
            f"preset {source}: train.targets names {unknown[0]!r}, which isn't trained; it takes "
            f"{', '.join(preset.subjects[0].variants)}"
        )
    # Only here: a flag may leave out what a target names, which is then not judged.
    check_ratio_targets(preset, f"preset {source}")
    return _checked(preset, f"preset {source}")


def _explain(message: str) -> str:
    """A typo's message, with the keys that the table takes."""
    found = re.search(r"unknown field `(?P<key>[^`]*)`(?: - at `(?P<path>[^`]*)`)?", message)
    if not found:
        return message
    path = re.sub(r"\[\d+\]", "[...]", found["path"] or "$")
    known = sorted({name for table in _TABLES.get(path, ()) for name in table.__struct_fields__})
    table = f"[{path[2:].replace('[...]', '')}]" if path != "$" else "the top level"
    return f"unknown key {found['key']!r} in {table}; it takes {', '.join(known)}"


def _checked(preset: Preset, source: str) -> Preset:
    for what, values in (
        ("subjects", [subject.name for subject in preset.subjects]),
        *(("variants", subject.variants) for subject in preset.subjects),
        *(("batches", holder.batches or ()) for holder in (preset.measure, *preset.subjects)),
        *(("engines", holder.engines or ()) for holder in (preset.measure, *preset.subjects)),
        ("bfloat16_engines", preset.measure.bfloat16_engines),
    ):
        repeated = sorted({str(value) for value in values if list(values).count(value) > 1})
        if repeated:
            raise UsageError(f"{source}: {what} names {', '.join(repeated)} twice; name each once")
    if preset.train is not None and isinstance(preset.subjects[0], ModelsSpec):
        raise UsageError(
            f"{source}: [train] trains the first subject, which holds models of your own; put a dyrelu "
            "subject first, or leave [train] out"
        )
    return preset


def with_changes(preset: Preset, changes: Changes) -> Preset:
    """The preset with the command line's changes. Raises UsageError for those that don't fit it."""
    measure = msgspec.structs.replace(preset.measure, **_given(changes, _MEASURE_FIELDS))
    if changes.engines is not None:
        kept = tuple(engine for engine in measure.bfloat16_engines if engine in changes.engines)
        measure = msgspec.structs.replace(measure, bfloat16_engines=kept)
    subjects, train = preset.subjects, preset.train
    if changes.models is not None:
        subjects, train = (_models(changes),), None
        about = "models of the command line"
        preset = msgspec.structs.replace(preset, name="models", description=about, targets=())
    elif changes.image is not None or changes.weights is not None:
        raise UsageError("--input and --weights go with --model; a preset's networks have their own")
    subjects = tuple(_without_own(subject, changes) for subject in subjects)
    if changes.variants is not None:
        subjects = _only(subjects, changes.variants)
    if changes.epochs is not None:
        if train is None:
            raise UsageError("--epochs: this preset trains nothing; leave it out")
        train = msgspec.structs.replace(train, epochs=changes.epochs)
    changed = msgspec.structs.replace(preset, subjects=subjects, train=train, measure=measure)
    # A round trip checks the changed values as the file's are checked.
    try:
        changed = msgspec.convert(msgspec.to_builtins(changed), Preset)
    except msgspec.ValidationError as error:
        raise UsageError(_flag_message(str(error))) from error
    return _checked(changed, "command line")


def _without_own(subject: SubjectSpec, changes: Changes) -> SubjectSpec:
    """A flag says what every subject is measured on, also one that the preset gives engines of its own."""
    given = [field for field in ("batches", "engines") if getattr(changes, field) is not None]
    return msgspec.structs.replace(subject, **dict.fromkeys(given)) if given else subject


def _models(changes: Changes) -> ModelsSpec:
    """The command line's models, named by their factories' own names where these differ."""
    models = changes.models or ()
    if changes.image is None:
        raise UsageError("--model needs --input, the shape of one image, such as --input 3,224,224")
    weights = changes.weights or ("",) * len(models)
    if len(weights) != len(models):
        raise UsageError(
            f"--weights: {len(weights)} files for {len(models)} models; give one for each --model, in order"
        )
    short = tuple(model.rpartition(":")[2] for model in models)
    names = short if len(set(short)) == len(short) and all(short) else models
    entries = (ModelEntry(*parts) for parts in zip(names, models, weights, strict=True))
    return ModelsSpec(image=changes.image, models=tuple(entries))


_MEASURE_FIELDS = ("batches", "engines", "threads", "seed", "blocks", "max_time", "timeout_s")


def _given(changes: Changes, names: tuple[str, ...]) -> dict[str, object]:
    return {name: value for name in names if (value := getattr(changes, name)) is not None}


# Fields whose flag has another name; a model's own name is made of its factory's.
_FLAGS = {
    "batches": "--batch",
    "engines": "--engine",
    "factory": "--model",
    "image": "--input",
    "models": "--model",
    "name": "--model",
    "timeout_s": "--timeout",
    "variants": "--variant",
}


def _flag_message(message: str) -> str:
    """Says which flag has the bad value, in the flag's own words."""
    text, _, path = message.partition(" - at ")
    field = path.strip("`").split(".")[-1].split("[")[0]
    flag = _FLAGS.get(field, f"--{field.replace('_', '-')}")
    return f"{flag}: {text[0].lower()}{text[1:]}"


def _only(subjects: tuple[SubjectSpec, ...], variants: tuple[str, ...]) -> tuple[SubjectSpec, ...]:
    """Keeps the named variants in each subject's order, so that the reference stays the reference.

    A subject that has none of them is left out. An activation that the preset doesn't list is added to the
    project's own networks, which take any.
    """
    listed = {variant for subject in subjects for variant in subject.variants}
    added = tuple(variant for variant in variants if variant not in listed)
    if added and not any(isinstance(subject, DyReLUSpec) for subject in subjects):
        raise UsageError(
            f"--variant {added[0]}: the preset has no such model; it has {', '.join(sorted(listed))}"
        )
    kept: list[SubjectSpec] = []
    for subject in subjects:
        chosen = tuple(variant for variant in subject.variants if variant in variants)
        if isinstance(subject, DyReLUSpec):
            if chosen + added:
                kept.append(msgspec.structs.replace(subject, variants=chosen + added))
        elif chosen:
            entries = tuple(entry for entry in subject.models if entry.name in chosen)
            kept.append(msgspec.structs.replace(subject, models=entries))
    return tuple(kept)
