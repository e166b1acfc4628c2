"""Between a running training and its checkpoint: take a snapshot, go on from one."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

import numpy as np
import paddle

from dyrelu.errors import CheckpointError
from dyrelu.training.checkpoint import CheckpointInfo, Snapshot, read_snapshot
from dyrelu.training.convolution import tell_of_change
from dyrelu.training.epoch import Trainer
from dyrelu.training.log import cut_back
from dyrelu.training.optimiser import restore_velocities, velocities, velocity_tensors
from dyrelu.training.state import apply_state, check_state, state_of

__all__ = ["libraries", "restore", "share_state", "snapshot"]


def libraries() -> dict[str, str]:
    """Versions of what a run's numbers depend on."""
    return {"paddle": paddle.version.full_version, "numpy": np.__version__, "dyrelu-bench": _own_version()}


def _own_version() -> str:
    try:
        return version("dyrelu-bench")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "uninstalled"


def _info(trainer: Trainer, epoch: int, elapsed_seconds: float) -> CheckpointInfo:
    job = trainer.job
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
        ranks=trainer.communicator.ranks.size,
        best_epoch=trainer.best.epoch,
        best_correct=trainer.best.correct,
    )


def snapshot(trainer: Trainer, epoch: int, elapsed_seconds: float) -> Snapshot:
    """The whole state after `epoch`."""
    return Snapshot(
        weights=state_of(trainer.model),
        velocities=velocities(trainer.model, trainer.optimiser),
        average=trainer.average.arrays(),
        info=_info(trainer, epoch, elapsed_seconds),
        best=trainer.best.weights,
    )


def _check_same_run(trainer: Trainer, saved: CheckpointInfo) -> None:
    """Everything but how far it was has to be the same.

    The number of processes too: batch norm works on a process's slice of a batch, so another number is
    another training.
    """
    expected = _info(trainer, saved.epoch, saved.elapsed_seconds)
    different = [
        name.replace("ranks", "number of processes")
        for name in saved.__struct_fields__
        if getattr(saved, name) != getattr(expected, name) and name not in ("best_epoch", "best_correct")
    ]
    if different:
        raise CheckpointError(
            f"{trainer.job.checkpoint} was made with another {', '.join(different)}: "
            "resume with the same, or train into another folder"
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
    _check_same_run(trainer, saved)
    source = f"{job.checkpoint} (saved from variant {saved.variant})"
    check_state(trainer.model, stored.weights, source)
    # Before the weights: making room for the velocities may turn a -0.0 among them into 0.0.
    restore_velocities(trainer.model, trainer.optimiser, stored.velocities)
    apply_state(trainer.model, stored.weights, source)
    trainer.average.restore(stored.average)
    trainer.best.restore(saved.best_epoch, saved.best_correct, stored.best)
    cut_back(job.log, saved.epoch)
    tell_of_change(job.log, saved.epoch, trainer.convolution)
    return saved.epoch, saved.elapsed_seconds


def share_state(trainer: Trainer, done: int) -> int:
    """Give every process of the job process 0's state after `done` epochs, and that number.

    The moving average and the best epoch stay with process 0, which alone reads them.

    Raises:
        DistributedError: another process is gone.
    """
    model, communicator = trainer.model, trainer.communicator
    if communicator.ranks.size == 1:
        return done
    communicator.wait_for_leader()
    done = int(communicator.from_leader([done])[0])
    if done and not communicator.ranks.leads:
        trainable = {name: p for name, p in model.named_parameters() if not p.stop_gradient}
        room = {name: np.zeros(p.shape, dtype=np.float32) for name, p in trainable.items()}
        restore_velocities(model, trainer.optimiser, room)
    velocity = velocity_tensors(model, trainer.optimiser) if done else {}
    communicator.send_tensors([*model.state_dict().values(), *velocity.values()])
    return done
