"""`train`: only the training of a preset, by one process or by those of `paddle.distributed.launch`."""

from __future__ import annotations

import os
from contextlib import nullcontext

from bench.cli import options
from bench.cli.progress import Reporter
from bench.cli.stages import train_stage
from bench.presets import Changes
from bench.subjects import DataSource, import_paddle, launched_ranks

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
    ranks = launched_ranks(os.environ)
    folder, request = options.make_request(chosen, out, resume)
    options.apply_threads(max(1, request.threads // ranks.local_size))
    import_paddle()
    # The first process of a distributed job writes for all.
    claim = folder.claimed(request, resume) if ranks.leads else nullcontext(request)
    with claim as standing, Reporter() as reporter:
        if ranks.leads:
            reporter.line(f"writing to {folder.path}")
        return train_stage(folder, standing, DataSource(data_file, download), reporter, ranks)
