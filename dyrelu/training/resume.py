"""Between a running training and its checkpoint: take a snapshot, go on from one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import paddle

from dyrelu.errors import CheckpointError
from dyrelu.training.checkpoint import CheckpointInfo, Snapshot, read_snapshot
from dyrelu.training.epoch import Trainer
from dyrelu.training.job import TrainingJob
from dyrelu.training.log import cut_back
from dyrelu.training.optimiser import restore_velocities, velocities
from dyrelu.training.state import apply_state, check_state, state_of

__all__ = ["libraries", "restore", "snapshot"]


def libraries() -> dict[str, str]:
    """Versions of what a run's numbers depend on."""
    return {"paddle": paddle.version.full_version, "numpy": np.__version__, "dyrelu-bench": _own_version()}


def _own_version() -> str:
    try:
        return version("dyrelu-bench")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "uninstalled"


def _info(job: TrainingJob, epoch: int, elapsed_seconds: float) -> CheckpointInfo:
    return CheckpointInfo(
        variant=job.variant,
        seed=job.seed,
        recipe=job.recipe,
        dataset=job.dataset.name,
        dataset_digest=job.dataset.digest,
        split_seed=job.dataset.split_seed,
        threads=job.threads,
        libraries=libraries(),
        epoch=epoch,
        elapsed_seconds=elapsed_seconds,
    )


def snapshot(trainer: Trainer, epoch: int, elapsed_seconds: float) -> Snapshot:
    """The whole state after `epoch`."""
    return Snapshot(
        weights=state_of(trainer.model),
        velocities=velocities(trainer.model, trainer.optimiser),
        average=trainer.average.arrays(),
        info=_info(trainer.job, epoch, elapsed_seconds),
    )


def restore(trainer: Trainer) -> tuple[int, float]:
    """Load the job's checkpoint and cut the log back to it; returns its epoch and the seconds spent until
    then.

    Raises:
        CheckpointError: the checkpoint or the log is damaged, or of another run.
    """
    job = trainer.job
    stored = read_snapshot(job.checkpoint)
    saved = stored.info
    expected = _info(job, saved.epoch, saved.elapsed_seconds)
    different = [
        field for field in saved.__struct_fields__ if getattr(saved, field) != getattr(expected, field)
    ]
    if different:
        raise CheckpointError(
            f"{job.checkpoint} was made with another {', '.join(different)}: "
            "resume with the same, or train into another folder"
        )
    source = f"{job.checkpoint} (saved from variant {saved.variant})"
    check_state(trainer.model, stored.weights, source)
    # Before the weights: making room for the velocities may turn a -0.0 among them into 0.0.
    restore_velocities(trainer.model, trainer.optimiser, stored.velocities)
    apply_state(trainer.model, stored.weights, source)
    trainer.average.restore(stored.average)
    cut_back(job.log, saved.epoch)
    return saved.epoch, saved.elapsed_seconds
