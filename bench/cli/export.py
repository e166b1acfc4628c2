"""`export`: a model as a file for deployment, checked against eager Paddle before it is written."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli import options
from bench.cli.output import emit, only_ours
from bench.errors import InputError, UsageError
from bench.export import ONNX_OPSET
from bench.exporting import Exported, ExportFormat, ExportJob, export_model
from bench.presets import Changes, Preset, preset_names
from bench.run_folder import RunFolder
from bench.subjects import DataSource, import_paddle, known_variants

__all__ = ["export"]

Model = Annotated[
    str,
    typer.Argument(
        help="A variant, a preset, a run's folder or one of its weights files, or package.module:factory."
    ),
]
To = Annotated[ExportFormat, typer.Option("--to", help="Format of the file.")]
Variant = Annotated[
    str | None, typer.Option("--variant", help="Which one of a preset or a run that has several.")
]
Weights = Annotated[
    str | None, typer.Option("--weights", help="A safetensors file for package.module:factory.")
]
OutFile = Annotated[
    Path | None, typer.Option("--out", help="The file (default: <subject>-<variant> in this folder).")
]
_SUFFIX = ".safetensors"


def export(
    model: Model,
    to: To = ExportFormat.ONNX,
    preset: options.PresetName = "quick",
    variant: Variant = None,
    weights: Weights = None,
    input: options.Input = None,
    threads: options.Threads = None,
    out: OutFile = None,
    data_file: options.DataFile = None,
) -> int:
    """Write a model for ONNX Runtime and OpenVINO, or for Paddle Inference, and check it.

    The file has to give what eager Paddle gives, on random inputs and, for trained weights whose data set is
    at hand, on its test images; else nothing is written and the status is 5.
    """
    options.need_paddle("export")
    found = _find(model, preset, variant, weights, input)
    subject = next(spec for spec in found.preset.subjects if found.variant in spec.variants)
    job = ExportJob(
        preset=found.preset,
        variant=found.variant,
        weights=found.weights,
        format=to,
        out=out or Path(f"{subject.name}-{found.variant}".replace(os.sep, "-").replace(":", "-")),
        data=DataSource(data_file),
        threads=threads or len(os.sched_getaffinity(0)),
    )
    options.apply_threads(job.threads)
    # A user's model is named package.module:factory, where the user stands.
    sys.path.insert(0, os.getcwd())
    with only_ours():
        import_paddle()
        exported = export_model(job)
    for line in _lines(exported, to):
        emit(line)
    return 0


@dataclass(frozen=True, slots=True)
class _Found:
    """The one model that was named; `weights` None are random or the factory's own."""

    preset: Preset
    variant: str
    weights: Path | None


def _find(model: str, preset: str, variant: str | None, weights: str | None, shape: str | None) -> _Found:
    """What `model` names. Raises UsageError where it names nothing, or too much."""
    path = Path(model)
    if RunFolder(path).holds_run or (path.suffix == _SUFFIX and path.is_file()):
        _only_for_factories(weights, shape)
        return _of_run(path, variant)
    if ":" in model:
        if variant is not None:
            raise UsageError("--variant goes with a preset or a run; package.module:factory is one model")
        changes = Changes(
            models=(model,), weights=(weights,) if weights else None, image=options.image_shape(shape)
        )
        chosen = options.resolve(preset, changes)
        (name,) = chosen.subjects[0].variants
        return _Found(chosen, name, Path(weights) if weights else None)
    _only_for_factories(weights, shape)
    if model in preset_names() or path.suffix == ".toml":
        chosen = options.resolve(model, Changes())
        return _Found(chosen, _one_variant(chosen, variant, model), None)
    if model in known_variants():
        return _Found(options.resolve(preset, Changes(variants=(model,))), model, None)
    raise UsageError(
        f"{model}: is no variant, preset, run folder or weights file here; give one "
        "(`dyrelu-bench list` has the names), or package.module:factory with --input"
    )


def _only_for_factories(weights: str | None, shape: str | None) -> None:
    if weights is not None or shape is not None:
        raise UsageError("--input and --weights go with package.module:factory; others have their own")


def _of_run(path: Path, variant: str | None) -> _Found:
    """A trained model of a run: of its folder, or by its weights file inside that."""
    if path.is_dir():
        folder = RunFolder(path)
        chosen = folder.standing().preset
        name = _one_variant(chosen, variant, str(path))
        seed = chosen.train.seeds[0] if chosen.train else 0
        found = folder.weights_of(name, seed)
        if found is None:
            raise InputError(
                f"{path}: holds no trained weights of {name}; train it, or name the variant alone"
            )
        return _Found(chosen, name, found)
    inside = (RunFolder(parent) for parent in path.resolve().parents)
    run = next((folder for folder in inside if folder.holds_run), None)
    if run is None:
        raise InputError(
            f"{path}: lies in no run, so its network is not known; name it inside its run's folder"
        )
    chosen = run.standing().preset
    seeds = chosen.train.seeds if chosen.train else ()
    for name in chosen.subjects[0].variants:
        if any(run.weights_of(name, seed) == path.resolve() for seed in seeds):
            return _Found(chosen, name, path)
    raise InputError(f"{path}: is no weights file of the run in {run.path}; name one in its training folder")


def _one_variant(preset: Preset, variant: str | None, name: str) -> str:
    known = list(dict.fromkeys(each for spec in preset.subjects for each in spec.variants))
    if variant is None and len(known) == 1:
        return known[0]
    if variant not in known:
        said = f"has no variant {variant!r}" if variant else "has several variants"
        raise UsageError(f"{name}: {said}; choose with --variant from {', '.join(known)}")
    return variant


def _lines(exported: Exported, to: ExportFormat) -> list[str]:
    size = sum(path.stat().st_size for path in exported.files)
    kind = f"ONNX opset {ONNX_OPSET}" if to is ExportFormat.ONNX else "Paddle program"
    lines = [
        f"wrote {' and '.join(map(str, exported.files))} ({kind}, {size:,} bytes)",
        f"random inputs: within {exported.error:.1e} of eager Paddle's largest output "
        f"(tolerance {exported.tolerance:.0e})",
    ]
    if exported.images:
        lines.append(
            f"test images: eager Paddle's class on {exported.agreeing} of {exported.images}, "
            f"accuracy {exported.correct / exported.images:.2%}"
        )
    if "fused" in exported.kernel.split("+"):
        lines.append(
            "it holds the fused operator: a process that loads it calls dyrelu.kernels.register() first "
            "(DYRELU_KERNEL=plain exports without)"
        )
    return [*lines, *(f"note: {note}" for note in exported.notes)]
