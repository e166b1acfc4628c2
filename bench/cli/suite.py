"""`suite`: train, measure and report in one go."""

from __future__ import annotations

from bench.cli import options
from bench.cli.progress import Reporter
from bench.cli.reporting import write_and_show
from bench.cli.stages import measure_stage, train_stage
from bench.errors import ExitStatus, worst
from bench.presets import Changes
from bench.subjects import DataSource, import_paddle

__all__ = ["suite"]


def suite(
    preset: options.PresetName = "quick",
    variant: options.Variants = None,
    batch: options.Batches = None,
    engine: options.Engines = None,
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
    download: options.Download = False,
) -> int:
    """Train to the target, measure, and write the comparison report."""
    changes = Changes(
        variants=tuple(variant) if variant else None,
        batches=tuple(batch) if batch else None,
        engines=tuple(engine) if engine else None,
        threads=threads,
        seed=seed,
        blocks=blocks,
        epochs=epochs,
        max_time=max_time,
        timeout_s=timeout,
    )
    chosen = options.resolve(preset, changes)
    options.need_paddle("suite")
    ranks = options.only_process("suite")
    folder, request = options.make_request(chosen, out, resume, shard)
    options.apply_threads(request.threads)
    if chosen.train is not None:
        import_paddle()
    source = DataSource(data_file, download)
    with folder.claimed(request, resume) as standing:
        statuses: set[ExitStatus] = set()
        with Reporter() as reporter:
            reporter.line(f"writing to {folder.path}")
            if chosen.train is not None:
                statuses.add(train_stage(folder, standing, source, reporter, ranks))
            _, status = measure_stage(folder, standing, reporter, source)
            statuses.add(status)
        write_and_show(folder.path)
    return worst(statuses)
