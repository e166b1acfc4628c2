"""Whose convolutions a network is trained and evaluated with."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from paddle import nn

from dyrelu.kernels import Kernel, onednn_convolutions
from dyrelu.training.atomic import write_atomically
from dyrelu.training.log import RunStart
from dyrelu.training.notes import Convolution, resumed_note

__all__ = ["fast_convolutions", "tell_of_change"]


@contextmanager
def fast_convolutions(model: nn.Layer) -> Iterator[Convolution]:
    """Inside, `model` runs with oneDNN's convolutions where they can be had, as DYRELU_KERNEL says; a warning
    says why where they can't.

    Raises KernelError where DYRELU_KERNEL=fused can't be had, OptionError for an unknown value of it.
    """
    with onednn_convolutions(model) as choice:
        if choice.reason:
            warnings.warn(
                f"training runs on Paddle's own convolutions, several times slower on a CPU: {choice.reason} "
                "(DYRELU_KERNEL=plain silences this.)",
                RuntimeWarning,
                stacklevel=4,
            )
        yield Convolution.ONEDNN if choice.kernel is Kernel.FUSED else Convolution.PADDLE


def tell_of_change(log: Path, epoch: int, convolution: Convolution) -> None:
    """Say in a log's start that its run went on after `epoch` with other convolutions, if it did.

    Args:
        log: of a run that was resumed, `cut_back` already, so that its first line is the start.
        epoch: the last one before.
        convolution: what the run goes on with.

    Raises:
        CheckpointError: the log cannot be written.
    """
    first, _, rest = log.read_bytes().partition(b"\n")
    start = msgspec.json.decode(first, type=RunStart)
    if start.convolution is convolution:
        return
    note = resumed_note(epoch, start.convolution, convolution)
    told = msgspec.structs.replace(start, convolution=convolution, notes=(*start.notes, note))
    write_atomically(log, msgspec.json.encode(told) + b"\n" + rest)
