"""`train`: only the training of a preset."""

from __future__ import annotations

from bench.cli import options
from bench.cli.progress import Reporter
from bench.cli.stages import train_stage
from bench.presets import Changes
from bench.subjects import DataSource

__all__ = ["train"]


def train(
    preset: options.PresetName = "quick",
    variant: options.Variants = None,
    threads: options.Threads = None,
    epochs: options.Epochs = None,
    out: options.Out = None,
    resume: options.Resume = False,
    data_file: options.DataFile = None,
    download: options.Download = False,
) -> int:
    """Train a preset's variants to its target. Go on in the same folder with `run --resume --out FOLDER`."""
    changes = Changes(variants=tuple(variant) if variant else None, threads=threads, epochs=epochs)
    chosen = options.resolve(preset, changes)
    options.need_paddle("train")
    folder, request = options.make_request(chosen, out, resume)
    options.apply_threads(request.threads)
    with folder.claimed(request, resume) as standing, Reporter() as reporter:
        reporter.line(f"writing to {folder.path}")
        return train_stage(folder, standing, DataSource(data_file, download), reporter)
