"""`run`: only the measuring, with the folder's trained weights or with random ones."""

from __future__ import annotations

from bench.cli import options
from bench.cli.progress import Reporter
from bench.cli.reporting import write_and_show
from bench.cli.stages import measure_stage
from bench.presets import Changes
from bench.subjects import DataSource

__all__ = ["run"]


def run(
    preset: options.PresetName = "quick",
    variant: options.Variants = None,
    batch: options.Batches = None,
    engine: options.Engines = None,
    model: options.Models = None,
    weights: options.Weights = None,
    input: options.Input = None,
    threads: options.Threads = None,
    seed: options.Seed = None,
    blocks: options.Blocks = None,
    shard: options.ShardText = None,
    epochs: options.Epochs = None,
    max_time: options.MaxTime = None,
    timeout: options.Timeout = None,
    out: options.Out = None,
    resume: options.Resume = False,
    data_file: options.DataFile = None,
) -> int:
    """Measure without training: the weights are the folder's trained ones, or random.

    With --model, any Paddle model takes the place of the preset's networks.
    """
    changes = Changes(
        variants=tuple(variant) if variant else None,
        batches=tuple(batch) if batch else None,
        engines=tuple(engine) if engine else None,
        models=tuple(model) if model else None,
        weights=tuple(weights) if weights else None,
        image=options.image_shape(input),
        threads=threads,
        seed=seed,
        blocks=blocks,
        epochs=epochs,
        max_time=max_time,
        timeout_s=timeout,
    )
    chosen = options.resolve(preset, changes)
    options.only_process("run")
    options.need_paddle("run")
    folder, request = options.make_request(chosen, out, resume, shard)
    with folder.claimed(request, resume) as standing:
        with Reporter() as reporter:
            reporter.line(f"writing to {folder.path}")
            _, status = measure_stage(folder, standing, reporter, DataSource(data_file))
        write_and_show(folder.path)
    return status
